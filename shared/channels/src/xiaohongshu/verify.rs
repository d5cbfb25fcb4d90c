//! Proves that a push comes from the platform, by either protocol.

use super::account::{Account, Face};
use crate::digest::{md5_hex, same};
use crate::echo::{self, Signed};
use crate::json;
use crate::kit::{Fault, Refusal, Reply, Request, Verified};
use crate::values::{filled, instant};
use crate::wx_crypto::{AesKey, WECHAT_PREFIX, decrypt};
use serde_json::Value;
use std::collections::BTreeMap;
use warmline_model::Timestamp;

pub(super) fn handshake(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
    match &account.face {
        Face::Shop { .. } => Ok(None),
        Face::MiniProgram { token, .. } => echo::handshake(request, |signed| {
            signed.check(signed.signature.as_deref(), token, &[], account.max_age_secs, now)
        }),
    }
}

pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST || !request.at_root() {
        return Err(Refusal::NotFound);
    }
    if request.body.len() > json::MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let body = match &account.face {
        Face::Shop { app_secret, push_path, .. } => {
            check_push(account, app_secret, push_path, request, now)?;
            request.body.to_vec()
        }
        Face::MiniProgram { token, key, .. } => open(account, token, key, request, now)?,
    };
    Ok(Verified::new(body).with_time(now))
}

/// Checks the shop's signature over address, key and time. It does not cover the body.
fn check_push(
    account: &Account,
    app_secret: &str,
    push_path: &str,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let header = |name: &str| request.header(name).ok_or(Refusal::SignatureMissing);
    let (app_key, timestamp, given) = (header("app-key")?, header("timestamp")?, header("sign")?);
    let query: Vec<(String, String)> = form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
    let good = push_sign(push_path, &query, app_key, timestamp, app_secret);
    if !same(good.as_bytes(), given.to_ascii_lowercase().as_bytes()) {
        return Err(Refusal::SignatureWrong);
    }
    if app_key != account.app_id {
        return Err(Refusal::WrongRecipient);
    }
    let signed_at = instant(Some(&Value::from(timestamp))).ok_or(Refusal::Field("timestamp"))?;
    let apart = now.since(signed_at).unsigned_abs();
    if apart > account.max_age_secs.saturating_mul(1000).unsigned_abs() {
        return Err(Refusal::Stale(signed_at.since(now) / 1000));
    }
    Ok(())
}

/// Checks and opens a mini program's push.
fn open(account: &Account, token: &str, key: &AesKey, request: &Request<'_>, now: Timestamp) -> Result<Vec<u8>, Refusal> {
    let body = json::read_object(request.body, json::MAX_BYTES)?;
    let envelope = filled(&body, "Encrypt").or(filled(&body, "encrypt")).ok_or(Refusal::WrongMode)?;
    let signed = Signed::read(request.query);
    signed.check(signed.msg_signature.as_deref(), token, &[envelope], account.max_age_secs, now)?;
    Ok(decrypt(key, WECHAT_PREFIX, envelope, &account.app_id)?)
}

