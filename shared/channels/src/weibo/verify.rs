//! Proves that a request comes from the platform: `signature` = sha1(sort(appsecret, timestamp, nonce)) in the query.

use super::account::Account;
use crate::echo::{self, Signed};
use crate::json::MAX_BYTES;
use crate::kit::{Fault, Refusal, Reply, Request, Verified};
use crate::signed_time;
use warmline_model::Timestamp;

fn check(account: &Account, signed: &Signed<'_>, now: Timestamp) -> Result<(), Refusal> {
    let timestamp = signed.signed(signed.signature.as_deref(), &account.app_secret, &[])?;
    // The documents say "timestamp" without a unit.
    signed_time::check(signed_time::seconds_or_millis(timestamp)?, now, account.max_age_secs)
}

/// Answers the platform's check of the address.
pub(super) fn handshake(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
    echo::handshake(request, |signed| check(account, signed, now))
}

/// Verifies a webhook.
pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST || !request.at_root() {
        return Err(Refusal::NotFound);
    }
    if request.body.len() > MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    check(account, &Signed::read(request.query), now)?;
    Ok(Verified::new(request.body.to_vec()))
}

#[cfg(test)]
mod tests {
    // Self-generated: no public vector exists for Weibo's signature.
    use super::super::sign;
    use super::*;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::json;

    const SECRET: &str = "0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn account() -> Account {
        let secrets = [("app_secret".to_owned(), SECRET.to_owned())].into();
        Account::read(&json!({}), &secrets).ok().unwrap()
    }

    fn ask(method: Method, rest: &str, query: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let headers = HeaderMap::new();
        let request = Request { method: &method, rest, query, headers: &headers, body };
        if let Some(reply) = handshake(&account(), &request, NOW)? {
            return Ok(reply.body);
        }
        verify(&account(), &request, NOW).map(|v| v.body().to_vec())
    }

    #[test]
    fn handshake_echoes() {
        let query = format!("{}&echostr=8%2B1", sign::query(SECRET, "1700000000", "n"));
        assert_eq!(ask(Method::GET, "", &query, b""), Ok(b"8+1".to_vec()));
        let wrong = format!("{}&echostr=81", sign::query("0123456789abcdeX", "1700000000", "n"));
        assert_eq!(ask(Method::GET, "", &wrong, b""), Err(Refusal::SignatureWrong));
        let long = format!("{}&echostr={}", sign::query(SECRET, "1700000000", "n"), "1".repeat(300));
        assert_eq!(ask(Method::GET, "", &long, b""), Err(Refusal::Field("echostr")));
        assert_eq!(ask(Method::GET, "", "", b""), Err(Refusal::NotFound));
    }

    #[test]
    fn refusals() {
        let good = sign::query(SECRET, "1700000000", "n");
        assert_eq!(ask(Method::POST, "/", &good, b"{}"), Ok(b"{}".to_vec()));
        assert!(ask(Method::POST, "", &sign::query(SECRET, "1700000000123", "n"), b"{}").is_ok());
        assert_eq!(ask(Method::POST, "/x", &good, b"{}"), Err(Refusal::NotFound));
        assert_eq!(ask(Method::POST, "", "", b"{}"), Err(Refusal::SignatureMissing));
        assert_eq!(ask(Method::POST, "", &good.replace("nonce=n", "nonce=m"), b"{}"), Err(Refusal::SignatureWrong));
        assert_eq!(ask(Method::POST, "", &sign::query(SECRET, "1700000301", "n"), b"{}"), Err(Refusal::Stale(301)));
        assert_eq!(ask(Method::POST, "", &sign::query(SECRET, "1699999699", "n"), b"{}"), Err(Refusal::Stale(-301)));
        assert_eq!(ask(Method::POST, "", &sign::query(SECRET, "x", "n"), b"{}"), Err(Refusal::Field("timestamp")));
        assert_eq!(ask(Method::POST, "", &good, &vec![b' '; MAX_BYTES + 1]), Err(Refusal::Malformed(Fault::TooLong)));
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(query in "[a-z_=&%0-9]{0,80}", body: Vec<u8>, secret in "[a-f]{8,20}") {
            prop_assert!(ask(Method::POST, "", &query, &body).is_err());
            prop_assert!(ask(Method::POST, "", &sign::query(&secret, "1700000000", "n"), &body).is_err());
        }

        #[test]
        fn a_changed_query_is_never_verified(at in 0usize..200, to in "[0-9a-f]") {
            let query = sign::query(SECRET, "1700000000", "abc");
            let mut other = query.clone();
            let at = at % query.len();
            other.replace_range(at..=at, &to);
            prop_assert_eq!(ask(Method::POST, "", &other, b"{}").is_ok(), other == query);
        }
    }
}
