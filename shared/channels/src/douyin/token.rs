//! Access tokens: `POST /oauth/client_token/` (two hours). If the operator's authorisation is needed, `POST
//! /oauth/refresh_token/`, which gives a token of 15 days and leaves the refresh token as it is (30 days; 《刷新
//! access_token》). For mini apps `POST /api/apps/v2/token`.

use super::account::{Account, Face, Im, Miniapp};
use super::api::code;
use crate::answers;
use crate::kit::{ApiRequest, ApiResponse, Outcome, Token};
use crate::requests::{post_form, post_json};
use crate::values::whole;
use serde_json::{Value, json};

pub(super) fn token_request(account: &Account) -> Option<ApiRequest> {
    let base = &account.api_base;
    match &account.face {
        Face::Im(Im { client_key: Some(key), refresh_token: Some(refresh), .. }) => {
            let form = form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("client_key", key.as_str()), ("grant_type", "refresh_token"), ("refresh_token", refresh)])
                .finish();
            Some(post_form(format!("{base}/oauth/refresh_token/"), form))
        }
        Face::Im(Im { client_key: Some(key), client_secret, .. }) => {
            let body = json!({ "client_key": key, "client_secret": client_secret, "grant_type": "client_credential" });
            Some(post_json(format!("{base}/oauth/client_token/"), body.to_string()))
        }
        Face::Im(_) => None,
        Face::Miniapp(Miniapp { app_id, app_secret, .. }) => {
            let secret = app_secret.as_deref()?;
            let body = json!({ "appid": app_id, "secret": secret, "grant_type": "client_credential" });
            Some(post_json(format!("{base}/api/apps/v2/token"), body.to_string()))
        }
    }
}

pub(super) fn read_token(answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
    let body = answers::read_json(answer)?;
    let unreadable = || Outcome::Retry("answer_unreadable");
    match code(&body).ok_or_else(unreadable)? {
        0 => {
            let data = body.get("data").unwrap_or(&body);
            let value = data.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
            let expires_in = whole(data.get("expires_in")).filter(|&seconds| seconds > 0);
            match (value, expires_in) {
                (Some(value), Some(expires_in)) => Ok(Token { value: value.to_owned(), expires_in }),
                _ => Err(unreadable()),
            }
        }
        -1 | 2_100_004 | 28_001_005 | 28_001_006 => Err(Outcome::Retry("platform_busy")),
        10_020 | 28_003_017 | 28_003_018 => Err(Outcome::Retry("rate_limited")),
        // 10010: the refresh token has expired; the operator must authorise the app again.
        10_003 | 10_010 | 10_013 | 20_010_003 | 20_010_013 | 40_014 | 40_015 | 40_017 => {
            Err(Outcome::Permanent("credentials_refused"))
        }
        _ => Err(Outcome::Permanent("platform_refused")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn im(secrets: &[(&str, &str)]) -> Account {
        let mut all = crate::kit::Secrets::from([("client_secret".to_owned(), "s3".to_owned())]);
        all.extend(secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        Account::read(&json!({ "client_key": "ck", "api_base": "http://127.0.0.1:9" }), &all).ok().unwrap()
    }

    fn app() -> Account {
        let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        let secrets = [("token", "tok"), ("encoding_aes_key", key), ("app_secret", "s4")];
        let secrets = secrets.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let settings = json!({ "kind": "miniapp", "app_id": "tt1", "api_base": "http://127.0.0.1:9" });
        Account::read(&settings, &secrets).ok().unwrap()
    }

    fn body(call: &ApiRequest) -> Value {
        serde_json::from_slice(&call.body).unwrap()
    }

    #[test]
    fn tokens_of_three_kinds() {
        let call = token_request(&im(&[])).unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/oauth/client_token/");
        assert_eq!(body(&call), json!({ "client_key": "ck", "client_secret": "s3", "grant_type": "client_credential" }));
        let call = token_request(&im(&[("refresh_token", "rft.1")])).unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/oauth/refresh_token/");
        assert_eq!(call.body, b"client_key=ck&grant_type=refresh_token&refresh_token=rft.1");
        let call = token_request(&app()).unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/api/apps/v2/token");
        assert_eq!(body(&call), json!({ "appid": "tt1", "secret": "s4", "grant_type": "client_credential" }));

        let read = |status, body: &str| read_token(&ApiResponse { status, body: body.as_bytes() });
        for good in [
            r#"{"data":{"access_token":"T","description":"","error_code":0,"expires_in":7200},"message":"success"}"#,
            r#"{"data":{"access_token":"T","error_code":"0","expires_in":"7200"},"message":""}"#,
            r#"{"err_no":0,"err_tips":"success","data":{"access_token":"T","expires_in":7200}}"#,
        ] {
            let token = read(200, good).ok().unwrap();
            assert_eq!((token.value.as_str(), token.expires_in), ("T", 7200));
        }
        let refused = |status, body: &str| read(status, body).err().unwrap();
        let code = |code: i64| refused(200, &json!({ "data": { "error_code": code }, "message": "error" }).to_string());
        for wrong in [10_003, 10_010, 10_013, 20_010_013] {
            assert_eq!(code(wrong), Outcome::Permanent("credentials_refused"));
        }
        assert_eq!(refused(200, r#"{"err_no":40017,"err_tips":"bad secret"}"#), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(10_020), Outcome::Retry("rate_limited"));
        assert_eq!(code(28_001_005), Outcome::Retry("platform_busy"));
        assert_eq!(code(1), Outcome::Permanent("platform_refused"));
        assert_eq!(refused(200, r#"{"data":{"error_code":0}}"#), Outcome::Retry("answer_unreadable"));
        assert_eq!(refused(200, "{}"), Outcome::Retry("answer_unreadable"));
        assert_eq!(refused(503, ""), Outcome::Retry("platform_unavailable"));
    }
}
