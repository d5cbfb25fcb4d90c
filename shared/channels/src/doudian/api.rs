//! Signed calls of the shop API, access tokens, and the meaning of the platform's codes (《平台基础错误码汇总》, guide 212/1427).

use super::account::Account;
use crate::answers;
use crate::digest::hmac_sha256;
use crate::kit::{ApiRequest, ApiResponse, Outcome, Token};
use crate::requests::post_json;
use crate::values::whole;
use serde_json::{Map, Value, json};
use warmline_model::Timestamp;

const VERSION: &str = "2";

/// The same value with the keys of all objects in order, as the signature requires.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(entries.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

pub(super) fn call(account: &Account, method: &str, params: &Value, token: Option<&str>, now: Timestamp) -> ApiRequest {
    let params = sorted(params);
    let timestamp = now.secs().to_string();
    let sign = call_sign(&account.app_key, &account.app_secret, method, &params.to_string(), &timestamp, VERSION);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([("method", method), ("app_key", &account.app_key), ("timestamp", &timestamp), ("v", VERSION)]);
    query.extend_pairs([("sign_method", "hmac-sha256"), ("sign", &sign)]);
    if let Some(token) = token {
        query.append_pair("access_token", token);
    }
    post_json(format!("{}/{}?{}", account.api_base, method.replace('.', "/"), query.finish()), params.to_string())
}

/// `token.create` for an app of the shop's own (自用型应用), which needs no consent by browser.
pub(super) fn token_request(account: &Account, now: Timestamp) -> Option<ApiRequest> {
    let shop = account.shop_id.as_deref()?;
    let params = json!({ "code": "", "grant_type": "authorization_self", "shop_id": shop });
    Some(call(account, "token.create", &params, None, now))
}

fn read(answer: &ApiResponse<'_>) -> Result<Value, Outcome> {
    let body = answers::read_json(answer)?;
    // The old form has `err_no`, where 0 is good. The present form has `code`, where 10000 is good.
    let code = whole(body.get("code")).or(match whole(body.get("err_no")) {
        Some(0) => Some(10_000),
        other => other,
    });
    let sub_code = body.get("sub_code").and_then(Value::as_str).unwrap_or_default();
    match meaning(code.ok_or(Outcome::Retry("answer_unreadable"))?, sub_code) {
        Outcome::Sent => Ok(body),
        other => Err(other),
    }
}

fn meaning(code: i64, sub_code: &str) -> Outcome {
    match (code, sub_code) {
        (10_000, _) => Outcome::Sent,
        (40_001, "isv.access-token-missing")
        | (40_003, "isv.access-token-expired" | "isv.access-token-no-existed" | "isv.access-token-invalid") => {
            Outcome::RefreshToken
        }
        (20_000 | 20_001 | 90_000, _) => Outcome::Retry("platform_busy"),
        (60_000, _) => Outcome::Retry("rate_limited"),
        (30_001, _) => Outcome::Permanent("api_not_authorized"),
        (30_002, _) => Outcome::Permanent("ip_not_allowed"),
        (40_001, "isv.signature-missing" | "isv.app-id-missing")
        | (
            40_003,
            "isv.signature-invalid" | "isv.app-id-invalid" | "isv.app-id-expired" | "isv.authorization-type-invalid",
        ) => Outcome::Permanent("credentials_refused"),
        (50_001, sub) if sub.starts_with("dop.token-generate-failed") => Outcome::Permanent("credentials_refused"),
        _ => Outcome::Permanent("platform_refused"),
    }
}

pub(super) fn read_token(answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
    let body = answers::of_token_request(read(answer))?;
    answers::token(body.get("data").unwrap_or(&Value::Null))
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    read(answer).map_or_else(|outcome| outcome, |_| Outcome::Sent)
}

