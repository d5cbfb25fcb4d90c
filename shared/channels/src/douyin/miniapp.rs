//! Reads the pushes of a mini app's customer service: WeChat's message in JSON or XML, with fewer kinds and without ids.
//!
//! A message has no id; 《消息推送客服》 tells receivers to order by `FromUserName` and `CreateTime`. The key is a digest over
//! those two, the kind and the content, so that two different messages of one second stay two. The platform's own pushes
//! (`component_ticket`, the result of a review) name no customer. They are stored on a timeline of their own, [`PLATFORM`].

use crate::digest::opaque_key;
use crate::json;
use crate::keys;
use crate::kit::{Fault, Refusal, Verified};
use crate::values::{filled, id, instant, words};
use crate::xml::{Document, MAX_BYTES, readable};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Media, Sender};

/// The sender of pushes that no customer sent.
pub(super) const PLATFORM: &str = "platform";

const COMMON: &[&str] = &["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event"];

/// A credential of service providers that the platform pushes every ten minutes. It must not lie around in a store.
const TICKET: &str = "Ticket";

/// The fields of a body: those of the JSON object, or those of the `<xml>` element, which are all texts.
pub(super) fn fields(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return json::read_object(body, MAX_BYTES);
    }
    let body = readable(body);
    let document = Document::read(&body)?;
    if document.root().name() != "xml" {
        return Err(Refusal::Malformed(Fault::Root));
    }
    match document.root().to_json() {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

pub(super) fn parse(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let fields = fields(body.body())?;
    let kind = filled(&fields, "MsgType").or(filled(&fields, "Event")).ok_or(Refusal::Field("MsgType"))?.trim();
    let open_id = id(fields.get("FromUserName")).ok_or(Refusal::Field("FromUserName"))?;
    let created = instant(fields.get("CreateTime"));
    let content = match kind {
        "text" => Content::text(words(fields.get("Content")).ok_or(Refusal::Field("Content"))?),
        "image" => {
            let url = Some(filled(&fields, "PicUrl").ok_or(Refusal::Field("PicUrl"))?.to_owned());
            Content::Image { media: Media { url, ..Media::default() } }
        }
        _ if filled(&fields, "Event").is_some() => event(&fields),
        _ => Content::Unknown { raw_kind: kind.to_owned(), raw: Value::Object(fields.clone()) },
    };
    // Customers' messages carry seconds. The platform's own hold local time in words; for them the time of arrival is good
    // enough.
    let at = match (created, &content) {
        (Some(at), _) => at,
        (None, Content::Event { .. } | Content::Unknown { .. }) => body.time(),
        (None, _) => return Err(Refusal::Field("CreateTime")),
    };
    let said = match &content {
        Content::Text { text, .. } => text.clone(),
        Content::Image { media } => media.url.clone().unwrap_or_default(),
        _ => Value::Object(fields.clone()).to_string(),
    };
    let time = fields.get("CreateTime").map(Value::to_string).unwrap_or_default();
    let (key, earlier_key) = match id(fields.get("MsgId")) {
        Some(id) => (keys::of_message("message", &[&open_id, &time, &id], &content), Some(id)),
        None => (opaque_key("message", &[&open_id, &time, kind, &said]), None),
    };
    let open_id = if open_id == "ByteDanceMicroApp" { PLATFORM.to_owned() } else { open_id };
    let sender = Sender { open_id, ..Sender::default() };
    Ok(vec![Inbound { earlier_key, key, sender, at, content, reply_to: None }])
}

fn event(fields: &Map<String, Value>) -> Content {
    let event = filled(fields, "Event").unwrap_or_default().trim().to_lowercase();
    let mut data = fields.clone();
    data.retain(|name, _| !COMMON.contains(&name.as_str()) && name != TICKET);
    Content::Event { event, key: None, data: if data.is_empty() { Value::Null } else { Value::Object(data) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use warmline_model::Timestamp;

    fn read(body: &[u8]) -> Result<Inbound, Refusal> {
        parse(&Verified::new(body.to_vec()).with_time(Timestamp::from_secs(5))).map(|mut messages| messages.remove(0))
    }

    fn message(fields: Value) -> Result<Inbound, Refusal> {
        let mut body = json!({ "ToUserName": "tt1", "FromUserName": "u1", "CreateTime": 1_577_364_225 });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        read(body.to_string().as_bytes())
    }

    #[test]
    fn texts_and_pictures() {
        let text = message(json!({ "MsgType": "text", "Content": "在吗" })).unwrap();
        assert_eq!((text.sender.open_id.as_str(), text.at), ("u1", Timestamp::from_secs(1_577_364_225)));
        assert_eq!(text.content, Content::text("在吗"));
        assert_eq!(text.key, message(json!({ "MsgType": "text", "Content": "在吗" })).unwrap().key);
        assert_ne!(text.key, message(json!({ "MsgType": "text", "Content": "在么" })).unwrap().key);
        assert!(!text.key.contains("u1"));
        let image = message(json!({ "MsgType": "image", "PicUrl": "https://p.byteimg.com/1", "MsgId": 7 })).unwrap();
        let url = Some("https://p.byteimg.com/1".to_owned());
        assert_eq!(image.content, Content::Image { media: Media { url, ..Media::default() } });
        assert_eq!(image.earlier_key.as_deref(), Some("7"));
        let xml = "<xml><FromUserName>u1</FromUserName><CreateTime>1577364225</CreateTime>\
                   <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[在吗]]></Content></xml>";
        assert_eq!(read(xml.as_bytes()).unwrap().content, text.content);
    }

    #[test]
    fn events_and_the_platforms_own() {
        let entered = message(json!({ "MsgType": "event", "Event": "Enter", "SessionFrom": "page" })).unwrap();
        let data = json!({ "SessionFrom": "page" });
        assert_eq!(entered.content, Content::Event { event: "enter".into(), key: None, data });
        let other = message(json!({ "MsgType": "gift", "Gift": 1 })).unwrap();
        assert!(matches!(other.content, Content::Unknown { raw_kind, .. } if raw_kind == "gift"));
        let ticket = json!({ "FromUserName": "ByteDanceMicroApp", "CreateTime": "2019-01-14 12:45:10", "Event": "PUSH",
            "MsgType": "Ticket", "Ticket": "8c0d" });
        let ticket = read(ticket.to_string().as_bytes()).unwrap();
        assert_eq!((ticket.sender.open_id.as_str(), ticket.at), (PLATFORM, Timestamp::from_millis(5000)));
        assert_eq!(ticket.content, Content::Event { event: "push".into(), key: None, data: Value::Null });
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(message(json!({})), Err(Refusal::Field("MsgType")));
        assert_eq!(message(json!({ "MsgType": "text", "Content": {} })), Err(Refusal::Field("Content")));
        assert_eq!(message(json!({ "MsgType": "image" })), Err(Refusal::Field("PicUrl")));
        assert_eq!(
            message(json!({ "MsgType": "text", "Content": "a", "CreateTime": "x" })),
            Err(Refusal::Field("CreateTime"))
        );
        assert_eq!(message(json!({ "MsgType": "text", "FromUserName": "" })), Err(Refusal::Field("FromUserName")));
        let nul = message(json!({ "MsgType": "text", "Content": "a\0" })).unwrap();
        assert_eq!(nul.content, Content::text("a\u{FFFD}"));
        assert!(read(b"<html/>").is_err());
        assert!(read(br#"{"MsgType":"text","Content":"\ud800"}"#).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(body: Vec<u8>, text in "[{<].{0,80}") {
            let _ = read(&body);
            let _ = read(text.as_bytes());
        }

        #[test]
        fn texts_survive(text in "[^\\x00]{0,80}") {
            prop_assert_eq!(message(json!({ "MsgType": "text", "Content": text })).unwrap().content, Content::text(text));
        }
    }
}
