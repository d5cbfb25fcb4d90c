//! Signed requests in the platform's form, for tests and simulators: the counterpart of the verifier.

use crate::digest::sha1_hex;
use crate::wx_crypto::{AesKey, encrypt, sorted_sha1};
use crate::xml::Writer;
use serde_json::{Value, json};

/// The header `X-Douyin-Signature` of a webhook of the open platform.
pub fn signature(secret: &str, body: &[u8]) -> String {
    sha1_hex(&[secret.as_bytes(), body])
}

/// The body of the open platform's check of an address.
pub fn challenge(challenge: i64) -> String {
    json!({ "event": "verify_webhook", "client_key": "", "content": { "challenge": challenge } }).to_string()
}

/// A text message as a webhook's body. `content` is an object or, as in some events, a text that holds one.
pub fn text(client_key: &str, from: &str, to: &str, message: &str, at_millis: i64, text: &str, as_text: bool) -> String {
    let content = json!({
        "conversation_short_id": format!("@conversation-{from}"),
        "server_message_id": message,
        "conversation_type": 1,
        "create_time": at_millis,
        "message_type": "text",
        "source": "",
        "text": text,
        "user_infos": [
            { "open_id": from, "nick_name": "顾客", "avatar": "" },
            { "open_id": to, "nick_name": "店铺", "avatar": "" },
        ],
    });
    event("im_receive_msg", client_key, from, to, &content, as_text)
}

/// An event as a webhook's body.
pub fn event(event: &str, client_key: &str, from: &str, to: &str, content: &Value, as_text: bool) -> String {
    let content = if as_text { Value::String(content.to_string()) } else { content.clone() };
    json!({ "event": event, "client_key": client_key, "from_user_id": from, "to_user_id": to, "content": content })
        .to_string()
}

fn sorted(parts: &mut [&str]) -> String {
    sorted_sha1(parts, "").iter().copied().map(char::from).collect()
}

/// The query of a mini app's check of the address.
pub fn echo_query(token: &str, timestamp: &str, nonce: &str, msg: &str, echo: &str) -> String {
    let signature = sorted(&mut [token, timestamp, nonce, msg]);
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("signature", signature.as_str()), ("timestamp", timestamp), ("nonce", nonce)])
        .extend_pairs([("msg", msg), ("echostr", echo)])
        .finish()
}

/// The body of a mini app's webhook. `random` is the envelope's prefix.
pub fn miniapp(
    token: &str,
    key: &AesKey,
    app_id: &str,
    timestamp: &str,
    nonce: &str,
    random: &[u8; 32],
    message: &[u8],
) -> String {
    sealed(token, &encrypt(key, random, message, app_id), timestamp, nonce)
}

/// The body around any `Encrypt` text, in JSON.
pub fn sealed(token: &str, encrypted: &str, timestamp: &str, nonce: &str) -> String {
    let signature = sorted(&mut [token, timestamp, nonce, encrypted]);
    json!({ "Nonce": nonce, "TimeStamp": timestamp, "Encrypt": encrypted, "MsgSignature": signature }).to_string()
}

/// The same in XML, for apps that use it.
pub fn sealed_xml(token: &str, encrypted: &str, timestamp: &str, nonce: &str) -> String {
    let signature = sorted(&mut [token, timestamp, nonce, encrypted]);
    let mut xml = Writer::new();
    xml.open("xml").text("Nonce", nonce).text("TimeStamp", timestamp);
    xml.text("Encrypt", encrypted).text("MsgSignature", &signature).close("xml");
    xml.finish()
}
