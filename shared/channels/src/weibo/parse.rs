//! Reads a customer's message or event.

use super::account::Account;
use crate::civil;
use crate::digest::opaque_key;
use crate::json;
use crate::kit::Refusal;
use crate::values::{is_id, text};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Media, Sender};

/// The longest user id or media id accepted. The platform's are 64-bit numbers.
const MAX_ID: usize = 64;

pub(super) fn parse(account: &Account, body: &[u8]) -> Result<Inbound, Refusal> {
    let message = json::read_object(body, json::MAX_BYTES)?;
    let sender = id(&message, "sender_id").ok_or(Refusal::Field("sender_id"))?;
    let receiver = id(&message, "receiver_id").ok_or(Refusal::Field("receiver_id"))?;
    if account.uid.as_ref().is_some_and(|uid| *uid != receiver) {
        return Err(Refusal::WrongRecipient);
    }
    let kind = text(&message, "type").filter(|kind| !kind.is_empty()).ok_or(Refusal::Field("type"))?;
    let created = text(&message, "created_at").ok_or(Refusal::Field("created_at"))?;
    let at = civil::read_ctime(&created).ok_or(Refusal::Field("created_at"))?;
    // The samples have an object. The tables beside them call it a text.
    let data = match message.get("data") {
        Some(Value::Object(data)) => data.clone(),
        Some(Value::String(data)) => match json::read_lenient(data.as_bytes(), json::MAX_BYTES) {
            Ok(Value::Object(data)) => data,
            _ => Map::new(),
        },
        _ => Map::new(),
    };
    let said = text(&message, "text").unwrap_or_default();
    let key = opaque_key("weibo", &[&sender, &created, &kind, &said, &Value::Object(data.clone()).to_string()]);
    let content = content(&kind, said, data, message)?;
    Ok(Inbound {
        earlier_key: None,
        key,
        sender: Sender { open_id: sender, ..Sender::default() },
        at,
        content,
        reply_to: None,
    })
}

fn id(fields: &Map<String, Value>, name: &str) -> Option<String> {
    let text = text(fields, name)?;
    is_id(&text, MAX_ID).then_some(text)
}

fn content(kind: &str, said: String, data: Map<String, Value>, raw: Map<String, Value>) -> Result<Content, Refusal> {
    // `tovfid` is the id with which the receiver may fetch. `vfid` is the sender's.
    let media = || {
        let id = id(&data, "tovfid").ok_or(Refusal::Field("tovfid"));
        id.map(|id| Media { id: Some(id), ..Media::default() })
    };
    Ok(match kind {
        "text" => Content::text(said),
        "image" => Content::Image { media: media()? },
        "voice" => Content::Voice { media: media()?, transcript: None },
        "position" => Content::Location {
            latitude: degrees(&data, "latitude", 90.0)?,
            longitude: degrees(&data, "longitude", 180.0)?,
            scale: None,
            label: Some(said).filter(|text| !text.is_empty()),
        },
        "event" => {
            let event = text(&data, "subtype").ok_or(Refusal::Field("subtype"))?.trim().to_lowercase();
            happened(event, said, data, &["subtype", "key"])
        }
        // A user wrote `@account` in a post or a comment. `subtype` names the kind, `key` is its id.
        "mention" => happened("mention".to_owned(), said, data, &["key"]),
        _ => Content::Unknown { raw_kind: kind.to_owned(), raw: Value::Object(raw) },
    })
}

/// An event, with the platform's text beside its other fields (for a subscription, the text is the word that caused it).
fn happened(event: String, said: String, mut data: Map<String, Value>, taken: &[&str]) -> Content {
    let key = text(&data, "key").filter(|key| !key.is_empty());
    data.retain(|name, _| !taken.contains(&name.as_str()));
    if !said.is_empty() {
        data.insert("text".to_owned(), Value::String(said));
    }
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    Content::Event { event, key, data }
}

