//! Reads a customer's message or event: the common parts of official accounts, mini programs and WeCom. A [`Dialect`] adds
//! the parts of one of them.
//!
//! The key that distinguishes a retry from a new message consists of sender, time, `MsgId` and content: the platform has
//! given one `MsgId` to two senders. Events have no id, and one second can have several of a kind (cards, reports, address
//! books). Their key holds the whole event. Keys are digests, because an open id is personal data and a key is not sealed.

use super::payload::Payload;
use crate::digest::opaque_key;
use crate::keys;
use crate::kit::{MENU_ANSWER, MESSAGE_CONTEXT, Refusal};
use crate::values::{given_name, is_id};
use crate::xml;
use serde_json::Value;
use warmline_model::{Content, Inbound, Media, Sender, Timestamp};

/// The fields that every message has and that an event's data need not repeat.
const COMMON: &[&str] = &["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "EventKey"];

/// The longest open id and `MsgId` accepted. The platform's have 28 characters and 19 digits.
const MAX_ID: usize = 128;

/// The parts that only one platform has.
pub(crate) trait Dialect {
    /// Whether the previous release also made the key of an event from its whole content.
    const WHOLE_EVENTS_BEFORE: bool = false;

    /// The sender.
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

/// Reads a message with its context: an answer to a menu names the item that was tapped, and a question about an article
/// the article. The context comes before the words, as an event of its own, since the words alone do not tell it.
pub(crate) fn with_context<D: Dialect>(body: &[u8]) -> Result<Vec<Inbound>, Refusal> {
    let body = xml::readable(body);
    let fields = Payload::read(&body)?;
    let inbound = read::<D>(&fields)?;
    let about = match &inbound.content {
        Content::Event { .. } | Content::Unknown { .. } => None,
        _ => context(&fields),
    };
    let context = about.map(|content| Inbound { key: format!("{}#context", inbound.key), content, ..inbound.clone() });
    Ok(context.into_iter().chain([inbound]).collect())
}

/// The menu item (群发菜单消息's `bizmsgmenuid`) or the article (`MsgDataId`, `Idx`) that a message answers.
fn context(fields: &Payload<'_>) -> Option<Content> {
    let filled = |name| fields.text(name).and_then(|text| given_name(&text, MAX_ID));
    if let Some(item) = filled("bizmsgmenuid") {
        return Some(Content::Event { event: MENU_ANSWER.to_owned(), key: Some(item), data: Value::Null });
    }
    let article = filled("MsgDataId")?;
    let data = filled("Idx").map_or(Value::Null, |index| serde_json::json!({ "Idx": index }));
    Some(Content::Event { event: MESSAGE_CONTEXT.to_owned(), key: Some(article), data })
}

/// Reads a message or event.
#[cfg(test)]
pub(crate) fn parse<D: Dialect>(body: &[u8]) -> Result<Inbound, Refusal> {
    read::<D>(&Payload::read(&xml::readable(body))?)
}

pub(crate) fn read<D: Dialect>(fields: &Payload<'_>) -> Result<Inbound, Refusal> {
    let open_id = D::sender(fields).ok_or(Refusal::Field("FromUserName"))?;
    let kind = fields.filled("MsgType").ok_or(Refusal::Field("MsgType"))?;
    let created = fields.text("CreateTime").ok_or(Refusal::Field("CreateTime"))?;
    let created = created.trim();
    let at = created.parse::<u32>().map_err(|_| Refusal::Field("CreateTime"))?;
    let content = match D::content(fields, kind.trim()) {
        Some(content) => content?,
        None => content::<D>(fields, kind.trim())?,
    };
    let (key, earlier_key) = match (&content, message_id(fields)) {
        (Content::Event { event, key, data }, report) => {
            let (key, data) = (key.as_deref().unwrap_or_default(), data.to_string());
            let earlier = || opaque_key("event", &[&open_id, created, event, report.as_deref().unwrap_or_default()]);
            let whole = opaque_key("event", &[&open_id, created, event, key, &data]);
            (whole, (!D::WHOLE_EVENTS_BEFORE).then(earlier))
        }
        (_, Some(id)) => (keys::of_message("message", &[&open_id, created, &id], &content), Some(id)),
        // The platform promises an id for the documented kinds. For other kinds, nothing may get lost.
        (Content::Unknown { raw_kind, .. }, None) => {
            let earlier = opaque_key("other", &[&open_id, created, raw_kind]);
            (keys::of_message("other", &[&open_id, created], &content), Some(earlier))
        }
        (_, None) => return Err(Refusal::Field("MsgId")),
    };
    let sender = Sender { open_id, ..Sender::default() };
    Ok(Inbound { earlier_key, key, sender, at: Timestamp::from_secs(i64::from(at)), content, reply_to: None })
}

/// `MsgId`, or `MsgID` as some of the platform's own samples spell it.
fn message_id(fields: &Payload<'_>) -> Option<String> {
    id(fields, "MsgId").or_else(|| id(fields, "MsgID"))
}

/// An id of a reasonable length.
pub(crate) fn id(fields: &Payload<'_>, name: &str) -> Option<String> {
    let text = fields.text(name)?;
    let text = text.trim();
    is_id(text, MAX_ID).then(|| text.to_owned())
}

fn content<D: Dialect>(fields: &Payload<'_>, kind: &str) -> Result<Content, Refusal> {
    let owned = |name| fields.filled(name).map(|text| text.into_owned());
    Ok(match kind {
        // A sticker that the platform cannot pass on comes as a text without content.
        "text" => Content::text(fields.text("Content").unwrap_or_default()),
        "image" => {
            let media = Media { id: owned("MediaId"), url: owned("PicUrl"), ..Media::default() };
            if media.id.is_none() && media.url.is_none() {
                return Err(Refusal::Field("MediaId"));
            }
            Content::Image { media }
        }
        "voice" => {
            let id = Some(owned("MediaId").ok_or(Refusal::Field("MediaId"))?);
            let media = Media { id, format: owned("Format"), ..Media::default() };
            Content::Voice { media, transcript: owned("Recognition") }
        }
        "video" | "shortvideo" => {
            let id = Some(owned("MediaId").ok_or(Refusal::Field("MediaId"))?);
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
            url: owned("Url").ok_or(Refusal::Field("Url"))?,
        },
        "event" => event::<D>(fields)?,
        _ => Content::Unknown { raw_kind: kind.to_owned(), raw: Value::Object(fields.without(&[])) },
    })
}

/// An event keeps the platform's own fields. For customers who come by a QR code, `scene` names the code, and tells whether
/// they followed just now (`subscribe` with `qrscene_…`) or had done so before (`SCAN`).
fn event<D: Dialect>(fields: &Payload<'_>) -> Result<Content, Refusal> {
    let event = fields.filled("Event").ok_or(Refusal::Field("Event"))?.trim().to_lowercase();
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
    value.filter(|v| v.abs() <= limit).ok_or(Refusal::Field(name))
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::kit::Fault;
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
        assert_eq!((inbound.earlier_key.as_deref(), inbound.at.millis()), (Some("42"), 5_000));
        assert_eq!(inbound.sender.open_id, "oUser");
    }

    #[test]
    fn required_fields_are_named() {
        assert_eq!(parse(b"<xml/>"), Err(Refusal::Field("FromUserName")));
        assert_eq!(with("text", &[("Content", "x")]), Err(Refusal::Field("MsgId")));
        assert_eq!(with("text", &[("Content", "x"), ("MsgId", "")]), Err(Refusal::Field("MsgId")));
        assert_eq!(with("image", &[("MsgId", "1")]), Err(Refusal::Field("MediaId")));
        assert_eq!(with("voice", &[("MsgId", "1")]), Err(Refusal::Field("MediaId")));
        assert_eq!(with("event", &[]), Err(Refusal::Field("Event")));
        assert_eq!(with("link", &[("MsgId", "1")]), Err(Refusal::Field("Url")));
        for bad in ["NaN", "inf", "91", "", "x"] {
            let fields = [("Location_X", bad), ("Location_Y", "1"), ("MsgId", "1")];
            assert_eq!(with("location", &fields), Err(Refusal::Field("Location_X")));
        }
        let no_time = sign::text("o", "gh", 1, 1, "x").replace("<CreateTime>1<", "<CreateTime>1.5<");
        assert_eq!(parse(no_time.as_bytes()), Err(Refusal::Field("CreateTime")));
        assert_eq!(parse(b"<html/>"), Err(Refusal::Malformed(Fault::Root)));
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
    fn w1_one_msg_id_of_two_senders_is_two_messages() {
        let text = |from: &str, time, id, text: &str| parse(sign::text(from, "gh", time, id, text).as_bytes()).unwrap();
        let first = text("oA", 5, 42, "在吗");
        assert_eq!(text("oA", 5, 42, "在吗"), first, "a retry");
        for other in
            [text("oB", 5, 42, "在吗"), text("oA", 6, 42, "在吗"), text("oA", 5, 43, "在吗"), text("oA", 5, 42, "在么")]
        {
            assert_ne!(other.key, first.key);
        }
        assert!(!first.key.contains("oA"));
        let picture = |id| with("image", &[("MsgId", "1"), ("MediaId", id), ("PicUrl", "http://p")]).unwrap().key;
        assert_ne!(picture("m1"), picture("m2"));
    }

    #[test]
    fn w2_events_of_one_second_are_told_by_all_that_they_say() {
        let card = |code| with("event", &[("Event", "user_get_card"), ("CardId", "c"), ("UserCardCode", code)]).unwrap();
        assert_eq!(card("1"), card("1"), "a retry");
        assert_ne!(card("1").key, card("2").key);
        assert_eq!(card("1").earlier_key, card("2").earlier_key, "the release before held them for one");
        let menu = |key| with("event", &[("Event", "CLICK"), ("EventKey", key)]).unwrap().key;
        assert_ne!(menu("a"), menu("b"));
        let place = |latitude| with("event", &[("Event", "LOCATION"), ("Latitude", latitude)]).unwrap().key;
        assert_ne!(place("23.1"), place("23.2"));
    }

    #[test]
    fn w0_half_a_surrogate_or_a_cut_character_is_replaced() {
        let body = sign::text("oUser", "gh", 5, 42, "谢谢X");
        let with = |odd: &[u8]| {
            let (before, after) = body.split_once('X').unwrap();
            parse(&[before.as_bytes(), odd, after.as_bytes()].concat()).unwrap().content
        };
        assert_eq!(with(b"\xf0\x9f\x98"), Content::text("谢谢\u{FFFD}"));
        assert_eq!(with(b"\0"), Content::text("谢谢\u{FFFD}"));
        let json = br#"{"FromUserName":"o","CreateTime":7,"MsgType":"text","Content":"\ud83d","MsgId":1}"#;
        assert_eq!(parse(json).unwrap().content, Content::text("\u{FFFD}"));
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
    fn f9_a_text_without_content_is_an_empty_one() {
        for fields in [&[("MsgId", "1")][..], &[("MsgId", "1"), ("Content", "")]] {
            let inbound = with("text", fields).unwrap();
            assert_eq!((inbound.content, inbound.earlier_key.as_deref()), (Content::text(""), Some("1")));
        }
    }

    #[test]
    fn f9_what_a_message_answers_is_kept() {
        let all = |fields: &[(&str, &str)]| {
            super::with_context::<Plain>(sign::message("oUser", "gh", 5, "text", fields).as_bytes()).unwrap()
        };
        let found = all(&[("MsgId", "42"), ("Content", "满意"), ("bizmsgmenuid", "101")]);
        let answer = Content::Event { event: "menu_answer".into(), key: Some("101".into()), data: Value::Null };
        assert_eq!((&found[0].content, found[0].key.clone()), (&answer, format!("{}#context", found[1].key)));
        assert_eq!(
            (&found[1].content, found[1].earlier_key.as_deref(), found.len()),
            (&Content::text("满意"), Some("42"), 2)
        );
        assert_eq!(found[0].sender, found[1].sender);
        for (given, item) in
            [("满意", "满意"), (" 转人工\n", "转人工"), ("not ok", "not ok"), (&"满".repeat(200), &"满".repeat(128))]
        {
            let found = all(&[("MsgId", "42"), ("Content", "x"), ("bizmsgmenuid", given)]);
            assert!(matches!(&found[0].content, Content::Event { key: Some(key), .. } if key == item), "{given}");
        }
        assert_eq!(all(&[("MsgId", "42"), ("Content", "x"), ("bizmsgmenuid", " ")]).len(), 1);
        let found = all(&[("MsgId", "42"), ("Content", "多少钱"), ("MsgDataId", "2247483653"), ("Idx", "2")]);
        let article =
            Content::Event { event: "message_context".into(), key: Some("2247483653".into()), data: json!({ "Idx": "2" }) };
        assert_eq!((&found[0].content, &found[1].content), (&article, &Content::text("多少钱")));
        assert_eq!(all(&[("MsgId", "42"), ("Content", "x")]).len(), 1);
    }

    #[test]
    fn unknown_kinds_survive_raw() {
        let inbound = with("sticker", &[("MsgId", "9"), ("Face", "😀")]).unwrap();
        let Content::Unknown { raw_kind, raw } = inbound.content else { panic!() };
        assert_eq!((inbound.earlier_key.as_deref(), raw_kind.as_str(), &raw["Face"]), (Some("9"), "sticker", &json!("😀")));
        assert!(with("sticker", &[]).unwrap().key.starts_with("other-"));
    }

    #[test]
    fn json_bodies() {
        let body = json!({ "FromUserName": "o", "ToUserName": "gh", "CreateTime": 7, "MsgType": "text", "Content": "x", "MsgId": u64::MAX });
        assert_eq!(parse(body.to_string().as_bytes()).unwrap().earlier_key, Some(u64::MAX.to_string()));
        assert!(matches!(parse(br#"{"FromUserName":"\ud800"}"#), Err(Refusal::Field(_))));
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
