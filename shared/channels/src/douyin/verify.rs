//! Proves that a request comes from the platform, by either protocol, and answers the two checks of the address.

use super::account::{Account, Face, Im, Miniapp};
use super::miniapp::fields;
use crate::digest::{same, sha1_hex};
use crate::echo::{self, Signed};
use crate::json;
use crate::kit::{Fault, Refusal, Reply, Request, Verified};
use crate::values::{filled, text};
use crate::wx_crypto::{BYTEDANCE_PREFIX, decrypt};
use serde_json::{Map, Value};
use std::borrow::Cow;
use warmline_model::Timestamp;

/// In a [`Verified`]'s context: the header `Msg-Id`, the platform's key for events that have no id of their own.
pub(super) const MSG_ID: &str = "msg_id";

/// The longest body that can be a check of the address. The platform's has some 80 bytes.
const MAX_CHALLENGE: usize = 4096;

pub(super) fn handshake(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
    match &account.face {
        Face::Im(im) => challenge(im, request),
        Face::Miniapp(app) => {
            // The platform signs `msg` too. An absent one counts as empty.
            let msg = request.param("msg").unwrap_or_default();
            echo::handshake(request, |signed| {
                signed.check(signed.signature.as_deref(), &app.token, &[&msg], app.max_age_secs, now)
            })
        }
    }
}

pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST || !request.at_root() {
        return Err(Refusal::NotFound);
    }
    if request.body.len() > json::MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let verified = match &account.face {
        Face::Im(im) => {
            check_signature(im, request)?;
            let verified = Verified::new(request.body.to_vec());
            match request.header("msg-id").filter(|id| (1..=128).contains(&id.len())) {
                Some(id) => verified.with(MSG_ID, id),
                None => verified,
            }
        }
        Face::Miniapp(app) => Verified::new(open(app, request, now)?),
    };
    Ok(verified.with_time(now))
}

/// Checks SHA-1 over the secret and the body, joined without a separator. The header is hexadecimal; the platform's
/// examples are lower case.
fn check_signature(im: &Im, request: &Request<'_>) -> Result<(), Refusal> {
    let given = request.header("x-douyin-signature").ok_or(Refusal::SignatureMissing)?;
    let good = sha1_hex(&[im.signing_secret().as_bytes(), request.body]);
    if same(good.as_bytes(), given.as_bytes()) { Ok(()) } else { Err(Refusal::SignatureWrong) }
}

/// Answers `{"event":"verify_webhook","content":{"challenge":12345}}`, which is signed like every webhook, with the
/// challenge.
fn challenge(im: &Im, request: &Request<'_>) -> Result<Option<Reply>, Refusal> {
    let is_post = request.method == http::Method::POST && request.at_root();
    if !is_post || request.body.len() > MAX_CHALLENGE {
        return Ok(None);
    }
    let Ok(Value::Object(body)) = json::read_lenient(request.body, MAX_CHALLENGE) else { return Ok(None) };
    if filled(&body, "event") != Some("verify_webhook") {
        return Ok(None);
    }
    check_signature(im, request)?;
    let content = match body.get("content") {
        Some(Value::String(text)) => json::read_lenient(text.as_bytes(), MAX_CHALLENGE)?,
        Some(content) => content.clone(),
        None => Value::Null,
    };
    match content.get("challenge") {
        Some(challenge @ (Value::Number(_) | Value::String(_))) => {
            let answer = Map::from_iter([("challenge".to_owned(), challenge.clone())]);
            Ok(Some(Reply::json(&Value::Object(answer))))
        }
        _ => Err(Refusal::Field("challenge")),
    }
}

