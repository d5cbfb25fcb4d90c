//! Signed requests as the platform makes and wants them, for tests and simulators, and the signature of calls.

use crate::digest::md5_hex;
use crate::wx_crypto::{AesKey, encrypt, sorted_sha1};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The header `sign` of a shop's push. `query` holds the pairs of the address itself.
pub fn push_sign(path: &str, query: &[(String, String)], app_key: &str, timestamp: &str, app_secret: &str) -> String {
    let mut pairs: BTreeMap<&str, &str> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs.insert("app-key", app_key);
    pairs.insert("timestamp", timestamp);
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    md5_hex(&[path.as_bytes(), b"?", pairs.join("&").as_bytes(), app_secret.as_bytes()])
}

/// One event as it stands in a shop's push.
pub fn event(tag: &str, seller: &str, data: &Value) -> Value {
    json!({ "msgTag": tag, "sellerId": seller, "data": data.to_string() })
}

/// The parameter `sign` of a call of the shop API.
pub fn ark_sign(method: &str, app_id: &str, timestamp: &str, version: &str, app_secret: &str) -> String {
    md5_hex(&[format!("{method}?appId={app_id}&timestamp={timestamp}&version={version}{app_secret}").as_bytes()])
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

/// The query and body around an `Encrypt` text, whatever it holds.
pub fn sealed(token: &str, encrypted: &str, timestamp: &str, nonce: &str) -> (String, String) {
    let signature = sorted(&mut [token, timestamp, nonce]);
    let msg_signature = sorted(&mut [token, timestamp, nonce, encrypted]);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("signature", signature.as_str()), ("timestamp", timestamp), ("nonce", nonce)])
        .extend_pairs([("encrypt_type", "aes"), ("msg_signature", &msg_signature)])
        .finish();
    (query, json!({ "Encrypt": encrypted }).to_string())
}
