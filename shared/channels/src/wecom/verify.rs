//! Proves that a request comes from WeCom: `msg_signature` = sha1(sort(token, timestamp, nonce, ciphertext)). The
//! ciphertext is the body's `Encrypt` or, in a check of the address, `echostr` itself. There is no plain mode. The envelope
//! must be addressed to the company.

use super::account::Account;
use crate::echo::{MAX_ECHO, Signed};
use crate::kit::{Fault, Refusal, Reply, Request, Verified};
use crate::wx::payload::Payload;
use crate::wx_crypto::{WECHAT_PREFIX, decrypt};
use crate::xml::MAX_BYTES;
use warmline_model::Timestamp;

/// The longest `echostr` that is decrypted. The platform's has about 90 characters.
const MAX_SEALED_ECHO: usize = 1024;

fn open(account: &Account, signed: &Signed<'_>, sealed: &str, now: Timestamp) -> Result<Vec<u8>, Refusal> {
    signed.check(signed.msg_signature.as_deref(), &account.token, &[sealed], account.max_age_secs, now)?;
    Ok(decrypt(&account.key, WECHAT_PREFIX, sealed, &account.corp_id)?)
}

/// Answers the platform's check of the address: a GET whose `echostr` is returned decrypted.
pub(super) fn handshake(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Option<Reply>, Refusal> {
    if request.method != http::Method::GET || !request.at_root() {
        return Ok(None);
    }
    let signed = Signed::read(request.query);
    let Some(echo) = signed.echostr.as_deref() else { return Ok(None) };
    if echo.len() > MAX_SEALED_ECHO {
        return Err(Refusal::Field("echostr"));
    }
    let plain = String::from_utf8(open(account, &signed, echo, now)?).map_err(|_| Refusal::Field("echostr"))?;
    if plain.len() > MAX_ECHO {
        return Err(Refusal::Field("echostr"));
    }
    Ok(Some(Reply::text(plain)))
}

/// Verifies and decrypts a webhook.
pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST || !request.at_root() {
        return Err(Refusal::NotFound);
    }
    if request.body.len() > MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let signed = Signed::read(request.query);
    if signed.msg_signature.is_none() {
        return Err(Refusal::SignatureMissing);
    }
    let body = Payload::read(request.body)?;
    let sealed = body.text("Encrypt").ok_or(Refusal::Field("Encrypt"))?;
    Ok(Verified::new(open(account, &signed, &sealed, now)?))
}
