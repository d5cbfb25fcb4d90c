//! The meaning of the providers' answers for the outbox. Aliyun answers with a `Code` in words (documents "API错误码",
//! "公共错误码"), Twilio with a numeric `code` ("Error and Warning Dictionary") or the message's `sid`. One reader therefore
//! handles both.

use crate::answers;
use crate::kit::{ApiResponse, Outcome};
use serde::Deserialize;

#[derive(Default, Deserialize)]
struct Answer {
    #[serde(rename = "Code")]
    aliyun: Option<String>,
    code: Option<i64>,
    sid: Option<String>,
    error_code: Option<i64>,
}

pub(super) fn read(answer: &ApiResponse<'_>) -> Outcome {
    if answer.status >= 500 {
        return answers::check_status(answer.status).err().unwrap_or(Outcome::Retry("platform_unavailable"));
    }
    let read: Option<Answer> = serde_json::from_slice(answer.body).ok();
    let by_body = read.and_then(|read| match read {
        Answer { aliyun: Some(code), .. } => Some(aliyun(&code)),
        Answer { code: Some(code), .. } | Answer { error_code: Some(code), .. } => Some(twilio(code)),
        Answer { sid: Some(sid), .. } if !sid.is_empty() => Some(Outcome::Sent),
        _ => None,
    });
    match by_body {
        // A success must be one in body and status.
        Some(Outcome::Sent) => answers::check_status_with_credentials(answer.status).err().unwrap_or(Outcome::Sent),
        Some(outcome) if outcome != Outcome::Permanent("platform_refused") => outcome,
        Some(outcome) if answer.status < 300 => outcome,
        _ => answers::check_status_with_credentials(answer.status).err().unwrap_or(Outcome::Retry("answer_unreadable")),
    }
}

fn aliyun(code: &str) -> Outcome {
    match code {
        "OK" => Outcome::Sent,
        "isp.SYSTEM_ERROR" | "isp.UNKNOWN" | "isp.GATEWAY_ERROR" | "InternalError" | "ServiceUnavailable" => {
            Outcome::Retry("platform_busy")
        }
        _ if code.starts_with("Throttling") => Outcome::Retry("rate_limited"),
        // One number may get a limited number of messages a minute, an hour and a day. The first of these limits passes.
        "isv.BUSINESS_LIMIT_CONTROL" => Outcome::Retry("rate_limited"),
        "isv.DAY_LIMIT_CONTROL" | "isv.MONTH_LIMIT_CONTROL" => Outcome::Permanent("reply_quota_used"),
        "SignatureDoesNotMatch" | "IncompleteSignature" | "isp.RAM_PERMISSION_DENY" | "isv.RAM_CHECK_FAILED" => {
            Outcome::Permanent("credentials_refused")
        }
        _ if code.starts_with("InvalidAccessKeyId") || code.starts_with("Forbidden") => {
            Outcome::Permanent("credentials_refused")
        }
        "isv.MOBILE_NUMBER_ILLEGAL" | "isv.PHONE_NUMBER_ILLEGAL" => Outcome::Permanent("recipient_unknown"),
        "isv.BLACK_KEY_CONTROL_LIMIT" | "isv.PARAM_NOT_SUPPORT_URL" | "isv.SMS_CONTENT_ILLEGAL" => {
            Outcome::Permanent("content_refused")
        }
        "isv.PARAM_LENGTH_LIMIT" => Outcome::Permanent("text_too_long"),
        "isv.SMS_TEMPLATE_ILLEGAL" | "isv.TEMPLATE_MISSING_PARAMETERS" | "isv.SMS_SIGNATURE_ILLEGAL" => {
            Outcome::Permanent("template_refused")
        }
        "isv.OUT_OF_SERVICE"
        | "isv.AMOUNT_NOT_ENOUGH"
        | "isv.ACCOUNT_ABNORMAL"
        | "isv.ACCOUNT_NOT_EXISTS"
        | "isv.PRODUCT_UNSUBSCRIBE"
        | "isv.PRODUCT_UN_SUBSCRIPT" => Outcome::Permanent("account_blocked"),
        _ => Outcome::Permanent("platform_refused"),
    }
}

