//! Webhooks in the providers' forms, for tests and simulators: the counterpart of the verifier and the parser.

use serde_json::{Value, json};

/// A form that Twilio posts to this address, and its `X-Twilio-Signature`.
pub fn twilio(auth_token: &str, url: &str, params: &[(&str, &str)]) -> (String, String) {
    crate::twilio::signed_form(auth_token, url, params)
}

/// A text message by Twilio.
pub fn twilio_text(auth_token: &str, url: &str, sid: &str, from: &str, to: &str, text: &str) -> (String, String) {
    let params = [
        ("MessageSid", sid),
        ("SmsSid", sid),
        ("SmsStatus", "received"),
        ("AccountSid", "AC0"),
        ("From", from),
        ("To", to),
        ("Body", text),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
    ];
    twilio(auth_token, url, &params)
}

/// One uplink message in Aliyun's form. `send_time` is in the zone of Beijing.
pub fn aliyun_text(sequence: u64, phone: &str, send_time: &str, dest_code: &str, text: &str) -> Value {
    json!({
        "phone_number": phone,
        "send_time": send_time,
        "content": text,
        "sign_name": "暖线",
        "dest_code": dest_code,
        "sequence_id": sequence,
    })
}

/// One delivery report in Aliyun's form.
pub fn aliyun_report(biz_id: &str, phone: &str, send_time: &str, success: bool) -> Value {
    json!({
        "phone_number": phone,
        "send_time": send_time,
        "report_time": send_time,
        "success": success,
        "err_code": if success { "DELIVERED" } else { "UNDELIV" },
        "err_msg": "",
        "sms_size": "1",
        "biz_id": biz_id,
        "out_id": "",
    })
}
