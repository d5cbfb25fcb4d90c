//! Proves that a webhook comes from the telephone system.

use super::account::{Account, Provider};
use super::huawei;
use crate::json;
use crate::kit::{Fault, Refusal, Request, Verified};
use crate::{timed_signature, twilio};
use warmline_model::Timestamp;

pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST || !request.at_root() {
        return Err(Refusal::NotFound);
    }
    if request.body.len() > json::MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let (verified, at) = match &account.provider {
        Provider::Contract { signing_secret, max_age_secs } => {
            let at = timed_signature::check(signing_secret, request, now, *max_age_secs)?;
            (Verified::new(request.body.to_vec()), at)
        }
        Provider::Huawei { app_secret, max_age_secs } => {
            let at = huawei::check(app_secret, request.body, now, *max_age_secs)?;
            (Verified::new(request.body.to_vec()), at)
        }
        Provider::Twilio { auth_token, public_url, .. } => (twilio::verify(auth_token, public_url, request)?, now),
    };
    Ok(verified.with_time(at))
}

#[cfg(test)]
mod tests {
    use super::super::{PhoneAdapter, sign};
    use super::*;
    use crate::kit::Adapter;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const SECRET: &str = "0123456789abcdef";
    const URL: &str = "https://x/channels/phone/main";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn account(settings: Value, secret: &str) -> Account {
        PhoneAdapter.account(&settings.into(), &[(secret.to_owned(), SECRET.to_owned())].into()).ok().unwrap()
    }

    fn contract() -> Account {
        account(Value::Null, "signing_secret")
    }

    fn huawei() -> Account {
        account(json!({ "provider": "huawei" }), "app_secret")
    }

    fn twilio() -> Account {
        account(json!({ "provider": "twilio", "account_sid": "AC1", "public_url": URL }), "auth_token")
    }

    fn ask(account: &Account, headers: &[(&'static str, &str)], body: &[u8], now: Timestamp) -> Result<Verified, Refusal> {
        let headers: HeaderMap =
            headers.iter().map(|(n, v)| (http::HeaderName::from_static(n), v.parse().unwrap())).collect();
        let request = Request { method: &Method::POST, rest: "", query: "", headers: &headers, body };
        PhoneAdapter.verify(account, &request, now)
    }

    fn by_contract(signature: &str, body: &[u8], now: Timestamp) -> Option<Refusal> {
        let headers = [("x-warmline-timestamp", "1700000000"), ("x-warmline-signature", signature)];
        ask(&contract(), &headers, body, now).err()
    }

    #[test]
    fn our_contract() {
        let body = br#"{"call_id":"c1"}"#;
        let good = sign::contract(SECRET, NOW.secs(), body);
        assert_eq!(by_contract(&good, body, NOW), None);
        assert_eq!(by_contract(&good, body, NOW.plus_millis(301_000)), Some(Refusal::Stale(-301)));
        assert_eq!(by_contract(&good, body, NOW.plus_millis(-301_000)), Some(Refusal::Stale(301)));
        assert_eq!(by_contract(&good, b"{}", NOW), Some(Refusal::SignatureWrong));
        assert_eq!(by_contract("", body, NOW), Some(Refusal::SignatureWrong));
        assert_eq!(ask(&contract(), &[], body, NOW).err(), Some(Refusal::SignatureMissing));
        let odd = sign::contract(SECRET, -1, body);
        let headers = [("x-warmline-timestamp", "-1"), ("x-warmline-signature", odd.as_str())];
        assert_eq!(ask(&contract(), &headers, body, NOW).err(), Some(Refusal::Field("timestamp")));
        let long = vec![b' '; json::MAX_BYTES + 1];
        assert_eq!(by_contract(&good, &long, NOW), Some(Refusal::Malformed(Fault::TooLong)));
    }

    #[test]
    fn other_paths_and_methods() {
        let headers = HeaderMap::new();
        for (method, rest) in [(Method::GET, ""), (Method::POST, "/x")] {
            let request = Request { method: &method, rest, query: "", headers: &headers, body: b"" };
            assert_eq!(PhoneAdapter.verify(&contract(), &request, NOW).err(), Some(Refusal::NotFound));
        }
    }

    #[test]
    fn huawei_and_twilio() {
        let body = sign::huawei(SECRET, NOW.millis(), "n1", json!({ "callSerialNo": "1" })).to_string();
        assert!(ask(&huawei(), &[], body.as_bytes(), NOW).is_ok());
        let (body, signature) = sign::twilio(SECRET, URL, &[("CallSid", "CA1")]);
        let kind = ("content-type", "application/x-www-form-urlencoded");
        assert!(ask(&twilio(), &[kind, ("x-twilio-signature", &signature)], body.as_bytes(), NOW).is_ok());
        assert_eq!(ask(&twilio(), &[kind], body.as_bytes(), NOW).err(), Some(Refusal::SignatureMissing));
        let wrong = [kind, ("x-twilio-signature", "x")];
        assert_eq!(ask(&twilio(), &wrong, body.as_bytes(), NOW).err(), Some(Refusal::SignatureWrong));
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(body: Vec<u8>, signature in "[0-9a-f]{64}", field in "[a-z]{1,8}", value in ".*") {
            prop_assert!(by_contract(&signature, &body, NOW).is_some());
            prop_assert!(ask(&huawei(), &[], &body, NOW).is_err());
            let json = json!({ field: value, "timestamp": "1700000000000", "nonce": "n", "signature": signature }).to_string();
            prop_assert!(ask(&huawei(), &[], json.as_bytes(), NOW).is_err());
            prop_assert!(ask(&twilio(), &[("x-twilio-signature", &signature)], &body, NOW).is_err());
        }

        #[test]
        fn a_changed_body_is_refused(body: Vec<u8>, other: Vec<u8>) {
            let good = sign::contract(SECRET, NOW.secs(), &body);
            prop_assert_eq!(by_contract(&good, &other, NOW).is_none(), body == other);
        }

        // The platform's own form removes all blanks before it signs, so only changes of blanks stay unnoticed.
        #[test]
        fn a_changed_huawei_body_yields_no_other_event(at in 0usize..400, to in 0x21u8..0x7f) {
            let fields = json!({ "callSerialNo": "1-2", "called": "186", "releaseReason": "1" });
            let body = sign::huawei(SECRET, NOW.millis(), "n1", fields).to_string();
            let parse = |body: &[u8]| PhoneAdapter.parse(&huawei(), &ask(&huawei(), &[], body, NOW).ok()?).ok();
            let mut other = body.clone().into_bytes();
            let at = at % other.len();
            other[at] = to;
            if let Some(messages) = parse(&other) {
                prop_assert_eq!(Some(messages), parse(body.as_bytes()));
            }
        }
    }
}
