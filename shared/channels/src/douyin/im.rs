//! Reads the events of private messages.
//!
//! `im_receive_msg` is a customer's message. All others are events: `im_send_msg` (the operator's message, from the app or
//! by the API), `im_enter_direct_msg` (the customer opened the conversation), `im_recall_msg`, groups, authorisations. The
//! customer of `im_send_msg` is the addressee. Messages that this app itself sent are left out, since they are in the
//! conversation already.
//!
//! The platform names `Msg-Id` as the key, a header that its signature does not cover. If the signed body has the message's
//! own id, that id is used: another header cannot make a replayed body new. Besides an id, the key holds sender and
//! content, since ids alone have been seen twice. Addresses of pictures are signed again with each retry and are not part
//! of the key.

use super::account::{Account, Face};
use super::miniapp::PLATFORM;
use super::verify::MSG_ID;
use crate::digest::opaque_key;
use crate::json;
use crate::keys;
use crate::kit::{Refusal, Verified};
use crate::values::{MAX_ID, filled, id, instant, nested, text, words};
use serde_json::{Map, Value, json};
use warmline_model::{Content, Inbound, Media, Sender};

/// Addresses are signed again with each retry, and names are the customer's.
const MOVING: &[&str] = &["resource_url", "user_infos"];

/// In [`Inbound::reply_to`]: the conversation, the message that a reply answers, and the operator's own open id.
pub(super) const CONVERSATION: &str = "conversation_id";
pub(super) const MESSAGE: &str = "msg_id";
pub(super) const OPERATOR: &str = "open_id";

/// The parts of an event.
struct Event {
    name: String,
    from: Option<String>,
    to: Option<String>,
    content: Map<String, Value>,
}

pub(super) fn parse(account: &Account, body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let fields = json::read_object(body.body(), json::MAX_BYTES)?;
    let ours = match &account.face {
        Face::Im(im) => im.client_key.as_deref(),
        Face::Miniapp(_) => None,
    };
    if let (Some(ours), Some(theirs)) = (ours, filled(&fields, "client_key"))
        && ours != theirs
    {
        return Err(Refusal::WrongRecipient);
    }
    let event = Event {
        name: filled(&fields, "event").filter(|e| e.len() <= MAX_ID).ok_or(Refusal::Field("event"))?.to_lowercase(),
        from: id(fields.get("from_user_id")),
        to: id(fields.get("to_user_id")),
        content: nested(fields.get("content"), "content")?,
    };
    if event.name == "im_receive_msg" {
        return message(body, event).map(|message| vec![message]);
    }
    let echo = event.name == "im_send_msg";
    if echo && ours.is_some() && filled(&event.content, "source") == ours {
        return Ok(Vec::new());
    }
    Ok(vec![happened(body, event, echo)])
}

fn message(body: &Verified, event: Event) -> Result<Inbound, Refusal> {
    let open_id = event.from.ok_or(Refusal::Field("from_user_id"))?;
    let message_id = id(event.content.get("server_message_id")).ok_or(Refusal::Field("server_message_id"))?;
    let content = said(&event.content, &message_id)?;
    let mut reply_to = json!({ MESSAGE: message_id });
    if let Some(conversation) = id(event.content.get("conversation_short_id")) {
        reply_to[CONVERSATION] = conversation.into();
    }
    if let Some(operator) = event.to {
        reply_to[OPERATOR] = operator.into();
    }
    let at = instant(event.content.get("create_time")).unwrap_or_else(|| body.time());
    let name = name_of(&event.content, &open_id);
    let sender = Sender { open_id, name, ..Sender::default() };
    let key = keys::of_message("message", &[&sender.open_id, &message_id], &content);
    Ok(Inbound { earlier_key: Some(message_id), key, sender, at, content, reply_to: Some(reply_to) })
}

