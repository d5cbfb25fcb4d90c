//! A webhook's body, XML or JSON, as named fields. Official accounts and mini programs push XML or JSON, by their owner's
//! choice. WeCom pushes XML.

use crate::json;
use crate::kit::{Fault, Refusal};
use crate::xml::{Document, MAX_BYTES};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A body's fields.
pub(crate) enum Payload<'a> {
    Xml(Document<'a>),
    Json(Map<String, Value>),
}

impl<'a> Payload<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        if body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
            return json::read_object(body, MAX_BYTES).map(Self::Json);
        }
        let document = Document::read(body)?;
        if document.root().name() != "xml" {
            return Err(Refusal::Malformed(Fault::Root));
        }
        Ok(Self::Xml(document))
    }

    pub(crate) fn is_xml(&self) -> bool {
        matches!(self, Self::Xml(_))
    }

    /// A field as text. Numbers keep their spelling.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Xml(document) => document.text(name).map(Cow::Borrowed),
            Self::Json(map) => match map.get(name)? {
                Value::String(text) => Some(Cow::Borrowed(text)),
                Value::Number(number) => Some(Cow::Owned(number.to_string())),
                Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "1" } else { "0" })),
                _ => None,
            },
        }
    }

    /// A field as text, if it is present and not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<Cow<'_, str>> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// All fields except the named ones, as JSON.
    pub(crate) fn without(&self, names: &[&str]) -> Map<String, Value> {
        let mut map = match self {
            Self::Xml(document) => match document.root().to_json() {
                Value::Object(map) => map,
                _ => Map::new(),
            },
            Self::Json(map) => map.clone(),
        };
        map.retain(|name, _| !names.contains(&name.as_str()));
        map
    }
}
