//! Proves that a request comes from the platform.
//!
//! Every request carries `timestamp`, `nonce` and `signature` = sha1(sort(token, timestamp, nonce)). Encrypted ones add
//! `encrypt_type=aes` and `msg_signature` = sha1(sort(token, timestamp, nonce, Encrypt)), where `Encrypt` is the only field
//! of the body that counts. The platform documents no window for the timestamp. The account sets one (`max_age_secs`), so
//! that a captured request does not stay valid for ever.

use super::payload::Payload;
use super::settings::{Mode, aes_key, id};
use crate::echo::{self, Signed};
use crate::kit::{AccountError, Fault, Refusal, Reply, Request, Verified};
use crate::settings::{Fields, max_age_secs};
use crate::wx_crypto::{AesKey, WECHAT_PREFIX, decrypt};
use crate::xml::MAX_BYTES;
use warmline_model::Timestamp;

/// In a [`Verified`]'s context: the webhook was encrypted, so a reply in its answer must be encrypted, too.
pub(crate) const ENCRYPTED: &str = "encrypted";

/// The settings and secrets that check an account's webhooks: `token`, `encoding_aes_key`, `mode`, `app_id`,
/// `max_age_secs`. It holds secrets, so it has no `Debug`.
pub(crate) struct Gate {
    pub(crate) token: String,
    pub(crate) mode: Mode,
    pub(crate) key: Option<AesKey>,
    pub(crate) app_id: Option<String>,
    pub(crate) max_age_secs: i64,
}

impl Gate {
    /// Reads and checks those settings and secrets.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, AccountError> {
        let token = fields.required_secret("token", 3..=32)?.to_owned();
        let key = aes_key(fields)?;
        let mode = match fields.text("mode")? {
            None if key.is_some() => Mode::Safe,
            None | Some("plain") => Mode::Plain,
            Some("safe") => Mode::Safe,
            Some("both") => Mode::Both,
            Some(_) => return Err(AccountError::new("mode", "must be plain, safe or both")),
        };
        let app_id = id(fields, "app_id")?;
        if mode != Mode::Plain && key.is_none() {
            return Err(AccountError::new("encoding_aes_key", "is required in safe mode and where both are taken"));
        }
        if mode != Mode::Plain && app_id.is_none() {
            return Err(AccountError::new("app_id", "is required in safe mode and where both are taken"));
        }
        Ok(Self { token, mode, key, app_id, max_age_secs: max_age_secs(fields)? })
    }
}

impl Gate {
    fn check(
        &self,
        signed: &Signed<'_>,
        signature: Option<&str>,
        encrypted: &[&str],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        signed.check(signature, &self.token, encrypted, self.max_age_secs, now)
    }

    /// Answers the platform's check of the address.
    pub(crate) fn handshake(&self, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
        echo::handshake(request, |signed| self.check(signed, signed.signature.as_deref(), &[], now))
    }

