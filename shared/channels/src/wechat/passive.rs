//! A reply in the webhook's own answer. It uses nothing of the API's quota, but only one fits, and it must be ready within
//! five seconds.
//!
//! It goes only to the sender of this very webhook. If the reply is for another customer, there is none. An encrypted
//! webhook is answered encrypted.

use super::CAPABILITIES;
use super::account::Account;
use super::outgoing::Outgoing;
use crate::kit::{Outbound, Reply, Verified};
use crate::wx::gate::ENCRYPTED;
use crate::wx::payload::Payload;
use crate::wx_crypto::{encrypt, sorted_sha1};
use crate::xml::{Writer, readable};
use sha2::{Digest, Sha256};
use warmline_model::Timestamp;

pub(super) fn passive(
    account: &Account,
    body: &Verified,
    reply: &Outbound<'_>,
    now: Timestamp,
    nonce: &[u8; 16],
) -> Option<Reply> {
    CAPABILITIES.check(reply.content).ok()?;
    let message = Outgoing::from_content(reply.content).ok()?;
    let body_text = readable(body.body());
    let webhook = Payload::read(&body_text).ok().filter(Payload::is_xml)?;
    let (customer, us) = (webhook.filled("FromUserName")?, webhook.filled("ToUserName")?);
    if customer.trim() != reply.to {
        return None;
    }
    let plain = message.to_xml(customer.trim(), us.trim(), now);
    let xml = if body.context(ENCRYPTED).is_some() { seal(account, &plain, now, nonce)? } else { plain };
    Some(Reply { status: 200, content_type: "application/xml; charset=utf-8", body: xml.into_bytes() })
}

/// The envelope of an encrypted reply: `Encrypt`, `MsgSignature`, `TimeStamp`, `Nonce`.
fn seal(account: &Account, plain: &str, now: Timestamp, nonce: &[u8; 16]) -> Option<String> {
    let encrypted = encrypt(account.app.gate.key.as_ref()?, nonce, plain.as_bytes(), account.app.gate.app_id.as_deref()?);
    let timestamp = now.secs().to_string();
    // The nonce is public, so it must not be the envelope's secret prefix.
    let public = hex::encode(&Sha256::digest(nonce)[..8]);
    let signature = sorted_sha1(&mut [&account.app.gate.token, &timestamp, &public, &encrypted], "");
    let signature = std::str::from_utf8(&signature).ok()?;
    let mut xml = Writer::new();
    xml.open("xml").text("Encrypt", &encrypted).text("MsgSignature", signature);
    xml.number("TimeStamp", now.secs()).text("Nonce", &public).close("xml");
    Some(xml.finish())
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::wx_crypto::{AesKey, WECHAT_PREFIX, decrypt, signature_matches};
    use crate::xml::Document;
    use serde_json::json;
    use warmline_model::Content;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn account() -> Account {
        let secrets = [("token", "test"), ("encoding_aes_key", KEY)].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Account::read(&json!({ "mode": "both", "app_id": "wxapp", "reply": "passive" }), &secrets).ok().unwrap()
    }

    fn answer(webhook: Verified, to: &str, content: &Content) -> Option<String> {
        let reply = Outbound { to, id: "msg_1", content, at: NOW, reply_to: None };
        passive(&account(), &webhook, &reply, NOW, &[3; 16]).map(|r| String::from_utf8(r.body).unwrap())
    }

    fn webhook() -> Verified {
        Verified::new(sign::text("oUser", "gh_shop", 1, 1, "hi").into_bytes())
    }

    #[test]
    fn plain() {
        let xml = answer(webhook(), "oUser", &Content::text("您好")).unwrap();
        let expected = "<xml><ToUserName><![CDATA[oUser]]></ToUserName><FromUserName><![CDATA[gh_shop]]></FromUserName>\
                        <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[您好]]></Content></xml>";
        assert_eq!(xml, expected);
    }

    #[test]
    fn encrypted() {
        let xml = answer(webhook().with(ENCRYPTED, "1"), "oUser", &Content::text("您好")).unwrap();
        let document = Document::read(xml.as_bytes()).unwrap();
        let field = |name| document.text(name).unwrap();
        let mut parts = ["test", field("TimeStamp"), field("Nonce"), field("Encrypt")];
        assert!(signature_matches(field("MsgSignature"), &mut parts));
        let plain = decrypt(&AesKey::decode(KEY).unwrap(), WECHAT_PREFIX, field("Encrypt"), "wxapp").unwrap();
        assert_eq!(Document::read(&plain).unwrap().text("Content"), Some("您好"));
    }

    #[test]
    fn never_to_another_customer_and_never_what_does_not_fit() {
        assert_eq!(answer(webhook(), "oOther", &Content::text("x")), None);
        assert_eq!(answer(webhook(), "oUser", &Content::text("x".repeat(2049))), None);
        assert_eq!(
            answer(webhook(), "oUser", &Content::OrderCard { order_id: "1".into(), title: None, status: None }),
            None
        );
        let json = Verified::new(br#"{"FromUserName":"oUser","ToUserName":"gh"}"#.to_vec());
        assert_eq!(answer(json, "oUser", &Content::text("x")), None);
    }
}
