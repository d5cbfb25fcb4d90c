//! JSON web tokens signed with HMAC-SHA256 (RFC 7515, 7519), and no other kinds.
//!
//! The header must say `HS256` and must not ask for extensions (`crit`): the key decides how a token is checked, never the
//! token. The signature is checked before a claim is read. `exp` is required. The registered claims (RFC 7519, section 4.1)
//! must have their types. The name of a wrong claim is told only to senders who know the key.

use crate::digest::{hmac_sha256, same};
use crate::kit::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use warmline_model::Timestamp;

/// The tolerance between two clocks, for `exp` and `nbf`.
pub const LEEWAY_SECS: i64 = 30;
/// The longest token read.
pub const MAX_BYTES: usize = 4096;

/// The reason why a token is refused. None of these reveals anything of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not three parts of base64url, or too long.
    #[error("not a JSON web token")]
    Malformed,
    /// Another algorithm than HS256, or an extension that must be understood.
    #[error("not an HS256 token")]
    Algorithm,
    /// The signature does not match.
    #[error("the token's signature does not match")]
    Signature,
    /// A claim is missing or of the wrong type.
    #[error("the token's claim `{0}` is missing or of the wrong type")]
    Claims(&'static str),
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come: it is ahead by this many seconds.
    #[error("the token is not valid yet")]
    NotYet(i64),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Expired => Self::Expired,
            Error::NotYet(ahead) => Self::Stale(ahead),
            Error::Claims(name) => Self::ClaimsWrong(name),
            Error::Malformed | Error::Algorithm | Error::Signature => Self::SignatureWrong,
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// The claims of a token that was signed with the key. A `null` claim counts as absent.
pub struct ClaimSet(Map<String, Value>);

impl ClaimSet {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn optional<T>(&self, name: &'static str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, Error> {
        self.get(name).map(|value| read(value).ok_or(Error::Claims(name))).transpose()
    }

    /// A text that must be present.
    ///
    /// # Errors
    /// The claim is missing or not a text.
    pub fn needed_text(&self, name: &'static str) -> Result<String, Error> {
        self.text(name)?.ok_or(Error::Claims(name))
    }

    /// A text.
    ///
    /// # Errors
    /// The claim is present and not a text.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, Error> {
        self.optional(name, |value| value.as_str().map(str::to_owned))
    }

    /// Texts in a list.
    ///
    /// # Errors
    /// The claim is present and not a list of texts.
    pub fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, Error> {
        self.optional(name, |value| value.as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect())
    }

    /// Yes or no; no if it is absent.
    ///
    /// # Errors
    /// The claim is present and neither.
    pub fn flag(&self, name: &'static str) -> Result<bool, Error> {
        Ok(self.optional(name, Value::as_bool)?.unwrap_or(false))
    }

    /// A NumericDate, which may have a fraction (RFC 7519, section 2). Seconds since 1970 are exact in an f64 for the next
    /// 280 million years.
    fn date(&self, name: &'static str) -> Result<Option<f64>, Error> {
        self.optional(name, Value::as_f64)
    }

    /// Checks the types of the registered claims that nobody here reads.
    fn check_types(&self) -> Result<(), Error> {
        for name in ["iss", "sub", "jti"] {
            self.text(name)?;
        }
        self.date("iat")?;
        if self.get("aud").is_some_and(|aud| !aud.is_string()) {
            self.texts("aud")?;
        }
        Ok(())
    }
}

/// The claims that are read of a token.
pub trait Claims: Sized {
    /// Reads them.
    ///
    /// # Errors
    /// [`Error::Claims`] with the name of the first that is missing or of the wrong type.
    fn read(claims: ClaimSet) -> Result<Self, Error>;
}

impl Claims for Value {
    fn read(claims: ClaimSet) -> Result<Self, Error> {
        Ok(Self::Object(claims.0))
    }
}

/// Checks a token and reads its claims.
///
/// # Errors
/// The token is invalid, or not valid now.
pub fn verify<T: Claims>(token: &str, key: &[u8], now: Timestamp) -> Result<T, Error> {
    if token.len() > MAX_BYTES {
        return Err(Error::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Error::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Error::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Error::Malformed);
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Error::Malformed)?;
    if header.alg != "HS256" || header.crit.is_some() {
        return Err(Error::Algorithm);
    }
    if !same(&hmac_sha256(key, &[signed.as_bytes()]), &decode(signature)?) {
        return Err(Error::Signature);
    }
    let claims = decode(claims)?;
    // The signature is right, so the signer's claims are at fault, and not the key.
    let claims = ClaimSet(serde_json::from_slice(&claims).map_err(|_| Error::Claims("exp"))?);
    let exp = claims.date("exp")?.ok_or(Error::Claims("exp"))?;
    let (now, leeway) = (now.secs() as f64, LEEWAY_SECS as f64);
    if now >= exp + leeway {
        return Err(Error::Expired);
    }
    if let Some(nbf) = claims.date("nbf")?.filter(|nbf| now + leeway < *nbf) {
        // A float becomes the nearest integer.
        return Err(Error::NotYet((nbf - now) as i64));
    }
    claims.check_types()?;
    T::read(claims)
}

