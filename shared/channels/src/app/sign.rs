//! Signed requests in the app's form, for tests and simulators: the counterpart of the verifier.

use crate::{hs256, timed_signature};
use serde_json::{Value, json};

/// The token that the brand's server gives to a member.
pub fn jwt(jwt_secret: &str, sub: &str, name: Option<&str>, tags: &[&str], exp: i64) -> String {
    token(jwt_secret, &json!({ "sub": sub, "name": name, "tags": tags, "exp": exp }))
}

/// A token with these claims.
pub fn token(jwt_secret: &str, claims: &Value) -> String {
    // A JSON value can always be written.
    hs256::sign(claims, jwt_secret.as_bytes()).unwrap_or_default()
}

/// `X-Warmline-Signature` for a body sent at `timestamp` (seconds since 1970, as in `X-Warmline-Timestamp`).
pub fn body(body_secret: &str, timestamp: i64, body: &[u8]) -> String {
    timed_signature::sign(body_secret, &timestamp.to_string(), body)
}
