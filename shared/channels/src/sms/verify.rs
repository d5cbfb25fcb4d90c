//! Proves that a webhook comes from the provider: by the secret address, or by Twilio's signature.

use super::account::{Account, Provider};
use crate::json;
use crate::kit::{Fault, Refusal, Request, Verified};
use crate::{secret_address, twilio};
use warmline_model::Timestamp;

pub(super) fn verify(account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
    if request.method != http::Method::POST {
        return Err(Refusal::NotFound);
    }
    let verified = match &account.provider {
        Provider::Aliyun(aliyun) => {
            secret_address::check(&aliyun.address_token, request)?;
            if request.body.len() > json::MAX_BYTES {
                return Err(Refusal::Malformed(Fault::TooLong));
            }
            Verified::new(request.body.to_vec())
        }
        Provider::Twilio(account) => {
            if !request.at_root() {
                return Err(Refusal::NotFound);
            }
            twilio::verify(&account.auth_token, &account.public_url, request)?
        }
    };
    Ok(verified.with_time(now))
}

#[cfg(test)]
mod tests {
    use super::super::{SmsAdapter, sign};
    use super::*;
    use crate::kit::Adapter;
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const TOKEN: &str = "0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn account(settings: Value, secrets: &[(&str, &str)]) -> Account {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets).ok().unwrap()
    }

    fn aliyun() -> Account {
        account(json!({ "provider": "aliyun" }), &[("address_token", TOKEN)])
    }

    fn twilio() -> Account {
        let settings = json!({ "provider": "twilio", "account_sid": "AC1", "public_url": "https://x/channels/sms/main" });
        account(settings, &[("auth_token", TOKEN)])
    }

    fn ask(
        account: &Account,
        method: Method,
        rest: &str,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<Verified, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(signature) = signature {
            headers.insert("x-twilio-signature", signature.parse().unwrap());
        }
        SmsAdapter.verify(account, &Request { method: &method, rest, query: "", headers: &headers, body }, NOW)
    }

    #[test]
    fn aliyun_by_its_address() {
        let rest = format!("/{TOKEN}");
        assert!(ask(&aliyun(), Method::POST, &rest, None, b"[]").is_ok());
        assert_eq!(ask(&aliyun(), Method::GET, &rest, None, b"").err(), Some(Refusal::NotFound));
        assert_eq!(ask(&aliyun(), Method::POST, "", None, b"[]").err(), Some(Refusal::SignatureMissing));
        assert_eq!(ask(&aliyun(), Method::POST, "/0123456789abcdee", None, b"[]").err(), Some(Refusal::SignatureWrong));
        let long = vec![b' '; json::MAX_BYTES + 1];
        assert_eq!(ask(&aliyun(), Method::POST, &rest, None, &long).err(), Some(Refusal::Malformed(Fault::TooLong)));
    }

    #[test]
    fn twilio_by_its_signature() {
        let (body, signature) = sign::twilio(TOKEN, "https://x/channels/sms/main", &[("MessageSid", "SM1")]);
        let verified = ask(&twilio(), Method::POST, "", Some(&signature), body.as_bytes()).ok().unwrap();
        assert_eq!(verified.time(), NOW);
        assert_eq!(ask(&twilio(), Method::POST, "", None, body.as_bytes()).err(), Some(Refusal::SignatureMissing));
        assert_eq!(ask(&twilio(), Method::POST, "", Some("x"), body.as_bytes()).err(), Some(Refusal::SignatureWrong));
        assert_eq!(ask(&twilio(), Method::POST, "/x", Some(&signature), b"").err(), Some(Refusal::NotFound));
    }

    proptest! {
        #[test]
        fn nothing_unsigned_is_verified(rest in "/[a-f0-9]{0,20}", body: Vec<u8>, signature in "[A-Za-z0-9+/]{27}=") {
            prop_assume!(rest != format!("/{TOKEN}"));
            prop_assert!(ask(&aliyun(), Method::POST, &rest, None, &body).is_err());
            prop_assert!(ask(&twilio(), Method::POST, "", Some(&signature), &body).is_err());
        }

        #[test]
        fn a_changed_form_yields_no_other_message(at in 0usize..200, to: u8) {
            let (body, signature) = sign::twilio_text(TOKEN, "https://x/channels/sms/main", "SM1", "+8613800000000", "+1", "退货 ok");
            let parse = |body: &[u8]| {
                let verified = ask(&twilio(), Method::POST, "", Some(&signature), body).ok()?;
                SmsAdapter.parse(&twilio(), &verified).ok()
            };
            let mut other = body.clone().into_bytes();
            let at = at % other.len();
            other[at] = to;
            if let Some(messages) = parse(&other) {
                prop_assert_eq!(Some(messages), parse(body.as_bytes()));
            }
        }
    }
}
