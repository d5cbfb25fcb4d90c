//! Proves that a push comes from the platform: MD5 over the raw body and the secret. The platform offers nothing better.
//! With the secret at the end, two bodies with one MD5 would have one signature. The platform would have to push one of
//! them first, and nobody else chooses its bodies.

use super::account::Account;
use crate::digest::{md5_hex, same};
use crate::json;
use crate::kit::{Fault, Refusal, Request, Verified};
use warmline_model::Timestamp;

pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST || !request.at_root() {
        return Err(Refusal::NotFound);
    }
    if request.body.len() > json::MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let given = request.header("kwaisign").ok_or(Refusal::SignatureMissing)?;
    let good = md5_hex(&[request.body, account.app_secret.as_bytes()]);
    if !same(good.as_bytes(), given.to_ascii_lowercase().as_bytes()) {
        return Err(Refusal::SignatureWrong);
    }
    Ok(Verified::new(request.body.to_vec()).with_time(now))
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;
    use serde_json::Value;

    fn post(method: Method, sign: Option<&str>, body: &[u8]) -> Result<Verified, Refusal> {
        let secrets = [("app_secret".to_owned(), "s3cret".to_owned())].into();
        let account = Account::read(&Value::Null, &secrets).ok().unwrap();
        let mut headers = HeaderMap::new();
        if let Some(sign) = sign {
            headers.insert("kwaisign", HeaderValue::from_str(sign).unwrap());
        }
        let request = Request { method: &method, rest: "", query: "", headers: &headers, body };
        verify(&account, &request, Timestamp::from_secs(5))
    }

    /// Self-generated: no public vector exists for kwaisign. The value was computed by `printf … | md5sum`.
    #[test]
    fn pushes() {
        let body = br#"{"app_id":"ks1","event":"AUTHORIZE"}"#;
        let good = sign::kwaisign("s3cret", body);
        assert_eq!(good, "7d94b1899a3af0db38e0597d8b2ae258");
        let verified = post(Method::POST, Some(&good), body).ok().unwrap();
        assert_eq!((verified.body(), verified.time()), (&body[..], Timestamp::from_secs(5)));
        assert!(post(Method::POST, Some(&good.to_uppercase()), body).is_ok());
        assert_eq!(post(Method::POST, None, body).err(), Some(Refusal::SignatureMissing));
        assert_eq!(post(Method::POST, Some(&good[1..]), body).err(), Some(Refusal::SignatureWrong));
        assert_eq!(post(Method::POST, Some(&good), b"{}").err(), Some(Refusal::SignatureWrong));
        assert_eq!(post(Method::GET, Some(&good), body).err(), Some(Refusal::NotFound));
        let long = vec![b' '; json::MAX_BYTES + 1];
        assert_eq!(post(Method::POST, Some(&good), &long).err(), Some(Refusal::Malformed(Fault::TooLong)));
    }

    proptest! {
        #[test]
        fn nothing_unsigned_and_nothing_changed_is_verified(body: Vec<u8>, sign in "[0-9a-f]{32}", at in 0usize..400, to: u8) {
            prop_assert!(post(Method::POST, Some(&sign), &body).is_err());
            let real = sign::event("ks1", "AUTHORIZE", "m", 1, &Value::Null).into_bytes();
            let good = sign::kwaisign("s3cret", &real);
            let mut other = real.clone();
            let at = at % other.len();
            other[at] = to;
            prop_assert_eq!(post(Method::POST, Some(&good), &other).is_ok(), other == real);
        }
    }
}
