//! The platform's API: access tokens (`/cgi-bin/stable_token`) and customer-service messages
//! (`/cgi-bin/message/custom/send`), and what its error codes mean for the outbox.
//!
//! Of the two ways to fetch a token the ordinary one returns the token that is valid now, whoever else has fetched it.
//! `force_refresh` makes the present one invalid for everybody, works 20 times a day and at most every 30 s: it is for leaked
//! tokens. After a 40001 the ordinary way is the right one.

use super::CAPABILITIES;
use super::account::Account;
use super::outgoing::Outgoing;
use crate::kit::{ApiRequest, ApiResponse, Outbound, Outcome, Rendered, Token};
use serde::Deserialize;
use serde_json::json;

fn post(url: String, body: Vec<u8>) -> ApiRequest {
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    ApiRequest { method: http::Method::POST, url, headers, body }
}

pub(super) fn token_request(account: &Account, force: bool) -> Option<ApiRequest> {
    let (app_id, secret) = account.credentials()?;
    let body = json!({ "grant_type": "client_credential", "appid": app_id, "secret": secret, "force_refresh": force });
    Some(post(format!("{}/cgi-bin/stable_token", account.api_base), body.to_string().into_bytes()))
}

pub(super) fn render(account: &Account, reply: &Outbound<'_>, token: Option<&str>) -> Result<Rendered, &'static str> {
    CAPABILITIES.check(reply.content)?;
    let message = Outgoing::from_content(reply.content)?;
    let token = token.ok_or(if account.credentials().is_some() { "token_missing" } else { "credentials_missing" })?;
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let url = format!("{}/cgi-bin/message/custom/send?access_token={token}", account.api_base);
    Ok(Rendered::Call(post(url, message.to_json(reply.to))))
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    expires_in: Option<i64>,
    errcode: Option<i64>,
}

#[derive(Deserialize)]
struct SendAnswer {
    errcode: i64,
}

pub(super) fn read_token(answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
    refused_by_http(answer.status)?;
    let read: TokenAnswer = serde_json::from_slice(answer.body).map_err(|_| Outcome::Retry("answer_unreadable"))?;
    match (read.access_token, read.expires_in, read.errcode.unwrap_or(0)) {
        (Some(value), Some(expires_in), 0) if !value.is_empty() && expires_in > 0 => Ok(Token { value, expires_in }),
        (_, _, 0) => Err(Outcome::Retry("answer_unreadable")),
        (_, _, code) => Err(match code {
            -1 => Outcome::Retry("platform_busy"),
            45009 | 45011 => Outcome::Retry("rate_limited"),
            // Here 40001 means the secret, not a token.
            40001 | 40013 | 40125 | 40243 | 41002 | 41004 => Outcome::Permanent("credentials_refused"),
            40164 | 61004 | 89503 | 89506 | 89507 => Outcome::Permanent("ip_not_allowed"),
            48001 | 48004 | 50002 | 50004 | 50007 => Outcome::Permanent("account_blocked"),
            _ => Outcome::Permanent("platform_refused"),
        }),
    }
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    if let Err(outcome) = refused_by_http(answer.status) {
        return outcome;
    }
    let Ok(SendAnswer { errcode }) = serde_json::from_slice(answer.body) else {
        return Outcome::Retry("answer_unreadable");
    };
    match errcode {
        0 => Outcome::Sent,
        40001 | 40014 | 41001 | 42001 | 42007 => Outcome::RefreshToken,
        -1 => Outcome::Retry("platform_busy"),
        45009 | 45011 => Outcome::Retry("rate_limited"),
        45015 => Outcome::Permanent("reply_window_closed"),
        45047 => Outcome::Permanent("reply_quota_used"),
        40003 => Outcome::Permanent("recipient_unknown"),
        43004 => Outcome::Permanent("recipient_not_following"),
        43019 | 48002 => Outcome::Permanent("recipient_refuses"),
        45002 => Outcome::Permanent("text_too_long"),
        40004 | 40005 | 40007 | 45001 | 45007 => Outcome::Permanent("media_refused"),
        40008 => Outcome::Permanent("kind_not_supported"),
        45157 | 87014 => Outcome::Permanent("content_refused"),
        40164 | 61004 => Outcome::Permanent("ip_not_allowed"),
        48001 | 50001 => Outcome::Permanent("api_not_authorized"),
        48004 | 50002 => Outcome::Permanent("account_blocked"),
        _ => Outcome::Permanent("platform_refused"),
    }
}

/// What the status alone says. The platform answers its own refusals with 200 and a code.
fn refused_by_http(status: u16) -> Result<(), Outcome> {
    match status {
        200..=299 => Ok(()),
        408 | 429 => Err(Outcome::Retry("rate_limited")),
        400..=499 => Err(Outcome::Permanent("http_refused")),
        _ => Err(Outcome::Retry("platform_unavailable")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use warmline_model::{Content, Timestamp};

    fn account(settings: Value, secrets: &[(&str, &str)]) -> Account {
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets).ok().unwrap()
    }

    fn full() -> Account {
        account(json!({ "app_id": "wx1", "api_base": "http://127.0.0.1:9/" }), &[("token", "test"), ("app_secret", "s3")])
    }

    fn rendered(account: &Account, content: &Content, token: Option<&str>) -> Result<ApiRequest, &'static str> {
        let reply = Outbound { to: "oUser", id: "msg_1", content, at: Timestamp::from_millis(0), reply_to: None };
        match render(account, &reply, token)? {
            Rendered::Call(call) => Ok(call),
            Rendered::Held => panic!("held"),
        }
    }

    fn sent(status: u16, body: &str) -> Outcome {
        read_answer(&ApiResponse { status, body: body.as_bytes() })
    }

    #[test]
    fn token() {
        let request = token_request(&full(), false).unwrap();
        assert_eq!(request.url, "http://127.0.0.1:9/cgi-bin/stable_token");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let expected = json!({ "grant_type": "client_credential", "appid": "wx1", "secret": "s3", "force_refresh": false });
        assert_eq!(body, expected);
        assert!(token_request(&account(json!({}), &[("token", "test")]), false).is_none());

        let read = |status, body: &str| read_token(&ApiResponse { status, body: body.as_bytes() });
        let token = read(200, r#"{"access_token":"T","expires_in":7200}"#).ok().unwrap();
        assert_eq!((token.value.as_str(), token.expires_in), ("T", 7200));
        let refused = |status, body: &str| read(status, body).err().unwrap();
        assert_eq!(refused(200, r#"{"errcode":40125,"errmsg":"x"}"#), Outcome::Permanent("credentials_refused"));
        assert_eq!(refused(200, r#"{"errcode":-1}"#), Outcome::Retry("platform_busy"));
        assert_eq!(refused(200, r#"{"access_token":"","expires_in":7200}"#), Outcome::Retry("answer_unreadable"));
        assert_eq!(refused(502, ""), Outcome::Retry("platform_unavailable"));
    }

    #[test]
    fn send() {
        let call = rendered(&full(), &Content::text("hi"), Some("a b&c")).ok().unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/cgi-bin/message/custom/send?access_token=a+b%26c");
        assert_eq!(rendered(&full(), &Content::text("hi"), None).err(), Some("token_missing"));
        let bare = account(json!({}), &[("token", "test")]);
        assert_eq!(rendered(&bare, &Content::text("hi"), None).err(), Some("credentials_missing"));
        assert_eq!(rendered(&full(), &Content::text("好".repeat(682)), Some("t")).err(), None);
        assert_eq!(rendered(&full(), &Content::text("好".repeat(683)), Some("t")).err(), Some("text_too_long"));
    }

    #[test]
    fn answers() {
        assert_eq!(sent(200, r#"{"errcode":0,"errmsg":"ok"}"#), Outcome::Sent);
        for code in [40001, 40014, 42001] {
            assert_eq!(sent(200, &format!(r#"{{"errcode":{code}}}"#)), Outcome::RefreshToken);
        }
        assert_eq!(sent(200, r#"{"errcode":45015}"#), Outcome::Permanent("reply_window_closed"));
        assert_eq!(sent(200, r#"{"errcode":45047}"#), Outcome::Permanent("reply_quota_used"));
        assert_eq!(sent(200, r#"{"errcode":45009}"#), Outcome::Retry("rate_limited"));
        assert_eq!(sent(200, r#"{"errcode":-1}"#), Outcome::Retry("platform_busy"));
        assert_eq!(sent(200, r#"{"errcode":99999}"#), Outcome::Permanent("platform_refused"));
        assert_eq!(sent(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(sent(200, "{}"), Outcome::Retry("answer_unreadable"));
        assert_eq!(sent(503, r#"{"errcode":0}"#), Outcome::Retry("platform_unavailable"));
        assert_eq!(sent(404, ""), Outcome::Permanent("http_refused"));
    }

    proptest! {
        #[test]
        fn no_answer_panics(status: u16, body: Vec<u8>) {
            let answer = ApiResponse { status, body: &body };
            read_answer(&answer);
            let _ = read_token(&answer);
        }
    }
}
