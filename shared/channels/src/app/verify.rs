//! Proves the identity of a member (by the token) and that the app sent this body just now (by the signature).

use super::account::Account;
use crate::client_message::{self, MAX_ID};
use crate::kit::{Fault, Refusal, Request, Verified};
use crate::{bearer, hs256, json, timed_signature};
use serde::Deserialize;
use warmline_model::{Identifier, IdentifierKind, Sender, Timestamp};

/// The longest name and tag accepted, in characters, and the most tags.
const MAX_NAME: usize = 128;
const MAX_TAG: usize = 64;
const MAX_TAGS: usize = 32;

struct Claims {
    sub: String,
    name: Option<String>,
    tags: Option<Vec<String>>,
    phone_number: Option<String>,
    phone_number_verified: bool,
    email: Option<String>,
    email_verified: bool,
    /// The device, if the app names it.
    device_id: Option<String>,
}

impl hs256::Claims for Claims {
    /// The names of OpenID Connect (Core 1.0, section 5.1).
    fn read(claims: hs256::ClaimSet) -> Result<Self, hs256::Error> {
        Ok(Self {
            sub: claims.needed_text("sub")?,
            name: claims.text("name")?,
            tags: claims.texts("tags")?,
            phone_number: claims.text("phone_number")?,
            phone_number_verified: claims.flag("phone_number_verified")?,
            email: claims.text("email")?,
            email_verified: claims.flag("email_verified")?,
            device_id: claims.text("device_id")?,
        })
    }
}

/// The member, by the token alone (header, or `access_token` in the query), for reading replies.
///
/// # Errors
/// The token is missing or not valid.
pub fn identify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Sender, Refusal> {
    sender(account, &bearer::header_or_query(request)?, now)
}

/// Verifies a posted message.
pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if !client_message::is_post(request) {
        return Err(Refusal::NotFound);
    }
    if request.body.len() > client_message::MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let sender = sender(account, bearer::header(request).ok_or(Refusal::SignatureMissing)?, now)?;
    let signed_at = timed_signature::check(&account.body_secret, request, now, account.max_age_secs)?;
    client_message::verified(request.body, &sender, signed_at)
}

#[derive(Deserialize)]
struct Frame {
    timestamp: String,
    signature: String,
    body: String,
}

/// Verifies a message in a frame of a member's socket: it has the same signature over the same body as a posted message.
pub(super) fn verify_frame(account: &Account, sender: &Sender, frame: &[u8], now: Timestamp) -> Result<Verified, Refusal> {
    // Quoted once more, the body can be twice as long.
    let Frame { timestamp, signature, body } = json::read_as(frame, 2 * client_message::MAX_BYTES)?;
    let signed = (timestamp.as_str(), signature.as_str());
    let signed_at = timed_signature::check_parts(&account.body_secret, signed, body.as_bytes(), now, account.max_age_secs)?;
    client_message::verified(body.as_bytes(), sender, signed_at)
}