fn degrees(data: &Map<String, Value>, name: &'static str, limit: f64) -> Result<f64, Refusal> {
    let value = text(data, name).and_then(|text| text.trim().parse::<f64>().ok());
    value.filter(|v| v.abs() <= limit).ok_or(Refusal::Field(name))
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::kit::Fault;
    use proptest::prelude::*;
    use serde_json::json;
    use warmline_model::Timestamp;

    const AT: Timestamp = Timestamp::from_secs(1_342_433_360);

    fn account(settings: &Value) -> Account {
        let secrets = [("app_secret".to_owned(), "0123456789abcdef".to_owned())].into();
        Account::read(settings, &secrets).ok().unwrap()
    }

    fn read(kind: &str, text: &str, data: &Value) -> Result<Inbound, Refusal> {
        parse(&account(&json!({})), sign::message(7, 9, AT, kind, text, data).as_bytes())
    }

    fn said(kind: &str, text: &str, data: &Value) -> Content {
        read(kind, text, data).unwrap().content
    }

    #[test]
    fn every_kind() {
        let inbound = read("text", " 你好😀\n", &json!({})).unwrap();
        assert_eq!((inbound.sender.open_id.as_str(), inbound.at), ("7", AT));
        assert_eq!(inbound.content, Content::text(" 你好😀\n"));
        let media = Media { id: Some("821804469".into()), ..Media::default() };
        let ids = json!({ "vfid": 821_804_459, "tovfid": 821_804_469 });
        assert_eq!(said("image", "发了一张图片", &ids), Content::Image { media: media.clone() });
        assert_eq!(said("voice", "x", &ids), Content::Voice { media, transcript: None });
        let as_text = Value::String(ids.to_string());
        assert_eq!(said("image", "x", &as_text), said("image", "x", &ids));
        let place = json!({ "longitude": "116.308586", "latitude": "39.982525" });
        let label = Some("我在这里".to_owned());
        let location = Content::Location { latitude: 39.982_525, longitude: 116.308_586, scale: None, label };
        assert_eq!(said("position", "我在这里", &place), location);
        let Content::Unknown { raw_kind, raw } = said("sticker", "x", &json!({ "a": 1 })) else { panic!() };
        assert_eq!((raw_kind.as_str(), &raw["data"]["a"]), ("sticker", &json!(1)));
    }

    #[test]
    fn events() {
        for name in ["follow", "unfollow", "subscribe", "unsubscribe", "scan", "scan_follow", "click", "view"] {
            let data = json!({ "subtype": name, "key": "K", "ticket": "T" });
            let expected = json!({ "ticket": "T", "text": "说明" });
            assert_eq!(
                said("event", "说明", &data),
                Content::Event { event: name.into(), key: Some("K".into()), data: expected }
            );
        }
        let data = json!({ "subtype": "status", "key": "3342" });
        let expected = json!({ "subtype": "status", "text": "@品牌 你好" });
        let mention = Content::Event { event: "mention".into(), key: Some("3342".into()), data: expected };
        assert_eq!(said("mention", "@品牌 你好", &data), mention);
        let bare = Content::Event { event: "follow".into(), key: None, data: Value::Null };
        assert_eq!(said("event", "", &json!({ "subtype": "follow" })), bare);
    }

    #[test]
    fn keys_tell_retries_from_messages_and_name_nobody() {
        let key = |kind: &str, text: &str| read(kind, text, &json!({ "subtype": "s" })).unwrap().key;
        assert_eq!(key("text", "a"), key("text", "a"));
        assert_ne!(key("text", "a"), key("text", "b"));
        assert_ne!(key("text", "a"), key("event", "a"));
        let other = sign::message(8, 9, AT, "text", "a", &json!({ "subtype": "s" }));
        assert_ne!(parse(&account(&json!({})), other.as_bytes()).unwrap().key, key("text", "a"));
    }

    #[test]
    fn refusals_name_the_field() {
        let bad = |body: &str| parse(&account(&json!({ "uid": "9" })), body.as_bytes()).err();
        let good = sign::message(7, 9, AT, "text", "x", &json!({}));
        assert_eq!(bad(&good), None);
        for (name, from) in [("sender_id", "7"), ("receiver_id", "9"), ("created_at", "\"Mon"), ("type", "\"text\"")] {
            let broken = good.replacen(&format!("\"{name}\":{from}"), &format!("\"was\":{from}"), 1);
            assert_eq!(bad(&broken), Some(Refusal::Field(name)));
        }
        assert_eq!(bad(&sign::message(7, 8, AT, "text", "x", &json!({}))), Some(Refusal::WrongRecipient));
        assert_eq!(read("image", "x", &json!({ "vfid": 1 })).err(), Some(Refusal::Field("tovfid")));
        assert_eq!(read("event", "x", &json!({})).err(), Some(Refusal::Field("subtype")));
        let place = json!({ "longitude": "NaN", "latitude": 1 });
        assert_eq!(read("position", "x", &place).err(), Some(Refusal::Field("longitude")));
        assert!(matches!(bad("{\"text\":\"\\ud800\"}"), Some(Refusal::Field(_))));
        assert!(matches!(bad("{\"text\":\"\\u0000\"}"), Some(Refusal::Field(_))));
        assert_eq!(bad("[]"), Some(Refusal::Malformed(Fault::NotObject)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, text: String) {
            let account = account(&json!({}));
            let _ = parse(&account, &bytes);
            let _ = parse(&account, format!("{{{text}").as_bytes());
        }

        #[test]
        fn mutated_messages_do_not_panic(at in 0usize..400, to: u8, cut in 0usize..400) {
            let account = account(&json!({}));
            let mut body = sign::message(7, 9, AT, "image", "你好😀", &json!({ "tovfid": 1 })).into_bytes();
            let at = at % body.len();
            body[at] = to;
            let _ = parse(&account, &body);
            body.truncate(cut);
            let _ = parse(&account, &body);
        }

        #[test]
        fn any_text_survives(text in "[^\\x00]{0,80}") {
            prop_assert_eq!(said("text", &text, &json!({})), Content::text(text));
        }
    }
}
