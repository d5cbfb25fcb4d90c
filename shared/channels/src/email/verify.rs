//! Proves that a webhook comes from the provider: by the secret address and ECDSA (SendGrid), by HMAC (Mailgun).

use super::account::{Account, Provider};
use super::form::Form;
use super::thin::Thin;
use crate::digest::{hmac_sha256, same};
use crate::kit::{Fault, Gather as _, Refusal, Request, Verified};
use crate::{json, secret_address, signed_time};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use warmline_model::Timestamp;

/// In a [`Verified`]'s context: the body's media type; and whether it holds reports, not a mail.
pub(super) const CONTENT_TYPE: &str = "content_type";
pub(super) const REPORTS: &str = "reports";

const EVENT_SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const EVENT_TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";

pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST {
        return Err(Refusal::NotFound);
    }
    let kind = request.header("content-type").unwrap_or_default();
    if request.body.len() > Thin::new(kind).limit() {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let is_json = kind.trim_start().to_ascii_lowercase().starts_with("application/json");
    let reports = match &account.provider {
        Provider::Sendgrid { address_token, event_key } => match request.header(EVENT_SIGNATURE) {
            Some(signature) => {
                let key = event_key.as_deref().ok_or(Refusal::WrongMode)?;
                by_ecdsa(key, signature, request, now, account.max_age_secs)?;
                true
            }
            None => {
                secret_address::check(address_token, request)?;
                false
            }
        },
        Provider::Mailgun { signing_key, .. } => {
            if !request.at_root() {
                return Err(Refusal::NotFound);
            }
            let signed = if is_json { Signed::of_report(request.body)? } else { Signed::of_form(kind, request.body)? };
            signed.check(signing_key, now, account.max_age_secs)?;
            is_json
        }
    };
    let verified = Verified::new(request.body.to_vec()).with(CONTENT_TYPE, kind).with_time(now);
    Ok(if reports { verified.with(REPORTS, "1") } else { verified })
}

fn fresh(timestamp: &str, now: Timestamp, max_age_secs: i64) -> Result<(), Refusal> {
    signed_time::check(signed_time::seconds(timestamp)?, now, max_age_secs)
}

/// SendGrid's reports: ECDSA over P-256 and SHA-256 of timestamp ‖ raw body.
fn by_ecdsa(
    key: &VerifyingKey,
    signature: &str,
    request: &Request<'_>,
    now: Timestamp,
    max_age_secs: i64,
) -> Result<(), Refusal> {
    let timestamp = request.header(EVENT_TIMESTAMP).ok_or(Refusal::SignatureMissing)?;
    let signature = STANDARD.decode(signature).ok().and_then(|der| Signature::from_der(&der).ok());
    let signature = signature.ok_or(Refusal::SignatureWrong)?;
    let digest = Sha256::new().chain_update(timestamp.as_bytes()).chain_update(request.body).finalize();
    key.verify_prehash(&digest, &signature).map_err(|_| Refusal::SignatureWrong)?;
    fresh(timestamp, now, max_age_secs)
}

/// The values that Mailgun signs.
struct Signed {
    timestamp: String,
    token: String,
    signature: String,
}

impl Signed {
    /// In a report the three are below `signature`.
    fn of_report(body: &[u8]) -> Result<Self, Refusal> {
        let body = json::read_lenient(body, json::MAX_BYTES)?;
        let field = |name: &str| match &body["signature"][name] {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(Refusal::SignatureMissing),
        };
        Ok(Self { timestamp: field("timestamp")?, token: field("token")?, signature: field("signature")? })
    }

    fn of_form(kind: &str, body: &[u8]) -> Result<Self, Refusal> {
        let form = Form::read(kind, body)?;
        let field = |name: &str| form.text(name).ok_or(Refusal::SignatureMissing);
        Ok(Self { timestamp: field("timestamp")?, token: field("token")?, signature: field("signature")? })
    }

