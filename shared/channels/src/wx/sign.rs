//! Signed requests in the platform's form, for tests and simulators: the counterpart of the verifier.

use crate::wx_crypto::{AesKey, encrypt, sorted_sha1};
use crate::xml::Writer;

pub(crate) fn signature(parts: &mut [&str]) -> String {
    sorted_sha1(parts, "").iter().copied().map(char::from).collect()
}

/// The query string of a plain webhook (or, with `&echostr=…` added, of a handshake).
pub fn plain_query(token: &str, timestamp: &str, nonce: &str) -> String {
    let signature = signature(&mut [token, timestamp, nonce]);
    form_urlencoded::Serializer::new(String::new())
        .append_pair("signature", &signature)
        .append_pair("timestamp", timestamp)
        .append_pair("nonce", nonce)
        .finish()
}

/// The query string and body of an encrypted webhook. `random` is the envelope's prefix.
pub fn safe(
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

/// The query string and body around any `Encrypt` text.
pub fn sealed(token: &str, encrypted: &str, timestamp: &str, nonce: &str) -> (String, String) {
    let msg_signature = signature(&mut [token, timestamp, nonce, encrypted]);
    let mut query = plain_query(token, timestamp, nonce);
    query.push_str("&encrypt_type=aes&msg_signature=");
    query.push_str(&msg_signature);
    let mut body = Writer::new();
    body.open("xml").text("ToUserName", "gh_warmline").text("Encrypt", encrypted).close("xml");
    (query, body.finish())
}

/// A message or event in XML: the common fields, then `fields` in order.
pub fn message(from: &str, to: &str, create_time: i64, msg_type: &str, fields: &[(&str, &str)]) -> String {
    let mut xml = Writer::new();
    xml.open("xml")
        .text("ToUserName", to)
        .text("FromUserName", from)
        .number("CreateTime", create_time)
        .text("MsgType", msg_type);
    for (name, value) in fields {
        xml.text(name, value);
    }
    xml.close("xml");
    xml.finish()
}

/// A text message in XML.
pub fn text(from: &str, to: &str, create_time: i64, msg_id: u64, content: &str) -> String {
    message(from, to, create_time, "text", &[("Content", content), ("MsgId", &msg_id.to_string())])
}

/// An event in XML.
pub fn event(from: &str, to: &str, create_time: i64, event: &str, key: &str) -> String {
    message(from, to, create_time, "event", &[("Event", event), ("EventKey", key)])
}
