//! The content of a message. There is one type for both directions and all channels. Content that no adapter understands
//! survives as [`Content::Unknown`] with the platform's own words, so that an agent can still see that something came.

pub mod request;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A reference to bytes that stay with the platform. They are fetched when a person looks, and never stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Media {
    /// The platform's media id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// An address given by the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Media id of a preview picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumb_id: Option<String>,
    /// The platform's word for the format (`amr`, `jpg`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// File name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// The content of a message, tagged by `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text {
        /// The text, as the customer or agent wrote it.
        text: String,
        /// The earlier part of the thread, and mails forwarded with it. It is for reading and not the writer's own words.
        /// No rule or check looks at it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quoted: Option<String>,
        /// Other recipients of a mail.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        to: Vec<String>,
        /// The recipients of copies of a mail.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cc: Vec<String>,
        /// The address for replies to a mail, if it differs from the address of its sender. The sender wrote it, and
        /// nothing proves it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<String>,
    },
    /// A picture.
    Image {
        /// The reference to its bytes.
        media: Media,
    },
    /// Speech, with the platform's transcript if it makes one.
    Voice {
        /// The reference to its bytes.
        media: Media,
        /// The text, by the platform's speech recognition.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript: Option<String>,
    },
    /// A film.
    Video {
        /// The reference to its bytes.
        media: Media,
    },
    /// A document.
    File {
        /// The reference to its bytes.
        media: Media,
    },
    /// A place on the map.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// Map zoom, if given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scale: Option<i64>,
        /// The place's name or address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// A link with a title.
    Link {
        /// Title.
        title: String,
        /// Description.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Address.
        url: String,
    },
    /// An order, shown as a card.
    OrderCard {
        /// The order's number.
        order_id: String,
        /// The goods, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The platform's or the shop's word for the order's status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// A note among colleagues. It is never sent to a customer.
    Note {
        /// The note.
        text: String,
    },
    /// Something that happened and was not said: followed, scanned, clicked a menu, …
    Event {
        /// The event's name in the platform's words, lower case.
        event: String,
        /// The event's key (menu key, scene), if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The event's other fields.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        data: Value,
    },
    /// A kind that the adapter does not know. It is stored as it came.
    Unknown {
        /// The platform's word for the kind.
        raw_kind: String,
        /// The platform's fields.
        raw: Value,
    },
}

/// The fields of all kinds together. The code that serde derives for a tagged enum reads everything into a buffer first and
/// has a reader for each kind. That is slower, and takes 45 kB in each component.
#[derive(Deserialize)]
struct Fields {
    kind: String,
    text: Option<String>,
    quoted: Option<String>,
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    cc: Vec<String>,
    reply_to: Option<String>,
    media: Option<Media>,
    transcript: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    scale: Option<i64>,
    label: Option<String>,
    title: Option<String>,
    description: Option<String>,
    url: Option<String>,
    order_id: Option<String>,
    status: Option<String>,
    event: Option<String>,
    key: Option<String>,
    #[serde(default)]
    data: Value,
    raw_kind: Option<String>,
    #[serde(default)]
    raw: Value,
}

/// A field that the kind requires.
fn needed<T, E: Error>(field: Option<T>, name: &'static str) -> Result<T, E> {
    field.ok_or_else(|| E::missing_field(name))
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let f = Fields::deserialize(deserializer)?;
        let media = |media| needed(media, "media");
        Ok(match f.kind.as_str() {
            "text" => {
                let text = needed(f.text, "text")?;
                Self::Text { text, quoted: f.quoted, to: f.to, cc: f.cc, reply_to: f.reply_to }
            }
            "image" => Self::Image { media: media(f.media)? },
            "voice" => Self::Voice { media: media(f.media)?, transcript: f.transcript },
            "video" => Self::Video { media: media(f.media)? },
            "file" => Self::File { media: media(f.media)? },
            "location" => Self::Location {
                latitude: needed(f.latitude, "latitude")?,
                longitude: needed(f.longitude, "longitude")?,
                scale: f.scale,
                label: f.label,
            },
            "link" => {
                Self::Link { title: needed(f.title, "title")?, description: f.description, url: needed(f.url, "url")? }
            }
            "order_card" => Self::OrderCard { order_id: needed(f.order_id, "order_id")?, title: f.title, status: f.status },
            "note" => Self::Note { text: needed(f.text, "text")? },
            "event" => Self::Event { event: needed(f.event, "event")?, key: f.key, data: f.data },
            "unknown" => Self::Unknown { raw_kind: needed(f.raw_kind, "raw_kind")?, raw: f.raw },
            other => return Err(D::Error::unknown_variant(other, Self::KINDS)),
        })
    }
}

impl Content {
    /// The kinds, as JSON names them.
    pub const KINDS: &[&str] =
        &["text", "image", "voice", "video", "file", "location", "link", "order_card", "note", "event", "unknown"];

