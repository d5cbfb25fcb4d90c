//! The meaning of the gateway's answers (document 错误码, in the public copies of the platform's pages).

use crate::answers;
use crate::json;
use crate::kit::{ApiResponse, Outcome};
use crate::values::text;
use serde_json::Value;

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    let read = json::read(answer.body, json::MAX_BYTES);
    if let Ok(Value::Object(map)) = &read
        && let Some(Value::Object(error)) = map.get("error_response")
    {
        return match text(error, "error_code").as_deref() {
            Some("52101" | "70031" | "70036") => Outcome::Retry("rate_limited"),
            Some("50000" | "50001" | "50002" | "52001" | "52002" | "52102" | "52103" | "70033") => {
                Outcome::Retry("platform_busy")
            }
            Some("10014" | "10016" | "10019" | "10035" | "20004" | "20032" | "30001") => {
                Outcome::Permanent("credentials_refused")
            }
            Some("20005") => Outcome::Permanent("ip_not_allowed"),
            Some("20031" | "20034" | "30000") => Outcome::Permanent("api_not_authorized"),
            _ => Outcome::Permanent("platform_refused"),
        };
    }
    match (answers::check_status(answer.status), read) {
        (Err(outcome), _) => outcome,
        (Ok(()), Ok(Value::Object(map))) if map.keys().any(|name| name.ends_with("_response")) => Outcome::Sent,
        (Ok(()), _) => Outcome::Retry("answer_unreadable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn answers() {
        let read = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        let code = |code: i64| read(200, &json!({ "error_response": { "error_code": code, "error_msg": "x" } }).to_string());
        assert_eq!(read(200, r#"{"order_info_get_response":{}}"#), Outcome::Sent);
        assert_eq!(code(70_031), Outcome::Retry("rate_limited"));
        assert_eq!(code(52_103), Outcome::Retry("platform_busy"));
        assert_eq!(code(10_019), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(20_004), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(20_005), Outcome::Permanent("ip_not_allowed"));
        assert_eq!(code(30_000), Outcome::Permanent("api_not_authorized"));
        assert_eq!(code(10_000), Outcome::Permanent("platform_refused"));
        assert_eq!(read(500, ""), Outcome::Retry("platform_unavailable"));
        assert_eq!(read(429, ""), Outcome::Retry("rate_limited"));
        assert_eq!(read(403, ""), Outcome::Permanent("http_refused"));
        assert_eq!(read(200, "x"), Outcome::Retry("answer_unreadable"));
        assert_eq!(read(200, "{}"), Outcome::Retry("answer_unreadable"));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_do_not_panic(status: u16, body: Vec<u8>) {
            prop_assert_ne!(read_answer(&ApiResponse { status, body: &body }), Outcome::Sent);
        }
    }
}
