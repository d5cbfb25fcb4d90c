//! 快手: events pushed to an app (Webhooks) and the payment notices of its mini programs, both signed in the same way. The
//! open platform offers third parties no chat with its users. This adapter carries events, orders among them, and signed
//! calls.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `app_id` | the app's id (`ks…`); needed to fetch a token, and checked against each event if it is set | – |
//! | `api_base` | the API's address | `https://open.kuaishou.com` |
//!
//! | secret | meaning |
//! |---|---|
//! | `app_secret` | required: signs pushes and calls |
//!
//! Pushes (《WebHook 接入指南》, 《授权事件》, read in a mirror of the platform's documents): the header `kwaisign` is the hexadecimal
//! MD5 over the raw body and the secret. The body is `{app_id, event, timestamp, message_id, data}`. The time, in
//! milliseconds, is that of the event and not of the signature, so it cannot distinguish a replay from a late event. There
//! are three retries, 5 s apart, with the same `message_id`. The answer is `{"result":1,"message_id":…}`. Payment notices
//! of mini programs have `biz_type` instead of `event` and `data.out_order_no`.
//!
//! When the address is saved, the platform pushes a test event. Its document could not be read. It is answered like every
//! event: only if it is signed.
//!
//! Calls (《附录 1 请求签名算法》 of the payment documents): MD5 over the sorted `k=v` pairs of query and body, joined by `&`, and
//! the secret. `sign`, `access_token` and empty values do not count.
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
use serde_json::{Map, Value, json};
use warmline_model::Timestamp;

const CAPABILITIES: Capabilities = Capabilities::inbound_only("kuaishou", "快手", "Kuaishou", Carries::Orders, &["event"]);

/// The adapter for 快手.
#[derive(Clone, Copy, Debug, Default)]
pub struct KuaishouAdapter;

impl KuaishouAdapter {
    /// A signed call of the open platform. `path` is the API's (`/openapi/mp/developer/epay/query_order`). `None` if the
    /// account has no app id. [`Adapter::read_answer`] reads the platform's answer.
    pub fn call(&self, account: &Account, path: &str, params: &Map<String, Value>, call: &Call<'_>) -> Option<ApiRequest> {
        api::call(account, path, params, call.token)
    }
}

impl Adapter for KuaishouAdapter {
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

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        parse::parse(account, body).map(Into::into)
    }

    fn acknowledge(&self, _: &Account, body: &Verified) -> Reply {
        match parse::message_id(body) {
            Some(id) => Reply::json(&json!({ "result": 1, "message_id": id })),
            None => Reply::json(&json!({ "result": 1 })),
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
