//! The signature of our own contracts (the app's messages, a telephone system's calls): `X-Warmline-Timestamp`, seconds
//! since 1970, and `X-Warmline-Signature`, the lower-case hexadecimal HMAC-SHA256 over `<timestamp>.<raw body>`.

use crate::digest::{hmac_sha256, same};
use crate::kit::{Refusal, Request};
use crate::signed_time;
use warmline_model::Timestamp;

/// The signature of a body sent at `timestamp`.
pub(crate) fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    hex::encode(hmac_sha256(secret.as_bytes(), &[timestamp.as_bytes(), b".", body]))
}

/// Checks the signature in the headers and then the time that it covers, which it returns.
pub(crate) fn check(secret: &str, request: &Request<'_>, now: Timestamp, max_age_secs: i64) -> Result<Timestamp, Refusal> {
    let timestamp = request.header("x-warmline-timestamp").ok_or(Refusal::SignatureMissing)?;
    let signature = request.header("x-warmline-signature").ok_or(Refusal::SignatureMissing)?;
    check_parts(secret, (timestamp, signature), request.body, now, max_age_secs)
}

/// The same, for a timestamp and a signature from another place.
pub(crate) fn check_parts(
    secret: &str,
    (timestamp, signature): (&str, &str),
    body: &[u8],
    now: Timestamp,
    max_age_secs: i64,
) -> Result<Timestamp, Refusal> {
    if !same(sign(secret, timestamp, body).as_bytes(), signature.as_bytes()) {
        return Err(Refusal::SignatureWrong);
    }
    let signed_at = signed_time::seconds(timestamp)?;
    signed_time::check(signed_at, now, max_age_secs)?;
    Ok(signed_at)
}
