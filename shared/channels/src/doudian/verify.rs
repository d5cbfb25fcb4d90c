//! Proves that a push comes from the platform: MD5 over the app's key, the raw body and the secret. The platform offers
//! nothing better. MD5's collisions do not help here: without the secret, an attacker cannot compute either side.

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
    let given = request.header("event-sign").ok_or(Refusal::SignatureMissing)?;
    let good = md5_hex(&[account.app_key.as_bytes(), request.body, account.app_secret.as_bytes()]);
    if !same(good.as_bytes(), given.to_ascii_lowercase().as_bytes()) {
        return Err(Refusal::SignatureWrong);
    }
    if request.header("app-id").is_some_and(|app| app != account.app_key) {
        return Err(Refusal::WrongRecipient);
    }
    Ok(Verified::new(request.body.to_vec()).with_time(now))
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;
    use serde_json::json;

    fn account() -> Account {
        let secrets = [("app_secret".to_owned(), "s3cret".to_owned())].into();
        Account::read(&json!({ "app_key": "6839996111111111111" }), &secrets).ok().unwrap()
    }

    fn post(app: &str, sign: Option<&str>, body: &[u8]) -> Result<Verified, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("app-id", HeaderValue::from_str(app).unwrap());
        if let Some(sign) = sign {
            headers.insert("event-sign", HeaderValue::from_str(sign).unwrap());
        }
        let request = Request { method: &Method::POST, rest: "", query: "", headers: &headers, body };
        verify(&account(), &request, Timestamp::from_secs(5))
    }

    /// Self-generated: no public vector exists for event-sign. The value was computed by `printf … | md5sum`.
    #[test]
    fn pushes() {
        let (app, body) = ("6839996111111111111", br#"[{"tag":"0","msg_id":"0","data":"2021-06-02 11:51:02"}]"#);
        let good = sign::event_sign(app, "s3cret", body);
        assert_eq!(good, "91c262abdd8570fb305956b8cfcc46f7");
        let verified = post(app, Some(&good), body).ok().unwrap();
        assert_eq!((verified.body(), verified.time()), (&body[..], Timestamp::from_secs(5)));
        assert!(post(app, Some(&good.to_uppercase()), body).is_ok());
        assert_eq!(post(app, None, body).err(), Some(Refusal::SignatureMissing));
        assert_eq!(post(app, Some(&good[1..]), body).err(), Some(Refusal::SignatureWrong));
        assert_eq!(post(app, Some(&good), b"[]").err(), Some(Refusal::SignatureWrong));
        assert_eq!(post("1", Some(&good), body).err(), Some(Refusal::WrongRecipient));
        let long = vec![b' '; json::MAX_BYTES + 1];
        assert_eq!(post(app, Some(&good), &long).err(), Some(Refusal::Malformed(Fault::TooLong)));
        let request = Request { method: &Method::GET, rest: "", query: "", headers: &HeaderMap::new(), body: b"" };
        assert_eq!(verify(&account(), &request, Timestamp::from_secs(5)).err(), Some(Refusal::NotFound));
    }

    proptest! {
        #[test]
        fn nothing_unsigned_and_nothing_changed_is_verified(body: Vec<u8>, sign in "[0-9a-f]{32}", at in 0usize..400, to: u8) {
            let app = "6839996111111111111";
            prop_assert!(post(app, Some(&sign), &body).is_err());
            let real = sign::probe().into_bytes();
            let good = sign::event_sign(app, "s3cret", &real);
            let mut other = real.clone();
            let at = at % other.len();
            other[at] = to;
            prop_assert_eq!(post(app, Some(&good), &other).is_ok(), other == real);
        }
    }
}
