//! The message that our own clients (the app's SDK, the web chat page) post: `{"id": …, "text": …}` or
//! `{"id": …, "content": {…}}`, where `content` is the model's own JSON.
//!
//! `id` is the client's: it sends the same one again when it does not know whether a message arrived. Two customers may use
//! the same ids, and a page that is loaded again may count again. The deduplication key therefore covers the customer and
//! the content as well. A kind of content that this version does not know (a newer client's) is kept as
//! [`Content::Unknown`].

use crate::digest::opaque_key;
use crate::json;
use crate::keys;
use crate::kit::{Capabilities, Carries, Fault, Overlong, Refusal, Reply, Request, TextUnit, Undeliverable, Verified};
use crate::wx::page::Page;
use serde::Deserialize;
use serde_json::Value;
use warmline_model::{Content, Inbound, Media, Sender, Timestamp};

/// The longest body: 4,000 characters take at most 48,000 bytes, if each is written as two `\u` escapes.
pub(crate) const MAX_BYTES: usize = 64 * 1024;
/// The longest text, in characters.
pub(crate) const TEXT_LIMIT: usize = 4_000;
/// The longest ids (client message id, member id), in bytes.
pub(crate) const MAX_ID: usize = 128;

/// The kinds of content in either direction.
const KINDS: &[&str] = &["text", "image", "voice", "video", "file", "location", "link", "order_card", "event"];
/// The kinds that come in: those, and the kinds of a newer client.
const KINDS_IN: &[&str] = &["text", "image", "voice", "video", "file", "location", "link", "order_card", "event", "unknown"];

const SENDER: &str = "sender";
const AT: &str = "at";

/// The capabilities of our own clients.
pub(crate) const fn capabilities(channel: &'static str, name_zh: &'static str, name_en: &'static str) -> Capabilities {
    Capabilities {
        channel,
        name_zh,
        name_en,
        carries: Carries::Chat,
        text_limit: TEXT_LIMIT,
        text_unit: TextUnit::Chars,
        overlong: Overlong::Refuse,
        kinds_in: KINDS_IN,
        kinds_out: KINDS,
        window: None,
        receipts: false,
        badge: true,
        media_limit: 0,
    }
}

#[derive(Deserialize)]
struct Body {
    id: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    content: Option<Value>,
}

/// Whether a request posts a message.
pub(crate) fn is_post(request: &Request<'_>) -> bool {
    request.method == http::Method::POST && matches!(request.rest, "" | "/" | "/messages")
}

/// A verified body, with its sender and time.
pub(crate) fn verified(body: &[u8], sender: &Sender, at: Timestamp) -> Result<Verified, Refusal> {
    if body.len() > MAX_BYTES {
        return Err(Refusal::Malformed(Fault::TooLong));
    }
    let sender = serde_json::to_string(sender).map_err(|_| Refusal::Field("sender"))?;
    Ok(Verified::new(body.to_vec()).with(SENDER, sender).with(AT, at.millis().to_string()))
}

/// The message in a verified body.
pub(crate) fn inbound(body: &Verified) -> Result<Inbound, Refusal> {
    let lost = Refusal::Field("sender");
    let sender: Sender = body.context(SENDER).and_then(|s| serde_json::from_slice(s.as_bytes()).ok()).ok_or(lost)?;
    let at = body.context(AT).and_then(|s| s.parse().ok()).map(Timestamp::from_millis).ok_or(lost)?;
    let Body { id, text, content } = json::read_as(body.body(), MAX_BYTES)?;
    if id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) {
        return Err(Refusal::Field("id"));
    }
    let content = match (text, content) {
        (Some(text), None) => checked(Content::text(text))?,
        (None, Some(raw)) => read_content(raw)?,
        _ => return Err(Refusal::Malformed(Fault::OneOf("text or content"))),
    };
    Ok(Inbound {
        earlier_key: Some(opaque_key("client", &[&sender.open_id, &id])),
        key: keys::of_message("client", &[&sender.open_id, &id], &content),
        sender,
        at,
        content,
        reply_to: None,
    })
}

/// The answer to a message: it is stored.
pub(crate) fn accepted() -> Reply {
    Reply::json(&serde_json::json!({ "accepted": true }))
}

