//! Webhooks in the forms of telephone systems, for tests and simulators: the counterpart of the verifier.

use super::huawei;
use crate::timed_signature;
use serde_json::{Value, json};

/// `X-Warmline-Signature` for a body of our contract sent at `timestamp` (seconds since 1970).
pub fn contract(signing_secret: &str, timestamp: i64, body: &[u8]) -> String {
    timed_signature::sign(signing_secret, &timestamp.to_string(), body)
}

/// A segment of our contract.
pub fn segment(call: &str, seq: u64, speaker: &str, text: &str, is_final: bool) -> Value {
    let start = seq.saturating_mul(1_000);
    json!({
        "call_id": call,
        "seq": seq,
        "speaker": speaker,
        "text": text,
        "final": is_final,
        "start_ms": start,
        "end_ms": start.saturating_add(900),
    })
}

/// An event of our contract.
pub fn event(call: &str, seq: u64, event: &str, caller: &str) -> Value {
    json!({ "call_id": call, "seq": seq, "event": event, "caller": caller })
}

/// A body as Huawei AICC posts it: the fields with `timestamp` (milliseconds), `nonce` and `signature`.
pub fn huawei(app_secret: &str, timestamp: i64, nonce: &str, fields: Value) -> Value {
    let mut body = fields;
    if let Value::Object(map) = &mut body {
        let timestamp = timestamp.to_string();
        let signature = huawei::signature(app_secret, &timestamp, nonce, map);
        map.insert("timestamp".to_owned(), Value::from(timestamp));
        map.insert("nonce".to_owned(), Value::from(nonce));
        map.insert("signature".to_owned(), Value::from(signature));
    }
    body
}

/// A form that Twilio posts to this address, and its `X-Twilio-Signature`.
pub fn twilio(auth_token: &str, url: &str, params: &[(&str, &str)]) -> (String, String) {
    crate::twilio::signed_form(auth_token, url, params)
}
