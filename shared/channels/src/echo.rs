//! Signed queries and the check of an address in WeChat's way, which other platforms use too. A request carries
//! `timestamp`, `nonce` and `signature`, the hexadecimal SHA-1 over a token and the parameters, sorted and joined. The
//! check of an address is a GET with an additional `echostr`. Answering with the `echostr` proves that the server holds the
//! token.

use crate::kit::{Refusal, Reply, Request};
use crate::signed_time;
use crate::wx_crypto::signature_matches;
use std::borrow::Cow;
use warmline_model::Timestamp;

/// The longest `echostr` that is returned. WeChat's has 19 digits.
pub(crate) const MAX_ECHO: usize = 256;

/// The parameters of a signed request, read in one pass. Of a repeated parameter the first counts.
#[derive(Default)]
pub(crate) struct Signed<'q> {
    pub(crate) signature: Option<Cow<'q, str>>,
    pub(crate) msg_signature: Option<Cow<'q, str>>,
    pub(crate) timestamp: Option<Cow<'q, str>>,
    pub(crate) nonce: Option<Cow<'q, str>>,
    pub(crate) encrypt_type: Option<Cow<'q, str>>,
    pub(crate) echostr: Option<Cow<'q, str>>,
}

impl<'q> Signed<'q> {
    pub(crate) fn read(query: &'q str) -> Self {
        let mut signed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match &*name {
                "signature" => &mut signed.signature,
                "msg_signature" => &mut signed.msg_signature,
                "timestamp" => &mut signed.timestamp,
                "nonce" => &mut signed.nonce,
                "encrypt_type" => &mut signed.encrypt_type,
                "echostr" => &mut signed.echostr,
                _ => continue,
            };
            field.get_or_insert(value);
        }
        signed
    }

    /// Checks a signature over token, timestamp, nonce and `more` (for encrypted bodies, the ciphertext); then the time.
    pub(crate) fn check(
        &self,
        signature: Option<&str>,
        token: &str,
        more: &[&str],
        max_age_secs: i64,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let timestamp = self.signed(signature, token, more)?;
        signed_time::check(signed_time::seconds(timestamp)?, now, max_age_secs)
    }

    /// Checks the signature only, and returns the timestamp that it covers.
    pub(crate) fn signed(&self, signature: Option<&str>, token: &str, more: &[&str]) -> Result<&str, Refusal> {
        let (Some(signature), Some(timestamp), Some(nonce)) = (signature, self.timestamp.as_deref(), self.nonce.as_deref())
        else {
            return Err(Refusal::SignatureMissing);
        };
        let mut parts = vec![token, timestamp, nonce];
        parts.extend_from_slice(more);
        if signature_matches(signature, &mut parts) { Ok(timestamp) } else { Err(Refusal::SignatureWrong) }
    }
}

/// Answers the check of the address, if the request is one: a GET with `echostr`, which is returned unchanged after `check`
/// has accepted the query.
pub(crate) fn handshake(
    request: &Request<'_>,
    check: impl FnOnce(&Signed<'_>) -> Result<(), Refusal>,
) -> Result<Option<Reply>, Refusal> {
    if request.method != http::Method::GET || !request.at_root() {
        return Ok(None);
    }
    let signed = Signed::read(request.query);
    let Some(echo) = signed.echostr.as_deref() else { return Ok(None) };
    check(&signed)?;
    if echo.len() > MAX_ECHO {
        return Err(Refusal::Field("echostr"));
    }
    Ok(Some(Reply::text(echo)))
}
