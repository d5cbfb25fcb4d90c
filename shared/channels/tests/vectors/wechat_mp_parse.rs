//! Messages and events, through the adapter as a webhook in plain mode. The expected values are the payload's own fields,
//! found by a search that is independent of our reader, and the assertions of the vector's source.

use crate::{Vector, Verdict};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use warmline_channels::wechat::{Account, WechatAdapter, sign};
use warmline_channels::{Adapter, Outbound, Request, Verified};
use warmline_model::{Content, Inbound, Timestamp};

static CHECKED: AtomicUsize = AtomicUsize::new(0);
static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// The number of the sources' own assertions that were checked, and of those that were not
/// ([`carries_fields_of_all_kinds`]).
pub(crate) fn asserts() -> (usize, usize) {
    (CHECKED.load(Relaxed), SKIPPED.load(Relaxed))
}

const NOW: Timestamp = Timestamp::from_secs(1_410_685_589);

pub(crate) fn check(vector: &Vector) -> Verdict {
    let id = vector.id();
    let body = vector.input("body");
    let field = |name: &str| payload_field(body, name);
    let (account, verified) = receive(body);
    let inbound = WechatAdapter.parse(&account, &verified).unwrap_or_else(|e| panic!("{id}: {e}")).messages.remove(0);

    let from = field("FromUserName").unwrap();
    assert_eq!(inbound.sender.open_id, from, "{id}: sender");
    assert_eq!(inbound.at.secs().to_string(), field("CreateTime").unwrap(), "{id}: time");
    check_kind(id, &inbound.content, &field);
    check_key(id, &inbound, body, &field);
    if verified.body().starts_with(b"<") {
        // The passive reply goes back the way the message came.
        let reply = Outbound { to: &from, id: "msg_1", content: &Content::text("ok"), at: NOW, reply_to: None };
        let reply = WechatAdapter.passive(&account, &verified, &reply, NOW, &[0; 16]).unwrap();
        let reply = String::from_utf8(reply.body).unwrap();
        assert_eq!(payload_field(&reply, "FromUserName"), field("ToUserName"), "{id}: target");
        assert_eq!(payload_field(&reply, "ToUserName"), Some(from));
    }

    let facts = facts(&inbound, field("ToUserName").unwrap());
    for assert in vector.expected()["upstream_asserts"].as_array().into_iter().flatten() {
        let (name, value) = (accessor(assert[0].as_str().unwrap()), expected_text(id, &assert[1]));
        let found: Vec<&str> = facts.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.as_str()).collect();
        if found.is_empty() && carries_fields_of_all_kinds(id) {
            SKIPPED.fetch_add(1, Relaxed);
            continue;
        }
        CHECKED.fetch_add(1, Relaxed);
        // An empty field and an absent one are the same to a reader.
        let good = found.iter().any(|f| same(f, &value)) || (found.is_empty() && value.is_empty());
        assert!(good, "{id}: {name} should be {value:?}, is {found:?}");
    }
    Verdict::Passed
}

/// Two samples put the fields of every kind into one text message. Of such a message, only the text's own fields are kept.
fn carries_fields_of_all_kinds(id: &str) -> bool {
    matches!(id, "wxjava-mp-FromXml" | "wxjava-mp-FromXml2")
}

fn receive(body: &str) -> (Account, Verified) {
    let settings = json!({ "mode": "plain", "reply": "passive" });
    let account = WechatAdapter.account(&settings.into(), &[("token".to_owned(), "test".to_owned())].into()).ok().unwrap();
    let query = sign::plain_query("test", "1410685589", "test");
    assert!(query.contains("signature=f21891de399b4e33a1a93c9a7b8a8fffb5a443ff"));
    let request =
        Request { method: &Method::POST, rest: "", query: &query, headers: &HeaderMap::new(), body: body.as_bytes() };
    let verified = WechatAdapter.verify(&account, &request, NOW).ok().unwrap();
    (account, verified)
}