/// The signature of a call of the shop API, with `sign_method` hmac-sha256.
pub fn call_sign(app_key: &str, app_secret: &str, method: &str, param_json: &str, timestamp: &str, version: &str) -> String {
    let parts = [
        app_secret,
        "app_key",
        app_key,
        "method",
        method,
        "param_json",
        param_json,
        "timestamp",
        timestamp,
        "v",
        version,
        app_secret,
    ];
    hex::encode(hmac_sha256(app_secret.as_bytes(), &parts.map(str::as_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_624_000_000);

    fn account(shop: Option<&str>) -> Account {
        let secrets = [("app_secret".to_owned(), "s3cret".to_owned())].into();
        let settings = json!({ "app_key": "683", "shop_id": shop, "api_base": "http://127.0.0.1:9" });
        Account::read(&settings, &secrets).ok().unwrap()
    }

    /// Self-generated: no public vector exists for the signature of calls. The value was computed by `openssl dgst -hmac`.
    #[test]
    fn calls_are_signed() {
        let params = json!({ "shop_order_id": "4705", "a": { "z": 1, "b": [{ "y": 2, "x": "<&>" }] } });
        let call = call(&account(None), "order.orderDetail", &params, Some("t&1"), NOW);
        assert_eq!(call.body, br#"{"a":{"b":[{"x":"<&>","y":2}],"z":1},"shop_order_id":"4705"}"#);
        let sign = "1318dd5b4ea532fa728e51be5247f7e491feb8dc1974b0443b8bc995b42a5564";
        let query = "method=order.orderDetail&app_key=683&timestamp=1624000000&v=2&sign_method=hmac-sha256";
        let url = format!("http://127.0.0.1:9/order/orderDetail?{query}&sign={sign}&access_token=t%261");
        assert_eq!(call.url, url);
    }

    #[test]
    fn tokens() {
        assert!(token_request(&account(None), NOW).is_none());
        let call = token_request(&account(Some("95250")), NOW).unwrap();
        assert!(call.url.starts_with("http://127.0.0.1:9/token/create?method=token.create&app_key=683&"));
        assert_eq!(call.body, br#"{"code":"","grant_type":"authorization_self","shop_id":"95250"}"#);
        let read = |status, body: &str| read_token(&ApiResponse { status, body: body.as_bytes() });
        for good in [
            r#"{"data":{"access_token":"T","expires_in":530808},"code":10000,"msg":"success"}"#,
            r#"{"data":{"access_token":"T","expires_in":530808},"err_no":0,"message":"success"}"#,
        ] {
            let token = read(200, good).ok().unwrap();
            assert_eq!((token.value.as_str(), token.expires_in), ("T", 530_808));
        }
        let refused = |status, body: &str| read(status, body).err().unwrap();
        let wrong = r#"{"code":50001,"sub_code":"dop.token-generate-failed:app-secret-invalid"}"#;
        assert_eq!(refused(200, wrong), Outcome::Permanent("credentials_refused"));
        let expired = r#"{"code":40003,"sub_code":"isv.access-token-expired"}"#;
        assert_eq!(refused(200, expired), Outcome::Permanent("credentials_refused"));
        assert_eq!(refused(200, r#"{"code":10000}"#), Outcome::Retry("answer_unreadable"));
        assert_eq!(refused(500, ""), Outcome::Retry("platform_unavailable"));
    }

    #[test]
    fn answers() {
        let said = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        let code = |code: i64, sub: &str| said(200, &json!({ "code": code, "msg": "", "sub_code": sub }).to_string());
        assert_eq!(code(10_000, ""), Outcome::Sent);
        assert_eq!(code(40_003, "isv.access-token-expired"), Outcome::RefreshToken);
        assert_eq!(code(40_003, "isv.access-token-no-existed"), Outcome::RefreshToken);
        assert_eq!(code(40_003, "isv.signature-invalid"), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(40_003, "isv.parameter-format-invalid"), Outcome::Permanent("platform_refused"));
        assert_eq!(code(20_000, "dop.service-error"), Outcome::Retry("platform_busy"));
        assert_eq!(code(60_000, ""), Outcome::Retry("rate_limited"));
        assert_eq!(code(30_001, "dop.authorization-closed"), Outcome::Permanent("api_not_authorized"));
        assert_eq!(code(30_002, ""), Outcome::Permanent("ip_not_allowed"));
        assert_eq!(said(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(said(200, "{}"), Outcome::Retry("answer_unreadable"));
        assert_eq!(said(404, ""), Outcome::Permanent("http_refused"));
        assert_eq!(said(429, ""), Outcome::Retry("rate_limited"));
        assert_eq!(said(502, ""), Outcome::Retry("platform_unavailable"));
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