fn read_content(raw: Value) -> Result<Content, Refusal> {
    if json::holds_nul(&raw) {
        return Err(json::Error::Nul.into());
    }
    let kind = raw.get("kind").and_then(Value::as_str).filter(|k| !k.is_empty()).ok_or(Refusal::Field("content.kind"))?;
    if KINDS.contains(&kind) {
        return checked(serde_json::from_value(raw).map_err(|_| Refusal::Field("content"))?);
    }
    Ok(Content::Unknown { raw_kind: kind.to_owned(), raw })
}

/// Checks the bounds that the types do not hold. Addresses must be http(s), because an agent's browser will be asked to
/// open them.
fn checked(mut content: Content) -> Result<Content, Refusal> {
    match &mut content {
        // Quoted history, which no check looks at, belongs to mail alone. A client of ours could hide words in it.
        mail if mail.is_mail() => return Err(Refusal::Field("content")),
        Content::Text { text, .. } if text.trim().is_empty() => return Err(Refusal::Malformed(Fault::EmptyText)),
        Content::Text { text, .. } if text.contains('\0') => return Err(json::Error::Nul.into()),
        Content::Image { media } | Content::Voice { media, .. } | Content::Video { media } | Content::File { media } => {
            check_media(media)?;
        }
        Content::Location { latitude, longitude, .. } if !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0) => {
            return Err(Refusal::Malformed(Fault::OneOf("latitude or longitude")));
        }
        Content::Link { url, .. } if !is_web(url) => return Err(Refusal::Field("url")),
        Content::OrderCard { order_id, .. } if order_id.is_empty() || order_id.len() > MAX_ID => {
            return Err(Refusal::Field("order_id"));
        }
        Content::Event { event, .. } => {
            if event.is_empty() || event.len() > MAX_ID {
                return Err(Refusal::Field("event"));
            }
            *event = event.to_lowercase();
        }
        _ => {}
    }
    if content.words().is_some_and(|words| words.chars().count() > TEXT_LIMIT) {
        return Err(Refusal::TooLong);
    }
    Ok(content)
}

/// Whether a client can show a reply: a medium names its bytes, and a browser may open an address.
pub(crate) fn check_reply(capabilities: &Capabilities, content: &Content) -> Result<(), Undeliverable> {
    capabilities.check(content)?;
    match content {
        Content::Link { url, .. } if !is_web(url) && Page::read(url).is_none() => Err(Undeliverable::LinkNotWeb),
        _ => match content.media() {
            Some(Media { id: None, url: None, .. }) => Err(Undeliverable::MediaMissing),
            Some(Media { url: Some(url), .. }) if !is_web(url) => Err(Undeliverable::LinkNotWeb),
            _ => Ok(()),
        },
    }
}

fn check_media(media: &Media) -> Result<(), Refusal> {
    match (&media.id, &media.url) {
        (None, None) => Err(Refusal::Field("media")),
        (_, Some(url)) if !is_web(url) => Err(Refusal::Field("media.url")),
        _ => Ok(()),
    }
}

