//! The common API of official accounts and mini programs: access tokens (`/cgi-bin/stable_token`), customer-service
//! messages (`/cgi-bin/message/custom/send`), temporary media (`/cgi-bin/media/get`), and the meaning of its error codes
//! for the outbox.
//!
//! There are two ways to fetch a token. The ordinary one returns the token that is valid now, whoever else has fetched it.
//! `force_refresh` makes the present one invalid for everybody, and works 20 times a day and at most every 30 s: it is for
//! leaked tokens. After a 40001 the ordinary way is the right one.

use crate::answers;
use crate::kit::{ApiRequest, ApiResponse, Outcome, Token};
use crate::requests::{encoded, get, post_json};
use serde::Deserialize;
use serde_json::json;

/// The address of the API.
pub(crate) const API_BASE: &str = "https://api.weixin.qq.com";

/// The address of a call that carries an access token.
pub(crate) fn url(base: &str, path: &str, token: &str) -> String {
    format!("{base}{path}?access_token={}", encoded(token))
}

/// The request for a temporary medium's bytes.
pub(crate) fn media(base: &str, id: &str, token: &str) -> ApiRequest {
    get(format!("{}&media_id={}", url(base, "/cgi-bin/media/get", token), encoded(id)))
}

/// The request for an access token.
pub(crate) fn token_request(base: &str, app_id: &str, secret: &str, force: bool) -> ApiRequest {
    let body = json!({ "grant_type": "client_credential", "appid": app_id, "secret": secret, "force_refresh": force });
    post_json(format!("{base}/cgi-bin/stable_token"), body.to_string())
}

/// The address of a customer-service message.
pub(crate) fn send_url(base: &str, token: &str) -> String {
    url(base, "/cgi-bin/message/custom/send", token)
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

/// Reads a token's answer. `refused` gives the meaning of an error code.
pub(crate) fn token_answer(answer: &ApiResponse<'_>, refused: impl Fn(i64) -> Outcome) -> Result<Token, Outcome> {
    answers::check_status(answer.status)?;
    let read: TokenAnswer = serde_json::from_slice(answer.body).map_err(|_| Outcome::Retry("answer_unreadable"))?;
    match (read.access_token, read.expires_in, read.errcode.unwrap_or(0)) {
        (Some(value), Some(expires_in), 0) if !value.is_empty() && expires_in > 0 => Ok(Token { value, expires_in }),
        (_, _, 0) => Err(Outcome::Retry("answer_unreadable")),
        (_, _, code) => Err(refused(code)),
    }
}

/// Reads the answer to [`token_request`].
pub(crate) fn read_token(answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
    token_answer(answer, |code| match code {
        -1 => Outcome::Retry("platform_busy"),
        45009 | 45011 => Outcome::Retry("rate_limited"),
        // Here 40001 concerns the secret, and not a token.
        40001 | 40013 | 40125 | 40243 | 41002 | 41004 => Outcome::Permanent("credentials_refused"),
        40164 | 61004 | 89503 | 89506 | 89507 => Outcome::Permanent("ip_not_allowed"),
        48001 | 48004 | 50002 | 50004 | 50007 => Outcome::Permanent("account_blocked"),
        _ => Outcome::Permanent("platform_refused"),
    })
}

/// Reads the answer to a customer-service message.
pub(crate) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    if let Err(outcome) = answers::check_status(answer.status) {
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
        43019 => Outcome::Permanent("recipient_blocked"),
        48002 => Outcome::Permanent("recipient_refuses"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn sent(status: u16, body: &str) -> Outcome {
        read_answer(&ApiResponse { status, body: body.as_bytes() })
    }

    #[test]
    fn token() {
        let request = token_request("http://127.0.0.1:9", "wx1", "s3", false);
        assert_eq!(request.url, "http://127.0.0.1:9/cgi-bin/stable_token");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let expected = json!({ "grant_type": "client_credential", "appid": "wx1", "secret": "s3", "force_refresh": false });
        assert_eq!(body, expected);

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
    fn addresses() {
        assert_eq!(send_url("http://h", "a b&c"), "http://h/cgi-bin/message/custom/send?access_token=a+b%26c");
        let media = media("http://h", "m/1", "t");
        assert_eq!(
            (media.method, media.url.as_str()),
            (http::Method::GET, "http://h/cgi-bin/media/get?access_token=t&media_id=m%2F1")
        );
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
