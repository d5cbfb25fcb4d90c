//! Signed requests in the forms that the platform makes and requires, for tests and simulators.

use crate::wx_crypto::{AesKey, encrypt, sorted_sha1};
use serde_json::{Value, json};

pub use super::api::ark_sign;
pub use super::verify::push_sign;

/// One event in the form of a shop's push.
pub fn event(tag: &str, seller: &str, data: &Value) -> Value {
    json!({ "msgTag": tag, "sellerId": seller, "data": data.to_string() })
}

fn sorted(parts: &mut [&str]) -> String {
    sorted_sha1(parts, "").iter().copied().map(char::from).collect()
}

/// The query of a mini program's check of the address.
pub fn echo_query(token: &str, timestamp: &str, nonce: &str, echo: &str) -> String {
    let signature = sorted(&mut [token, timestamp, nonce]);
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("signature", signature.as_str()), ("timestamp", timestamp), ("nonce", nonce), ("echostr", echo)])
        .finish()
}

/// The query and body of a mini program's push. `random` is the envelope's prefix.
pub fn miniprogram(
    token: &str,
    key: &AesKey,
    app_id: &str,
    timestamp: &str,
    nonce: &str,
    random: &[u8; 16],
    message: &[u8],
) -> (String, String) {
    sealed(token, &encrypt(key, random, message, app_id), timestamp, nonce)
}

/// The query and body around any `Encrypt` text.
pub fn sealed(token: &str, encrypted: &str, timestamp: &str, nonce: &str) -> (String, String) {
    let signature = sorted(&mut [token, timestamp, nonce]);
    let msg_signature = sorted(&mut [token, timestamp, nonce, encrypted]);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("signature", signature.as_str()), ("timestamp", timestamp), ("nonce", nonce)])
        .extend_pairs([("encrypt_type", "aes"), ("msg_signature", &msg_signature)])
        .finish();
    (query, json!({ "Encrypt": encrypted }).to_string())
}
