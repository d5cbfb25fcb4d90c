//! 抖店: the shop side of 抖音. It offers third parties no chat with buyers. This adapter carries its offer: changes of orders
//! and after-sales (消息推送), and signed calls of the shop API.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `app_key` | the app's key; required, signatures contain it | – |
//! | `shop_id` | the shop: needed to fetch a token, and events of other shops that use the same app are left out | – |
//! | `api_base` | the API's address | `https://openapi-fxg.jinritemai.com` |
//!
//! | secret | meaning |
//! |---|---|
//! | `app_secret` | required: signs pushes and calls |
//!
//! Pushes (《消息推送》, op.jinritemai.com guide 153/99) have the headers `app-id` and `event-sign`, the hexadecimal MD5 over
//! key, raw body and secret, with neither time nor nonce. Only the message's key makes a replay harmless. The body is an
//! array of `{tag, msg_id, data}`; one with tag 0 probes the address. The answer is `{"code":0,"msg":"success"}`.
//!
//! Calls (《API调用指南》): HMAC-SHA256 under the secret over secret, `app_key…method…param_json…timestamp…v…` and secret again.
//! The parameters are JSON with sorted keys and no spaces.
//!
//! * `account`: the settings; `verify`: the signature; `parse`: the events; `api`: signed calls, tokens, codes;
//! * `sign`: signed requests for tests and simulators.

mod account;
mod api;
mod parse;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod verify;

pub use account::Account;

use crate::kit::{
    AccountError, Adapter, ApiRequest, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Outbound, Outcome, Parsed,
    Refusal, Rendered, Reply, Request, Secrets, Token, Undeliverable, Verified,
};
use serde_json::{Value, json};
use warmline_model::Timestamp;

const CAPABILITIES: Capabilities =
    Capabilities::inbound_only("doudian", "抖店", "Doudian (Douyin shop)", Carries::Orders, &["event"]);

/// The adapter for 抖店.
#[derive(Clone, Copy, Debug, Default)]
pub struct DoudianAdapter;

impl DoudianAdapter {
    /// A signed call of the shop API. `method` is the API's name (`order.orderDetail`). [`Adapter::read_answer`] reads the
    /// platform's answer.
    pub fn call(&self, account: &Account, method: &str, params: &Value, call: &Call<'_>) -> ApiRequest {
        api::call(account, method, params, call.token, call.now)
    }
}

impl Adapter for DoudianAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the setting `app_key` and the secret `app_secret`"
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        parse::parse(account, body)
    }

    fn acknowledge(&self, _: &Account, _: &Verified) -> Reply {
        Reply::json(&json!({ "code": 0, "msg": "success" }))
    }

    fn token_request(&self, account: &Account, _force: bool, call: &Call<'_>) -> Option<ApiRequest> {
        api::token_request(account, call.now)
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
