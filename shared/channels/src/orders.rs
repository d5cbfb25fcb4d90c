//! The common ground of the marketplaces' order messages: JSON fields that are sometimes numbers and sometimes texts, a
//! buyer with several possible names, and an event made of the other fields.

use crate::values::text;
use serde_json::{Map, Value};
use warmline_model::{Content, Sender};

/// The longest order number, buyer id or message id accepted.
const MAX_ID: usize = 128;

/// The first of the fields that holds an id: one to [`MAX_ID`] bytes without control characters.
pub(crate) fn id(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let good = |id: &String| (1..=MAX_ID).contains(&id.len()) && !id.chars().any(char::is_control);
    names.iter().filter_map(|name| text(fields, name)).map(|id| id.trim().to_owned()).find(good)
}

/// The person of an event: the buyer or, if the message names none, the order or the shop. A prefix distinguishes these
/// from buyers. Neither an order nor a shop can receive a message.
pub(crate) fn about(buyer: Option<String>, order: Option<&str>, shop: Option<&str>) -> Sender {
    let open_id = match (buyer, order, shop) {
        (Some(buyer), _, _) => buyer,
        (None, Some(order), _) => format!("order:{order}"),
        (None, None, Some(shop)) => format!("shop:{shop}"),
        (None, None, None) => "shop:unknown".to_owned(),
    };
    Sender { open_id, ..Sender::default() }
}

/// An event: the platform's name for it in lower case, the order's number, and all fields.
pub(crate) fn happened(name: &str, order: Option<String>, fields: Map<String, Value>) -> Content {
    let data = if fields.is_empty() { Value::Null } else { Value::Object(fields) };
    Content::Event { event: name.to_lowercase(), key: order, data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_and_senders() {
        let Value::Object(fields) = json!({ "a": "", "b": 42, "c": " x ", "d": "a\nb", "e": ["x"] }) else { panic!() };
        assert_eq!(id(&fields, &["a", "b"]).as_deref(), Some("42"));
        assert_eq!(id(&fields, &["c"]).as_deref(), Some("x"));
        assert_eq!(id(&fields, &["d", "e", "f"]), None);
        assert_eq!(about(Some("小明".into()), Some("1"), None).open_id, "小明");
        assert_eq!(about(None, Some("1"), Some("2")).open_id, "order:1");
        assert_eq!(about(None, None, Some("2")).open_id, "shop:2");
        assert_eq!(about(None, None, None).open_id, "shop:unknown");
    }
}
