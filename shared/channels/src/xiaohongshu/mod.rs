//! 小红书: the events of a shop (电商开放平台) and the pushes of a mini program. These are two protocols of one platform, and an
//! account uses one of them (`kind`). Neither offers third parties an API to write to a user, so replies cannot be sent.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `kind` | `shop` or `miniprogram` | `shop` |
//! | `app_id` | the app's id (of the shop's app: `app-key`); required | – |
//! | `push_path` | `shop`: the path of the address entered at the platform (`/channels/xiaohongshu/…`); required, the signature contains it | – |
//! | `seller_id` | `shop`: events of other shops that use the same app are left out | – |
//! | `api_base` | the API's address | `https://ark.xiaohongshu.com`, `https://miniapp.xiaohongshu.com` |
//! | `max_age_secs` | how far the signed timestamp may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `app_secret` | `shop`: required, signs pushes and calls; `miniprogram`: needed to fetch a token |
//! | `token`, `encoding_aes_key` | `miniprogram`: required, as entered at the platform |
//!
//! Shop (《应用消息推送》, 《签名算法》): headers `app-key`, `timestamp`, `sign`. The body is an array of `{msgTag, sellerId, data}`, and
//! `data` is a text that holds JSON. `sign` is the MD5 over path, `?`, the sorted pairs of query, `app-key` and
//! `timestamp`, and the secret. (Two public receivers do it like this; the platform's page could not be read.) **It does
//! not cover the body**: an attacker who can read one push can send others until its time is too old. Serve the address by
//! TLS only. Calls: MD5 over `method?appId=…&timestamp=…&version=…` and the secret.
//!
//! Mini program (《消息推送》, DC577113): the address is checked by `echostr` as in WeChat, and the body is always encrypted. The
//! page's text about token and key implies that `msg_signature` signs the ciphertext, and that the envelope is WeChat's
//! with its 16-byte prefix. The page on the encryption itself could not be read. A push with another signature is refused.
//!
//! * `account`: the settings; `verify`: signatures and decryption; `shop`, `miniprogram`: the events; `api`: signed calls,
//!   tokens;
//! * `sign`: signed requests for tests and simulators.

mod account;
mod api;
mod miniprogram;
mod shop;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod verify;

pub use account::{Account, Kind};

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome, Parsed,
    Refusal, Rendered, Reply, Request, Secrets, Token, Undeliverable, Verified,
};
use serde_json::{Map, Value, json};
use warmline_model::Timestamp;

const CAPABILITIES: Capabilities =
    Capabilities::inbound_only("xiaohongshu", "小红书", "Xiaohongshu (RED)", Carries::Orders, &["text", "event", "unknown"]);

/// The adapter for 小红书.
#[derive(Clone, Copy, Debug, Default)]
pub struct XiaohongshuAdapter;

impl XiaohongshuAdapter {
    /// A signed call of the shop API. `method` is the API's name (`order.getOrderDetail`), and the token is the shop's.
    /// `None` if the account is not a shop. [`Adapter::read_answer`] reads the platform's answer.
    pub fn call(&self, account: &Account, method: &str, params: &Map<String, Value>, call: &Call<'_>) -> Option<ApiRequest> {
        api::call(account, method, params, call.token, call.now)
    }
}

impl Adapter for XiaohongshuAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secret `app_secret` and the setting `push_path` (for a mini program `token` and `encoding_aes_key`)"
    }

    fn handshake(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
        verify::handshake(account, request, now)
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        match account.kind() {
            Kind::Shop => shop::parse(account, body),
            Kind::MiniProgram => miniprogram::parse(body).map(Into::into),
        }
    }

    fn acknowledge(&self, account: &Account, _: &Verified) -> Reply {
        match account.kind() {
            Kind::Shop => Reply::json(&json!({ "success": true, "error_code": 0, "error_msg": "" })),
            Kind::MiniProgram => Reply::text("success"),
        }
    }

    fn token_request(&self, account: &Account, _force: bool, _: &Call<'_>) -> Option<ApiRequest> {
        api::token_request(account)
    }

    fn read_token(&self, answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
        api::read_token(answer)
    }

    fn render(&self, _: &Account, _: &Outbound<'_>, _: &Call<'_>) -> Result<Rendered, Undeliverable> {
        Err(Undeliverable::ChatNotOffered)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        api::read_answer(answer)
    }
}
