//! Signed requests in the forms that the platform makes and requires, for tests and simulators.

use crate::digest::md5_hex;
use serde_json::{Value, json};

pub use super::api::call_sign;

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
