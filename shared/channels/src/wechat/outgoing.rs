//! A reply in the platform's form: one set of kinds, two notations. The customer-service API takes JSON. The answer to a
//! webhook (passive reply) is XML.

use crate::kit::Undeliverable;
use crate::wx::page::Page;
use crate::xml::Writer;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;
use warmline_model::{Content, Timestamp};

/// One entry of a 图文 (news) message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article<'a> {
    /// Title.
    pub title: &'a str,
    /// Description.
    pub description: Option<&'a str>,
    /// Address.
    pub url: &'a str,
    /// Address of its picture.
    pub picture: Option<&'a str>,
}

/// The kinds of messages that can be sent to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing<'a> {
    /// Text.
    Text(&'a str),
    /// A picture, by media id.
    Image(&'a str),
    /// Speech, by media id.
    Voice(&'a str),
    /// A film.
    Video {
        /// Media id.
        media_id: &'a str,
        /// Media id of its preview, which the API requires.
        thumb_media_id: Option<&'a str>,
        /// Title.
        title: Option<&'a str>,
        /// Description.
        description: Option<&'a str>,
    },
    /// Links. In a reply to a message the platform shows one entry.
    News(Vec<Article<'a>>),
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
            Content::Image { media } => Self::Image(media_id(&media.id)?),
            Content::Voice { media, .. } => Self::Voice(media_id(&media.id)?),
            Content::Video { media } => Self::Video {
                media_id: media_id(&media.id)?,
                thumb_media_id: media.thumb_id.as_deref().filter(|id| !id.is_empty()),
                title: media.name.as_deref(),
                description: None,
            },
            // A card would need the app's id and a cover, for which an article has no place.
            Content::Link { url, .. } if Page::read(url).is_some() => return Err(Undeliverable::CardNotSupported),
            Content::Link { title, description, url } => {
                Self::News(vec![Article { title, description: description.as_deref(), url, picture: None }])
            }
            _ => return Err(Undeliverable::KindNotSupported),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Voice(_) => "voice",
            Self::Video { .. } => "video",
            Self::News(_) => "news",
        }
    }

    /// The body for the customer-service API.
    pub fn to_json(&self, to: &str) -> Vec<u8> {
        // Only a Serialize that fails by itself or a map with odd keys can fail here. This one does neither.
        serde_json::to_vec(&Addressed { to, message: self }).unwrap_or_default()
    }

    /// The passive reply.
    pub fn to_xml(&self, to: &str, from: &str, now: Timestamp) -> String {
        let mut xml = Writer::new();
        xml.open("xml").text("ToUserName", to).text("FromUserName", from).number("CreateTime", now.secs());
        xml.text("MsgType", self.kind());
        match self {
            Self::Text(text) => {
                xml.text("Content", text);
            }
            Self::Image(id) => {
                xml.open("Image").text("MediaId", id).close("Image");
            }
            Self::Voice(id) => {
                xml.open("Voice").text("MediaId", id).close("Voice");
            }
            Self::Video { media_id, title, description, .. } => {
                xml.open("Video").text("MediaId", media_id);
                optional(&mut xml, "Title", *title);
                optional(&mut xml, "Description", *description);
                xml.close("Video");
            }
            Self::News(articles) => {
                xml.number("ArticleCount", i64::try_from(articles.len()).unwrap_or(0)).open("Articles");
                for article in articles {
                    xml.open("item").text("Title", article.title);
                    optional(&mut xml, "Description", article.description);
                    optional(&mut xml, "PicUrl", article.picture);
                    xml.text("Url", article.url).close("item");
                }
                xml.close("Articles");
            }
        }
        xml.close("xml");
        xml.finish()
    }
}

fn optional(xml: &mut Writer, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        xml.text(name, text);
    }
}

/// `{"touser", "msgtype": kind, kind: {…}}`.
struct Addressed<'a> {
    to: &'a str,
    message: &'a Outgoing<'a>,
}

impl Serialize for Addressed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.message.kind();
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("touser", self.to)?;
        map.serialize_entry("msgtype", kind)?;
        match self.message {
            Outgoing::Text(text) => map.serialize_entry(kind, &json!({ "content": text }))?,
            Outgoing::Image(id) | Outgoing::Voice(id) => map.serialize_entry(kind, &json!({ "media_id": id }))?,
            Outgoing::Video { media_id, thumb_media_id, title, description } => {
                let mut body = json!({ "media_id": media_id });
                for (name, value) in [("thumb_media_id", thumb_media_id), ("title", title), ("description", description)] {
                    if let Some(value) = value {
                        body[name] = json!(value);
                    }
                }
                map.serialize_entry(kind, &body)?;
            }
            Outgoing::News(articles) => {
                let articles: Vec<_> = articles
                    .iter()
                    .map(|a| {
                        let mut item =
                            json!({ "title": a.title, "description": a.description.unwrap_or_default(), "url": a.url });
                        if let Some(picture) = a.picture {
                            item["picurl"] = json!(picture);
                        }
                        item
                    })
                    .collect();
                map.serialize_entry(kind, &json!({ "articles": articles }))?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use warmline_model::Media;

    fn json(content: &Content) -> Value {
        serde_json::from_slice(&Outgoing::from_content(content).unwrap().to_json("oUser")).unwrap()
    }

    #[test]
    fn json_bodies() {
        let expected = json!({ "touser": "oUser", "msgtype": "text", "text": { "content": "您好😀\"]]>" } });
        assert_eq!(json(&Content::text("您好😀\"]]>")), expected);
        let link = Content::Link { title: "t".into(), description: None, url: "https://x".into() };
        assert_eq!(json(&link)["news"]["articles"][0], json!({ "title": "t", "description": "", "url": "https://x" }));
        let video = Content::Video { media: Media { id: Some("m".into()), ..Media::default() } };
        assert_eq!(json(&video)["video"], json!({ "media_id": "m" }));
    }

    #[test]
    fn what_cannot_be_carried_has_a_code() {
        let no_id = Content::Image { media: Media { url: Some("https://x".into()), ..Media::default() } };
        assert_eq!(Outgoing::from_content(&no_id), Err(Undeliverable::MediaIdMissing));
        let file = Content::File { media: Media::default() };
        assert_eq!(Outgoing::from_content(&file), Err(Undeliverable::KindNotSupported));
    }
}
