//! A reply in the platform's form (发送客服消息).

use crate::kit::Undeliverable;
use crate::wx::page::Page;
use serde_json::{Value, json};
use warmline_model::Content;

/// The kinds of messages that can be sent to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing<'a> {
    /// Text.
    Text(&'a str),
    /// A picture, by media id.
    Image(&'a str),
    /// A link to a web page.
    Link {
        /// Title.
        title: &'a str,
        /// Description.
        description: &'a str,
        /// Address.
        url: &'a str,
        /// Address of its picture.
        picture: &'a str,
    },
    /// A page of the mini program.
    Card {
        /// Title.
        title: &'a str,
        /// Path inside the mini program.
        path: &'a str,
        /// Media id of its cover.
        cover: &'a str,
    },
}

impl<'a> Outgoing<'a> {
    /// A reply's content in the platform's form, from the mini program `app_id`. `picture` is shown with links.
    ///
    /// # Errors
    /// The platform cannot carry it. The error is a stable code.
    pub fn from_content(
        content: &'a Content,
        app_id: Option<&str>,
        picture: Option<&'a str>,
    ) -> Result<Self, Undeliverable> {
        Ok(match content {
            Content::Text { text, .. } => Self::Text(text),
            Content::Image { media } => {
                Self::Image(media.id.as_deref().filter(|id| !id.is_empty()).ok_or(Undeliverable::MediaIdMissing)?)
            }
            Content::Link { title, description, url } => match Page::read(url) {
                // The API takes no app id: it sends only pages of the caller's own app.
                Some(page) if app_id != Some(page.app_id) => return Err(Undeliverable::PageOfAnotherApp),
                Some(page) if page.cover.is_empty() => return Err(Undeliverable::CoverMissing),
                Some(page) => Self::Card { title, path: page.path, cover: page.cover },
                None => Self::Link {
                    title,
                    description: description.as_deref().unwrap_or_default(),
                    url,
                    picture: picture.ok_or(Undeliverable::LinkPictureMissing)?,
                },
            },
            _ => return Err(Undeliverable::KindNotSupported),
        })
    }

    /// The body for the API.
    pub fn to_json(&self, to: &str) -> Vec<u8> {
        let (kind, body) = match *self {
            Self::Text(text) => ("text", json!({ "content": text })),
            Self::Image(id) => ("image", json!({ "media_id": id })),
            Self::Link { title, description, url, picture } => {
                ("link", json!({ "title": title, "description": description, "url": url, "thumb_url": picture }))
            }
            Self::Card { title, path, cover } => {
                ("miniprogrampage", json!({ "title": title, "pagepath": path, "thumb_media_id": cover }))
            }
        };
        let mut message = json!({ "touser": to, "msgtype": kind });
        message[kind] = body;
        Value::to_string(&message).into_bytes()
    }
}
