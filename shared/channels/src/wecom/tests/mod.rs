//! The whole way of a message and of a reply. Public signatures, envelopes and messages are in `tests/vectors/wecom.rs`.

use super::*;
use crate::kit::Fault;
use crate::wx_crypto::AesKey;
use http::{HeaderMap, Method};
use proptest::prelude::*;
use serde_json::{Value, json};
use warmline_model::{Content, Inbound};

mod kf;
mod replies;

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TS: &str = "1700000000";

fn account() -> Account {
    let secrets = [("token", "test"), ("encoding_aes_key", KEY), ("secret", "s3&")];
    let settings = json!({ "corp_id": "wwcorp", "api_base": "http://127.0.0.1:9" });
    let secrets = secrets.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    WecomAdapter.account(&settings.into(), &secrets).ok().unwrap()
}

fn key() -> AesKey {
    AesKey::decode(KEY).unwrap()
}

fn ask<T>(method: Method, query: &str, body: &[u8], f: impl FnOnce(&Request<'_>) -> T) -> T {
    f(&Request { method: &method, rest: "", query, headers: &HeaderMap::new(), body })
}

fn shake(query: &str, now: Timestamp) -> Result<Option<Reply>, Refusal> {
    ask(Method::GET, query, b"", |r| WecomAdapter.handshake(&account(), r, now))
}

fn verify(query: &str, body: &str, now: Timestamp) -> Result<Verified, Refusal> {
    ask(Method::POST, query, body.as_bytes(), |r| WecomAdapter.verify(&account(), r, now))
}

fn sealed(message: &str) -> (String, String) {
    sign::webhook("test", &key(), "wwcorp", TS, "n", &[9; 16], message.as_bytes())
}

fn receive(message: &str) -> Result<Vec<Inbound>, Refusal> {
    let (query, body) = sealed(message);
    let verified = verify(&query, &body, NOW)?;
    assert_eq!(WecomAdapter.acknowledge(&account(), &verified), Reply::text(""));
    WecomAdapter.parse(&account(), &verified).map(|parsed| parsed.messages)
}

fn one(kind: &str, fields: &[(&str, &str)]) -> Inbound {
    receive(&sign::message("zhangsan", "wwcorp", 5, kind, fields)).unwrap().remove(0)
}

fn call<'c>(token: Option<&'c str>) -> Call<'c> {
    Call { token, now: NOW, nonce: &[7; 16] }
}

#[test]
fn handshake_gives_the_decrypted_text_back() {
    let query = sign::handshake("test", &key(), "wwcorp", TS, "n", &[9; 16], "1616140317555161061");
    assert_eq!(shake(&query, NOW), Ok(Some(Reply::text("1616140317555161061"))));
    assert_eq!(shake(&query, NOW.plus_millis(301_000)), Err(Refusal::Stale(-301)));
    assert_eq!(shake(&query.replace("nonce=n", "nonce=m"), NOW), Err(Refusal::SignatureWrong));
    assert_eq!(shake(&query.replace("msg_signature", "signature"), NOW), Err(Refusal::SignatureMissing));
    assert_eq!(shake("msg_signature=1", NOW), Ok(None));
    let other = sign::handshake("test", &key(), "wwother", TS, "n", &[9; 16], "1");
    assert_eq!(shake(&other, NOW), Err(Refusal::WrongRecipient));
    let long = sign::handshake("test", &key(), "wwcorp", TS, "n", &[9; 16], &"1".repeat(300));
    assert_eq!(shake(&long, NOW), Err(Refusal::Field("echostr")));
}

#[test]
fn refusals() {
    let (query, body) = sealed("<xml/>");
    assert!(verify(&query, &body, NOW).is_ok());
    assert_eq!(verify(&query, &body, NOW.plus_millis(-301_000)).err(), Some(Refusal::Stale(301)));
    assert_eq!(verify("", &body, NOW).err(), Some(Refusal::SignatureMissing));
    let other = body.replace("<Encrypt><![CDATA[", "<Encrypt><![CDATA[A");
    assert_eq!(verify(&query, &other, NOW).err(), Some(Refusal::SignatureWrong));
    assert_eq!(verify(&query, "<xml/>", NOW).err(), Some(Refusal::Field("Encrypt")));
    assert_eq!(verify(&query, &"a".repeat(2 << 20), NOW).err(), Some(Refusal::Malformed(Fault::TooLong)));
    let (query, body) = sign::webhook("test", &key(), "wwother", TS, "n", &[9; 16], b"<xml/>");
    assert_eq!(verify(&query, &body, NOW).err(), Some(Refusal::WrongRecipient));
    let sealed = "bm90IGFuIGVudmVsb3Bl";
    let query = sign::query("test", TS, "n", sealed);
    let body = format!("<xml><Encrypt>{sealed}</Encrypt></xml>");
    assert_eq!(verify(&query, &body, NOW).err(), Some(Refusal::Undecryptable));
    assert_eq!(ask(Method::GET, &query, b"", |r| WecomAdapter.verify(&account(), r, NOW)).err(), Some(Refusal::NotFound));
    assert_eq!(receive("<xml/>"), Err(Refusal::Field("FromUserName")));
}

