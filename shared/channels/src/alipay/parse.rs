//! Reads a user's message or event.

use super::account::Account;
use crate::digest::opaque_key;
use crate::json;
use crate::keys;
use crate::kit::Refusal;
use crate::values::is_id;
use crate::xml::{Document, Element, readable};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Media, Sender, Timestamp};

/// The fields that every message has and that an event's data need not repeat.
const COMMON: &[&str] =
    &["AppId", "FromUserId", "FromAlipayUserId", "CreateTime", "MsgType", "MsgId", "EventType", "ActionParam", "UserInfo"];

/// The longest user id and message id accepted. The platform's have up to 66 characters.
const MAX_ID: usize = 128;

pub(super) fn parse(account: &Account, body: &[u8]) -> Result<Inbound, Refusal> {
    let body = readable(body);
    let document = Document::read(&body)?;
    if document.text("AppId").map(str::trim) != Some(&account.app_id) {
        return Err(Refusal::WrongRecipient);
    }
    // Replies are addressed to `FromAlipayUserId`. The other field holds the old id.
    let user = id(&document, "FromAlipayUserId").or_else(|| id(&document, "FromUserId"));
    let user = user.ok_or(Refusal::Field("FromAlipayUserId"))?;
    let kind = filled(&document, "MsgType").ok_or(Refusal::Field("MsgType"))?.to_lowercase();
    let created = document.text("CreateTime").ok_or(Refusal::Field("CreateTime"))?.trim();
    let millis = created.parse::<i64>().ok().filter(|ms| *ms >= 0).ok_or(Refusal::Field("CreateTime"))?;
    let content = content(&document, &kind)?;
    let (key, earlier_key) = match (&content, id(&document, "MsgId")) {
        (Content::Event { event, key, data }, _) => {
            let key = key.as_deref().unwrap_or_default();
            let earlier = opaque_key("event", &[&user, created, event, key]);
            (opaque_key("event", &[&user, created, event, key, &data.to_string()]), Some(earlier))
        }
        (_, Some(id)) => (keys::of_message("message", &[&user, created, &id], &content), Some(id)),
        (_, None) => (opaque_key("message", &[&user, created, &Value::Object(fields(&document, &[])).to_string()]), None),
    };
    let sender = Sender { open_id: user, name: name(&document), ..Sender::default() };
    Ok(Inbound { earlier_key, key, sender, at: Timestamp::from_millis(millis), content, reply_to: None })
}