    /// Plain text content.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), quoted: None, to: Vec::new(), cc: Vec::new(), reply_to: None }
    }

    /// Whether it is a text with the fields of a mail. Only a mail has them, and only its adapter may set them.
    pub fn is_mail(&self) -> bool {
        let Self::Text { quoted, to, cc, reply_to, .. } = self else { return false };
        quoted.is_some() || !to.is_empty() || !cc.is_empty() || reply_to.is_some()
    }

    /// The value of `kind` in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Image { .. } => "image",
            Self::Voice { .. } => "voice",
            Self::Video { .. } => "video",
            Self::File { .. } => "file",
            Self::Location { .. } => "location",
            Self::Link { .. } => "link",
            Self::OrderCard { .. } => "order_card",
            Self::Note { .. } => "note",
            Self::Event { .. } => "event",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The reference to its bytes, for kinds that have any.
    pub fn media(&self) -> Option<&Media> {
        match self {
            Self::Image { media } | Self::Voice { media, .. } | Self::Video { media } | Self::File { media } => Some(media),
            _ => None,
        }
    }

    /// The words in it that a person wrote or spoke, for rules and checks.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } | Self::Note { text } => Some(text),
            Self::Voice { transcript, .. } => transcript.as_deref(),
            Self::Link { title, .. } => Some(title),
            _ => None,
        }
    }

    /// All texts in it that the recipient reads.
    pub fn texts(&self) -> Vec<&str> {
        let parts: [Option<&str>; 2] = match self {
            Self::Text { text, .. } | Self::Note { text } => [Some(text), None],
            Self::Voice { transcript, .. } => [transcript.as_deref(), None],
            Self::Link { title, description, .. } => [Some(title), description.as_deref()],
            Self::Location { label, .. } => [label.as_deref(), None],
            Self::OrderCard { title, status, .. } => [title.as_deref(), status.as_deref()],
            _ => [None, None],
        };
        parts.into_iter().flatten().collect()
    }
}

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The customer.
    Customer,
    /// A human agent.
    Agent,
    /// The bot.
    Bot,
    /// Warmline itself: greeting, queue notice.
    System,
}

impl Origin {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Bot => "bot",
            Self::System => "system",
        }
    }

    /// Reads the store's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Customer, Self::Agent, Self::Bot, Self::System].into_iter().find(|o| o.as_str() == word)
    }

    /// `in` for the customer's own messages, `out` for all others.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Customer => "in",
            _ => "out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_documented_shape() {
        let json = serde_json::to_value(Content::text("你好")).unwrap();
        assert_eq!(json, serde_json::json!({ "kind": "text", "text": "你好" }));
    }

    #[test]
    fn kind_agrees_with_json() {
        let all = [
            Content::text("a"),
            Content::Image { media: Media::default() },
            Content::Voice { media: Media::default(), transcript: None },
            Content::Video { media: Media::default() },
            Content::File { media: Media::default() },
            Content::Location { latitude: 1.0, longitude: 2.0, scale: None, label: None },
            Content::Link { title: "t".into(), description: None, url: "u".into() },
            Content::OrderCard { order_id: "1".into(), title: None, status: None },
            Content::Note { text: "n".into() },
            Content::Event { event: "e".into(), key: None, data: Value::Null },
            Content::Unknown { raw_kind: "x".into(), raw: Value::Null },
        ];
        assert_eq!(all.each_ref().map(Content::kind), *Content::KINDS);
        for content in all {
            let json = serde_json::to_value(&content).unwrap();
            assert_eq!(json["kind"], content.kind());
            assert_eq!(serde_json::from_value::<Content>(json).unwrap(), content);
        }
    }

    #[test]
    fn w13_the_history_of_a_mail_is_none_of_its_words() {
        let json = serde_json::json!({ "kind": "text", "text": "好的", "quoted": "投诉", "cc": ["a@b"], "reply_to": "c@d" });
        let mail: Content = serde_json::from_value(json.clone()).unwrap();
        assert_eq!((mail.words(), mail.is_mail(), Content::text("好的").is_mail()), (Some("好的"), true, false));
        assert_eq!(serde_json::to_value(mail).unwrap(), json);
    }

    #[test]
    fn nothing_that_a_kind_needs_may_be_missing() {
        for kind in Content::KINDS {
            let refused = serde_json::from_value::<Content>(serde_json::json!({ "kind": kind })).unwrap_err().to_string();
            assert!(refused.starts_with("missing field"), "{kind}: {refused}");
        }
        let refused = |json: &str| serde_json::from_str::<Content>(json).unwrap_err().to_string();
        assert!(refused(r#"{"kind":"shout","text":"a"}"#).starts_with("unknown variant `shout`, expected one of `text`"));
        assert!(refused(r#"{"text":"a"}"#).starts_with("missing field `kind`"));
        assert!(refused(r#"{"kind":"text","text":1}"#).starts_with("invalid type"));
        let more = serde_json::from_str::<Content>(r#"{"kind":"text","text":"a","media":null,"colour":"red"}"#).unwrap();
        assert_eq!(more, Content::text("a"));
    }
}