fn check_kind(id: &str, content: &Content, field: &dyn Fn(&str) -> Option<String>) {
    let msg_type = field("MsgType").unwrap();
    let expected = match msg_type.as_str() {
        "text" | "image" | "voice" | "video" | "location" | "link" | "event" => msg_type.as_str(),
        "shortvideo" => "video",
        _ => "unknown",
    };
    assert_eq!(content.kind(), expected, "{id}: kind");
    match content {
        Content::Text { text, .. } => assert_eq!(Some(text), field("Content").as_ref(), "{id}"),
        Content::Image { media } => assert_eq!((&media.id, &media.url), (&field("MediaId"), &field("PicUrl")), "{id}"),
        Content::Voice { media, transcript } => {
            assert_eq!((&media.id, &media.format, transcript), (&field("MediaId"), &field("Format"), &field("Recognition")));
        }
        Content::Video { media } => {
            assert_eq!((&media.id, &media.thumb_id), (&field("MediaId"), &field("ThumbMediaId")), "{id}")
        }
        Content::Location { latitude, longitude, scale, label } => {
            assert_eq!(Some(latitude.to_string()), field("Location_X"), "{id}");
            assert_eq!(Some(longitude.to_string()), field("Location_Y"), "{id}");
            assert_eq!((scale.map(|s| s.to_string()), label), (field("Scale"), &field("Label")), "{id}");
        }
        Content::Link { title, description, url } => {
            assert_eq!(
                (Some(title), description, Some(url)),
                (field("Title").as_ref(), &field("Description"), field("Url").as_ref())
            );
        }
        Content::Event { event, key, .. } => {
            assert_eq!(Some(event), field("Event").map(|e| e.to_lowercase()).as_ref(), "{id}");
            assert_eq!(key, &field("EventKey"), "{id}");
        }
        Content::Unknown { raw_kind, .. } => assert_eq!(raw_kind, &msg_type, "{id}"),
        other => panic!("{id}: {other:?}"),
    }
}

/// A message keeps the platform's `MsgId`. An event's key is the same for a retry, another for another second, and holds no
/// open id.
fn check_key(id: &str, inbound: &Inbound, body: &str, field: &dyn Fn(&str) -> Option<String>) {
    if !matches!(inbound.content, Content::Event { .. }) {
        assert_eq!(Some(crate::told_id(inbound)), field("MsgId").or(field("MsgID")).as_deref(), "{id}: key");
        return;
    }
    let key = |body: &str| {
        let (account, verified) = receive(body);
        WechatAdapter.parse(&account, &verified).unwrap().messages.remove(0).key
    };
    assert_eq!(key(body), inbound.key, "{id}: key of a retry");
    let time = field("CreateTime").unwrap();
    assert_ne!(key(&body.replacen(&time, "1", 1)), inbound.key, "{id}: key of another second");
    assert_ne!(key(&body.replacen(&field("Event").unwrap(), "x", 1)), inbound.key, "{id}: key of another event");
    assert!(inbound.key.starts_with("event-") && !inbound.key.contains(&inbound.sender.open_id), "{id}");
}

/// The first field of that name, by plain search; `None` if it is empty.
fn payload_field(body: &str, name: &str) -> Option<String> {
    if body.starts_with('{') {
        let value = serde_json::from_str::<Value>(body).unwrap();
        return match value.get(name)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
    }
    let start = body.find(&format!("<{name}>"))? + name.len() + 2;
    let inside = body[start..start + body[start..].find(&format!("</{name}>"))?].trim();
    let text = inside.strip_prefix("<![CDATA[").and_then(|t| t.strip_suffix("]]>")).unwrap_or(inside);
    (!text.is_empty()).then(|| text.to_owned())
}

