//! One entry of 微信客服's `msg_list`.
//!
//! `origin` names the author: 3 the customer, 4 the system (events), 5 the platform's own servicer. Servicers' messages,
//! and events about servicers alone, are left out. On events the ids are inside `event`. The key consists of the customer,
//! `msgid`, the time and the content. It does not contain media ids, which may change when a page is fetched again.
//!
//! An entry of a customer that does not fit the documents survives as [`Content::Unknown`]. An entry is odd only if nothing
//! tells its customer or its kind.

use crate::digest::opaque_key;
use crate::keys;
use crate::kit::{Fault, MENU_ANSWER, Refusal};
use crate::values::{given_name, is_id, whole, words};
use crate::wx::page::Page;
use serde_json::{Map, Value, json};
use warmline_model::{Content, Inbound, Media, Sender, Timestamp};

const SERVICER: i64 = 5;
/// Fields that may change when a page is fetched again.
const MOVING: &[&str] = &["media_id", "thumb_media_id"];
/// The longest id accepted. The platform's have about 40 characters.
const MAX_ID: usize = 128;
/// The time for which a welcome code is valid, by the document.
const WELCOME_SECS: i64 = 20;

/// Reads an entry of an account. `before` is the time of the entry before it, for entries without a time.
///
/// # Errors
/// Nothing tells its kind or its customer.
pub(super) fn read(entry: &Value, source: &str, before: Timestamp) -> Result<Option<Inbound>, Refusal> {
    if !entry.is_object() {
        return Err(Refusal::Malformed(Fault::NotObject));
    }
    if whole(entry.get("origin")) == Some(SERVICER) {
        return Ok(None);
    }
    let kind = entry["msgtype"].as_str().filter(|kind| !kind.is_empty()).ok_or(Refusal::Field("msgtype"))?;
    let event = (kind == "event").then(|| &entry["event"]);
    let named = |name| event.and_then(|e| id(e, name)).or_else(|| id(entry, name));
    let Some(open_id) = named("external_userid") else {
        // An event about a servicer alone concerns no customer.
        return if event.is_some() { Ok(None) } else { Err(Refusal::Field("external_userid")) };
    };
    let at = whole(entry.get("send_time")).filter(|at| (0..=i64::from(u32::MAX)).contains(at));
    let at = at.map_or(before, Timestamp::from_secs);
    let content = match event {
        Some(event) => read_event(event),
        None => content(kind, &entry[kind]),
    };
    let content = content.unwrap_or_else(|| Content::Unknown { raw_kind: kind.to_owned(), raw: entry.clone() });
    let (key, earlier_key) = match id(entry, "msgid") {
        Some(id) => {
            let time = entry["send_time"].to_string();
            (keys::of_moving("kf", &[&open_id, &id, kind, &time], &told(&content), MOVING), Some(id))
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

/// The parts of a content in its key: a medium without its id, and a card without its cover.
fn told(content: &Content) -> Content {
    let mut content = content.clone();
    match &mut content {
        Content::Image { media } | Content::Voice { media, .. } | Content::Video { media } | Content::File { media } => {
            *media = Media::default();
        }
        Content::Link { url, .. } => {
            if let Some(page) = Page::read(url) {
                *url = Page { cover: "", ..page }.to_string();
            }
        }
        _ => {}
    }
    content
}

/// The menu item that a text answers, as an event before it.
pub(super) fn menu_answer(entry: &Value, said: &Inbound) -> Option<Inbound> {
    let item = text(&entry["text"], "menu_id").and_then(|item| given_name(&item, MAX_ID));
    let item = item.filter(|_| matches!(said.content, Content::Text { .. }))?;
    let content = Content::Event { event: MENU_ANSWER.to_owned(), key: Some(item), data: Value::Null };
    Some(Inbound { key: format!("{}#context", said.key), content, ..said.clone() })
}

/// A text that is present and not empty. Numbers keep their spelling.
fn text(value: &Value, name: &str) -> Option<String> {
    words(value.get(name)).filter(|text| !text.is_empty())
}

fn id(value: &Value, name: &str) -> Option<String> {
    text(value, name).filter(|id| is_id(id, MAX_ID))
}

fn content(kind: &str, body: &Value) -> Option<Content> {
    let media = || Some(Media { id: Some(text(body, "media_id")?), ..Media::default() });
    Some(match kind {
        "text" if body.is_object() => Content::text(words(body.get("content"))?),
        "text" => Content::text(words(Some(body))?),
        "image" => Content::Image { media: media()? },
        // The request asked for `voice_format` 0.
        "voice" => Content::Voice { media: Media { format: Some("amr".into()), ..media()? }, transcript: None },
        "video" => Content::Video { media: media()? },
        "file" => Content::File { media: media()? },
        "location" => {
            let degrees = |name: &str, limit: f64| text(body, name)?.trim().parse::<f64>().ok().filter(|v| v.abs() <= limit);
            let label = [text(body, "name"), text(body, "address")].into_iter().flatten().collect::<Vec<_>>().join(" ");
            Content::Location {
                latitude: degrees("latitude", 90.0)?,
                longitude: degrees("longitude", 180.0)?,
                scale: None,
                label: (!label.is_empty()).then_some(label),
            }
        }
        "link" => Content::Link {
            title: text(body, "title").unwrap_or_default(),
            description: text(body, "desc"),
            url: text(body, "url")?,
        },
        "miniprogram" => {
            let (app_id, path) = (text(body, "appid")?, text(body, "pagepath")?);
            let cover = text(body, "thumb_media_id").unwrap_or_default();
            if app_id.contains('/') || cover.contains('#') {
                return None;
            }
            let url = Page { app_id: &app_id, path: &path, cover: &cover }.to_string();
            Content::Link { title: text(body, "title").unwrap_or_default(), description: None, url }
        }
        "channels_shop_order" => Content::OrderCard {
            order_id: text(body, "order_id")?,
            title: text(body, "product_titles"),
            status: text(body, "state"),
        },
        _ => return None,
    })
}

/// An event keeps the platform's own fields except the ids that identify the customer. Its key is the customer's origin, or
/// the message that it is about.
fn read_event(event: &Value) -> Option<Content> {
    let name = text(event, "event_type")?.to_lowercase();
    let key = ["scene", "fail_msgid", "recall_msgid"].into_iter().find_map(|key| text(event, key));
    let mut data: Map<String, Value> = event.as_object()?.clone();
    data.retain(|name, _| !matches!(name.as_str(), "event_type" | "external_userid" | "welcome_code"));
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    Some(Content::Event { event: name, key, data })
}