    fn check(&self, key: &str, now: Timestamp, max_age_secs: i64) -> Result<(), Refusal> {
        let expected = hmac_sha256(key.as_bytes(), &[self.timestamp.as_bytes(), self.token.as_bytes()]);
        if !same(hex::encode(expected).as_bytes(), self.signature.as_bytes()) {
            return Err(Refusal::SignatureWrong);
        }
        fresh(&self.timestamp, now, max_age_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EmailAdapter, sign};
    use super::*;
    use crate::kit::Adapter;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::json;

    const TOKEN: &str = "0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const TS: &str = "1700000000";

    fn account(settings: Value, secret: &str) -> Account {
        EmailAdapter.account(&settings.into(), &[(secret.to_owned(), TOKEN.to_owned())].into()).ok().unwrap()
    }

    fn sendgrid() -> Account {
        let key = sign::event_public_key(&[7; 32]).unwrap();
        account(json!({ "provider": "sendgrid", "event_public_key": key }), "address_token")
    }

    fn mailgun() -> Account {
        account(json!({ "provider": "mailgun" }), "signing_key")
    }

    fn ask(
        account: &Account,
        rest: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
        now: Timestamp,
    ) -> Result<Verified, Refusal> {
        let headers: HeaderMap =
            headers.iter().map(|(n, v)| (http::HeaderName::from_static(n), v.parse().unwrap())).collect();
        EmailAdapter.verify(account, &Request { method: &Method::POST, rest, query: "", headers: &headers, body }, now)
    }

    #[test]
    fn sendgrid_mails_by_their_address() {
        let rest = format!("/{TOKEN}");
        assert!(ask(&sendgrid(), &rest, &[], b"", NOW).is_ok());
        assert_eq!(ask(&sendgrid(), "", &[], b"", NOW).err(), Some(Refusal::SignatureMissing));
        assert_eq!(ask(&sendgrid(), "/0123456789abcdeF", &[], b"", NOW).err(), Some(Refusal::SignatureWrong));
        let long = vec![b' '; json::MAX_BYTES + 1];
        assert_eq!(ask(&sendgrid(), &rest, &[], &long, NOW).err(), Some(Refusal::Malformed(Fault::TooLong)));
        let headers = HeaderMap::new();
        let get = Request { method: &Method::GET, rest: &rest, query: "", headers: &headers, body: b"" };
        assert_eq!(EmailAdapter.verify(&sendgrid(), &get, NOW).err(), Some(Refusal::NotFound));
    }

    #[test]
    fn sendgrid_reports_by_ecdsa() {
        let good = sign::sendgrid_reports(&[7; 32], TS, b"[]").unwrap();
        let send = |account: &Account, signature: &str, body: &[u8], now| {
            ask(account, "", &[(EVENT_SIGNATURE, signature), (EVENT_TIMESTAMP, TS)], body, now).err()
        };
        assert_eq!(send(&sendgrid(), &good, b"[]", NOW), None);
        assert_eq!(send(&sendgrid(), &good, b"[ ]", NOW), Some(Refusal::SignatureWrong));
        assert_eq!(send(&sendgrid(), "AAAA", b"[]", NOW), Some(Refusal::SignatureWrong));
        assert_eq!(send(&sendgrid(), &good, b"[]", NOW.plus_millis(301_000)), Some(Refusal::Stale(-301)));
        let other = sign::sendgrid_reports(&[8; 32], TS, b"[]").unwrap();
        assert_eq!(send(&sendgrid(), &other, b"[]", NOW), Some(Refusal::SignatureWrong));
        let keyless = account(json!({ "provider": "sendgrid" }), "address_token");
        assert_eq!(send(&keyless, &good, b"[]", NOW), Some(Refusal::WrongMode));
        let no_time = ask(&sendgrid(), "", &[(EVENT_SIGNATURE, good.as_str())], b"[]", NOW);
        assert_eq!(no_time.err(), Some(Refusal::SignatureMissing));
    }

    #[test]
    fn mailgun_by_hmac() {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let body = sign::mailgun_form(TOKEN, TS, "t0", &[("sender", "a@b")]);
        let send = |body: &str, now| ask(&mailgun(), "", &[form], body.as_bytes(), now).err();
        assert_eq!(send(&body, NOW), None);
        assert_eq!(send(&body, NOW.plus_millis(301_000)), Some(Refusal::Stale(-301)));
        assert_eq!(send(&body, NOW.plus_millis(-301_000)), Some(Refusal::Stale(301)));
        assert_eq!(send(&body.replace("token=t0", "token=t1"), NOW), Some(Refusal::SignatureWrong));
        assert_eq!(send("sender=a", NOW), Some(Refusal::SignatureMissing));
        assert_eq!(send(&sign::mailgun_form(TOKEN, "soon", "t", &[]), NOW), Some(Refusal::Field("timestamp")));
        assert_eq!(ask(&mailgun(), "/x", &[form], body.as_bytes(), NOW).err(), Some(Refusal::NotFound));
        let kind = ("content-type", "application/json");
        let report = sign::mailgun_report(TOKEN, TS, "t0", json!({ "event": "delivered" })).to_string();
        assert!(ask(&mailgun(), "", &[kind], report.as_bytes(), NOW).is_ok_and(|v| v.context(REPORTS).is_some()));
        assert_eq!(ask(&mailgun(), "", &[kind], b"{}", NOW).err(), Some(Refusal::SignatureMissing));
        assert_eq!(ask(&mailgun(), "", &[kind], b"[", NOW).err(), Some(json::Error::Syntax.into()));
        assert!(ask(&mailgun(), "", &[("content-type", "text/plain")], b"x", NOW).is_err());
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(rest in "/[a-f0-9]{0,20}", body: Vec<u8>, signature in "[A-Za-z0-9+/]{90}", kind in
            "(application/json|multipart/form-data; boundary=x|application/x-www-form-urlencoded)") {
            prop_assume!(rest != format!("/{TOKEN}"));
            prop_assert!(ask(&sendgrid(), &rest, &[], &body, NOW).is_err());
            let headers = [(EVENT_SIGNATURE, signature.as_str()), (EVENT_TIMESTAMP, TS)];
            prop_assert!(ask(&sendgrid(), "", &headers, &body, NOW).is_err());
            prop_assert!(ask(&mailgun(), "", &[("content-type", &kind)], &body, NOW).is_err());
        }

        #[test]
        fn a_changed_report_is_refused(body: Vec<u8>, other: Vec<u8>) {
            let good = sign::sendgrid_reports(&[7; 32], TS, &body).unwrap();
            let headers = [(EVENT_SIGNATURE, good.as_str()), (EVENT_TIMESTAMP, TS)];
            prop_assert_eq!(ask(&sendgrid(), "", &headers, &other, NOW).is_ok(), body == other);
        }

        // Mailgun signs time and token only, so a change of these must never pass.
        #[test]
        fn a_changed_token_is_refused(token in "[a-z0-9]{1,50}") {
            let body = sign::mailgun_form(TOKEN, TS, "t0", &[]).replace("token=t0", &format!("token={token}"));
            let form = ("content-type", "application/x-www-form-urlencoded");
            prop_assert_eq!(ask(&mailgun(), "", &[form], body.as_bytes(), NOW).is_ok(), token == "t0");
        }
    }
}