fn sender(account: &Account, token: &str, now: Timestamp) -> Result<Sender, Refusal> {
    let claims: Claims = hs256::verify(token, account.jwt_secret.as_bytes(), now)?;
    let printable = |text: &str| !text.chars().any(char::is_control);
    if claims.sub.is_empty() || claims.sub.len() > MAX_ID || !printable(&claims.sub) {
        return Err(Refusal::ClaimsWrong("sub"));
    }
    let name = claims.name.filter(|name| !name.trim().is_empty());
    if name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME || !printable(name)) {
        return Err(Refusal::ClaimsWrong("name"));
    }
    let mut tags = claims.tags.unwrap_or_default();
    if tags.len() > MAX_TAGS || tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > MAX_TAG || !printable(tag)) {
        return Err(Refusal::ClaimsWrong("tags"));
    }
    for tag in &mut tags {
        *tag = tag.to_lowercase();
    }
    let mut identifiers = vec![Identifier { kind: IdentifierKind::MemberId, value: claims.sub.clone(), verified: true }];
    for (kind, value, verified) in [
        (IdentifierKind::Phone, claims.phone_number, claims.phone_number_verified),
        (IdentifierKind::Email, claims.email, claims.email_verified),
        (IdentifierKind::Device, claims.device_id, false),
    ] {
        identifiers.extend(value.map(|value| Identifier { kind, value, verified }));
    }
    Ok(Sender { open_id: claims.sub, name, tags, identifiers, ..Sender::default() })
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::kit::{Adapter, Secrets};
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use warmline_model::Content;

    const JWT: &str = "jwt-secret-0123456789";
    const BODY: &str = "body-secret-012345678";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn account() -> Account {
        let secrets: Secrets =
            [("jwt_secret", JWT), ("body_secret", BODY)].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Account::read(&Value::Null, &secrets).ok().unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn signed(body: &[u8]) -> HeaderMap {
        let token = sign::jwt(JWT, "m1", Some("王小姐"), &["VIP"], NOW.secs() + 60);
        let ts = NOW.secs();
        headers(&[
            ("authorization", &format!("Bearer {token}")),
            ("x-warmline-timestamp", &ts.to_string()),
            ("x-warmline-signature", &sign::body(BODY, ts, body)),
        ])
    }

    fn post(headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Verified, Refusal> {
        let request = Request { method: &Method::POST, rest: "/messages", query: "", headers, body };
        verify(&account(), &request, now)
    }

    #[test]
    fn what_a_member_proved_to_the_app_tells_who_it_is() {
        let claims = json!({ "sub": "m1", "exp": NOW.secs() + 60, "phone_number": "+86 138 1234 5678",
            "phone_number_verified": true, "email": "wang@example.cn", "device_id": "d-1" });
        let sender = super::sender(&account(), &sign::token(JWT, &claims), NOW).unwrap();
        let told: Vec<_> = sender.identifiers.iter().map(|i| (i.kind, i.value.as_str(), i.verified)).collect();
        let of = [
            (IdentifierKind::MemberId, "m1", true),
            (IdentifierKind::Phone, "+86 138 1234 5678", true),
            (IdentifierKind::Email, "wang@example.cn", false),
            (IdentifierKind::Device, "d-1", false),
        ];
        assert_eq!(told, of);
    }

    #[test]
    fn a_signed_frame_is_read_and_any_other_is_not() {
        let sender = Sender { open_id: "m1".into(), ..Sender::default() };
        let body = r#"{"id":"c1","text":"hi"}"#;
        let frame = |body: &str, signature: &str| {
            json!({ "type": "message", "timestamp": NOW.secs().to_string(), "signature": signature, "body": body })
                .to_string()
        };
        let good = sign::body(BODY, NOW.secs(), body.as_bytes());
        let check = |frame: String, now| verify_frame(&account(), &sender, frame.as_bytes(), now);
        let verified = check(frame(body, &good), NOW).ok().unwrap();
        let inbound = super::super::AppAdapter.parse(&account(), &verified).unwrap().messages.remove(0);
        assert_eq!((inbound.sender.open_id.as_str(), inbound.content), ("m1", Content::text("hi")));
        let other = body.replace("hi", "ho");
        assert_eq!(check(frame(&other, &good), NOW).err(), Some(Refusal::SignatureWrong));
        assert_eq!(check(frame(body, &good), NOW.plus_millis(3_600_000)).err(), Some(Refusal::Stale(-3600)));
        assert!(matches!(check(body.to_owned(), NOW).err(), Some(Refusal::Malformed(_))), "not signed at all");
    }

    #[test]
    fn a_signed_message_is_read() {
        let body = br#"{"id":"c1","text":"hi"}"#;
        let verified = post(&signed(body), body, NOW.plus_millis(20_000)).ok().unwrap();
        let inbound = super::super::AppAdapter.parse(&account(), &verified).unwrap().messages.remove(0);
        assert_eq!((inbound.content, inbound.at), (Content::text("hi"), NOW));
        assert_eq!((inbound.sender.open_id.as_str(), inbound.sender.name.as_deref()), ("m1", Some("王小姐")));
        assert_eq!(inbound.sender.tags, ["vip"]);
    }

    #[test]
    fn what_is_missing_wrong_or_old_is_refused() {
        let body = br#"{"id":"c1","text":"hi"}"#;
        let good = signed(body);
        let without = |name: &str| {
            let mut headers = good.clone();
            headers.remove(name);
            post(&headers, body, NOW).err()
        };
        let with = |name: &'static str, value: &str| {
            let mut headers = good.clone();
            headers.insert(name, value.parse().unwrap());
            post(&headers, body, NOW).err()
        };
        for name in ["authorization", "x-warmline-timestamp", "x-warmline-signature"] {
            assert_eq!(without(name), Some(Refusal::SignatureMissing), "{name}");
        }
        assert_eq!(with("x-warmline-timestamp", "1700000001"), Some(Refusal::SignatureWrong));
        let upper = sign::body(BODY, NOW.secs(), body).to_uppercase();
        assert_eq!(with("x-warmline-signature", &upper), Some(Refusal::SignatureWrong));
        assert_eq!(with("authorization", "Basic x"), Some(Refusal::SignatureMissing));
        let forged = sign::jwt("another-secret-0123", "m1", None, &[], NOW.secs() + 60);
        assert_eq!(with("authorization", &format!("Bearer {forged}")), Some(Refusal::SignatureWrong));
        assert_eq!(post(&good, b"{}", NOW).err(), Some(Refusal::SignatureWrong));
        assert_eq!(post(&good, body, NOW.plus_millis(100_000)).err(), Some(Refusal::Expired));
        let late = NOW.plus_millis(301_000);
        let token = sign::jwt(JWT, "m1", None, &[], late.secs() + 60);
        let mut headers = good.clone();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        assert_eq!(post(&headers, body, late).err(), Some(Refusal::Stale(-301)));
        assert_eq!(post(&good, &vec![b' '; 10 << 20], NOW).err(), Some(Refusal::Malformed(Fault::TooLong)));
        let get = Request { method: &Method::GET, rest: "/messages", query: "", headers: &good, body };
        assert_eq!(verify(&account(), &get, NOW).err(), Some(Refusal::NotFound));
    }

    #[test]
    fn identity_by_header_or_query() {
        let token = sign::jwt(JWT, "m1", None, &[], NOW.secs() + 60);
        let ask = |query: &str, headers: &HeaderMap| {
            let request = Request { method: &Method::GET, rest: "/stream", query, headers, body: b"" };
            identify(&account(), &request, NOW).map(|s| s.open_id)
        };
        assert_eq!(ask(&format!("after=1&access_token={token}"), &HeaderMap::new()).as_deref(), Ok("m1"));
        assert_eq!(ask("", &headers(&[("authorization", &format!("bearer {token}"))])).as_deref(), Ok("m1"));
        assert_eq!(ask("", &HeaderMap::new()), Err(Refusal::SignatureMissing));
        assert_eq!(ask("access_token=x", &HeaderMap::new()), Err(Refusal::SignatureWrong));
    }

    #[test]
    fn claims_are_bounded() {
        let refused = |claims: Value| {
            let token = hs256::sign(&claims, JWT.as_bytes()).unwrap();
            sender(&account(), &token, NOW).err()
        };
        let exp = NOW.secs() + 60;
        assert_eq!(refused(json!({ "sub": "m", "exp": exp })), None);
        assert_eq!(refused(json!({ "exp": exp })), Some(Refusal::ClaimsWrong("sub")));
        assert_eq!(refused(json!({ "sub": "m" })), Some(Refusal::ClaimsWrong("exp")));
        assert_eq!(refused(json!({ "sub": "", "exp": exp })), Some(Refusal::ClaimsWrong("sub")));
        assert_eq!(refused(json!({ "sub": "m".repeat(129), "exp": exp })), Some(Refusal::ClaimsWrong("sub")));
        assert_eq!(refused(json!({ "sub": "a\0", "exp": exp })), Some(Refusal::ClaimsWrong("sub")));
        assert_eq!(refused(json!({ "sub": "m", "exp": exp, "tags": vec!["t"; 33] })), Some(Refusal::ClaimsWrong("tags")));
        assert_eq!(refused(json!({ "sub": "m", "exp": exp, "name": "n".repeat(129) })), Some(Refusal::ClaimsWrong("name")));
    }

    #[test]
    fn f5_a_well_signed_token_with_wrong_claims_says_which() {
        let refused = |claims: Value| sender(&account(), &hs256::sign(&claims, JWT.as_bytes()).unwrap(), NOW).err();
        let exp = NOW.secs() + 60;
        for (name, claims) in [
            ("sub", json!({ "sub": 10086, "exp": exp })),
            ("sub", json!({ "exp": exp })),
            ("exp", json!({ "sub": "m1" })),
            ("exp", json!({ "sub": "m1", "exp": "soon" })),
            ("aud", json!({ "sub": "m1", "exp": exp, "aud": 7 })),
            ("iss", json!({ "sub": "m1", "exp": exp, "iss": ["shop"] })),
            ("tags", json!({ "sub": "m1", "exp": exp, "tags": "vip" })),
            ("name", json!({ "sub": "m1", "exp": exp, "name": 7 })),
            ("phone_number", json!({ "sub": "m1", "exp": exp, "phone_number": 13_812_345_678_u64 })),
            ("email_verified", json!({ "sub": "m1", "exp": exp, "email_verified": "true" })),
            ("sub", json!({ "sub": "", "exp": exp })),
            ("sub", json!({ "sub": "m".repeat(129), "exp": exp })),
            ("name", json!({ "sub": "m1", "exp": exp, "name": "王".repeat(129) })),
            ("tags", json!({ "sub": "m1", "exp": exp, "tags": [""] })),
            ("tags", json!({ "sub": "m1", "exp": exp, "tags": vec!["t"; 33] })),
        ] {
            assert_eq!(refused(claims.clone()), Some(Refusal::ClaimsWrong(name)), "{claims}");
            let forged = hs256::sign(&claims, b"another secret").unwrap();
            assert_eq!(sender(&account(), &forged, NOW).err(), Some(Refusal::SignatureWrong));
        }
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(body: Vec<u8>, token in "[A-Za-z0-9._-]{0,60}", signature in "[0-9a-f]{64}") {
            let headers = headers(&[
                ("authorization", &format!("Bearer {token}")),
                ("x-warmline-timestamp", "1700000000"),
                ("x-warmline-signature", &signature),
            ]);
            prop_assert!(post(&headers, &body, NOW).is_err());
        }

        #[test]
        fn a_changed_body_is_refused(body: Vec<u8>, other: Vec<u8>) {
            prop_assert_eq!(post(&signed(&body), &other, NOW).is_ok(), body == other);
        }
    }
}