fn is_web(url: &str) -> bool {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    lower.starts_with("https://") || lower.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn from(open_id: &str, body: &[u8]) -> Result<Inbound, Refusal> {
        let sender = Sender { open_id: open_id.to_owned(), ..Sender::default() };
        inbound(&verified(body, &sender, Timestamp::from_secs(9))?)
    }

    fn read(body: &Value) -> Result<Content, Refusal> {
        from("m1", body.to_string().as_bytes()).map(|i| i.content)
    }

    #[test]
    fn text_and_content() {
        let inbound = from("m1", r#"{"id":"c1","text":"你好😀","new":1}"#.as_bytes()).unwrap();
        assert_eq!((inbound.content, inbound.at.millis()), (Content::text("你好😀"), 9_000));
        let card = json!({ "kind": "order_card", "order_id": "A1" });
        let expected = Content::OrderCard { order_id: "A1".into(), title: None, status: None };
        assert_eq!(read(&json!({ "id": "c1", "content": card })), Ok(expected));
        let newer = read(&json!({ "id": "c1", "content": { "kind": "poll", "q": 1 } })).unwrap();
        assert_eq!(newer, Content::Unknown { raw_kind: "poll".into(), raw: json!({ "kind": "poll", "q": 1 }) });
    }

    #[test]
    fn keys_are_per_customer_and_name_nobody() {
        let key = |who: &str, id: &str| from(who, json!({ "id": id, "text": "x" }).to_string().as_bytes()).unwrap().key;
        assert_eq!(key("m1", "1"), key("m1", "1"));
        assert_ne!(key("m1", "1"), key("m2", "1"));
        let other = from("m1", json!({ "id": "1", "text": "y" }).to_string().as_bytes()).unwrap();
        assert_ne!(other.key, key("m1", "1"), "the page counts anew");
        assert_ne!(key("m1", "21"), key("m12", "1"));
        assert!(!key("member", "client-id").contains("member"));
    }

    #[test]
    fn refusals() {
        let content = |content: Value| read(&json!({ "id": "1", "content": content })).err();
        assert_eq!(read(&json!({ "id": "", "text": "x" })), Err(Refusal::Field("id")));
        assert_eq!(read(&json!({ "id": "x".repeat(129), "text": "x" })), Err(Refusal::Field("id")));
        assert_eq!(read(&json!({ "id": "a\0", "text": "x" })), Err(Refusal::Field("id")));
        assert_eq!(read(&json!({ "id": "1" })), Err(Refusal::Malformed(Fault::OneOf("text or content"))));
        assert_eq!(
            read(&json!({ "id": "1", "text": "x", "content": {} })),
            Err(Refusal::Malformed(Fault::OneOf("text or content")))
        );
        assert_eq!(read(&json!({ "id": "1", "text": " \n" })), Err(Refusal::Malformed(Fault::EmptyText)));
        assert_eq!(read(&json!({ "id": "1", "text": "a\0b" })), Err(Refusal::Malformed(Fault::Json(json::Error::Nul))));
        assert_eq!(read(&json!({ "id": "1", "text": "😀".repeat(4_000) })), Ok(Content::text("😀".repeat(4_000))));
        assert_eq!(read(&json!({ "id": "1", "text": "好".repeat(4_001) })), Err(Refusal::TooLong));
        assert_eq!(
            content(json!({ "kind": "link", "title": "t", "url": "javascript:alert(1)" })),
            Some(Refusal::Field("url"))
        );
        assert_eq!(content(json!({ "kind": "link", "title": "t", "url": "HTTPS://x" })), None);
        assert_eq!(content(json!({ "kind": "image", "media": {} })), Some(Refusal::Field("media")));
        let location = json!({ "kind": "location", "latitude": 91, "longitude": 0 });
        assert_eq!(content(location), Some(Refusal::Malformed(Fault::OneOf("latitude or longitude"))));
        assert_eq!(content(json!({ "kind": "text" })), Some(Refusal::Field("content")));
        for field in
            [json!({ "quoted": "x" }), json!({ "cc": ["a@b"] }), json!({ "to": ["a@b"] }), json!({ "reply_to": "a@b" })]
        {
            let mut text = json!({ "kind": "text", "text": "x" });
            text.as_object_mut().unwrap().extend(field.as_object().unwrap().clone());
            assert_eq!(content(text), Some(Refusal::Field("content")), "w13: words hidden as history");
        }
        assert_eq!(content(json!("text")), Some(Refusal::Field("content.kind")));
        assert_eq!(
            content(json!({ "kind": "link", "title": "好".repeat(4_001), "url": "https://x" })),
            Some(Refusal::TooLong)
        );
        assert!(matches!(from("m1", br#"{"id":"1","text":"\ud800"}"#), Err(Refusal::Malformed(_))));
        assert!(matches!(from("m1", b"\xff"), Err(Refusal::Malformed(_))));
        assert_eq!(from("m1", &vec![b' '; 10 << 20]), Err(Refusal::Malformed(Fault::TooLong)));
        let escaped = format!(r#"{{"id":"1","text":"{}"}}"#, r"\ud83d\ude00".repeat(4_000));
        assert!(from("m1", escaped.as_bytes()).is_ok(), "the longest text in its longest spelling fits");
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, text: String, kind in "[a-z_]{0,10}", url in ".*") {
            let _ = from("m1", &bytes);
            let _ = from("m1", format!(r#"{{"id":"1","content":{text}}}"#).as_bytes());
            let _ = read(&json!({ "id": "1", "content": { "kind": kind, "text": text, "url": url, "title": "t", "media": { "url": url } } }));
        }
    }
}
