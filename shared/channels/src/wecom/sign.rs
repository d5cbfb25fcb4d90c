//! Signed requests in WeCom's form, for tests and simulators: the counterpart of the verifier.

use crate::wx::sign::signature;
use crate::wx_crypto::{AesKey, encrypt};
use crate::xml::Writer;

pub use crate::wx::sign::message;

/// The query string around a ciphertext.
pub fn query(token: &str, timestamp: &str, nonce: &str, sealed: &str) -> String {
    let signature = signature(&mut [token, timestamp, nonce, sealed]);
    form_urlencoded::Serializer::new(String::new())
        .append_pair("msg_signature", &signature)
        .append_pair("timestamp", timestamp)
        .append_pair("nonce", nonce)
        .finish()
}

/// The query string of a check of the address. `random` is the envelope's prefix.
pub fn handshake(
    token: &str,
    key: &AesKey,
    corp_id: &str,
    timestamp: &str,
    nonce: &str,
    random: &[u8; 16],
    echo: &str,
) -> String {
    let sealed = encrypt(key, random, echo.as_bytes(), corp_id);
    let echostr = form_urlencoded::Serializer::new(String::new()).append_pair("echostr", &sealed).finish();
    format!("{}&{echostr}", query(token, timestamp, nonce, &sealed))
}

/// The query string and body of a webhook.
pub fn webhook(
    token: &str,
    key: &AesKey,
    corp_id: &str,
    timestamp: &str,
    nonce: &str,
    random: &[u8; 16],
    message: &[u8],
) -> (String, String) {
    let sealed = encrypt(key, random, message, corp_id);
    let mut body = Writer::new();
    body.open("xml").text("ToUserName", corp_id).text("Encrypt", &sealed).text("AgentID", "1000002").close("xml");
    (query(token, timestamp, nonce, &sealed), body.finish())
}

/// The message that announces messages of a 微信客服 account.
pub fn hint(corp_id: &str, create_time: i64, open_kfid: &str) -> String {
    let mut xml = Writer::new();
    xml.open("xml").text("ToUserName", corp_id).number("CreateTime", create_time).text("MsgType", "event");
    xml.text("Event", "kf_msg_or_event").text("Token", "ENCSimulated").text("OpenKfId", open_kfid).close("xml");
    xml.finish()
}