/// The content of a message, by `message_type`. Pictures and films that a customer took come without an address. The
/// platform shows them in its own app, so the reference is the message's id.
fn said(content: &Map<String, Value>, message_id: &str) -> Result<Content, Refusal> {
    let kind = filled(content, "message_type").ok_or(Refusal::Field("message_type"))?;
    let media = |id: Option<String>| Media {
        id: Some(id.filter(|id| !id.is_empty()).unwrap_or_else(|| message_id.to_owned())),
        url: filled(content, "resource_url").map(str::to_owned),
        format: filled(content, "resource_type").map(str::to_owned),
        ..Media::default()
    };
    Ok(match kind {
        "text" => Content::text(words(content.get("text")).ok_or(Refusal::Field("text"))?),
        "image" | "user_local_image" | "emoji" => Content::Image { media: media(None) },
        "video" | "user_local_video" => Content::Video { media: media(text(content, "item_id")) },
        // 留资卡片: the customer filled in the card with name, telephone and town.
        "retain_consult_card" => {
            let key = id(content.get("card_id"));
            Content::Event { event: kind.to_owned(), key, data: Value::Object(without_people(content.clone())) }
        }
        _ => Content::Unknown { raw_kind: kind.to_owned(), raw: Value::Object(without_people(content.clone())) },
    })
}

fn happened(body: &Verified, event: Event, echo: bool) -> Inbound {
    let Event { name, from, to, content } = event;
    let message_id = id(content.get("server_message_id"));
    let (one, other) = (from.as_deref().unwrap_or(""), to.as_deref().unwrap_or(""));
    let (key, earlier_key) = match message_id.as_deref().or(body.context(MSG_ID)) {
        Some(id) => {
            let data = Value::Object(content.clone());
            let said = Content::Event { event: name.clone(), key: None, data };
            let key = keys::of_moving("event", &[id, one, other], &said, MOVING);
            (key, Some(opaque_key("event", &[&name, id])))
        }
        None => (opaque_key("event", &[&name, one, other, &Value::Object(content.clone()).to_string()]), None),
    };
    let at = instant(content.get("create_time")).unwrap_or_else(|| body.time());
    let person = if echo { to } else { from };
    let open_id = person.or_else(|| id(content.get("open_id"))).unwrap_or_else(|| PLATFORM.to_owned());
    let sender = Sender { name: name_of(&content, &open_id), open_id, ..Sender::default() };
    let of = match name.as_str() {
        "im_recall_msg" => message_id,
        _ => id(content.get("card_id")).or_else(|| id(content.get("group_id"))),
    };
    let data = without_people(content);
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    Inbound { earlier_key, key, sender, at, content: Content::Event { event: name, key: of, data }, reply_to: None }
}

