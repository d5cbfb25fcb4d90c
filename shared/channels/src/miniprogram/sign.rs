//! Signed requests in the platform's form: those of [`crate::wx::sign`], and messages in JSON.

use crate::wx_crypto::{AesKey, encrypt};
use serde_json::{Value, json};

pub use crate::wx::sign::{event, message, plain_query, safe, sealed, text};

/// A message or event in JSON: the common fields, then `fields`.
pub fn message_json(from: &str, to: &str, create_time: i64, msg_type: &str, fields: &[(&str, Value)]) -> String {
    let mut message = json!({ "ToUserName": to, "FromUserName": from, "CreateTime": create_time, "MsgType": msg_type });
    for (name, value) in fields {
        message[*name] = value.clone();
    }
    message.to_string()
}

/// The query string and body of an encrypted webhook in JSON. `random` is the envelope's prefix.
pub fn safe_json(
    token: &str,
    key: &AesKey,
    app_id: &str,
    timestamp: &str,
    nonce: &str,
    random: &[u8; 16],
    message: &[u8],
) -> (String, String) {
    let encrypted = encrypt(key, random, message, app_id);
    let (query, _) = sealed(token, &encrypted, timestamp, nonce);
    (query, json!({ "ToUserName": "gh_warmline", "Encrypt": encrypted }).to_string())
}
