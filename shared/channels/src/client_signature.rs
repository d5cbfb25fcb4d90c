//! The signature of our own contracts: `X-Warmline-Timestamp` (seconds since 1970) and `X-Warmline-Signature`, hexadecimal
//! HMAC-SHA256 over `<timestamp>.<raw body>`. The brand's app signs its messages with it, a bridge its posts.

use crate::digest::{hmac_sha256, same};
use crate::kit::{Refusal, Request};
use warmline_model::Timestamp;

/// Checks the signature, then the time; gives the time back.
pub(crate) fn check(secret: &str, max_age_secs: i64, request: &Request<'_>, now: Timestamp) -> Result<Timestamp, Refusal> {
    let timestamp = request.header("x-warmline-timestamp").ok_or(Refusal::SignatureMissing)?;
    let signature = request.header("x-warmline-signature").ok_or(Refusal::SignatureMissing)?;
    let expected = hmac_sha256(secret.as_bytes(), &[timestamp.as_bytes(), b".", request.body]);
    if !same(hex::encode(expected).as_bytes(), signature.as_bytes()) {
        return Err(Refusal::SignatureWrong);
    }
    if timestamp.is_empty() || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::Malformed("timestamp"));
    }
    let signed_at: i64 = timestamp.parse().map_err(|_| Refusal::Malformed("timestamp"))?;
    if now.secs().abs_diff(signed_at) > max_age_secs.unsigned_abs() {
        return Err(Refusal::Stale);
    }
    Ok(Timestamp::from_secs(signed_at))
}
