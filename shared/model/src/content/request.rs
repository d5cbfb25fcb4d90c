//! Contents from staff and AI seats, read strictly, so that no field of a request is lost silently. Stored contents are
//! read leniently, since another version may have written them.

use crate::Content;
use serde::de::{Deserialize as _, Deserializer, Error};
use serde_json::{Map, Value};

const MEDIA: &[&str] = &["id", "url", "thumb_id", "format", "name", "size"];

/// The fields of a kind, besides `kind` itself.
fn fields(kind: &str) -> &'static [&'static str] {
    match kind {
        "text" => &["text", "quoted", "to", "cc", "reply_to"],
        "image" | "video" | "file" => &["media"],
        "voice" => &["media", "transcript"],
        "location" => &["latitude", "longitude", "scale", "label"],
        "link" => &["title", "description", "url"],
        "order_card" => &["order_id", "title", "status"],
        "note" => &["text"],
        "event" => &["event", "key", "data"],
        "unknown" => &["raw_kind", "raw"],
        _ => &[],
    }
}

fn only<E: Error>(given: &Map<String, Value>, known: &'static [&'static str]) -> Result<(), E> {
    match given.keys().find(|name| !known.contains(&name.as_str()) && *name != "kind") {
        Some(name) => Err(E::unknown_field(name, known)),
        None => Ok(()),
    }
}

fn read<E: Error>(given: Value) -> Result<Content, E> {
    let content: Content = serde_json::from_value(given.clone()).map_err(E::custom)?;
    if let Value::Object(given) = &given {
        only(given, fields(content.kind()))?;
        if let Some(Value::Object(media)) = given.get("media") {
            only(media, MEDIA)?;
        }
    }
    Ok(content)
}

/// One content.
pub fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Content, D::Error> {
    read(Value::deserialize(deserializer)?)
}

/// Several contents.
pub fn many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Content>, D::Error> {
    Vec::<Value>::deserialize(deserializer)?.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(given: Value) -> Result<Content, String> {
        read::<serde_json::Error>(given).map_err(|e| e.to_string())
    }

    #[test]
    fn l1_every_field_of_every_kind_is_known_and_no_other() {
        for kind in Content::KINDS {
            let mut given = json!({ "kind": kind });
            for field in fields(kind) {
                given[field] = match *field {
                    "media" => {
                        json!({ "id": "m", "url": "https://x", "thumb_id": "t", "format": "jpg", "name": "n", "size": 1 })
                    }
                    "to" | "cc" => json!(["a@x"]),
                    "latitude" | "longitude" | "scale" => json!(1),
                    "data" | "raw" => json!({ "any": { "name": 1 } }),
                    _ => json!("x"),
                };
            }
            let content = said(given.clone()).unwrap();
            let back = serde_json::to_value(&content).unwrap();
            let names =
                |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
            assert_eq!(names(&back), names(&given), "{kind}");
            given["reply_all"] = json!(true);
            assert!(said(given).unwrap_err().starts_with("unknown field `reply_all`, expected "), "{kind}");
        }
        let media = said(json!({ "kind": "image", "media": { "id": "m", "caption": "x" } }));
        assert!(media.unwrap_err().starts_with("unknown field `caption`, expected "));
        assert!(said(json!({ "kind": "text" })).unwrap_err().starts_with("missing field `text`"));
    }
}
