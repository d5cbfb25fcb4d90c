//! Signed requests in the platform's form, for tests and simulators: the counterpart of the verifier.

use crate::civil;
use crate::wx_crypto::sorted_sha1;
use serde_json::{Value, json};
use warmline_model::Timestamp;

/// The query string of a webhook (or, with `&echostr=…` added, of a handshake).
pub fn query(app_secret: &str, timestamp: &str, nonce: &str) -> String {
    let signature = sorted_sha1(&mut [app_secret, timestamp, nonce], "");
    let signature: String = signature.iter().copied().map(char::from).collect();
    form_urlencoded::Serializer::new(String::new())
        .append_pair("signature", &signature)
        .append_pair("timestamp", timestamp)
        .append_pair("nonce", nonce)
        .finish()
}

/// A message or event.
pub fn message(from: i64, to: i64, at: Timestamp, kind: &str, text: &str, data: &Value) -> String {
    let created_at = civil::ctime(at);
    let body =
        json!({ "type": kind, "receiver_id": to, "sender_id": from, "created_at": created_at, "text": text, "data": data });
    body.to_string()
}
