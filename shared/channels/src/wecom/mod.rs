//! WeCom (企业微信): members' messages to an application, and customers' messages to 微信客服.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `corp_id` | required: the company's id, to which webhooks are addressed | – |
//! | `agent_id` | the application's id, for replies to messages that name none | – |
//! | `api_base` | the API's address | `https://qyapi.weixin.qq.com` |
//! | `max_age_secs` | how far the signed timestamp may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `token` | required, 3 to 32 characters: signs webhooks |
//! | `encoding_aes_key` | required, 43 characters: every webhook is encrypted |
//! | `secret` | the application's or 微信客服's secret; required to send, and to fetch customers' messages |
//!
//! Sources: 企业微信开发者中心: 回调配置, 接收消息与事件, 发送应用消息; 微信客服: 接收消息和事件, 发送消息, 发送欢迎语等事件响应消息;
//! 全局错误码.
//!
//! An application pushes its messages. 微信客服 pushes only an announcement (`kf_msg_or_event`). Its messages are fetched
//! ([`crate::Pull`]), one source for each of its accounts (`open_kfid`), from the cursor that was stored with the last
//! page.
//!
//! * `account`: the settings; `verify`: handshake, signature, decryption;
//! * `app`: the pushes of an application; `kf`: the messages of 微信客服; `fetch`: fetching them;
//! * `outgoing`: replies in the platform's form; `api`: calls and the meaning of their answers;
//! * `sign`: signed requests for tests and simulators.

mod account;
mod api;
mod app;
mod fetch;
mod kf;
mod outgoing;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod verify;

pub use account::Account;
pub use outgoing::Outgoing;

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome,
    Overlong, Parsed, Pull, Refusal, Rendered, Reply, Request, Secrets, TextUnit, Token, Undeliverable, Verified,
};
use warmline_model::{Media, Timestamp};

/// The capabilities of WeCom. Only 微信客服 has a window (5 messages within 48 h of the customer's); members of the company can
/// always be written to. The manifest therefore has no window, and the platform's own refusal (95001) reports it.
const CAPABILITIES: Capabilities = Capabilities {
    channel: "wecom",
    name_zh: "企业微信（含微信客服）",
    name_en: "WeCom",
    carries: Carries::Chat,
    text_limit: 2048,
    text_unit: TextUnit::Bytes,
    overlong: Overlong::Split,
    kinds_in: &["text", "image", "voice", "video", "file", "location", "link", "order_card", "event", "unknown"],
    kinds_out: &["text", "image", "voice", "video", "file", "location", "link"],
    window: None,
    receipts: false,
    badge: false,
    media_limit: 20 << 20,
};

/// The adapter for WeCom.
#[derive(Clone, Copy, Debug, Default)]
pub struct WecomAdapter;

impl Adapter for WecomAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secrets `token` and `encoding_aes_key`"
    }

    fn missing_for_sending(&self, account: &Account) -> Vec<&'static str> {
        if account.secret.is_some() { Vec::new() } else { vec!["secret"] }
    }

    fn handshake(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
        verify::handshake(account, request, now)
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, _account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        app::parse(body.body()).map(Into::into)
    }

    /// An empty 200: received, and this answer carries nothing.
    fn acknowledge(&self, _account: &Account, _body: &Verified) -> Reply {
        Reply::text("")
    }

    fn token_request(&self, account: &Account, _force: bool, _: &Call<'_>) -> Option<ApiRequest> {
        api::token_request(account)
    }

    fn read_token(&self, answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
        api::read_token(answer)
    }

    fn render(&self, account: &Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable> {
        api::render(account, reply, call)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        api::read_answer(answer)
    }

    fn pull(&self) -> Option<&dyn Pull<Account = Account>> {
        Some(self)
    }

    fn media(&self, account: &Account, media: &Media, call: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        let id = media.id.as_deref().filter(|id| !id.is_empty()).ok_or(Undeliverable::MediaIdMissing)?;
        Ok(crate::wx::api::media(&account.api_base, id, api::token(account, call)?))
    }
}

#[cfg(test)]
mod tests;
