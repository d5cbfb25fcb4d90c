//! Calls to TOP's gateway, and the meaning of its error codes.

use super::account::{Account, DEFAULT_GROUP, SignMethod};
use crate::answers;
use crate::civil;
use crate::json;
use crate::kit::{ApiRequest, ApiResponse, Outcome};
use crate::requests::post_utf8_form;
use crate::sorted_sign::{Params, form, upper_hmac_md5, upper_md5};
use crate::values::text;
use serde_json::{Map, Value};
use warmline_model::Timestamp;

/// The number of messages asked for at once. The platform allows 10 to 200, and all of them are stored in one transaction.
pub(super) const QUANTITY: usize = 50;

fn call(account: &Account, method: &str, now: Timestamp, own: &[(&str, String)]) -> ApiRequest {
    let common = [
        ("app_key", account.app_key.clone()),
        ("format", "json".to_owned()),
        ("method", method.to_owned()),
        ("sign_method", account.sign_method.word().to_owned()),
        ("timestamp", civil::beijing(now)),
        ("v", "2.0".to_owned()),
    ];
    let mut params: Vec<_> = common.iter().chain(own).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let signature = signature(account.sign_method, &account.app_secret, &params);
    params.push(("sign".to_owned(), signature));
    post_utf8_form(format!("{}/router/rest", account.api_base), form(&params))
}

fn group(source: &str) -> Option<(&'static str, String)> {
    (source != DEFAULT_GROUP).then(|| ("group_name", source.to_owned()))
}

pub(super) fn consume(account: &Account, source: &str, now: Timestamp) -> ApiRequest {
    let mut own = vec![("quantity", QUANTITY.to_string())];
    own.extend(group(source));
    call(account, "taobao.tmc.messages.consume", now, &own)
}

pub(super) fn confirm(account: &Account, source: &str, ids: &[String], now: Timestamp) -> ApiRequest {
    let mut own = vec![("s_message_ids", ids.join(","))];
    own.extend(group(source));
    call(account, "taobao.tmc.messages.confirm", now, &own)
}

/// The path of the messages in an answer.
const MESSAGES: &[&str] = &[json::ANY, "messages", "tmc_message"];

/// The answer's one object without its messages, and the messages. The error is the meaning of the platform's refusal.
pub(super) fn listed<'a>(answer: &ApiResponse<'a>) -> Result<(Map<String, Value>, json::List<'a>), Outcome> {
    let mut list = json::list(answer.body, json::MAX_BYTES, MESSAGES);
    let read = list.as_mut().map(|list| list.outer.take()).map_err(|error| *error);
    let inner = inner(answer, read)?;
    Ok((inner, list.map_err(|_| Outcome::Retry("answer_unreadable"))?))
}

fn inner(answer: &ApiResponse<'_>, read: Result<Value, json::Error>) -> Result<Map<String, Value>, Outcome> {
    if let Ok(Value::Object(map)) = &read
        && let Some(Value::Object(error)) = map.get("error_response")
    {
        return Err(meaning(error));
    }
    answers::check_status(answer.status)?;
    let Ok(Value::Object(map)) = read else { return Err(Outcome::Retry("answer_unreadable")) };
    match map.into_iter().find(|(name, _)| name.ends_with("_response")) {
        Some((_, Value::Object(inner))) => Ok(inner),
        _ => Err(Outcome::Retry("answer_unreadable")),
    }
}

/// The meaning by the document 错误码一览表: codes below 100 are the gateway's. A `sub_code` that begins with `isp.` is trouble
/// on the platform's side, which passes.
fn meaning(error: &Map<String, Value>) -> Outcome {
    let code: i64 = text(error, "code").and_then(|code| code.parse().ok()).unwrap_or(0);
    let isp = text(error, "sub_code").is_some_and(|code| code.starts_with("isp."));
    match code {
        4..=8 => Outcome::Retry("rate_limited"),
        10 => Outcome::Retry("platform_busy"),
        11..=13 => Outcome::Permanent("api_not_authorized"),
        24..=29 => Outcome::Permanent("credentials_refused"),
        _ if isp => Outcome::Retry("platform_busy"),
        _ => Outcome::Permanent("platform_refused"),
    }
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    inner(answer, json::read_lenient(answer.body, json::MAX_BYTES)).map_or_else(|outcome| outcome, |_| Outcome::Sent)
}

/// The signature of a call: over all parameters but `sign`.
pub fn signature(method: SignMethod, secret: &str, params: &Params) -> String {
    match method {
        SignMethod::Md5 => upper_md5(secret, params, secret),
        SignMethod::Hmac => upper_hmac_md5(secret, params),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::sorted_sign::read_form;
    use proptest::prelude::*;
    use serde_json::json;

    fn account(method: &str) -> Account {
        let secrets = [("app_secret".to_owned(), "helloworld".to_owned())].into();
        Account::read(&json!({ "app_key": "12345678", "sign_method": method }), &secrets).ok().unwrap()
    }

    #[test]
    fn calls_are_signed() {
        for method in ["md5", "hmac"] {
            let request = consume(&account(method), "vip", Timestamp::from_secs(1_451_620_800));
            assert_eq!(request.url, "https://eco.taobao.com/router/rest");
            let mut params = read_form(&request.body);
            let value = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
            assert_eq!(value("timestamp").as_deref(), Some("2016-01-01 12:00:00"));
            assert_eq!(value("group_name").as_deref(), Some("vip"));
            assert_eq!(value("quantity").as_deref(), Some("50"));
            assert!(sign::signed("helloworld", &params));
            assert!(!sign::signed("helloworle", &params));
            params[0].1.push('x');
            assert!(!sign::signed("helloworld", &params));
        }
        let request = confirm(&account("md5"), DEFAULT_GROUP, &["1".into(), "2".into()], Timestamp::from_secs(0));
        let params = read_form(&request.body);
        assert!(params.contains(&("s_message_ids".into(), "1,2".into())) && sign::signed("helloworld", &params));
        assert!(!params.iter().any(|(name, _)| name == "group_name"));
    }

    #[test]
    fn answers() {
        let read = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        let code = |code: i64, sub: &str| {
            read(200, &json!({ "error_response": { "code": code, "msg": "x", "sub_code": sub } }).to_string())
        };
        assert_eq!(read(200, r#"{"tmc_messages_confirm_response":{"is_success":true}}"#), Outcome::Sent);
        assert_eq!(code(7, "accesscontrol.limited-by-app-access-count"), Outcome::Retry("rate_limited"));
        assert_eq!(code(10, ""), Outcome::Retry("platform_busy"));
        assert_eq!(code(15, "isp.top-remote-connection-timeout"), Outcome::Retry("platform_busy"));
        assert_eq!(code(15, "isv.invalid-parameter"), Outcome::Permanent("platform_refused"));
        assert_eq!(code(11, ""), Outcome::Permanent("api_not_authorized"));
        assert_eq!(code(25, ""), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(27, ""), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(29, ""), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(41, ""), Outcome::Permanent("platform_refused"));
        assert_eq!(read(503, ""), Outcome::Retry("platform_unavailable"));
        assert_eq!(read(429, ""), Outcome::Retry("rate_limited"));
        assert_eq!(read(403, ""), Outcome::Permanent("http_refused"));
        assert_eq!(read(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(read(200, "{}"), Outcome::Retry("answer_unreadable"));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_do_not_panic(status: u16, body: Vec<u8>) {
            prop_assert_ne!(read_answer(&ApiResponse { status, body: &body }), Outcome::Sent);
        }
    }
}
