//! Twilio's request signature, by itself and through the verifier of each channel that Twilio calls.

use crate::{Vector, Verdict};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use warmline_channels::phone::PhoneAdapter;
use warmline_channels::sms::SmsAdapter;
use warmline_channels::{Adapter, Refusal, Request, twilio};
use warmline_model::Timestamp;

pub(crate) fn check(vector: &Vector) -> Verdict {
    let (token, url) = (vector.input("auth_token"), vector.input("url"));
    let signature = vector.expected()["signature"].as_str().unwrap();
    let (params, kind, body) = match vector.algorithm() {
        "twilio_hmac_sha1" => {
            let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
            let list = vector.inputs()["params"].as_array().unwrap();
            let params: Vec<_> = list.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
            (params, "application/x-www-form-urlencoded", body)
        }
        "twilio_body_sha256" => {
            let body = vector.input("body");
            assert_eq!(twilio::body_hash(body.as_bytes()), vector.expected()["body_sha256"].as_str().unwrap());
            (Vec::new(), "application/json", body.to_owned())
        }
        other => panic!("{}: algorithm {other}", vector.id()),
    };
    assert!(twilio::matches(token, url, &params, signature), "{}", vector.id());
    assert!(!twilio::matches("another token", url, &params, signature), "{}", vector.id());

    let settings = |url: &str| json!({ "provider": "twilio", "account_sid": "AC1", "public_url": url });
    through(&SmsAdapter, settings, token, url, kind, signature, body.as_bytes());
    through(&PhoneAdapter, settings, token, url, kind, signature, body.as_bytes());
    Verdict::Passed
}

fn through<A: Adapter>(
    adapter: &A,
    settings: impl Fn(&str) -> serde_json::Value,
    token: &str,
    url: &str,
    kind: &'static str,
    signature: &str,
    body: &[u8],
) {
    let (public_url, query) = url.split_once('?').unwrap();
    let secrets = [("auth_token".to_owned(), token.to_owned())].into();
    let account = adapter.account(&settings(public_url).into(), &secrets).ok().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(kind));
    headers.insert("x-twilio-signature", signature.parse().unwrap());
    let ask = |query: &str, body: &[u8]| {
        let request = Request { method: &Method::POST, rest: "", query, headers: &headers, body };
        adapter.verify(&account, &request, Timestamp::from_secs(0)).err()
    };
    assert_eq!(ask(query, body), None);
    assert_eq!(ask("foo=2", body), Some(Refusal::SignatureWrong));
    assert_eq!(ask(query, b"changed=1"), Some(Refusal::SignatureWrong));
}
