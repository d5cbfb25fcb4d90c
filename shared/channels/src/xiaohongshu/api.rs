//! Signed calls of the shop API, the mini program's access token, and the platform's answers.
//!
//! A shop's token comes from the shop-keeper's consent and changes with each refresh, so it cannot be one of an account's
//! fixed secrets: the caller brings it. A mini program's token is fetched by `POST /api/rmp/token` (two hours). No public
//! table of the platform's codes was found. Only `success` and the HTTP status are certain.

use super::account::{Account, Face};
use crate::answers;
use crate::digest::md5_hex;
use crate::kit::{ApiRequest, ApiResponse, Outcome, Token};
use crate::requests::post_json;
use crate::values::whole;
use serde_json::{Map, Value, json};
use warmline_model::Timestamp;

const VERSION: &str = "2.0";

pub(super) fn call(
    account: &Account,
    method: &str,
    params: &Map<String, Value>,
    token: Option<&str>,
    now: Timestamp,
) -> Option<ApiRequest> {
    let Face::Shop { app_secret, .. } = &account.face else { return None };
    let timestamp = now.secs().to_string();
    let mut body = params.clone();
    body.insert("sign".to_owned(), ark_sign(method, &account.app_id, &timestamp, VERSION, app_secret).into());
    let system = [("method", method), ("appId", &account.app_id), ("timestamp", &timestamp), ("version", VERSION)];
    body.extend(system.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))));
    if let Some(token) = token {
        body.insert("accessToken".to_owned(), token.into());
    }
    Some(post_json(format!("{}/ark/open_api/v3/common_controller", account.api_base), Value::Object(body).to_string()))
}

pub(super) fn token_request(account: &Account) -> Option<ApiRequest> {
    let Face::MiniProgram { app_secret: Some(secret), .. } = &account.face else { return None };
    let body = json!({ "appid": account.app_id, "secret": secret });
    Some(post_json(format!("{}/api/rmp/token", account.api_base), body.to_string()))
}

fn read(answer: &ApiResponse<'_>) -> Result<(bool, Value), Outcome> {
    let body = answers::read_json(answer)?;
    let code = whole(body.get("error_code")).or_else(|| whole(body.get("code")));
    let good = match (body.get("success").and_then(Value::as_bool), code) {
        (None, None) => return Err(Outcome::Retry("answer_unreadable")),
        (success, code) => success != Some(false) && code.is_none_or(|code| code == 0),
    };
    Ok((good, body))
}

pub(super) fn read_token(answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
    let (good, body) = read(answer)?;
    if !good {
        // The call holds only id and secret.
        return Err(Outcome::Permanent("credentials_refused"));
    }
    let data = body.get("data").unwrap_or(&Value::Null);
    let value = data.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let expires_in = whole(data.get("expire_in")).or_else(|| whole(data.get("expires_in"))).filter(|&s| s > 0);
    match (value, expires_in) {
        (Some(value), Some(expires_in)) => Ok(Token { value: value.to_owned(), expires_in }),
        _ => Err(Outcome::Retry("answer_unreadable")),
    }
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    match read(answer) {
        Ok((true, _)) => Outcome::Sent,
        Ok((false, _)) => Outcome::Permanent("platform_refused"),
        Err(outcome) => outcome,
    }
}

/// The parameter `sign` of a call of the shop API.
pub fn ark_sign(method: &str, app_id: &str, timestamp: &str, version: &str, app_secret: &str) -> String {
    md5_hex(&[format!("{method}?appId={app_id}&timestamp={timestamp}&version={version}{app_secret}").as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(kind: &str, secrets: &[(&str, &str)]) -> Account {
        let mut settings = json!({ "kind": kind, "app_id": "app1", "api_base": "http://127.0.0.1:9" });
        if kind == "shop" {
            settings["push_path"] = json!("/x");
        }
        let secrets = secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Account::read(&settings, &secrets).ok().unwrap()
    }

    fn mini(secret: bool) -> Account {
        let key = ("encoding_aes_key", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
        let all = [("token", "tok"), key, ("app_secret", "s4")];
        account("miniprogram", if secret { &all } else { &all[..2] })
    }

    #[test]
    fn calls_are_signed() {
        let params = json!({ "orderId": "P1", "appId": "somebody else's" });
        let params = params.as_object().unwrap();
        let now = Timestamp::from_secs(1_700_000_000);
        let shop = account("shop", &[("app_secret", "s3")]);
        let call = call(&shop, "order.getOrderDetail", params, Some("t"), now).unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/ark/open_api/v3/common_controller");
        let sign = ark_sign("order.getOrderDetail", "app1", "1700000000", "2.0", "s3");
        let expected = json!({ "orderId": "P1", "method": "order.getOrderDetail", "appId": "app1", "timestamp": "1700000000",
            "version": "2.0", "accessToken": "t", "sign": sign });
        assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), expected);
        assert!(super::call(&mini(true), "x", params, None, now).is_none());
    }

    #[test]
    fn tokens() {
        assert!(token_request(&account("shop", &[("app_secret", "s3")])).is_none());
        assert!(token_request(&mini(false)).is_none());
        let call = token_request(&mini(true)).unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/api/rmp/token");
        assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), json!({ "appid": "app1", "secret": "s4" }));
        let read = |status, body: &str| read_token(&ApiResponse { status, body: body.as_bytes() });
        let good = r#"{"data":{"access_token":"T","expire_in":7200},"success":true,"msg":"成功","code":0}"#;
        let token = read(200, good).ok().unwrap();
        assert_eq!((token.value.as_str(), token.expires_in), ("T", 7200));
        let refused = |status, body: &str| read(status, body).err().unwrap();
        assert_eq!(refused(200, r#"{"success":false,"code":1}"#), Outcome::Permanent("credentials_refused"));
        assert_eq!(refused(200, r#"{"success":true,"code":0}"#), Outcome::Retry("answer_unreadable"));
        assert_eq!(refused(200, "{}"), Outcome::Retry("answer_unreadable"));
        assert_eq!(refused(429, ""), Outcome::Retry("rate_limited"));
        assert_eq!(refused(500, ""), Outcome::Retry("platform_unavailable"));
    }

    #[test]
    fn answers() {
        let said = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        assert_eq!(said(200, r#"{"success":true,"error_code":0,"data":{}}"#), Outcome::Sent);
        assert_eq!(
            said(200, r#"{"success":false,"error_code":1001,"error_msg":"x"}"#),
            Outcome::Permanent("platform_refused")
        );
        assert_eq!(said(200, r#"{"error_code":1001}"#), Outcome::Permanent("platform_refused"));
        assert_eq!(said(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(said(404, ""), Outcome::Permanent("http_refused"));
        assert_eq!(said(503, ""), Outcome::Retry("platform_unavailable"));
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
