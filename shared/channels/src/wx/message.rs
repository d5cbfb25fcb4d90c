//! Reads a customer's message or event: what official accounts, mini programs and WeCom have in common. A [`Dialect`] adds
//! what one of them has alone.
//!
//! The key that tells a retry from a new message is `MsgId`; events have none, so theirs is made of sender, time and event (and
//! `MsgID` where the event reports on a sent message, of which one second can see several; see [`Dialect::WHOLE_EVENTS`]).
//! Event keys are digests: an open id is personal data and a key is not sealed.

use super::payload::Payload;
use crate::digest::opaque_key;
use crate::kit::Refusal;
use crate::values::is_id;
use serde_json::Value;
use warmline_model::{Content, Inbound, Media, Sender, Timestamp};

/// The fields that every message has and that an event's data need not repeat.
const COMMON: &[&str] = &["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "EventKey"];

/// The longest open id and `MsgId` taken; the platform's have 28 characters and 19 digits.
const MAX_ID: usize = 128;

/// What one platform has alone.
pub(crate) trait Dialect {
    /// Whether two events of one second are the same only where every field is. Official accounts' customers cause an event
    /// of a kind once a second; logistics and address books report on several things at once.
    const WHOLE_EVENTS: bool = false;

    /// Who it comes from.
    fn sender(fields: &Payload<'_>) -> Option<String> {
        id(fields, "FromUserName")
    }

    /// The content of a kind that only this platform has.
    fn content(_fields: &Payload<'_>, _kind: &str) -> Option<Result<Content, Refusal>> {
        None
    }

    /// The key of an event that has no `EventKey`.
    fn event_key(_fields: &Payload<'_>, _event: &str) -> Option<String> {
        None
    }
}

/// Reads a message or event.
pub(crate) fn parse<D: Dialect>(body: &[u8]) -> Result<Inbound, Refusal> {
    read::<D>(&Payload::read(body)?)
}

pub(crate) fn read<D: Dialect>(fields: &Payload<'_>) -> Result<Inbound, Refusal> {
    let open_id = D::sender(fields).ok_or(Refusal::Malformed("FromUserName"))?;
    let kind = fields.filled("MsgType").ok_or(Refusal::Malformed("MsgType"))?;
    let created = fields.text("CreateTime").ok_or(Refusal::Malformed("CreateTime"))?;
    let created = created.trim();
    let at = created.parse::<u32>().map_err(|_| Refusal::Malformed("CreateTime"))?;
    let content = match D::content(fields, kind.trim()) {
        Some(content) => content?,
        None => content::<D>(fields, kind.trim())?,
    };
    let key = match (&content, message_id(fields)) {
        (Content::Event { event, key, data }, _) if D::WHOLE_EVENTS => {
            let (key, data) = (key.as_deref().unwrap_or_default(), data.to_string());
            opaque_key("event", &[&open_id, created, event, key, &data])
        }
        (Content::Event { event, .. }, report) => {
            opaque_key("event", &[&open_id, created, event, report.as_deref().unwrap_or_default()])
        }
        (_, Some(id)) => id,
        // The platform promises an id for the kinds that it documents; of another kind nothing may get lost.
        (Content::Unknown { raw_kind, .. }, None) => opaque_key("other", &[&open_id, created, raw_kind]),
        (_, None) => return Err(Refusal::Malformed("MsgId")),
    };
    let sender = Sender { open_id, ..Sender::default() };
    Ok(Inbound { key, sender, at: Timestamp::from_secs(i64::from(at)), content, reply_to: None })
}

/// `MsgId`, or `MsgID` as some of the platform's own samples spell it.
fn message_id(fields: &Payload<'_>) -> Option<String> {
    id(fields, "MsgId").or_else(|| id(fields, "MsgID"))
}

/// An id of a sane length.
pub(crate) fn id(fields: &Payload<'_>, name: &str) -> Option<String> {
    let text = fields.text(name)?;
    let text = text.trim();
    is_id(text, MAX_ID).then(|| text.to_owned())
}

fn content<D: Dialect>(fields: &Payload<'_>, kind: &str) -> Result<Content, Refusal> {
    let owned = |name| fields.filled(name).map(|text| text.into_owned());
    Ok(match kind {
        "text" => Content::Text { text: fields.text("Content").ok_or(Refusal::Malformed("Content"))?.into_owned() },
        "image" => {
            let media = Media { id: owned("MediaId"), url: owned("PicUrl"), ..Media::default() };
            if media.id.is_none() && media.url.is_none() {
                return Err(Refusal::Malformed("MediaId"));
            }
            Content::Image { media }
        }
        "voice" => {
            let id = Some(owned("MediaId").ok_or(Refusal::Malformed("MediaId"))?);
            let media = Media { id, format: owned("Format"), ..Media::default() };
            Content::Voice { media, transcript: owned("Recognition") }
        }
        "video" | "shortvideo" => {
            let id = Some(owned("MediaId").ok_or(Refusal::Malformed("MediaId"))?);
            let format = (kind == "shortvideo").then(|| kind.to_owned());
            Content::Video { media: Media { id, thumb_id: owned("ThumbMediaId"), format, ..Media::default() } }
        }
        "location" => Content::Location {
            latitude: degrees(fields, "Location_X", 90.0)?,
            longitude: degrees(fields, "Location_Y", 180.0)?,
            scale: fields.text("Scale").and_then(|s| s.trim().parse().ok()),
            label: owned("Label"),
        },
        "link" => Content::Link {
            title: owned("Title").unwrap_or_default(),
            description: owned("Description"),
            url: owned("Url").ok_or(Refusal::Malformed("Url"))?,
        },
        "event" => event::<D>(fields)?,
        _ => Content::Unknown { raw_kind: kind.to_owned(), raw: Value::Object(fields.without(&[])) },
    })
}

/// An event keeps the platform's own fields. For those who come by a QR code it says which under `scene`, whether they followed
/// just now (`subscribe` with `qrscene_…`) or had done so before (`SCAN`).
fn event<D: Dialect>(fields: &Payload<'_>) -> Result<Content, Refusal> {
    let event = fields.filled("Event").ok_or(Refusal::Malformed("Event"))?.trim().to_lowercase();
    let key = fields.filled("EventKey").map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
    let mut data = fields.without(COMMON);
    let scene = match (event.as_str(), key.as_deref()) {
        ("subscribe", Some(key)) => key.strip_prefix("qrscene_"),
        ("scan", key) => key,
        _ => None,
    };
    if let Some(scene) = scene {
        data.insert("scene".to_owned(), Value::from(scene));
    }
    let key = key.or_else(|| D::event_key(fields, &event));
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    Ok(Content::Event { event, key, data })
}

fn degrees(fields: &Payload<'_>, name: &'static str, limit: f64) -> Result<f64, Refusal> {
    let value = fields.text(name).and_then(|text| text.trim().parse::<f64>().ok());
    value.filter(|v| v.abs() <= limit).ok_or(Refusal::Malformed(name))
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    struct Plain;
    impl Dialect for Plain {}

    fn parse(body: &[u8]) -> Result<Inbound, Refusal> {
        super::parse::<Plain>(body)
    }

    fn with(kind: &str, fields: &[(&str, &str)]) -> Result<Inbound, Refusal> {
        parse(sign::message("oUser", "gh", 1_700_000_000, kind, fields).as_bytes())
    }

    #[test]
    fn text_keeps_every_character() {
        let inbound = parse(sign::text("oUser", "gh", 5, 42, " 你好😀]]>&amp;\n ").as_bytes()).unwrap();
        assert_eq!(inbound.content, Content::text(" 你好😀]]>&amp;\n "));
        assert_eq!((inbound.key.as_str(), inbound.sender.open_id.as_str(), inbound.at.millis()), ("42", "oUser", 5_000));
    }

    #[test]
    fn required_fields_are_named() {
        assert_eq!(parse(b"<xml/>"), Err(Refusal::Malformed("FromUserName")));
        assert_eq!(with("text", &[("MsgId", "1")]), Err(Refusal::Malformed("Content")));
        assert_eq!(with("text", &[("Content", "x")]), Err(Refusal::Malformed("MsgId")));
        assert_eq!(with("text", &[("Content", "x"), ("MsgId", "")]), Err(Refusal::Malformed("MsgId")));
        assert_eq!(with("image", &[("MsgId", "1")]), Err(Refusal::Malformed("MediaId")));
        assert_eq!(with("voice", &[("MsgId", "1")]), Err(Refusal::Malformed("MediaId")));
        assert_eq!(with("event", &[]), Err(Refusal::Malformed("Event")));
        assert_eq!(with("link", &[("MsgId", "1")]), Err(Refusal::Malformed("Url")));
        for bad in ["NaN", "inf", "91", "", "x"] {
            let fields = [("Location_X", bad), ("Location_Y", "1"), ("MsgId", "1")];
            assert_eq!(with("location", &fields), Err(Refusal::Malformed("Location_X")));
        }
        let no_time = sign::text("o", "gh", 1, 1, "x").replace("<CreateTime>1<", "<CreateTime>1.5<");
        assert_eq!(parse(no_time.as_bytes()), Err(Refusal::Malformed("CreateTime")));
        assert_eq!(parse(b"<html/>"), Err(Refusal::Malformed("not an <xml> element")));
    }

    #[test]
    fn events_have_keys_of_their_own_that_name_nobody() {
        let key = |from: &str, time, event: &str| parse(sign::event(from, "gh", time, event, "").as_bytes()).unwrap().key;
        assert_eq!(key("oUser", 1, "subscribe"), key("oUser", 1, "subscribe"));
        assert_ne!(key("oUser", 1, "subscribe"), key("oUser", 2, "subscribe"));
        assert_ne!(key("oUser", 1, "subscribe"), key("oUser2", 1, "subscribe"));
        assert_ne!(key("oUser", 1, "subscribe"), key("oUser", 1, "SCAN"));
        assert!(!key("oUser", 1, "subscribe").contains("oUser"));
        let report = |id| with("event", &[("Event", "TEMPLATESENDJOBFINISH"), ("MsgID", id)]).unwrap().key;
        assert_ne!(report("1"), report("2"));
    }

    #[test]
    fn scenes_and_data() {
        let inbound = with("event", &[("Event", "subscribe"), ("EventKey", "qrscene_7"), ("Ticket", "T")]).unwrap();
        let data = json!({ "Ticket": "T", "scene": "7" });
        assert_eq!(inbound.content, Content::Event { event: "subscribe".into(), key: Some("qrscene_7".into()), data });
        let inbound = with("event", &[("Event", "unsubscribe"), ("EventKey", "")]).unwrap();
        assert_eq!(inbound.content, Content::Event { event: "unsubscribe".into(), key: None, data: Value::Null });
    }

    #[test]
    fn unknown_kinds_survive_raw() {
        let inbound = with("sticker", &[("MsgId", "9"), ("Face", "😀")]).unwrap();
        let Content::Unknown { raw_kind, raw } = inbound.content else { panic!() };
        assert_eq!((inbound.key.as_str(), raw_kind.as_str(), &raw["Face"]), ("9", "sticker", &json!("😀")));
        assert!(with("sticker", &[]).unwrap().key.starts_with("other-"));
    }

    #[test]
    fn json_bodies() {
        let body = json!({ "FromUserName": "o", "ToUserName": "gh", "CreateTime": 7, "MsgType": "text", "Content": "x", "MsgId": u64::MAX });
        assert_eq!(parse(body.to_string().as_bytes()).unwrap().key, u64::MAX.to_string());
        assert!(matches!(parse(br#"{"FromUserName":"\ud800"}"#), Err(Refusal::Malformed(_))));
        assert!(matches!(parse(b"{"), Err(Refusal::Malformed(_))));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, text: String) {
            let _ = parse(&bytes);
            let _ = parse(text.as_bytes());
            let _ = parse(format!("{{{text}").as_bytes());
        }

        #[test]
        fn mutated_messages_do_not_panic(at in 0usize..400, to: u8, cut in 0usize..400) {
            let mut body = sign::text("oUser", "gh", 5, 42, "你好😀").into_bytes();
            let at = at % body.len();
            body[at] = to;
            let _ = parse(&body);
            body.truncate(cut);
            let _ = parse(&body);
        }

        #[test]
        fn any_text_survives(text in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\u{FFFE}\\u{FFFF}]{0,80}") {
            let inbound = parse(sign::text("oUser", "gh", 5, 42, &text).as_bytes()).unwrap();
            prop_assert_eq!(inbound.content, Content::text(text));
        }
    }
}