fn twilio(code: i64) -> Outcome {
    match code {
        20003 | 20005 | 20006 | 20008 => Outcome::Permanent("credentials_refused"),
        14107 | 20429 | 21611 | 30001 => Outcome::Retry("rate_limited"),
        30008 => Outcome::Retry("platform_busy"),
        21211 | 21214 | 21217 | 21614 => Outcome::Permanent("recipient_unknown"),
        21610 => Outcome::Permanent("recipient_refuses"),
        21605 | 21617 => Outcome::Permanent("text_too_long"),
        21602 | 30007 => Outcome::Permanent("content_refused"),
        21408 | 21612 => Outcome::Permanent("api_not_authorized"),
        21212 | 21603 | 21606 | 21659 => Outcome::Permanent("sender_refused"),
        63016 => Outcome::Permanent("reply_window_closed"),
        63018 => Outcome::Retry("rate_limited"),
        63038 => Outcome::Permanent("reply_quota_used"),
        30002 => Outcome::Permanent("account_blocked"),
        _ => Outcome::Permanent("platform_refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sent(status: u16, body: &str) -> Outcome {
        read(&ApiResponse { status, body: body.as_bytes() })
    }

    #[test]
    fn aliyun_answers() {
        let say = |code: &str| sent(200, &format!(r#"{{"Code":"{code}","Message":"x","RequestId":"r"}}"#));
        assert_eq!(sent(200, r#"{"Code":"OK","Message":"OK","BizId":"1","RequestId":"r"}"#), Outcome::Sent);
        assert_eq!(say("isv.BUSINESS_LIMIT_CONTROL"), Outcome::Retry("rate_limited"));
        assert_eq!(say("isv.DAY_LIMIT_CONTROL"), Outcome::Permanent("reply_quota_used"));
        assert_eq!(say("isp.SYSTEM_ERROR"), Outcome::Retry("platform_busy"));
        assert_eq!(say("isv.MOBILE_NUMBER_ILLEGAL"), Outcome::Permanent("recipient_unknown"));
        assert_eq!(say("isv.PARAM_LENGTH_LIMIT"), Outcome::Permanent("text_too_long"));
        assert_eq!(say("isv.BLACK_KEY_CONTROL_LIMIT"), Outcome::Permanent("content_refused"));
        assert_eq!(say("isv.SMS_TEMPLATE_ILLEGAL"), Outcome::Permanent("template_refused"));
        assert_eq!(say("isv.AMOUNT_NOT_ENOUGH"), Outcome::Permanent("account_blocked"));
        assert_eq!(say("isv.NEW"), Outcome::Permanent("platform_refused"));
        assert_eq!(sent(400, r#"{"Code":"Throttling.User"}"#), Outcome::Retry("rate_limited"));
        assert_eq!(sent(400, r#"{"Code":"SignatureDoesNotMatch"}"#), Outcome::Permanent("credentials_refused"));
        assert_eq!(sent(404, r#"{"Code":"InvalidAccessKeyId.NotFound"}"#), Outcome::Permanent("credentials_refused"));
        assert_eq!(sent(400, r#"{"Code":"MissingVersion"}"#), Outcome::Permanent("http_refused"));
        assert_eq!(sent(503, r#"{"Code":"ServiceUnavailable"}"#), Outcome::Retry("platform_unavailable"));
    }

    #[test]
    fn twilio_answers() {
        let say = |status, code: i64| sent(status, &format!(r#"{{"code":{code},"message":"x","status":{status}}}"#));
        assert_eq!(sent(201, r#"{"sid":"SM1","status":"queued","error_code":null}"#), Outcome::Sent);
        assert_eq!(
            sent(201, r#"{"sid":"SM1","status":"failed","error_code":30007}"#),
            Outcome::Permanent("content_refused")
        );
        assert_eq!(say(401, 20003), Outcome::Permanent("credentials_refused"));
        assert_eq!(say(429, 20429), Outcome::Retry("rate_limited"));
        assert_eq!(say(400, 21610), Outcome::Permanent("recipient_refuses"));
        assert_eq!(say(400, 21211), Outcome::Permanent("recipient_unknown"));
        assert_eq!(say(400, 21617), Outcome::Permanent("text_too_long"));
        assert_eq!(say(400, 63016), Outcome::Permanent("reply_window_closed"));
        assert_eq!(say(400, 63038), Outcome::Permanent("reply_quota_used"));
        assert_eq!(say(400, 1), Outcome::Permanent("http_refused"));
        assert_eq!(say(500, 20500), Outcome::Retry("platform_unavailable"));
    }

    #[test]
    fn answers_without_a_code() {
        assert_eq!(sent(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(sent(200, "{}"), Outcome::Retry("answer_unreadable"));
        assert_eq!(sent(429, ""), Outcome::Retry("rate_limited"));
        assert_eq!(sent(404, ""), Outcome::Permanent("http_refused"));
        assert_eq!(sent(403, ""), Outcome::Permanent("credentials_refused"));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_do_not_panic(status: u16, body: Vec<u8>) {
            let _ = read(&ApiResponse { status, body: &body });
        }
    }
}
