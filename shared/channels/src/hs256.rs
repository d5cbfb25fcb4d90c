//! JSON web tokens signed with HMAC-SHA256 (RFC 7515, 7519), and nothing else of that family.
//!
//! The header must say `HS256` and must not ask for extensions (`crit`): the key decides how a token is checked, never the
//! token. The signature is checked before a claim is read. `exp` is required.

use crate::digest::{hmac_sha256, same};
use crate::kit::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use warmline_model::Timestamp;

/// How far two clocks may be apart, for `exp` and `nbf`.
pub const LEEWAY_SECS: i64 = 30;
/// The longest token read.
pub const MAX_BYTES: usize = 4096;

/// Why a token is refused. None of these says anything of the key.
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
    #[error("the token's claims are not those wanted here")]
    Claims,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYet,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Expired => Self::Expired,
            Error::NotYet => Self::Stale,
            Error::Malformed | Error::Algorithm | Error::Signature | Error::Claims => Self::SignatureWrong,
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// NumericDate may have a fraction (RFC 7519 §2).
#[derive(Deserialize)]
struct Times {
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

/// Checks a token and reads its claims.
///
/// # Errors
/// The token is not good, or not now.
pub fn verify<T: DeserializeOwned>(token: &str, key: &[u8], now: Timestamp) -> Result<T, Error> {
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
    let times: Times = serde_json::from_slice(&claims).map_err(|_| Error::Claims)?;
    // Seconds since 1970 are exact in an f64 for the next 280 million years.
    let (now, leeway) = (now.secs() as f64, LEEWAY_SECS as f64);
    if now >= times.exp + leeway {
        return Err(Error::Expired);
    }
    if times.nbf.is_some_and(|nbf| now + leeway < nbf) {
        return Err(Error::NotYet);
    }
    serde_json::from_slice(&claims).map_err(|_| Error::Claims)
}

/// Signs claims. They must carry `exp` for [`verify`] to take them.
///
/// # Errors
/// The claims cannot be written as JSON.
pub fn sign(claims: &impl Serialize, key: &[u8]) -> Result<String, Error> {
    let claims = serde_json::to_vec(claims).map_err(|_| Error::Claims)?;
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
        assert_eq!(at(json!(now + 60), json!(now + LEEWAY_SECS + 1)), Some(Error::NotYet));
        assert_eq!(at(json!(now as f64 + 0.5), Value::Null), None);
        assert_eq!(at(json!("soon"), Value::Null), Some(Error::Claims));
        assert_eq!(at(Value::Null, Value::Null), Some(Error::Claims));
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
