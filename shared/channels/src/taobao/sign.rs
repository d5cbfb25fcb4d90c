//! The check of TOP's signature, and messages in TMC's form, for tests and simulators.

use super::account::SignMethod;
use crate::civil;
use crate::sorted_sign::Params;
use serde_json::{Value, json};
use warmline_model::Timestamp;

pub use super::api::signature;

/// Whether a call's parameters carry the right `sign` for their `sign_method`.
pub fn signed(secret: &str, params: &Params) -> bool {
    let (sign, rest): (Vec<_>, Vec<_>) = params.iter().cloned().partition(|(name, _)| name == "sign");
    let method = match rest.iter().find(|(name, _)| name == "sign_method").map(|(_, value)| value.as_str()) {
        Some("md5") => SignMethod::Md5,
        Some("hmac") => SignMethod::Hmac,
        _ => return false,
    };
    matches!(sign.as_slice(), [(_, sign)] if *sign == signature(method, secret, &rest))
}

/// A message in the form of the answer to `consume`.
pub fn message(id: u64, topic: &str, at: Timestamp, content: &Value) -> Value {
    json!({
        "id": id, "topic": topic, "pub_time": civil::beijing(at), "pub_app_key": "12497914",
        "user_id": 1_736_568_971, "user_nick": "品牌旗舰店", "content": content.to_string(),
    })
}
