//! 抖音: private messages (私信) to an operator's account through the open platform, and the customer service of mini apps
//! (小程序消息推送客服), which is another protocol of the same platform. An account uses one of them (`kind`).
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `kind` | `im` (private messages) or `miniapp` (a mini app's customer service) | `im` |
//! | `client_key` | `im`: the app's client key; required to send, and checked against each event if it is set | – |
//! | `app_id` | `miniapp`: the mini app's id (`tt…`); required | – |
//! | `api_base` | the API's address | `https://open.douyin.com`, `https://developer.toutiao.com` |
//! | `max_age_secs` | `miniapp`: how far the signed timestamp may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `client_secret` | `im`: required; signs webhooks and fetches tokens |
//! | `webhook_secret` | `im`: the separate key for webhooks, if the console shows one (小程序 webhook 验签秘钥) |
//! | `refresh_token` | `im`: of the operator's authorisation, if sending needs one; otherwise the app's own `client_token` is used |
//! | `token` | `miniapp`: required, 3 to 32 characters |
//! | `encoding_aes_key` | `miniapp`: required, 43 characters |
//! | `app_secret` | `miniapp`: required to send |
//!
//! Private messages (《Webhooks 概述》, 《接收私信消息事件》, 《发送私信消息》 of developer.open-douyin.com): `X-Douyin-Signature` is the
//! hexadecimal SHA-1 over the secret and the raw body, with neither time nor nonce. A captured webhook therefore stays
//! valid, and only the message's own id makes its replay harmless. `verify_webhook` is answered with its `challenge`.
//! `content` is an object or a text that holds one. A reply repeats the conversation and the message that it answers. It is
//! accepted within 24 h of that message.
//!
//! Customer service (《消息推送客服》, 《消息推送及加解密说明》): the address check signs token, timestamp, nonce and `msg`. A message is
//! `{Nonce, TimeStamp, Encrypt, MsgSignature}` in JSON or XML, in WeChat's envelope with a random prefix of 32 bytes. No
//! document describes a signature of plain messages, so they are refused. The platform has announced this interface's end
//! for mini games and moves mini apps to 抖音客服平台. This adapter reads the pushes that still come.
//!
//! * `account`: the settings; `verify`: signatures, decryption, the two address checks;
//! * `im`, `miniapp`: what customers send, by either protocol; `token`, `api`: tokens, replies and the platform's answers;
//! * `sign`: signed requests for tests and simulators.

mod account;
mod api;
mod im;
mod miniapp;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod token;
mod verify;

pub use account::{Account, Kind};

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Overlong, Parsed, Refusal, Rendered, Reply, Request, Secrets, TextUnit, Token, Undeliverable, Verified, Window,
};
use serde_json::json;
use warmline_model::{Media, Timestamp};

/// The capabilities of private messages. The customer service of mini apps has the wider window of 48 h and one reply less
/// (5), no video, and pictures by address instead of id.
const CAPABILITIES: Capabilities = Capabilities {
    channel: "douyin",
    name_zh: "抖音",
    name_en: "Douyin",
    carries: Carries::Chat,
    text_limit: 1000,
    text_unit: TextUnit::Chars,
    overlong: Overlong::Split,
    kinds_in: &["text", "image", "video", "event", "unknown"],
    kinds_out: &["text", "image", "video"],
    window: Some(Window { secs: 24 * 3600, replies: Some(6) }),
    receipts: false,
    badge: false,
    media_limit: 10 << 20,
};

/// The adapter for 抖音.
#[derive(Clone, Copy, Debug, Default)]
pub struct DouyinAdapter;

impl Adapter for DouyinAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secret `client_secret` or `webhook_secret` (for a mini app `token` and `encoding_aes_key`)"
    }

    fn missing_for_sending(&self, account: &Account) -> Vec<&'static str> {
        account.missing_for_sending()
    }

    fn handshake(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
        verify::handshake(account, request, now)
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        match account.kind() {
            Kind::Im => im::parse(account, body).map(Into::into),
            Kind::Miniapp => miniapp::parse(body).map(Into::into),
        }
    }

    /// Private messages accept any 200. Customer service requires the text `success`.
    fn acknowledge(&self, account: &Account, _body: &Verified) -> Reply {
        match account.kind() {
            Kind::Im => Reply::json(&json!({ "err_no": 0, "err_tips": "success" })),
            Kind::Miniapp => Reply::text("success"),
        }
    }

    fn token_request(&self, account: &Account, _force: bool, _: &Call<'_>) -> Option<ApiRequest> {
        token::token_request(account)
    }

    fn read_token(&self, answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
        token::read_token(answer)
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable> {
        api::render(account, reply, call.token)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        api::read_answer(answer)
    }

    fn media(&self, account: &Account, media: &Media, _: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        api::media(account, media)
    }
}
