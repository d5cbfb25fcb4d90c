//! WeChat mini programs (微信小程序客服消息): JSON and XML, plain and encrypted; the customer-service API.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `app_id` | the mini program's app id; required for `safe` and `both`, and to send | – |
//! | `mode` | `plain`, `safe` (encrypted only) or `both` | `safe` if there is an `encoding_aes_key`, else `plain` |
//! | `link_picture` | address of the picture of links; the platform requires one, so without it no link is sent | none |
//! | `api_base` | the API's address | `https://api.weixin.qq.com` |
//! | `max_age_secs` | how far the signed timestamp may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `token` | required, 3 to 32 characters: signs webhooks |
//! | `app_secret` | required to send |
//! | `encoding_aes_key` | 43 characters; required for `safe` and `both` |
//!
//! Sources: 微信开放文档, 小程序: 消息推送, 接收客服消息, 发送客服消息 (5 messages within 48 h of the customer's, 2 within a minute of
//! their entering the chat).
//!
//! Signatures, envelope, access tokens and error codes are those of official accounts ([`crate::wx`]). The platform accepts
//! no reply in a webhook's answer. A page of the mini program, which customers and agents can send as a card, is a link to
//! `miniprogram://<app id>/<page path>#<media id of the cover>`.
//!
//! * `account`: the settings; `parse`: the pushes of mini programs alone; `outgoing`: replies in the platform's form;
//! * [`open_data`]: the two proofs that the mini program itself can hand over;
//! * `sign`: signed requests for tests and simulators.

mod account;
pub mod open_data;
mod outgoing;
mod parse;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;

pub use account::Account;
pub use outgoing::Outgoing;

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Overlong, Parsed, Refusal, Rendered, Reply, Request, Secrets, TextUnit, Token, Undeliverable, Verified, Window,
};
use crate::wx;
use warmline_model::{Media, Timestamp};

/// The capabilities of a mini program's customer service. The API refuses longer texts with 45002.
const CAPABILITIES: Capabilities = Capabilities {
    channel: "miniprogram",
    name_zh: "微信小程序",
    name_en: "WeChat mini program",
    carries: Carries::Chat,
    text_limit: 2048,
    text_unit: TextUnit::Bytes,
    overlong: Overlong::Split,
    kinds_in: &["text", "image", "link", "event", "unknown"],
    kinds_out: &["text", "image", "link"],
    window: Some(Window { secs: 48 * 3600, replies: Some(5) }),
    receipts: false,
    badge: false,
    media_limit: 10 << 20,
};

/// The adapter for WeChat mini programs.
#[derive(Clone, Copy, Debug, Default)]
pub struct MiniprogramAdapter;

impl Adapter for MiniprogramAdapter {
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
        parse::parse(body.body()).map(Into::into)
    }

    /// The text `success`. The platform then neither retries nor shows the customer an error.
    fn acknowledge(&self, _account: &Account, _body: &Verified) -> Reply {
        Reply::text("success")
    }

    fn token_request(&self, account: &Account, force: bool, _: &Call<'_>) -> Option<ApiRequest> {
        account.app.token_request(force)
    }

    fn read_token(&self, answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
        wx::api::read_token(answer)
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable> {
        CAPABILITIES.check(reply.content)?;
        let message = account.outgoing(reply.content)?;
        Ok(Rendered::Call(account.app.send(message.to_json(reply.to), call.token)?))
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        wx::api::read_answer(answer)
    }

    fn media(&self, account: &Account, media: &Media, call: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        account.app.media(media, call.token)
    }
}

#[cfg(test)]
mod tests;