/// The header `sign` of a shop's push. `query` holds the pairs of the address itself.
pub fn push_sign(path: &str, query: &[(String, String)], app_key: &str, timestamp: &str, app_secret: &str) -> String {
    let mut pairs: BTreeMap<&str, &str> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs.insert("app-key", app_key);
    pairs.insert("timestamp", timestamp);
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    md5_hex(&[path.as_bytes(), b"?", pairs.join("&").as_bytes(), app_secret.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use proptest::prelude::*;
    use serde_json::json;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const TS: &str = "1700000000";
    const PATH: &str = "/channels/xiaohongshu/main";

    fn shop() -> Account {
        let secrets = [("app_secret".to_owned(), "s3cret".to_owned())].into();
        Account::read(&json!({ "app_id": "key1", "push_path": PATH }), &secrets).ok().unwrap()
    }

    fn mini() -> Account {
        let secrets = [("token", "tok"), ("encoding_aes_key", KEY)].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Account::read(&json!({ "kind": "miniprogram", "app_id": "xhs1" }), &secrets).ok().unwrap()
    }

    fn ask<T>(method: Method, headers: &[(&str, &str)], query: &str, body: &[u8], f: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: HeaderMap =
            headers.iter().map(|(n, v)| (HeaderName::try_from(*n).unwrap(), HeaderValue::from_str(v).unwrap())).collect();
        f(&Request { method: &method, rest: "", query, headers: &headers, body })
    }

    fn push(headers: &[(&str, &str)], query: &str, body: &[u8]) -> Result<Verified, Refusal> {
        ask(Method::POST, headers, query, body, |r| verify(&shop(), r, NOW))
    }

    fn sealed(query: &str, body: &[u8]) -> Result<Verified, Refusal> {
        ask(Method::POST, &[], query, body, |r| verify(&mini(), r, NOW))
    }

    /// Self-generated: no public vector exists for the signature of pushes. The value was computed by `printf … | md5sum`.
    #[test]
    fn pushes_of_a_shop() {
        let query = [("b".to_owned(), "x y".to_owned())];
        let good = sign::push_sign(PATH, &query, "key1", TS, "s3cret");
        assert_eq!(good, "c0f782b706399a638700b4de30bb465f");
        let headers = |app: &'static str, at: &'static str| [("app-key", app), ("timestamp", at)];
        let with = |sign: &str, app, at, query| {
            let [a, b] = headers(app, at);
            push(&[a, b, ("sign", sign)], query, b"[]")
        };
        let verified = with(&good, "key1", TS, "b=x+y").ok().unwrap();
        assert_eq!((verified.body(), verified.time()), (&b"[]"[..], NOW));
        assert!(with(&good.to_uppercase(), "key1", TS, "b=x+y").is_ok());
        assert_eq!(with(&good, "key1", TS, "b=x").err(), Some(Refusal::SignatureWrong));
        assert_eq!(with(&good, "key1", "1700000001", "b=x+y").err(), Some(Refusal::SignatureWrong));
        assert_eq!(push(&headers("key1", TS), "", b"[]").err(), Some(Refusal::SignatureMissing));
        assert_eq!(push(&[("sign", good.as_str())], "", b"[]").err(), Some(Refusal::SignatureMissing));
        let other = sign::push_sign(PATH, &[], "key2", TS, "s3cret");
        assert_eq!(with(&other, "key2", TS, "").err(), Some(Refusal::WrongRecipient));
        let millis = sign::push_sign(PATH, &[], "key1", "1700000000500", "s3cret");
        assert!(with(&millis, "key1", "1700000000500", "").is_ok());
        let old = sign::push_sign(PATH, &[], "key1", "1699999000", "s3cret");
        assert_eq!(with(&old, "key1", "1699999000", "").err(), Some(Refusal::Stale(-1000)));
        let odd = sign::push_sign(PATH, &[], "key1", "soon", "s3cret");
        assert_eq!(with(&odd, "key1", "soon", "").err(), Some(Refusal::Field("timestamp")));
        let get = ask(Method::GET, &[], "", b"", |r| verify(&shop(), r, NOW));
        assert_eq!(get.err(), Some(Refusal::NotFound));
        assert_eq!(push(&[], "", &vec![b' '; json::MAX_BYTES + 1]).err(), Some(Refusal::Malformed(Fault::TooLong)));
    }

    #[test]
    fn a_mini_program_checks_its_address() {
        let get = |account: &Account, query: &str| ask(Method::GET, &[], query, b"", |r| handshake(account, r, NOW));
        let good = sign::echo_query("tok", TS, "n", "584");
        assert_eq!(get(&mini(), &good).unwrap().unwrap().body, b"584");
        assert_eq!(get(&mini(), &good.replace("nonce=n", "nonce=m")), Err(Refusal::SignatureWrong));
        assert_eq!(get(&mini(), &sign::echo_query("tok", "1600000000", "n", "1")), Err(Refusal::Stale(-100_000_000)));
        assert_eq!(get(&shop(), &good), Ok(None));
    }

    #[test]
    fn pushes_of_a_mini_program() {
        let key = AesKey::decode(KEY).unwrap();
        let make = |app: &str, at: &str| sign::miniprogram("tok", &key, app, at, "n", &[7; 16], b"{\"a\":1}");
        let (query, body) = make("xhs1", TS);
        assert_eq!(sealed(&query, body.as_bytes()).ok().unwrap().body(), b"{\"a\":1}");
        assert_eq!(sealed(&query.replace("msg_signature", "x"), body.as_bytes()).err(), Some(Refusal::SignatureMissing));
        let changed = body.replacen("Encrypt\":\"", "Encrypt\":\"A", 1);
        assert_eq!(sealed(&query, changed.as_bytes()).err(), Some(Refusal::SignatureWrong));
        assert_eq!(sealed(&query, b"{\"MsgType\":\"text\"}").err(), Some(Refusal::WrongMode));
        assert_eq!(sealed(&query, b"[]").err(), Some(Refusal::Malformed(Fault::NotObject)));
        let (query, body) = make("xhs2", TS);
        assert_eq!(sealed(&query, body.as_bytes()).err(), Some(Refusal::WrongRecipient));
        let (query, body) = make("xhs1", "1600000000");
        assert_eq!(sealed(&query, body.as_bytes()).err(), Some(Refusal::Stale(-100_000_000)));
        let (query, body) = sign::sealed("tok", "bm90IGFuIGVudmVsb3Bl", TS, "n");
        assert_eq!(sealed(&query, body.as_bytes()).err(), Some(Refusal::Undecryptable));
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(body: Vec<u8>, sign in "[0-9a-f]{32}", query in "[a-z_=&%0-9]{0,60}") {
            prop_assert!(push(&[("app-key", "key1"), ("timestamp", TS), ("sign", &sign)], &query, &body).is_err());
            prop_assert!(sealed(&query, &body).is_err());
            prop_assert!(!matches!(ask(Method::GET, &[], &query, &body, |r| handshake(&mini(), r, NOW)), Ok(Some(_))));
        }

        #[test]
        fn a_changed_envelope_yields_nothing_else(at in 0usize..600, to in "[A-Za-z0-9+/]") {
            let key = AesKey::decode(KEY).unwrap();
            let (query, body) = sign::miniprogram("tok", &key, "xhs1", TS, "n", &[7; 16], b"{\"a\":1}");
            let at = at % body.len();
            let mut other = body.clone();
            other.replace_range(at..=at, &to);
            if let Ok(verified) = sealed(&query, other.as_bytes()) {
                prop_assert_eq!(verified.body(), b"{\"a\":1}");
            }
        }

        #[test]
        fn a_changed_address_or_time_is_never_verified(query in "[a-z]{1,4}=[a-z]{0,4}", at in 1_699_999_900i64..1_700_000_100) {
            let good = sign::push_sign(PATH, &[], "key1", TS, "s3cret");
            let at = at.to_string();
            let headers = [("app-key", "key1"), ("timestamp", at.as_str()), ("sign", good.as_str())];
            prop_assert_eq!(push(&headers, "", b"[]").is_ok(), at == TS);
            prop_assert!(push(&[("app-key", "key1"), ("timestamp", TS), ("sign", &good)], &query, b"[]").is_err());
        }
    }
}