/// Checks and opens `{Nonce, TimeStamp, Encrypt, MsgSignature}`.
fn open(app: &Miniapp, request: &Request<'_>, now: Timestamp) -> Result<Vec<u8>, Refusal> {
    let body = fields(request.body)?;
    let field = |name: &str| text(&body, name).filter(|text| !text.is_empty());
    let envelope = field("Encrypt").ok_or(Refusal::WrongMode)?;
    let signed =
        Signed { timestamp: field("TimeStamp").map(Cow::Owned), nonce: field("Nonce").map(Cow::Owned), ..Signed::default() };
    let signature = field("MsgSignature");
    signed.check(signature.as_deref(), &app.token, &[&envelope], app.max_age_secs, now)?;
    Ok(decrypt(&app.key, BYTEDANCE_PREFIX, &envelope, &app.app_id)?)
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::wx_crypto::AesKey;
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;
    use serde_json::json;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const TS: &str = "1700000000";

    fn im(webhook_secret: Option<&str>) -> Account {
        let mut secrets = crate::kit::Secrets::from([("client_secret".to_owned(), "s3cret".to_owned())]);
        if let Some(secret) = webhook_secret {
            secrets.insert("webhook_secret".to_owned(), secret.to_owned());
        }
        Account::read(&Value::Null, &secrets).ok().unwrap()
    }

    fn app() -> Account {
        let secrets = [("token", "QDG6eK"), ("encoding_aes_key", KEY)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        Account::read(&json!({ "kind": "miniapp", "app_id": "tt1" }), &secrets.into()).ok().unwrap()
    }

    fn ask<T>(signature: Option<&str>, method: Method, query: &str, body: &[u8], f: impl FnOnce(&Request<'_>) -> T) -> T {
        let mut headers = HeaderMap::new();
        if let Some(signature) = signature {
            headers.insert("x-douyin-signature", HeaderValue::from_str(signature).unwrap());
            headers.insert("msg-id", HeaderValue::from_static("m1"));
        }
        f(&Request { method: &method, rest: "", query, headers: &headers, body })
    }

    fn post(account: &Account, signature: Option<&str>, body: &[u8]) -> Result<Verified, Refusal> {
        ask(signature, Method::POST, "", body, |r| verify(account, r, NOW))
    }

    fn greet(account: &Account, signature: Option<&str>, body: &[u8]) -> Result<Option<Reply>, Refusal> {
        ask(signature, Method::POST, "", body, |r| handshake(account, r, NOW))
    }

    /// Self-generated: no public vector exists for X-Douyin-Signature. The value was computed by `printf … | sha1sum`.
    #[test]
    fn signatures_of_the_open_platform() {
        let body = br#"{"event":"verify_webhook","client_key":"abc","content":{"challenge":12345}}"#;
        assert_eq!(sign::signature("s3cret", body), "df11068c9514678da7d5b2a49f1bdf406f821ee3");
        let good = sign::signature("s3cret", body);
        let verified = post(&im(None), Some(&good), body).ok().unwrap();
        assert_eq!((verified.body(), verified.context(MSG_ID)), (&body[..], Some("m1")));
        assert_eq!(verified.time(), NOW);
        assert_eq!(post(&im(None), None, body).err(), Some(Refusal::SignatureMissing));
        assert_eq!(post(&im(None), Some(&good[1..]), body).err(), Some(Refusal::SignatureWrong));
        assert_eq!(post(&im(None), Some(&good), b"{}").err(), Some(Refusal::SignatureWrong));
        assert_eq!(post(&im(Some("hook")), Some(&good), body).err(), Some(Refusal::SignatureWrong));
        assert!(post(&im(Some("hook")), Some(&sign::signature("hook", body)), body).is_ok());
        let long = vec![b' '; json::MAX_BYTES + 1];
        assert_eq!(post(&im(None), Some(&good), &long).err(), Some(Refusal::Malformed(Fault::TooLong)));
        let put = ask(Some(&good), Method::PUT, "", body, |r| verify(&im(None), r, NOW));
        assert_eq!(put.err(), Some(Refusal::NotFound));
    }

    #[test]
    fn the_challenge_is_answered_only_when_signed() {
        let body = sign::challenge(12345);
        let good = sign::signature("s3cret", body.as_bytes());
        let reply = greet(&im(None), Some(&good), body.as_bytes()).unwrap().unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (200, &br#"{"challenge":12345}"#[..]));
        assert_eq!(greet(&im(None), None, body.as_bytes()), Err(Refusal::SignatureMissing));
        assert_eq!(greet(&im(None), Some("00"), body.as_bytes()), Err(Refusal::SignatureWrong));
        // The form of the local-life documents: the content is a text.
        let text = r#"{"event":"verify_webhook","client_key":"","content":"{ \"challenge\": 12345 }"}"#;
        let reply = greet(&im(None), Some(&sign::signature("s3cret", text.as_bytes())), text.as_bytes());
        assert_eq!(reply.unwrap().unwrap().body, br#"{"challenge":12345}"#);
        let none = r#"{"event":"verify_webhook","content":{"challenge":[1]}}"#;
        let reply = greet(&im(None), Some(&sign::signature("s3cret", none.as_bytes())), none.as_bytes());
        assert_eq!(reply, Err(Refusal::Field("challenge")));
        // A customer who writes this word is treated as a customer.
        let message = sign::text("", "u", "s", "m", 1, "verify_webhook", false);
        assert_eq!(greet(&im(None), None, message.as_bytes()), Ok(None));
        assert_eq!(greet(&im(None), None, b"not json"), Ok(None));
    }

    #[test]
    fn a_mini_app_checks_its_address_with_msg() {
        let get = |query: &str| ask(None, Method::GET, query, b"", |r| handshake(&app(), r, NOW));
        let good = sign::echo_query("QDG6eK", TS, "n", "hello msg", "584");
        let reply = get(&good).unwrap().unwrap();
        assert_eq!(reply.body, b"584");
        assert_eq!(get(&good.replace("msg=hello", "msg=hallo")), Err(Refusal::SignatureWrong));
        assert_eq!(get("echostr=1"), Err(Refusal::SignatureMissing));
        assert_eq!(get("x=1"), Ok(None));
        assert_eq!(get(&sign::echo_query("QDG6eK", "1600000000", "n", "", "584")), Err(Refusal::Stale(-100_000_000)));
        assert_eq!(get(&sign::echo_query("QDG6eK", "soon", "n", "", "584")), Err(Refusal::Field("timestamp")));
        let long = "9".repeat(300);
        assert_eq!(get(&sign::echo_query("QDG6eK", TS, "n", "", &long)), Err(Refusal::Field("echostr")));
    }

    #[test]
    fn envelopes_of_mini_apps() {
        let key = AesKey::decode(KEY).unwrap();
        let seal = |app_id: &str| sign::miniapp("QDG6eK", &key, app_id, TS, "n", &[7; 32], b"{\"a\":1}");
        let body = seal("tt1");
        assert_eq!(post(&app(), None, body.as_bytes()).ok().unwrap().body(), b"{\"a\":1}");
        assert_eq!(post(&app(), None, seal("tt2").as_bytes()).err(), Some(Refusal::WrongRecipient));
        assert_eq!(post(&app(), None, b"{\"MsgType\":\"text\"}").err(), Some(Refusal::WrongMode));
        assert_eq!(post(&app(), None, b"{\"Encrypt\":\"a\"}").err(), Some(Refusal::SignatureMissing));
        assert_eq!(
            post(&app(), None, body.replacen("Encrypt\":\"", "Encrypt\":\"A", 1).as_bytes()).err(),
            Some(Refusal::SignatureWrong)
        );
        let sealed = sign::sealed("QDG6eK", "bm90IGFuIGVudmVsb3Bl", TS, "n");
        assert_eq!(post(&app(), None, sealed.as_bytes()).err(), Some(Refusal::Undecryptable));
        let old = sign::miniapp("QDG6eK", &key, "tt1", "1600000000", "n", &[7; 32], b"{}");
        assert_eq!(post(&app(), None, old.as_bytes()).err(), Some(Refusal::Stale(-100_000_000)));
        let encrypted = crate::wx_crypto::encrypt(&key, &[1; 32], b"<xml/>", "tt1");
        let xml = sign::sealed_xml("QDG6eK", &encrypted, TS, "n");
        assert_eq!(post(&app(), None, xml.as_bytes()).ok().unwrap().body(), b"<xml/>");
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(body: Vec<u8>, signature in "[0-9a-f]{40}", query in "[a-z_=&%0-9]{0,60}") {
            prop_assert!(post(&im(None), Some(&signature), &body).is_err());
            prop_assert!(post(&app(), None, &body).is_err());
            let _ = greet(&im(None), Some(&signature), &body);
            prop_assert!(!matches!(ask(None, Method::GET, &query, &body, |r| handshake(&app(), r, NOW)), Ok(Some(_))));
        }

        #[test]
        fn a_changed_body_is_never_verified(at in 0usize..400, to: u8) {
            let body = sign::text("ck", "u1", "s1", "@m1", 1_700_000_000_000, "你好", false);
            let good = sign::signature("s3cret", body.as_bytes());
            let mut other = body.clone().into_bytes();
            let at = at % other.len();
            other[at] = to;
            prop_assert_eq!(post(&im(None), Some(&good), &other).is_ok(), other == body.as_bytes());
        }

        #[test]
        fn a_changed_envelope_yields_nothing_else(at in 0usize..600, to in "[A-Za-z0-9+/]") {
            let key = AesKey::decode(KEY).unwrap();
            let body = sign::miniapp("QDG6eK", &key, "tt1", TS, "n", &[7; 32], b"{\"a\":1}");
            let at = at % body.len();
            let mut other = body.clone();
            other.replace_range(at..=at, &to);
            if let Ok(verified) = post(&app(), None, other.as_bytes()) {
                prop_assert_eq!(verified.body(), b"{\"a\":1}");
            }
        }
    }
}
