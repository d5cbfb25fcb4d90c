//! Pinduoduo: trade and refund messages of a shop, from PMC (the 消息服务 of Pinduoduo's open platform). The platform gives
//! third parties no buyer chat: only the events of orders come.
//!
//! PMC speaks WebSocket only, and the client has to open the connection. A bridge outside therefore holds it and posts each
//! frame to `/channels/pinduoduo/<account>`.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `client_id` | required: the application's client_id | – |
//! | `mall_id` | the shop's number; if it is set, frames about another shop are refused | – |
//! | `api_base` | the gateway's address | `https://gw-api.pinduoduo.com` |
//! | `max_age_secs` | how far the bridge's signed time may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `bridge_secret` | required, 16 characters or more: signs the bridge's posts |
//! | `client_secret` | the application's; the bridge connects with it, and it signs the API's calls |
//!
//! Protocol:
//! * the bridge signs like the brand's app (`X-Warmline-Timestamp`, `X-Warmline-Signature` = hexadecimal HMAC-SHA256 over
//!   `<timestamp>.<raw body>`), acknowledges a frame to the platform after a 200, and sends it again otherwise;
//! * it connects to `wss://message-api.pinduoduo.com` + [`pmc::connection_path`] (the official SDK's form, checked against
//!   a public SDK's test);
//! * a frame is `{"id","commandType":"Common","time","sendTime","message":{"type","mallID","content"}}`. `content` is a
//!   JSON text with `tid` and the type's other fields (public SDKs, and frames that their users have posted). Frames of
//!   other command types (`HeartBeat`, `Ack`) carry nothing and are accepted silently;
//! * the key is the frame's `id`, which the platform repeats until it is acknowledged;
//! * API calls (document 接入指南): a form with `type`, `client_id`, `timestamp` in seconds, `data_type`, and `sign` = MD5 over
//!   secret, sorted names and values, secret (`sign::signature`).
//!
//! The messages name no buyer: an event is about `order:<tid>`.

mod account;
mod api;
mod parse;
pub mod pmc;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;

pub use account::Account;

use crate::kit::{
    AccountError, Adapter, ApiResponse, Call, Capabilities, Carries, ChannelSettings, Fault, Outbound, Outcome, Parsed,
    Refusal, Rendered, Reply, Request, Secrets, Undeliverable, Verified,
};
use crate::{json, timed_signature};
use serde_json::json;
use warmline_model::Timestamp;

const CAPABILITIES: Capabilities =
    Capabilities::inbound_only("pinduoduo", "拼多多", "Pinduoduo", Carries::Orders, &["event", "unknown"]);

/// The adapter for Pinduoduo shops.
#[derive(Clone, Copy, Debug, Default)]
pub struct PinduoduoAdapter;

impl Adapter for PinduoduoAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secret `bridge_secret`"
    }

    /// Proves that the post comes from the account's bridge.
    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        if request.method != http::Method::POST || !request.at_root() {
            return Err(Refusal::NotFound);
        }
        if request.body.len() > json::MAX_BYTES {
            return Err(Refusal::Malformed(Fault::TooLong));
        }
        timed_signature::check(&account.bridge_secret, request, now, account.max_age_secs)?;
        Ok(Verified::new(request.body.to_vec()))
    }

    fn parse(&self, account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        parse::frame(account, body.body()).map(Into::into)
    }

    /// Tells the bridge that the frame is stored, so that the bridge may acknowledge it.
    fn acknowledge(&self, _: &Account, _: &Verified) -> Reply {
        Reply::json(&json!({ "accepted": true }))
    }

    fn render(&self, _: &Account, _: &Outbound<'_>, _: &Call<'_>) -> Result<Rendered, Undeliverable> {
        Err(Undeliverable::ChatNotOffered)
    }

    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome {
        api::read_answer(answer)
    }
}

#[cfg(test)]
mod tests {
    // Self-generated: the bridge's contract is our own.
    use super::*;
    use http::{HeaderMap, HeaderName, Method};
    use proptest::prelude::*;

    const SECRET: &str = "bridge-secret-012345";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn post(method: Method, rest: &str, headers: &[(&'static str, String)], body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let secrets = [("bridge_secret".to_owned(), SECRET.to_owned())].into();
        let account = PinduoduoAdapter.account(&json!({ "client_id": "app" }).into(), &secrets).ok().unwrap();
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        let request = Request { method: &method, rest, query: "", headers: &headers, body };
        assert_eq!(PinduoduoAdapter.handshake(&account, &request, NOW), Ok(None));
        PinduoduoAdapter.verify(&account, &request, NOW).map(|verified| verified.body().to_vec())
    }

    #[test]
    fn only_the_bridge_is_heard() {
        let body = b"{\"commandType\":\"HeartBeat\"}";
        let good = sign::headers(SECRET, NOW.secs(), body);
        assert_eq!(post(Method::POST, "", &good, body), Ok(body.to_vec()));
        assert_eq!(post(Method::GET, "", &good, body), Err(Refusal::NotFound));
        assert_eq!(post(Method::POST, "/x", &good, body), Err(Refusal::NotFound));
        assert_eq!(post(Method::POST, "", &[], body), Err(Refusal::SignatureMissing));
        assert_eq!(post(Method::POST, "", &good[..1], body), Err(Refusal::SignatureMissing));
        assert_eq!(post(Method::POST, "", &good, b"{}"), Err(Refusal::SignatureWrong));
        let other = sign::headers("another-secret-01234", NOW.secs(), body);
        assert_eq!(post(Method::POST, "", &other, body), Err(Refusal::SignatureWrong));
        let old = sign::headers(SECRET, NOW.secs() - 301, body);
        assert_eq!(post(Method::POST, "", &old, body), Err(Refusal::Stale(-301)));
        let long = vec![b' '; json::MAX_BYTES + 1];
        assert_eq!(post(Method::POST, "", &good, &long), Err(Refusal::Malformed(Fault::TooLong)));
    }

    proptest! {
        #[test]
        fn a_changed_frame_is_never_verified(at in 0usize..200, to: u8, cut in 0usize..200, junk: Vec<u8>) {
            let body = sign::frame(42, NOW, "pdd_trade_TradeConfirmed", 1, &json!({ "tid": "210707-1" })).into_bytes();
            let headers = sign::headers(SECRET, NOW.secs(), &body);
            let mut other = body.clone();
            let at = at % other.len();
            other[at] = to;
            prop_assert_eq!(post(Method::POST, "", &headers, &other).is_ok(), other == body);
            let cut = &body[..cut % body.len()];
            prop_assert!(post(Method::POST, "", &headers, cut).is_err());
            prop_assert!(post(Method::POST, "", &headers, &junk).is_err());
        }
    }
}
