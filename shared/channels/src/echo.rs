//! The check of an address as WeChat does it and others took it over: a GET with `signature`, `timestamp`, `nonce` and
//! `echostr`, the signature being the hexadecimal SHA-1 over a token and the parameters, sorted and joined. Who answers with the
//! `echostr` has shown that it holds the token.

use crate::kit::{Refusal, Reply, Request};
use crate::wx_crypto::signature_matches;
use warmline_model::Timestamp;

/// The longest `echostr` given back.
const MAX_ECHO: usize = 256;

/// The signed parameters of a request.
pub(crate) struct Signed {
    pub(crate) signature: String,
    pub(crate) timestamp: String,
    pub(crate) nonce: String,
}

impl Signed {
    /// From the query; `name` is the signature's parameter.
    pub(crate) fn from_query(request: &Request<'_>, name: &str) -> Result<Self, Refusal> {
        let param = |name: &str| request.param(name).ok_or(Refusal::SignatureMissing);
        Ok(Self { signature: param(name)?, timestamp: param("timestamp")?, nonce: param("nonce")? })
    }

    /// Checks the signature over token, time, nonce and `more`, then the time.
    pub(crate) fn check(&self, token: &str, more: &[&str], max_age_secs: i64, now: Timestamp) -> Result<(), Refusal> {
        let mut parts = vec![token, self.timestamp.as_str(), self.nonce.as_str()];
        parts.extend_from_slice(more);
        if !signature_matches(&self.signature, &mut parts) {
            return Err(Refusal::SignatureWrong);
        }
        let digits = !self.timestamp.is_empty() && self.timestamp.bytes().all(|b| b.is_ascii_digit());
        let signed_at: i64 = self.timestamp.parse().ok().filter(|_| digits).ok_or(Refusal::Malformed("timestamp"))?;
        if now.secs().abs_diff(signed_at) > max_age_secs.unsigned_abs() {
            return Err(Refusal::Stale);
        }
        Ok(())
    }
}

/// Answers the check of the address, where the request is one. `more` names further parameters that are signed; an absent one
/// counts as empty.
pub(crate) fn handshake(
    token: &str,
    more: &[&str],
    max_age_secs: i64,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Option<Reply>, Refusal> {
    if request.method != http::Method::GET || !at_root(request) {
        return Ok(None);
    }
    let Some(echo) = request.param("echostr") else { return Ok(None) };
    let more: Vec<String> = more.iter().map(|name| request.param(name).unwrap_or_default()).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    Signed::from_query(request, "signature")?.check(token, &more, max_age_secs, now)?;
    if echo.len() > MAX_ECHO {
        return Err(Refusal::Malformed("echostr"));
    }
    Ok(Some(Reply::text(echo)))
}

/// Whether the request is for the webhook's own address and nothing below it.
pub(crate) fn at_root(request: &Request<'_>) -> bool {
    matches!(request.rest, "" | "/")
}
