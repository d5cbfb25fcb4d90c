//! Signed requests in the forms that the platform makes and requires, for tests and simulators.

use crate::digest::md5_hex;
use serde_json::{Value, json};

pub use super::api::call_sign;

/// The header `event-sign` of a push.
pub fn event_sign(app_key: &str, app_secret: &str, body: &[u8]) -> String {
    md5_hex(&[app_key.as_bytes(), body, app_secret.as_bytes()])
}

/// One event in the form of a push.
pub fn event(tag: u32, message_id: &str, data: &Value) -> Value {
    json!({ "tag": tag.to_string(), "msg_id": message_id, "data": data })
}

/// The push that probes an address.
pub fn probe() -> String {
    json!([{ "tag": "0", "msg_id": "0", "data": "2021-06-02 11:51:02" }]).to_string()
}