/// All facts of our message, under the names that the sources' tests use.
fn facts(inbound: &Inbound, target: String) -> Vec<(String, String)> {
    let mut facts = vec![
        ("target".into(), target.clone()),
        ("touser".into(), target),
        ("source".into(), inbound.sender.open_id.clone()),
        ("fromuser".into(), inbound.sender.open_id.clone()),
        ("time".into(), inbound.at.secs().to_string()),
        ("createtime".into(), inbound.at.secs().to_string()),
        ("messageid".into(), crate::told_id(inbound).to_owned()),
        ("msgid".into(), crate::told_id(inbound).to_owned()),
    ];
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    match &inbound.content {
        Content::Event { event, key, data } => {
            for name in ["type", "msgtype"] {
                add(name, "event".into());
            }
            add("type", format!("{event}_event"));
            if event == "unknown" {
                add("type", "unknown_event".into());
            }
            add("event", event.clone());
            add("event", event.to_uppercase());
            let key = key.clone().unwrap_or_default();
            // One source calls a scan that made the customer follow `subscribe_scan`; a VIEW event's key is the address; a
            // product scan's key has three parts.
            if event == "subscribe" && data.get("scene").is_some() {
                add("event", "subscribe_scan".into());
            }
            if let Some(scene) = data.get("scene").and_then(Value::as_str) {
                add("sceneid", scene.to_owned());
            }
            for (name, part) in ["scene", "standard", "key"].iter().zip(key.split('|').collect::<Vec<_>>()) {
                if key.contains('|') {
                    add(name, part.to_owned());
                }
            }
            add("url", key.clone());
            add("eventkey", key.clone());
            add("key", key);
            flatten(data, "", &mut facts);
        }
        Content::Unknown { raw, .. } => {
            if let Some(bytes) = raw["Content"].as_str().and_then(|c| STANDARD.decode(c).ok()) {
                add("content", String::from_utf8_lossy(&bytes).into_owned());
            }
            flatten(raw, "", &mut facts);
        }
        content => {
            let value = serde_json::to_value(content).unwrap();
            for name in ["type", "msgtype"] {
                add(name, content.kind().to_owned());
            }
            if let Content::Location { latitude, longitude, .. } = content {
                add("location", format!("{latitude},{longitude}"));
                add("locationx", latitude.to_string());
                add("locationy", longitude.to_string());
            }
            flatten(&value, "", &mut facts);
        }
    }
    facts
}

/// Leaves by their own name, and under the sources' words for our own names.
fn flatten(value: &Value, name: &str, facts: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let plain = key.to_lowercase().replace('_', "");
                match (name, plain.as_str()) {
                    ("media", "id") => flatten(value, "mediaid", facts),
                    ("media", "url") => flatten(value, "img", facts),
                    ("media", "thumbid") => flatten(value, "thumbmediaid", facts),
                    (_, "transcript") => flatten(value, "recognition", facts),
                    (_, "text") => flatten(value, "content", facts),
                    (_, "succorderid") => flatten(value, "successorderid", facts),
                    (_, "piclist") => {
                        let items = value["item"].as_array().cloned().unwrap_or_else(|| vec![value["item"].clone()]);
                        let sums: Vec<_> = items.iter().map(|i| i["PicMd5Sum"].as_str().unwrap()).collect();
                        facts.push(("piclist".into(), sums.join(",")));
                    }
                    (_, "msgid") => {
                        flatten(value, "messageid", facts);
                        flatten(value, "msgid", facts);
                    }
                    _ => flatten(value, &plain, facts),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| flatten(item, name, facts)),
        Value::String(text) => facts.push((name.to_owned(), text.clone())),
        other => facts.push((name.to_owned(), other.to_string())),
    }
}

/// The field that `message.scan_type` or `popup.getScanType().doubleValue()` asks for.
fn accessor(path: &str) -> String {
    let last = path.trim_end_matches(".doubleValue()").rsplit('.').next().unwrap_or_default();
    last.trim_end_matches("()").trim_start_matches("get").to_lowercase().replace('_', "")
}

/// The value that the source's test expects, out of Python or Java notation.
fn expected_text(id: &str, value: &Value) -> String {
    let text = match value {
        Value::Array(items) => {
            let item = |i: &Value| i.get("pic_md5_sum").map_or_else(|| i.to_string(), |m| m.as_str().unwrap().to_owned());
            return items.iter().map(item).collect::<Vec<_>>().join(",");
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if !id.starts_with("wxjava") {
        return text;
    }
    let inner = text
        .split_once('(')
        .filter(|(new, _)| new.starts_with("new "))
        .map_or(text.as_str(), |(_, rest)| rest.trim_end_matches(')'));
    if let Some(constant) = inner.strip_prefix("WxConsts.") {
        return constant.rsplit('.').next().unwrap_or_default().to_lowercase();
    }
    match inner.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => inner.trim_end_matches(['L', 'd']).to_owned(),
    }
}

fn same(found: &str, expected: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    found == expected || (number(found).is_some() && number(found) == number(expected))
}
