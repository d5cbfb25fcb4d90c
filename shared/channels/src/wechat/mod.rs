//! WeChat official accounts (微信公众号): plain, safe and compatible mode, XML and JSON bodies, passive replies and the
//! customer-service API.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `app_id` | the account's app id; required for `safe` and `both`, and to send by the API | – |
//! | `mode` | `plain`, `safe` (encrypted only) or `both` | `safe` if there is an `encoding_aes_key`, else `plain` |
//! | `reply` | `api` (customer-service API) or `passive` (in the webhook's answer if ready in time, else the API) | `api` |
//! | `api_base` | the API's address | `https://api.weixin.qq.com` |
//! | `max_age_secs` | how far the signed timestamp may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `token` | required, 3 to 32 characters: signs webhooks |
//! | `app_secret` | required to send by the API |
//! | `encoding_aes_key` | 43 characters; required for `safe` and `both` |
//!
//! In plain mode the platform signs the time and a nonce but not the body. An attacker who can read one request can send
//! another body with it until the timestamp is too old. Safe mode signs the body.
//!
//! Signatures, decryption, messages and the API are in [`crate::wx`], which mini programs share. This module holds
//!
//! * `account`: the settings;
//! * `outgoing`: a reply in the platform's form; `passive`, `api`: the two ways in which it leaves;
//! * `sign`: signed requests for tests and simulators.

mod account;
mod api;
mod outgoing;
mod passive;

#[cfg(any(test, feature = "testkit"))]
pub use crate::wx::sign;
pub use account::{Account, Mode, ReplyBy};
pub use outgoing::{Article, Outgoing};

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Overlong, Parsed, Refusal, Rendered, Reply, Request, Secrets, TextUnit, Token, Undeliverable, Verified, Window,
};
use crate::wx::{self, message};
use warmline_model::{Media, Timestamp};

/// The capabilities of an official account. The API refuses longer texts with 45002.
const CAPABILITIES: Capabilities = Capabilities {
    channel: "wechat",
    name_zh: "微信公众号",
    name_en: "WeChat official account",
    carries: Carries::Chat,
    text_limit: 2048,
    text_unit: TextUnit::Bytes,
    overlong: Overlong::Split,
    kinds_in: &["text", "image", "voice", "video", "location", "link", "event", "unknown"],
    kinds_out: &["text", "image", "voice", "video", "link"],
    window: Some(Window { secs: 48 * 3600, replies: Some(5) }),
    receipts: false,
    badge: false,
    media_limit: 10 << 20,
};

/// Official accounts have only the common fields.
struct Dialect;

impl message::Dialect for Dialect {}

/// The adapter for WeChat official accounts.
#[derive(Clone, Copy, Debug, Default)]
pub struct WechatAdapter;

impl Adapter for WechatAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secrets `token` and, in safe mode, `encoding_aes_key`"
    }

    fn missing_for_sending(&self, account: &Account) -> Vec<&'static str> {
        account.app.missing_for_sending()
    }

    fn handshake(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
        account.app.gate.handshake(request, now)
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        account.app.gate.verify(request, now)
    }

    fn parse(&self, _account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        message::with_context::<Dialect>(body.body()).map(Into::into)
    }

    /// The text `success`. The platform then neither retries nor shows the customer an error.
    fn acknowledge(&self, _account: &Account, _body: &Verified) -> Reply {
        Reply::text("success")
    }

    fn wants_passive(&self, account: &Account) -> bool {
        account.reply == ReplyBy::Passive
    }

    fn passive(
        &self,
        account: &Account,
        body: &Verified,
        reply: &Outbound<'_>,
        now: Timestamp,
        nonce: &[u8; 16],
    ) -> Option<Reply> {
        passive::passive(account, body, reply, now, nonce)
    }

    fn token_request(&self, account: &Account, force: bool, _: &Call<'_>) -> Option<ApiRequest> {
        account.app.token_request(force)
    }

    fn read_token(&self, answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
        wx::api::read_token(answer)
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable> {
        api::render(account, reply, call.token)
    }

    /// If a reply may leave in the webhook's answer, a requirement of the API alone is no reason to refuse it.
    fn check(&self, account: &Account, reply: &Outbound<'_>) -> Result<(), Undeliverable> {
        match api::render(account, reply, Some("checked")) {
            Err(why) if why.is_of_account() => Ok(()),
            Err(Undeliverable::ThumbMissing) if self.wants_passive(account) => Ok(()),
            rendered => rendered.map(drop),
        }
    }

    fn media(&self, account: &Account, media: &Media, call: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        account.app.media(media, call.token)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        wx::api::read_answer(answer)
    }
}