/// Signs claims. They must carry `exp` for [`verify`] to take them.
///
/// # Errors
/// The claims cannot be written as JSON.
pub fn sign(claims: &impl Serialize, key: &[u8]) -> Result<String, Error> {
    let claims = serde_json::to_vec(claims).map_err(|_| Error::Malformed)?;
    let mut token = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = hmac_sha256(key, &[token.as_bytes()]);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn check(token: &str) -> Result<Value, Error> {
        verify(token, KEY, NOW)
    }

    fn with_header(header: &str, claims: &Value) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(KEY, &[signed.as_bytes()]));
        format!("{signed}.{signature}")
    }

    #[test]
    fn signed_and_in_time() {
        let claims = json!({ "sub": "m1", "exp": NOW.secs() + 1 });
        assert_eq!(check(&sign(&claims, KEY).unwrap()), Ok(claims.clone()));
        assert_eq!(verify::<Value>(&sign(&claims, b"other").unwrap(), KEY, NOW), Err(Error::Signature));
        assert_eq!(check(&with_header(r#"{"alg":"HS256"}"#, &claims)), Ok(claims));
    }

    #[test]
    fn times() {
        let at = |exp: Value, nbf: Value| check(&sign(&json!({ "exp": exp, "nbf": nbf }), KEY).unwrap()).err();
        let now = NOW.secs();
        assert_eq!(at(json!(now - LEEWAY_SECS + 1), Value::Null), None);
        assert_eq!(at(json!(now - LEEWAY_SECS), Value::Null), Some(Error::Expired));
        assert_eq!(at(json!(now + 60), json!(now + LEEWAY_SECS)), None);
        assert_eq!(at(json!(now + 60), json!(now + LEEWAY_SECS + 1)), Some(Error::NotYet(LEEWAY_SECS + 1)));
        assert_eq!(at(json!(now as f64 + 0.5), Value::Null), None);
        assert_eq!(at(json!("soon"), Value::Null), Some(Error::Claims("exp")));
        assert_eq!(at(Value::Null, Value::Null), Some(Error::Claims("exp")));
    }

    #[test]
    fn f5_the_claim_that_is_wrong_is_named() {
        let refused = |more: Value| {
            let mut claims = json!({ "sub": "m1", "exp": NOW.secs() + 60 });
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            check(&sign(&claims, KEY).unwrap()).err()
        };
        for (claim, values) in [
            ("sub", json!([7, true, ["m1"], {}])),
            ("exp", json!(["1700000060", null, true])),
            ("nbf", json!(["now"])),
            ("iat", json!(["now", {}])),
            ("iss", json!([7, ["shop"]])),
            ("aud", json!([7, [7], { "a": "b" }])),
            ("jti", json!([7])),
        ] {
            for value in values.as_array().unwrap() {
                assert_eq!(refused(json!({ claim: value })), Some(Error::Claims(claim)), "{claim}: {value}");
            }
        }
        for good in
            [json!({ "aud": "app" }), json!({ "aud": ["app", "web"] }), json!({ "iss": "shop", "jti": "1", "iat": 1.5 })]
        {
            assert_eq!(refused(good), None);
        }
        assert_eq!(refused(json!({ "nbf": null, "aud": null })), None);
        assert_eq!(Refusal::from(Error::Claims("sub")), Refusal::ClaimsWrong("sub"));
        let right = |claims: &str| {
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#), URL_SAFE_NO_PAD.encode(claims));
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(KEY, &[signed.as_bytes()])))
        };
        for claims in ["[]", r#"{"sub":"\ud800","exp":1}"#] {
            assert_eq!(check(&right(claims)), Err(Error::Claims("exp")), "{claims}");
        }
        // Without the key nothing is revealed.
        let token = sign(&json!({ "sub": 7 }), b"another").unwrap();
        assert_eq!(check(&token), Err(Error::Signature));
    }

    #[test]
    fn the_token_does_not_choose_its_algorithm() {
        let claims = json!({ "exp": NOW.secs() + 60 });
        for alg in ["none", "None", "HS384", "HS512", "hs256", "RS256", ""] {
            assert_eq!(check(&with_header(&json!({ "alg": alg }).to_string(), &claims)), Err(Error::Algorithm), "{alg}");
        }
        assert_eq!(check(&with_header(r#"{"alg":"HS256","crit":["b64"]}"#, &claims)), Err(Error::Algorithm));
        assert_eq!(check(&with_header(r#"{"alg":"HS256","alg":"none"}"#, &claims)), Err(Error::Malformed));
        assert_eq!(check(&with_header("{}", &claims)), Err(Error::Malformed));
        let unsigned =
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(claims.to_string()));
        assert_eq!(check(&unsigned), Err(Error::Algorithm));
        let stripped = sign(&claims, KEY).unwrap();
        let stripped = &stripped[..=stripped.rfind('.').unwrap()];
        assert_eq!(check(stripped), Err(Error::Signature));
        assert_eq!(check(&"a".repeat(MAX_BYTES + 1)), Err(Error::Malformed));
    }

    proptest! {
        #[test]
        fn arbitrary_texts_are_refused(text: String, parts in "[A-Za-z0-9_-]{0,20}(\\.[A-Za-z0-9_-]{0,20}){0,4}") {
            prop_assert!(check(&text).is_err());
            prop_assert!(check(&parts).is_err());
        }

        #[test]
        fn a_changed_token_is_refused(at in 0usize..300, to in "[A-Za-z0-9_.-]") {
            let good = sign(&json!({ "sub": "m1", "exp": NOW.secs() + 60 }), KEY).unwrap();
            let at = at % good.len();
            let mut other = good.clone();
            other.replace_range(at..=at, &to);
            prop_assert_eq!(check(&other).is_ok(), other == good);
        }
    }
}
