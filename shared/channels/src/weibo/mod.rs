//! Weibo 粉丝服务 (fans service): private messages to a verified account, by the JSON push of 消息推送服务.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `uid` | the account's own user id; if it is set, messages to another are refused | – |
//! | `reply` | `api` (客服消息) or `passive` (in the webhook's answer if ready in time, else the API) | `api` |
//! | `api_base` | the address for replies | `https://m.api.weibo.com` |
//! | `media_base` | the address for pictures and voices | `https://upload.api.weibo.com` |
//! | `max_age_secs` | how far the signed timestamp may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `app_secret` | required: signs webhooks |
//! | `access_token` | for replies by the API and for media: the token that 粉丝服务平台's developer mode shows |
//!
//! Protocol, by the documents 消息推送服务, 接收普通消息, 接收事件推送, 发送被动响应消息, 发送客服消息 and Error code of
//! open.weibo.com:
//! * each request carries `signature` = sha1(sort(appsecret, timestamp, nonce)). The check of the address adds `echostr`,
//!   which is returned unchanged. The body is not signed: an attacker who reads one request can send another body with it
//!   until the timestamp is too old;
//! * an answer must come within five seconds. There are three tries in all, and an empty body ends them. Messages have no
//!   id. A retry is recognised by sender and time, and a digest of the whole message, since a second can hold two messages;
//! * within 48 h of a message, a follow or subscription, a menu click or a scan, replies are not counted. After a mention
//!   one is allowed, after an unfollow none. A text is shorter than 300 characters;
//! * the token is the operator's and has no API that would renew it, so a refused one is `credentials_refused`.
//!
//! The older XML form of the push (a compatibility with WeChat's) is not read: choose JSON.

mod account;
mod api;
mod parse;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod verify;

pub use account::Account;

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Overlong, Parsed, Refusal, Rendered, Reply, Request, Secrets, TextUnit, Undeliverable, Verified, Window,
};
use warmline_model::{Media, Timestamp};

/// The capabilities of the fans service: text "under 300 Chinese characters", 48 h, no number of replies.
const CAPABILITIES: Capabilities = Capabilities {
    channel: "weibo",
    name_zh: "微博粉丝服务",
    name_en: "Weibo fans service",
    carries: Carries::Chat,
    text_limit: 299,
    text_unit: TextUnit::Chars,
    overlong: Overlong::Split,
    kinds_in: &["text", "image", "voice", "location", "event", "unknown"],
    kinds_out: &["text", "location"],
    window: Some(Window { secs: 48 * 3600, replies: None }),
    receipts: false,
    badge: false,
    media_limit: 10 << 20,
};

/// The adapter for Weibo's fans service.
#[derive(Clone, Copy, Debug, Default)]
pub struct WeiboAdapter;

impl Adapter for WeiboAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secret `app_secret`"
    }

    fn missing_for_sending(&self, account: &Account) -> Vec<&'static str> {
        if account.access_token.is_some() { Vec::new() } else { vec!["access_token"] }
    }

    fn handshake(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
        verify::handshake(account, request, now)
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        parse::parse(account, body.body()).map(Into::into)
    }

    /// An empty body. The platform then does not try again.
    fn acknowledge(&self, _account: &Account, _body: &Verified) -> Reply {
        Reply::text("")
    }

    fn wants_passive(&self, account: &Account) -> bool {
        account.passive
    }

    fn passive(
        &self,
        _account: &Account,
        body: &Verified,
        reply: &Outbound<'_>,
        _now: Timestamp,
        _nonce: &[u8; 16],
    ) -> Option<Reply> {
        api::passive(body, reply)
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, _call: &Call<'_>) -> Result<Rendered, Undeliverable> {
        api::render(account, reply)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        api::read_answer(answer)
    }

    fn media(&self, account: &Account, media: &Media, _call: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        api::media(account, media)
    }
}
