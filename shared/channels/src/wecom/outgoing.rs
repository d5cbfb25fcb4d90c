//! A reply in the platform's form: one body, two addresses (发送应用消息, 微信客服: 发送消息).

use crate::kit::Undeliverable;
use crate::wx::page::Page;
use serde_json::{Value, json};
use warmline_model::Content;

/// The longest address of a link, in bytes.
const MAX_URL: usize = 2048;

/// The kinds of messages that can be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing<'a> {
    /// Text.
    Text(&'a str),
    /// A picture, speech, film or document: the platform's word for it, and the media id.
    Media(&'static str, &'a str),
    /// A link to a web page.
    Link {
        /// Title.
        title: &'a str,
        /// Description.
        description: &'a str,
        /// Address.
        url: &'a str,
    },
    /// A page of a mini program.
    Card {
        /// The mini program.
        app_id: &'a str,
        /// Title.
        title: &'a str,
        /// Path inside the mini program.
        path: &'a str,
        /// Media id of its cover.
        cover: &'a str,
    },
    /// A place.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// Its name or address.
        label: &'a str,
    },
}

impl<'a> Outgoing<'a> {
    /// A reply's content in the platform's form.
    ///
    /// # Errors
    /// The platform cannot carry it. The error is a stable code.
    pub fn from_content(content: &'a Content) -> Result<Self, Undeliverable> {
        let media_id =
            |id: &'a Option<String>| id.as_deref().filter(|id| !id.is_empty()).ok_or(Undeliverable::MediaIdMissing);
        Ok(match content {
            Content::Text { text, .. } => Self::Text(text),
            Content::Image { media } => Self::Media("image", media_id(&media.id)?),
            Content::Voice { media, .. } => Self::Media("voice", media_id(&media.id)?),
            Content::Video { media } => Self::Media("video", media_id(&media.id)?),
            Content::File { media } => Self::Media("file", media_id(&media.id)?),
            Content::Link { title, description, url } => match Page::read(url) {
                Some(page) if page.cover.is_empty() => return Err(Undeliverable::CoverMissing),
                Some(Page { app_id, path, cover }) => Self::Card { app_id, title, path, cover },
                None => Self::Link { title, description: description.as_deref().unwrap_or_default(), url },
            },
            Content::Location { latitude, longitude, label, .. } => {
                Self::Location { latitude: *latitude, longitude: *longitude, label: label.as_deref().unwrap_or_default() }
            }
            _ => return Err(Undeliverable::KindNotSupported),
        })
    }

    /// The kind and body of an application's message.
    pub(super) fn to_member(&self) -> Result<(&'static str, Value), Undeliverable> {
        Ok(match self {
            Self::Text(text) => ("text", json!({ "content": text })),
            Self::Media(kind, id) => (kind, json!({ "media_id": id })),
            Self::Link { url, .. } if url.len() > MAX_URL => return Err(Undeliverable::LinkTooLong),
            Self::Link { title, description, url } => {
                ("news", json!({ "articles": [{ "title": title, "description": description, "url": url }] }))
            }
            Self::Card { .. } | Self::Location { .. } => return Err(Undeliverable::KindNotSupported),
        })
    }

    /// The kind and body of a 微信客服 message. Its links need an uploaded cover, which a plain link does not have. It is sent
    /// as text, in which the customer can tap the address.
    pub(super) fn to_customer(&self) -> (&'static str, Value) {
        match self {
            Self::Text(text) => ("text", json!({ "content": text })),
            Self::Media(kind, id) => (kind, json!({ "media_id": id })),
            Self::Link { title, description, url } => {
                let lines: Vec<&str> = [*title, *description, *url].into_iter().filter(|line| !line.is_empty()).collect();
                ("text", json!({ "content": lines.join("\n") }))
            }
            Self::Card { app_id, title, path, cover } => {
                ("miniprogram", json!({ "appid": app_id, "title": title, "pagepath": path, "thumb_media_id": cover }))
            }
            Self::Location { latitude, longitude, label } => {
                ("location", json!({ "name": label, "address": label, "latitude": latitude, "longitude": longitude }))
            }
        }
    }
}
