//! Signed requests as the platform makes and wants them, for tests and simulators, and the signature of calls.

use crate::digest::md5_hex;
use serde_json::{Map, Value, json};

/// The header `kwaisign` of a push.
pub fn kwaisign(app_secret: &str, body: &[u8]) -> String {
    md5_hex(&[body, app_secret.as_bytes()])
}

/// The body of an event.
pub fn event(app_id: &str, event: &str, message_id: &str, at_millis: i64, data: &Value) -> String {
    json!({ "app_id": app_id, "event": event, "timestamp": at_millis, "message_id": message_id, "data": data }).to_string()
}

/// The body of a payment notice of a mini program.
pub fn payment(app_id: &str, message_id: &str, at_millis: i64, data: &Value) -> String {
    notice("PAYMENT", app_id, message_id, at_millis, data)
}

/// The body of a refund notice of a mini program.
pub fn refund(app_id: &str, message_id: &str, at_millis: i64, data: &Value) -> String {
    notice("REFUND", app_id, message_id, at_millis, data)
}

fn notice(kind: &str, app_id: &str, message_id: &str, at_millis: i64, data: &Value) -> String {
    json!({ "app_id": app_id, "biz_type": kind, "timestamp": at_millis, "message_id": message_id, "data": data }).to_string()
}

/// The parameter `sign` of a call.
pub fn call_sign(app_secret: &str, params: &Map<String, Value>) -> String {
    let mut pairs: Vec<(&str, String)> = params
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "sign" | "access_token"))
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some((name.as_str(), text.clone())),
            other => Some((name.as_str(), other.to_string())),
        })
        .collect();
    pairs.sort();
    let joined: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    md5_hex(&[joined.join("&").as_bytes(), app_secret.as_bytes()])
}