/// The platform's name for this open id.
fn name_of(content: &Map<String, Value>, open_id: &str) -> Option<String> {
    let people = content.get("user_infos")?.as_array()?;
    let person = people.iter().find(|p| p.get("open_id").and_then(Value::as_str) == Some(open_id))?;
    person.get("nick_name")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The fields without `user_infos`: names belong to the customer, and not into each message.
fn without_people(mut content: Map<String, Value>) -> Map<String, Value> {
    content.remove("user_infos");
    content
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::kit::Fault;
    use proptest::prelude::*;
    use warmline_model::Timestamp;

    fn account(client_key: Option<&str>) -> Account {
        let secrets = [("client_secret".to_owned(), "s".to_owned())].into();
        Account::read(&json!({ "client_key": client_key }), &secrets).ok().unwrap()
    }

    fn read(client_key: Option<&str>, body: &str) -> Result<Vec<Inbound>, Refusal> {
        let body = Verified::new(body.as_bytes().to_vec()).with_time(Timestamp::from_secs(5)).with(MSG_ID, "header-1");
        parse(&account(client_key), &body)
    }

    fn one(body: &str) -> Inbound {
        read(None, body).unwrap().remove(0)
    }

    fn received(more: Value) -> Result<Vec<Inbound>, Refusal> {
        let mut content =
            json!({ "conversation_short_id": "@c", "server_message_id": "@m", "create_time": 1_681_303_285_997_i64 });
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(None, &sign::event("im_receive_msg", "ck", "u1", "s1", &content, false))
    }

    #[test]
    fn a_text_as_object_and_as_text() {
        for as_text in [false, true] {
            let message = one(&sign::text("ck", "u1", "s1", "@m1", 1_681_303_285_997, "捷途70", as_text));
            assert_eq!(message.content, Content::text("捷途70"));
            assert_eq!(message.earlier_key.as_deref(), Some("@m1"));
            assert_eq!(message.at, Timestamp::from_millis(1_681_303_285_997));
            assert_eq!((message.sender.open_id.as_str(), message.sender.name.as_deref()), ("u1", Some("顾客")));
            let reply_to = json!({ "conversation_id": "@conversation-u1", "msg_id": "@m1", "open_id": "s1" });
            assert_eq!(message.reply_to, Some(reply_to));
        }
    }

    #[test]
    fn every_kind_of_message() {
        let content = |more: Value| received(more).unwrap().remove(0).content;
        for kind in ["image", "user_local_image"] {
            let media = Media { id: Some("@m".into()), ..Media::default() };
            assert_eq!(content(json!({ "message_type": kind, "resource_url": "" })), Content::Image { media });
        }
        let media =
            Media { id: Some("@m".into()), url: Some("https://e".into()), format: Some("gif".into()), ..Media::default() };
        let emoji = json!({ "message_type": "emoji", "resource_type": "gif", "resource_url": "https://e" });
        assert_eq!(content(emoji), Content::Image { media });
        let media = Media { id: Some("@item".into()), ..Media::default() };
        assert_eq!(content(json!({ "message_type": "video", "item_id": "@item" })), Content::Video { media });
        assert!(matches!(content(json!({ "message_type": "user_local_video" })), Content::Video { .. }));
        let card = content(json!({ "message_type": "retain_consult_card", "card_id": "@card", "card_data": [1] }));
        assert!(matches!(card, Content::Event { event, key: Some(key), data }
            if event == "retain_consult_card" && key == "@card" && data["card_data"] == json!([1])));
        let other = content(json!({ "message_type": "other", "user_infos": [] }));
        assert!(
            matches!(other, Content::Unknown { raw_kind, raw } if raw_kind == "other" && raw.get("user_infos").is_none())
        );
    }

    #[test]
    fn what_a_message_must_have() {
        assert_eq!(received(json!({})), Err(Refusal::Field("message_type")));
        assert_eq!(received(json!({ "message_type": "text", "text": ["x"] })), Err(Refusal::Field("text")));
        assert_eq!(received(json!({ "server_message_id": "" })), Err(Refusal::Field("server_message_id")));
        let nul = received(json!({ "message_type": "text", "text": "\0" })).unwrap().remove(0);
        assert_eq!(nul.content, Content::text("\u{FFFD}"));
        let nul = json!({ "message_type": "text", "server_message_id": "@m", "text": "\0" });
        let nul = read(None, &sign::event("im_receive_msg", "", "u", "s", &nul, true)).unwrap().remove(0);
        assert_eq!(nul.content, Content::text("\u{FFFD}"), "as a text inside a text");
        let nobody = sign::event("im_receive_msg", "", "", "s", &json!({}), false);
        assert_eq!(read(None, &nobody), Err(Refusal::Field("from_user_id")));
        assert_eq!(read(None, "[]"), Err(Refusal::Malformed(Fault::NotObject)));
        assert_eq!(read(None, "{}"), Err(Refusal::Field("event")));
        assert_eq!(
            received(json!({ "message_type": "text", "text": "a", "create_time": "soon" })).unwrap()[0].at.millis(),
            5000
        );
    }

    #[test]
    fn what_happened() {
        let content = json!({ "server_message_id": "@e", "create_time": 1_681_303_286_088_i64, "scene_type": 4,
            "user_infos": [{ "open_id": "u1", "nick_name": "Hs" }] });
        let entered = one(&sign::event("im_enter_direct_msg", "ck", "u1", "s1", &content, true));
        assert!(entered.key.starts_with("event-") && entered.reply_to.is_none());
        assert_eq!((entered.sender.open_id.as_str(), entered.sender.name.as_deref()), ("u1", Some("Hs")));
        let Content::Event { event, data, .. } = &entered.content else { panic!("{:?}", entered.content) };
        assert_eq!((event.as_str(), &data["scene_type"]), ("im_enter_direct_msg", &json!(4)));
        let recalled = one(&sign::event("im_recall_msg", "ck", "u1", "s1", &json!({ "server_message_id": "@m1" }), true));
        assert_ne!(recalled.key, "@m1");
        assert!(matches!(recalled.content, Content::Event { key: Some(of), .. } if of == "@m1"));
        let nothing = one(r#"{"event":"dial_phone","from_user_id":"","to_user_id":"","client_key":""}"#);
        assert_eq!((nothing.sender.open_id.as_str(), nothing.at.millis()), (PLATFORM, 5000));
        assert_eq!(nothing.content, Content::Event { event: "dial_phone".into(), key: None, data: Value::Null });
        let odd = one(r#"{"event":"x","from_user_id":"u","content":"not json"}"#);
        assert!(matches!(odd.content, Content::Event { data, .. } if data == json!({ "content": "not json" })));
    }

    #[test]
    fn w1_what_happened_is_told_by_all_that_is_said_of_it() {
        let key = |more: Value| {
            let mut content = json!({ "server_message_id": "@e", "create_time": 1_681_303_286_088_i64 });
            content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            one(&sign::event("im_enter_direct_msg", "ck", "u1", "s1", &content, true)).key
        };
        let signed = |address: &str| json!({ "resource_url": address, "user_infos": [{ "nick_name": address }] });
        assert_eq!(key(signed("https://p/1?sign=a")), key(signed("https://p/1?sign=b")), "a retry");
        assert_ne!(key(json!({ "scene_type": 4 })), key(json!({ "scene_type": 5 })));
        assert_ne!(key(json!({ "text": "a" })), key(json!({ "text": "b" })));
    }

    #[test]
    fn what_the_operator_sent_is_on_the_customers_timeline_once() {
        let echo = |source: &str| {
            let content = json!({ "server_message_id": "@m2", "message_type": "text", "text": "hi", "source": source });
            sign::event("im_send_msg", "ck", "s1", "u1", &content, false)
        };
        let from_app = read(Some("ck"), &echo("")).unwrap().remove(0);
        assert_eq!(from_app.sender.open_id, "u1");
        assert!(matches!(from_app.content, Content::Event { event, .. } if event == "im_send_msg"));
        assert_eq!(read(Some("ck"), &echo("ck")), Ok(Vec::new()));
        assert_eq!(read(Some("ck"), &echo("another")).unwrap().len(), 1);
    }

    #[test]
    fn another_apps_event_is_refused() {
        let body = sign::text("ck", "u1", "s1", "@m1", 1, "a", false);
        assert!(read(Some("ck"), &body).is_ok());
        assert_eq!(read(Some("other"), &body), Err(Refusal::WrongRecipient));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(body: Vec<u8>, text in "\\{.{0,80}", content in ".{0,80}") {
            let _ = parse(&account(None), &Verified::new(body));
            let _ = read(None, &text);
            let _ = read(None, &json!({ "event": "im_receive_msg", "from_user_id": "u", "content": content }).to_string());
        }

        #[test]
        fn texts_survive(text in "[^\\x00]{0,80}", as_text: bool) {
            let message = one(&sign::text("ck", "u1", "s1", "@m1", 1_681_303_285_997, &text, as_text));
            prop_assert_eq!(message.content, Content::text(text));
        }
    }
}
