//! One entry of 微信客服's `msg_list`.
//!
//! `origin` says who speaks: 3 the customer, 4 the system (events), 5 the platform's own servicer. What servicers write and
//! what concerns only them is not a customer's and is left out. On events the ids are inside `event`. The key is made of the customer,
//! `msgid`, the time and the words; not of media ids, which may be others when a page is fetched again.
//!
//! What of a customer is not as documented survives as [`Content::Unknown`]. An entry is odd only where nothing says whose it is, or
//! what it is.

use crate::digest::opaque_key;
use crate::kit::{MENU_ANSWER, Refusal};
use crate::values::is_id;
use crate::wx::page::Page;
use serde_json::{Map, Value, json};
use warmline_model::{Content, Inbound, Media, Sender, Timestamp};

const SERVICER: i64 = 5;
/// The longest id taken; the platform's have about 40 characters.
const MAX_ID: usize = 128;
/// How long a welcome code is good, by the document.
const WELCOME_SECS: i64 = 20;

/// Reads an entry of an account; `before` is the time of the entry before it, for those that have none.
///
/// # Errors
/// Nothing says what it is, or whose.
pub(super) fn read(entry: &Value, source: &str, before: Timestamp) -> Result<Option<Inbound>, Refusal> {
    if !entry.is_object() {
        return Err(Refusal::Malformed("not a JSON object"));
    }
    if entry["origin"].as_i64() == Some(SERVICER) {
        return Ok(None);
    }
    let kind = text(entry, "msgtype").ok_or(Refusal::Malformed("msgtype"))?;
    let event = (kind == "event").then(|| &entry["event"]);
    let named = |name| event.and_then(|e| id(e, name)).or_else(|| id(entry, name));
    let Some(open_id) = named("external_userid") else {
        // What happens to a servicer alone concerns no customer.
        return if event.is_some() { Ok(None) } else { Err(Refusal::Malformed("external_userid")) };
    };
    let at = entry["send_time"].as_i64().filter(|at| (0..=i64::from(u32::MAX)).contains(at));
    let at = at.map_or(before, Timestamp::from_secs);
    let content = match event {
        Some(event) => read_event(event),
        None => content(kind, &entry[kind]),
    };
    let content = content.unwrap_or_else(|| Content::Unknown { raw_kind: kind.to_owned(), raw: entry.clone() });
    let (key, earlier_key) = match id(entry, "msgid") {
        Some(id) => {
            let words = content.words().unwrap_or_default();
            let what = event.and_then(|event| text(event, "event_type")).unwrap_or(kind);
            (opaque_key("kf", &[&open_id, &id, what, &entry["send_time"].to_string(), words]), Some(id))
        }
        None => (opaque_key("entry", &[source, &entry.to_string()]), None),
    };
    let mut reply_to = json!({ "open_kfid": named("open_kfid").unwrap_or_else(|| source.to_owned()) });
    if let Some(code) = event.and_then(|event| text(event, "welcome_code")) {
        reply_to["welcome_code"] = json!(code);
        reply_to["welcome_until"] = json!(at.secs().saturating_add(WELCOME_SECS));
    }
    let sender = Sender { open_id, ..Sender::default() };
    Ok(Some(Inbound { earlier_key, key, sender, at, content, reply_to: Some(reply_to) }))
}

/// Which item of a menu a text answers, as an event before it.
pub(super) fn menu_answer(entry: &Value, text: &Inbound) -> Option<Inbound> {
    let item = id(&entry["text"], "menu_id").filter(|_| matches!(text.content, Content::Text { .. }))?;
    let content = Content::Event { event: MENU_ANSWER.to_owned(), key: Some(item), data: Value::Null };
    Some(Inbound { key: format!("{}#context", text.key), content, ..text.clone() })
}

/// A text that is there and not empty.
fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value[name].as_str().filter(|text| !text.is_empty())
}

fn owned(value: &Value, name: &str) -> Option<String> {
    text(value, name).map(str::to_owned)
}

fn id(value: &Value, name: &str) -> Option<String> {
    text(value, name).filter(|id| is_id(id, MAX_ID)).map(str::to_owned)
}

fn content(kind: &str, body: &Value) -> Option<Content> {
    let media = || Some(Media { id: Some(owned(body, "media_id")?), ..Media::default() });
    Some(match kind {
        "text" => Content::text(body["content"].as_str()?),
        "image" => Content::Image { media: media()? },
        // `voice_format` 0 was asked for.
        "voice" => Content::Voice { media: Media { format: Some("amr".into()), ..media()? }, transcript: None },
        "video" => Content::Video { media: media()? },
        "file" => Content::File { media: media()? },
        "location" => {
            let degrees = |name: &str, limit: f64| body[name].as_f64().filter(|v| v.abs() <= limit);
            let label = [text(body, "name"), text(body, "address")].into_iter().flatten().collect::<Vec<_>>().join(" ");
            Content::Location {
                latitude: degrees("latitude", 90.0)?,
                longitude: degrees("longitude", 180.0)?,
                scale: None,
                label: (!label.is_empty()).then_some(label),
            }
        }
        "link" => Content::Link {
            title: owned(body, "title").unwrap_or_default(),
            description: owned(body, "desc"),
            url: owned(body, "url")?,
        },
        "miniprogram" => {
            let (app_id, path) = (text(body, "appid")?, text(body, "pagepath")?);
            let cover = text(body, "thumb_media_id").unwrap_or_default();
            if app_id.contains('/') || cover.contains('#') {
                return None;
            }
            let url = Page { app_id, path, cover }.to_string();
            Content::Link { title: owned(body, "title").unwrap_or_default(), description: None, url }
        }
        "channels_shop_order" => Content::OrderCard {
            order_id: owned(body, "order_id")?,
            title: owned(body, "product_titles"),
            status: owned(body, "state"),
        },
        _ => return None,
    })
}

/// An event keeps the platform's own fields but the ids that say whose it is. Its key: where the customer came from, or the
/// message that it is about.
fn read_event(event: &Value) -> Option<Content> {
    let name = text(event, "event_type")?.to_lowercase();
    let key = ["scene", "fail_msgid", "recall_msgid"].into_iter().find_map(|key| owned(event, key));
    let mut data: Map<String, Value> = event.as_object()?.clone();
    data.retain(|name, _| !matches!(name.as_str(), "event_type" | "external_userid" | "welcome_code"));
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    Some(Content::Event { event: name, key, data })
}