fn filled(document: &Document<'_>, name: &str) -> Option<String> {
    document.text(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn id(document: &Document<'_>, name: &str) -> Option<String> {
    filled(document, name).filter(|id| is_id(id, MAX_ID))
}

/// The user's (masked) name, from a JSON text.
fn name(document: &Document<'_>) -> Option<String> {
    let info = json::read_lenient(document.text("UserInfo")?.trim().as_bytes(), json::MAX_BYTES).ok()?;
    let name = info.get("user_name")?.as_str()?.trim();
    (!name.is_empty() && name.chars().count() <= MAX_ID && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

/// The text of `outer/inner`, or of an `inner` of its own: the platform's samples have both.
fn within<'d>(document: &'d Document<'_>, outer: &str, inner: &str) -> Option<&'d str> {
    let holder = document.root().children().find(|child| child.name() == outer);
    let nested = holder.and_then(|holder| holder.children().find(|child| child.name() == inner));
    nested.map(|child: Element<'_, '_>| child.text()).or_else(|| document.text(inner))
}

fn fields(document: &Document<'_>, without: &[&str]) -> Map<String, Value> {
    let Value::Object(mut map) = document.root().to_json() else { return Map::new() };
    map.retain(|name, value| !without.contains(&name.as_str()) && value.as_str() != Some(""));
    map
}

fn content(document: &Document<'_>, kind: &str) -> Result<Content, Refusal> {
    Ok(match kind {
        "text" => {
            let text = within(document, "Text", "Content").or_else(|| document.text("Text"));
            Content::text(text.unwrap_or_default())
        }
        "image" => {
            let owned = |name| within(document, "Image", name).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
            let id = Some(owned("MediaId").ok_or(Refusal::Field("MediaId"))?);
            Content::Image { media: Media { id, format: owned("Format"), ..Media::default() } }
        }
        "event" => event(document)?,
        _ => Content::Unknown { raw_kind: kind.to_owned(), raw: Value::Object(fields(document, &[])) },
    })
}

/// An event keeps the platform's own fields. For users who come by a code, `scene` names the code.
fn event(document: &Document<'_>) -> Result<Content, Refusal> {
    let event = filled(document, "EventType").ok_or(Refusal::Field("EventType"))?.to_lowercase();
    let key = filled(document, "ActionParam");
    let mut data = fields(document, COMMON);
    let scene = key.as_deref().and_then(|key| json::read_lenient(key.as_bytes(), json::MAX_BYTES).ok());
    let scene = scene.as_ref().and_then(|param| param.get("scene")).and_then(|scene| scene.get("sceneId"));
    if let Some(scene) = scene {
        data.insert("scene".to_owned(), scene.clone());
    }
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    Ok(Content::Event { event, key, data })
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::account;
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(xml: &str) -> Result<Inbound, Refusal> {
        parse(&account(), xml.as_bytes())
    }

    #[test]
    fn messages() {
        let inbound = read(&sign::text("2021", "2088102", 1_457_426_646_396, "160308464406000001", " 你好😀 ")).unwrap();
        assert_eq!((inbound.earlier_key.as_deref(), inbound.at.millis()), (Some("160308464406000001"), 1_457_426_646_396));
        assert_eq!((inbound.sender.open_id.as_str(), inbound.sender.name.as_deref()), ("2088102", Some("*小虎")));
        assert_eq!(inbound.content, Content::text(" 你好😀 "));
        let flat = sign::message("2021", "2088", 1, "text", &[("Text", "hi"), ("MsgId", "m2")]);
        assert_eq!(read(&flat).unwrap().content, Content::text("hi"));
        let media = Media { id: Some("L21p".into()), format: Some("jpg".into()), ..Media::default() };
        assert_eq!(read(&sign::image("2021", "2088", 1, "m3", "L21p")).unwrap().content, Content::Image { media });
        let flat = sign::message("2021", "2088", 1, "image", &[("MediaId", "L21p"), ("MsgId", "m4")]);
        assert!(matches!(read(&flat).unwrap().content, Content::Image { media } if media.id.as_deref() == Some("L21p")));
        let voice = read(&sign::message("2021", "2088", 1, "voice", &[("Length", "7")])).unwrap();
        let Content::Unknown { raw_kind, raw } = voice.content else { panic!() };
        assert_eq!((raw_kind.as_str(), &raw["Length"]), ("voice", &json!("7")));
        assert!(voice.key.starts_with("message-"));
    }

    #[test]
    fn f9_a_text_without_words_is_an_empty_one() {
        for fields in [&[][..], &[("Text", "")], &[("MsgId", "m1")]] {
            let found = read(&sign::message("2021", "2088", 1, "text", fields)).unwrap();
            assert_eq!(found.content, Content::text(""), "{fields:?}");
        }
    }

    #[test]
    fn events() {
        let event =
            |fields: &[(&str, &str)]| read(&sign::message("2021", "2088", 1_380_111_761_024, "event", fields)).unwrap();
        let click =
            event(&[("EventType", "click"), ("ActionParam", "ZFB_HFCX"), ("AgreementId", "201309"), ("AccountNo", "")]);
        let data = json!({ "AgreementId": "201309" });
        assert_eq!(click.content, Content::Event { event: "click".into(), key: Some("ZFB_HFCX".into()), data });
        let follow = event(&[("EventType", "follow"), ("ActionParam", "{\"scene\":{\"sceneId\":\"7\"}}")]);
        assert!(matches!(&follow.content, Content::Event { data, .. } if data["scene"] == "7"));
        assert_ne!(click.key, follow.key);
        assert!(click.key.starts_with("event-") && !click.key.contains("2088"));
        assert_eq!(event(&[("EventType", "follow")]).key, event(&[("EventType", "follow")]).key);
        let bare = event(&[("EventType", "unfollow"), ("ActionParam", "")]);
        assert_eq!(bare.content, Content::Event { event: "unfollow".into(), key: None, data: Value::Null });
    }

    #[test]
    fn refusals_name_the_field() {
        let good = sign::text("2021", "2088", 1, "m", "x");
        assert_eq!(read(&good.replace("2021", "2022")), Err(Refusal::WrongRecipient));
        let nobody = good.replace("2088", "").replace("open-id-of-old", "");
        assert_eq!(read(&nobody), Err(Refusal::Field("FromAlipayUserId")));
        assert_eq!(read(&good.replace("[1]", "[soon]")), Err(Refusal::Field("CreateTime")));
        assert_eq!(read(&good.replace("<![CDATA[text]]>", "")), Err(Refusal::Field("MsgType")));
        assert_eq!(read(&sign::message("2021", "2088", 1, "image", &[])), Err(Refusal::Field("MediaId")));
        assert_eq!(read(&sign::message("2021", "2088", 1, "event", &[])), Err(Refusal::Field("EventType")));
        let old = read(&good.replace("<![CDATA[2088]]>", "")).unwrap();
        assert_eq!(old.sender.open_id, "open-id-of-old");
    }

    proptest! {
        #[test]
        fn arbitrary_documents_do_not_panic(bytes: Vec<u8>, at in 0usize..400, to: u8, text in "[^\\x00-\\x1f\\u{FFFE}\\u{FFFF}]{0,40}") {
            thread_local!(static ACCOUNT: Account = account());
            ACCOUNT.with(|account| {
                let _ = parse(account, &bytes);
                let mut body = sign::text("2021", "2088", 1, "m", &text).into_bytes();
                assert_eq!(parse(account, &body).unwrap().content, Content::text(text));
                let at = at % body.len();
                body[at] = to;
                let _ = parse(account, &body);
            });
        }
    }
}
