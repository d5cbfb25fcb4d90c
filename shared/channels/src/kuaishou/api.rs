//! Signed calls of the open platform, access tokens, and the meaning of the platform's codes (《错误码》; `result` 1 is good).

use super::account::Account;
use crate::answers;
use crate::digest::md5_hex;
use crate::kit::{ApiRequest, ApiResponse, Outcome, Token};
use crate::requests::{encoded, post_form, post_json};
use crate::values::whole;
use serde_json::{Map, Value};

pub(super) fn call(account: &Account, path: &str, params: &Map<String, Value>, token: Option<&str>) -> Option<ApiRequest> {
    let app_id = account.app_id.as_deref()?;
    let mut signed = params.clone();
    signed.insert("app_id".to_owned(), app_id.into());
    let mut body = params.clone();
    body.insert("sign".to_owned(), call_sign(&account.app_secret, &signed).into());
    let mut url = format!("{}{path}?app_id={}", account.api_base, encoded(app_id));
    if let Some(token) = token {
        url.push_str("&access_token=");
        url.push_str(&encoded(token));
    }
    Some(post_json(url, Value::Object(body).to_string()))
}

/// The token of the app itself, for mini programs.
pub(super) fn token_request(account: &Account) -> Option<ApiRequest> {
    let app_id = account.app_id.as_deref()?;
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("app_id", app_id), ("app_secret", &account.app_secret), ("grant_type", "client_credentials")])
        .finish();
    Some(post_form(format!("{}/oauth2/access_token", account.api_base), form))
}

fn read(answer: &ApiResponse<'_>) -> Result<Value, Outcome> {
    let body = answers::read_json(answer)?;
    match whole(body.get("result")).ok_or(Outcome::Retry("answer_unreadable"))? {
        1 => Ok(body),
        100_200_102 | 100_200_108 => Err(Outcome::RefreshToken),
        100_200_101 => Err(Outcome::Permanent("credentials_refused")),
        100_200_106 | 100_200_109 | 100_200_110 | 100_200_111 => Err(Outcome::Permanent("api_not_authorized")),
        100_200_107 => Err(Outcome::Permanent("recipient_unknown")),
        100_200_500 | 400_003 => Err(Outcome::Retry("platform_busy")),
        400_002 => Err(Outcome::Retry("rate_limited")),
        _ => Err(Outcome::Permanent("platform_refused")),
    }
}

pub(super) fn read_token(answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
    let body = answers::of_token_request(read(answer))?;
    answers::token(&body)
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    read(answer).map_or_else(|outcome| outcome, |_| Outcome::Sent)
}

/// The parameter `sign` of a call.
pub fn call_sign(app_secret: &str, params: &Map<String, Value>) -> String {
    let mut pairs: Vec<(&str, String)> = params
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "sign" | "access_token"))
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some((name.as_str(), text.clone())),
            other => Some((name.as_str(), other.to_string())),
        })
        .collect();
    pairs.sort();
    let joined: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    md5_hex(&[joined.join("&").as_bytes(), app_secret.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn account(app_id: Option<&str>) -> Account {
        let secrets = [("app_secret".to_owned(), "s3cret".to_owned())].into();
        Account::read(&json!({ "app_id": app_id, "api_base": "http://127.0.0.1:9" }), &secrets).ok().unwrap()
    }

    /// Self-generated: the document's example names no secret. The value was computed by `printf … | md5sum`.
    #[test]
    fn calls_are_signed() {
        let params = json!({ "out_order_no": "o1", "total_amount": 100, "attach": "", "note": null });
        let params = params.as_object().unwrap();
        assert!(call(&account(None), "/x", params, None).is_none());
        let call = call(&account(Some("ks1")), "/openapi/x", params, Some("t&1")).unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/openapi/x?app_id=ks1&access_token=t%261");
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(body["sign"], "78bb0faedcc743c2b64596ea97d14a15");
        assert_eq!(body["total_amount"], 100);
    }

    #[test]
    fn tokens() {
        assert!(token_request(&account(None)).is_none());
        let call = token_request(&account(Some("ks1"))).unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/oauth2/access_token");
        assert_eq!(call.body, b"app_id=ks1&app_secret=s3cret&grant_type=client_credentials");
        let read = |status, body: &str| read_token(&ApiResponse { status, body: body.as_bytes() });
        let token = read(200, r#"{"result":1,"access_token":"T","expires_in":172800}"#).ok().unwrap();
        assert_eq!((token.value.as_str(), token.expires_in), ("T", 172_800));
        let refused = |status, body: &str| read(status, body).err().unwrap();
        assert_eq!(
            refused(200, r#"{"result":100200101,"error":"unauthorized_client"}"#),
            Outcome::Permanent("credentials_refused")
        );
        assert_eq!(refused(200, r#"{"result":100200102}"#), Outcome::Permanent("credentials_refused"));
        assert_eq!(refused(200, r#"{"result":1}"#), Outcome::Retry("answer_unreadable"));
        assert_eq!(refused(503, ""), Outcome::Retry("platform_unavailable"));
    }

    #[test]
    fn answers() {
        let said = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        let code = |code: i64| said(200, &json!({ "result": code }).to_string());
        assert_eq!(code(1), Outcome::Sent);
        assert_eq!(code(100_200_102), Outcome::RefreshToken);
        assert_eq!(code(100_200_108), Outcome::RefreshToken);
        assert_eq!(code(100_200_101), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(100_200_111), Outcome::Permanent("api_not_authorized"));
        assert_eq!(code(100_200_107), Outcome::Permanent("recipient_unknown"));
        assert_eq!(code(100_200_500), Outcome::Retry("platform_busy"));
        assert_eq!(code(400_002), Outcome::Retry("rate_limited"));
        assert_eq!(code(100_200_100), Outcome::Permanent("platform_refused"));
        assert_eq!(said(200, "{}"), Outcome::Retry("answer_unreadable"));
        assert_eq!(said(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(said(404, ""), Outcome::Permanent("http_refused"));
        assert_eq!(said(500, ""), Outcome::Retry("platform_unavailable"));
    }

    proptest! {
        #[test]
        fn no_answer_panics(status: u16, body: Vec<u8>, text in "\\{.{0,60}") {
            for body in [&body[..], text.as_bytes()] {
                let answer = ApiResponse { status, body };
                read_answer(&answer);
                let _ = read_token(&answer);
            }
        }
    }
}