    /// Verifies a webhook and decrypts it if it is encrypted.
    pub(crate) fn verify(&self, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        if request.method != http::Method::POST || !request.at_root() {
            return Err(Refusal::NotFound);
        }
        if request.body.len() > MAX_BYTES {
            return Err(Refusal::Malformed(Fault::TooLong));
        }
        let signed = Signed::read(request.query);
        let encrypted = signed.encrypt_type.as_deref() == Some("aes");
        match &self.key {
            Some(key) if encrypted && self.mode != Mode::Plain => {
                let body = Payload::read(request.body)?;
                let envelope = body.text("Encrypt").ok_or(Refusal::Field("Encrypt"))?;
                self.check(&signed, signed.msg_signature.as_deref(), &[&*envelope], now)?;
                let plain = decrypt(key, WECHAT_PREFIX, &envelope, self.app_id.as_deref().unwrap_or_default())?;
                Ok(Verified::new(plain).with(ENCRYPTED, "1"))
            }
            _ => {
                self.check(&signed, signed.signature.as_deref(), &[], now)?;
                if encrypted || self.mode == Mode::Safe {
                    return Err(Refusal::WrongMode);
                }
                Ok(Verified::new(request.body.to_vec()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::json;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const TS: &str = "1700000000";

    fn account(mode: &str) -> Gate {
        let secrets = [("token", "test"), ("encoding_aes_key", KEY)].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let settings = json!({ "mode": mode, "app_id": "wxapp" });
        let fields = Fields::new(&settings, &secrets, &["mode", "app_id"], &["token", "encoding_aes_key"]).ok().unwrap();
        Gate::read(&fields).ok().unwrap()
    }

    fn ask<T>(method: Method, query: &str, body: &[u8], f: impl FnOnce(&Request<'_>) -> T) -> T {
        f(&Request { method: &method, rest: "", query, headers: &HeaderMap::new(), body })
    }

    fn post(account: &Gate, query: &str, body: &[u8], now: Timestamp) -> Result<Vec<u8>, Refusal> {
        ask(Method::POST, query, body, |r| account.verify(r, now)).map(|v| v.body().to_vec())
    }

    fn safe(app_id: &str) -> (String, String) {
        sign::safe("test", &AesKey::decode(KEY).unwrap(), app_id, TS, "nonce&1", &[9; 16], b"<xml>secret</xml>")
    }

    #[test]
    fn handshake_echoes_only_what_is_signed() {
        let account = account("plain");
        let good = format!("{}&echostr=5838479218127813673", sign::plain_query("test", TS, "n"));
        let reply = ask(Method::GET, &good, b"", |r| account.handshake(r, NOW)).unwrap().unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"5838479218127813673"[..]));
        assert!(reply.content_type.starts_with("text/plain"));
        let wrong = good.replace("signature=", "signature=0");
        assert_eq!(ask(Method::GET, &wrong, b"", |r| account.handshake(r, NOW)), Err(Refusal::SignatureWrong));
        assert_eq!(ask(Method::GET, "echostr=1", b"", |r| account.handshake(r, NOW)), Err(Refusal::SignatureMissing));
        assert_eq!(ask(Method::GET, "a=1", b"", |r| account.handshake(r, NOW)), Ok(None));
        assert_eq!(ask(Method::POST, &good, b"", |r| account.handshake(r, NOW)), Ok(None));
        let late = NOW.plus_millis(301_000);
        assert_eq!(ask(Method::GET, &good, b"", |r| account.handshake(r, late)), Err(Refusal::Stale(-301)));
    }

    #[test]
    fn plain_mode() {
        let account = account("plain");
        let query = sign::plain_query("test", TS, "n");
        assert_eq!(post(&account, &query, b"<xml/>", NOW).unwrap(), b"<xml/>");
        assert_eq!(post(&account, &query, b"", NOW.plus_millis(300_000)), Ok(Vec::new()));
        assert_eq!(post(&account, &query, b"", NOW.plus_millis(301_000)), Err(Refusal::Stale(-301)));
        assert_eq!(post(&account, &query, b"", NOW.plus_millis(-301_000)), Err(Refusal::Stale(301)));
        assert_eq!(post(&account, "", b"", NOW), Err(Refusal::SignatureMissing));
        assert_eq!(post(&account, &sign::plain_query("tesT", TS, "n"), b"", NOW), Err(Refusal::SignatureWrong));
        assert_eq!(
            post(&account, &query.to_uppercase().replace("SIGNATURE", "signature"), b"", NOW),
            Err(Refusal::SignatureMissing)
        );
        assert_eq!(post(&account, &sign::plain_query("test", "17e8", "n"), b"", NOW), Err(Refusal::Field("timestamp")));
        assert_eq!(post(&account, &sign::plain_query("test", "-1", "n"), b"", NOW), Err(Refusal::Field("timestamp")));
        let (query, body) = safe("wxapp");
        assert_eq!(post(&account, &query, body.as_bytes(), NOW), Err(Refusal::WrongMode));
        let long = vec![b'a'; 10 * 1024 * 1024];
        assert_eq!(post(&account, &query, &long, NOW), Err(Refusal::Malformed(Fault::TooLong)));
        assert_eq!(ask(Method::PUT, &query, b"", |r| account.verify(r, NOW)).err(), Some(Refusal::NotFound));
    }

    #[test]
    fn safe_mode() {
        let account = account("safe");
        let (query, body) = safe("wxapp");
        assert_eq!(post(&account, &query, body.as_bytes(), NOW).unwrap(), b"<xml>secret</xml>");
        assert_eq!(post(&account, &query, body.as_bytes(), NOW.plus_millis(400_000)), Err(Refusal::Stale(-400)));
        let unsigned = query.replace("msg_signature=", "x=");
        assert_eq!(post(&account, &unsigned, body.as_bytes(), NOW), Err(Refusal::SignatureMissing));
        let other = body.replacen("CDATA[", "CDATA[A", 1);
        assert!(post(&account, &query, other.as_bytes(), NOW).is_ok(), "ToUserName is not signed");
        let other = body.replace("<Encrypt><![CDATA[", "<Encrypt><![CDATA[A");
        assert_eq!(post(&account, &query, other.as_bytes(), NOW), Err(Refusal::SignatureWrong));
        assert_eq!(post(&account, &query, b"<xml/>", NOW), Err(Refusal::Field("Encrypt")));
        let (query, body) = safe("wxother");
        assert_eq!(post(&account, &query, body.as_bytes(), NOW), Err(Refusal::WrongRecipient));
        assert_eq!(post(&account, &sign::plain_query("test", TS, "n"), b"<xml/>", NOW), Err(Refusal::WrongMode));
        assert_eq!(post(&account, "", b"<xml/>", NOW), Err(Refusal::SignatureMissing));
        let (query, body) = sign::sealed("test", "bm90IGFuIGVudmVsb3Bl", TS, "n");
        assert_eq!(post(&account, &query, body.as_bytes(), NOW), Err(Refusal::Undecryptable));
    }

    #[test]
    fn both_modes_and_json_envelopes() {
        let account = account("both");
        let (query, body) = safe("wxapp");
        assert!(post(&account, &query, body.as_bytes(), NOW).is_ok());
        assert!(post(&account, &sign::plain_query("test", TS, "n"), b"<xml/>", NOW).is_ok());
        let envelope = Payload::read(body.as_bytes()).ok().unwrap().text("Encrypt").unwrap().into_owned();
        let json = json!({ "ToUserName": "gh", "Encrypt": envelope }).to_string();
        assert_eq!(post(&account, &query, json.as_bytes(), NOW).unwrap(), b"<xml>secret</xml>");
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(query in "[a-z_=&%0-9]{0,80}", body: Vec<u8>, token in "[a-z]{5,9}") {
            let aes = format!("{query}&encrypt_type=aes&msg_signature=0&timestamp={TS}&nonce=1");
            for mode in ["plain", "safe", "both"] {
                let account = account(mode);
                prop_assert!(post(&account, &query, &body, NOW).is_err());
                prop_assert!(post(&account, &sign::plain_query(&token, TS, "n"), &body, NOW).is_err());
                prop_assert!(post(&account, &aes, &body, NOW).is_err());
            }
        }

        #[test]
        fn a_changed_envelope_is_never_verified(at in 0usize..200, to in "[A-Za-z0-9+/]") {
            let (query, body) = safe("wxapp");
            let start = body.find("<Encrypt><![CDATA[").unwrap() + 18;
            let at = start + at % 88;
            let mut other = body.clone();
            other.replace_range(at..=at, &to);
            let result = post(&account("safe"), &query, other.as_bytes(), NOW);
            prop_assert_eq!(result.is_ok(), other == body);
        }
    }
}