#[test]
fn what_members_write() {
    let inbound = one("text", &[("Content", "你好😀"), ("MsgId", "42"), ("AgentID", "1000002")]);
    assert_eq!(
        (inbound.earlier_key.as_deref(), inbound.sender.open_id.as_str(), inbound.at.secs()),
        (Some("42"), "zhangsan", 5)
    );
    assert_eq!(inbound.content, Content::text("你好😀"));
    assert_eq!(inbound.reply_to, Some(json!({ "agent_id": 1_000_002 })));
    assert_eq!(one("image", &[("MediaId", "M"), ("MsgId", "1")]).content.kind(), "image");
    assert_eq!(one("hologram", &[("MsgId", "1")]).content.kind(), "unknown");
    let event = one("event", &[("Event", "enter_agent"), ("EventKey", ""), ("AgentID", "1")]);
    assert_eq!(event.content, Content::Event { event: "enter_agent".into(), key: None, data: json!({ "AgentID": "1" }) });
}

#[test]
fn reports_belong_to_the_customer_they_are_about() {
    let report = |fields: &[(&str, &str)]| receive(&sign::message("sys", "wwcorp", 5, "event", fields)).unwrap().remove(0);
    let event = ("Event", "change_external_contact");
    let added = report(&[event, ("ChangeType", "add_external_contact"), ("UserID", "li"), ("ExternalUserID", "woA")]);
    assert_eq!(added.sender.open_id, "woA");
    let removed = report(&[event, ("ChangeType", "del_external_contact"), ("UserID", "li"), ("ExternalUserID", "woA")]);
    assert_ne!(added.key, removed.key, "in the same second");
    assert_eq!(report(&[("Event", "change_contact"), ("UserID", "li")]).sender.open_id, "sys");
}

#[test]
fn a_hint_holds_no_message_but_names_a_source() {
    let (query, body) = sealed(&sign::hint("wwcorp", 5, "wk1"));
    let verified = verify(&query, &body, NOW).ok().unwrap();
    assert_eq!(WecomAdapter.parse(&account(), &verified), Ok(Parsed::default()));
    let hint = crate::kit::Hint { source: "wk1".into(), token: Some("ENCSimulated".into()) };
    assert_eq!(WecomAdapter.hinted(&account(), &verified), [hint]);
    assert!(WecomAdapter.polled(&account()).is_empty());
    let (query, body) = sealed(&sign::message("li", "wwcorp", 5, "text", &[("Content", "x"), ("MsgId", "1")]));
    assert!(WecomAdapter.hinted(&account(), &verify(&query, &body, NOW).ok().unwrap()).is_empty());
    assert_eq!(receive(&sign::hint("wwcorp", 5, "")), Err(Refusal::Field("OpenKfId")));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, text in ".{0,80}", status: u16) {
        let _ = app::parse(&bytes);
        let _ = app::hinted(text.as_bytes());
        let answer = ApiResponse { status, body: &bytes };
        let _ = WecomAdapter.read(&account(), &kf::ASKED, &answer);
        let _ = WecomAdapter.read_token(&answer);
        WecomAdapter.read_answer(&answer);
    }

    #[test]
    fn nothing_unsigned_is_verified(query in "[a-z_=&%0-9]{0,60}", body: Vec<u8>) {
        let query = format!("{query}&msg_signature=0&timestamp={TS}&nonce=1");
        prop_assert!(ask(Method::POST, &query, &body, |r| WecomAdapter.verify(&account(), r, NOW)).is_err());
        let query = format!("{query}&echostr=1");
        prop_assert!(shake(&query, NOW).is_err());
    }

    #[test]
    fn a_changed_envelope_yields_no_other_message(at in 0usize..400, to: u8) {
        let message = sign::message("zhangsan", "wwcorp", 5, "text", &[("Content", "x"), ("MsgId", "1")]);
        let (query, body) = sealed(&message);
        let mut other = body.into_bytes();
        let at = at % other.len();
        other[at] = to;
        if let Ok(text) = String::from_utf8(other) && let Ok(verified) = verify(&query, &text, NOW) {
            prop_assert_eq!(verified.body(), message.as_bytes());
        }
    }
}
