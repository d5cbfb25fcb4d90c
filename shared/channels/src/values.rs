//! Values in platforms' JSON: ids, numbers and times that are sometimes a number and sometimes a text, and objects inside
//! texts.

use crate::json;
use crate::kit::{Fault, Refusal};
use serde_json::{Map, Value};
use warmline_model::Timestamp;

/// The longest id accepted from a body. The platforms' own have up to about 100 characters.
pub(crate) const MAX_ID: usize = 256;

/// The most bytes of JSON read from texts inside one body. The bounds of [`json`] apply to each text by itself. This one
/// keeps a body of many such texts from costing many times as much.
pub(crate) const MAX_NESTED: usize = 256 * 1024;

/// A field as text. Numbers keep their spelling.
pub(crate) fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A whole number, or a text that is one.
pub(crate) fn whole(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Whether a text can be an id: 1 to `max` visible ASCII characters.
pub(crate) fn is_id(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// An id: a number, or a text of visible ASCII that is neither empty nor overlong.
pub(crate) fn id(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::String(text) => {
            let text = text.trim();
            is_id(text, MAX_ID).then(|| text.to_owned())
        }
        _ => None,
    }
}

/// A name that a brand gave to something, such as an item of a menu, in any script. It is cut to `max` characters, without
/// blanks around it and control characters in it; `None` if nothing is left.
pub(crate) fn given_name(text: &str, max: usize) -> Option<String> {
    let name: String = text.chars().filter(|c| !c.is_control()).collect();
    let name: String = name.trim().chars().take(max).collect();
    (!name.is_empty()).then_some(name)
}

/// The words of a text message; empty if the platform leaves them out. A value that is not a text makes it another kind of
/// message.
pub(crate) fn words(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => None,
    }
}

/// A text that is not empty.
pub(crate) fn filled<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// An object, or a text that holds one, as in the inner part of a platform's event. Any other value is stored under `name`.
pub(crate) fn nested(value: Option<&Value>, name: &str) -> Result<Map<String, Value>, Refusal> {
    let read = match value {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::String(text)) if text.is_empty() => return Ok(Map::new()),
        Some(Value::String(text)) => match json::read_lenient(text.as_bytes(), MAX_NESTED) {
            Ok(value) => value,
            Err(json::Error::Syntax) => Value::String(text.clone()),
            Err(error) => return Err(error.into()),
        },
        Some(other) => other.clone(),
    };
    Ok(match read {
        Value::Object(map) => map,
        other => Map::from_iter([(name.to_owned(), other)]),
    })
}

/// Chooses the items of a list whose texts of that name are together within [`MAX_NESTED`]: all of them, or all but the
/// longest ones if they are too much.
pub(crate) fn fitting<'v>(items: impl Iterator<Item = Option<&'v Value>>, name: &str) -> Vec<bool> {
    let length = |item: Option<&Value>| item.and_then(|item| item.get(name)?.as_str()).map_or(0, str::len);
    let lengths: Vec<usize> = items.map(length).collect();
    let mut fits = vec![true; lengths.len()];
    let mut sum: usize = lengths.iter().sum();
    if sum <= MAX_NESTED {
        return fits;
    }
    let mut longest: Vec<(&usize, &mut bool)> = lengths.iter().zip(&mut fits).collect();
    longest.sort_by_key(|(length, _)| std::cmp::Reverse(**length));
    for (length, fits) in longest {
        if sum <= MAX_NESTED {
            break;
        }
        sum -= length;
        *fits = false;
    }
    fits
}

/// The reason why an item that does not [fit](fitting) is odd.
pub(crate) const TOO_MUCH: Refusal = Refusal::Malformed(Fault::NestedTooLong);

/// A time in seconds or in milliseconds since 1970. A number with more digits than the seconds of the year 5138 counts
/// milliseconds.
pub(crate) fn instant(value: Option<&Value>) -> Option<Timestamp> {
    match whole(value)? {
        number @ 1..=99_999_999_999 => Some(Timestamp::from_secs(number)),
        number @ 100_000_000_000..=9_999_999_999_999 => Some(Timestamp::from_millis(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_ids_and_times() {
        assert_eq!(whole(Some(&json!("7200"))), Some(7200));
        assert_eq!(whole(Some(&json!(7.5))), None);
        assert_eq!(whole(None), None);
        assert_eq!(id(Some(&json!(4_705_288_465_508_532_862_u64))).as_deref(), Some("4705288465508532862"));
        assert_eq!(id(Some(&json!(" a "))).as_deref(), Some("a"));
        assert_eq!(id(Some(&json!("a b"))), None);
        assert_eq!(id(Some(&json!(""))), None);
        assert_eq!(id(Some(&json!(1.5))), None);
        assert_eq!(id(Some(&json!("x".repeat(MAX_ID + 1)))), None);
        assert_eq!(instant(Some(&json!(1_618_990_587))), Some(Timestamp::from_secs(1_618_990_587)));
        assert_eq!(instant(Some(&json!("1681303285997"))), Some(Timestamp::from_millis(1_681_303_285_997)));
        assert_eq!(instant(Some(&json!(0))), None);
        assert_eq!(instant(Some(&json!(i64::MAX))), None);
    }

    #[test]
    fn f9_names_that_a_brand_gave_and_words_that_nobody_said() {
        assert_eq!(given_name(" 转人工\n", 128).as_deref(), Some("转人工"));
        assert_eq!(given_name("a\u{0}\u{7f}b c", 128).as_deref(), Some("ab c"));
        assert_eq!(given_name(&"满".repeat(200), 128), Some("满".repeat(128)));
        assert_eq!((given_name("", 128), given_name(" \u{1} ", 128)), (None, None));
        assert_eq!((words(None).as_deref(), words(Some(&Value::Null)).as_deref()), (Some(""), Some("")));
        assert_eq!((words(Some(&json!(" 7 "))).as_deref(), words(Some(&json!(7))).as_deref()), (Some(" 7 "), Some("7")));
        assert_eq!((words(Some(&json!({}))), words(Some(&json!(["x"])))), (None, None));
    }

    #[test]
    fn what_is_inside_texts_is_bounded() {
        let text = |length: usize| Value::from(format!("[{}]", " ".repeat(length - 2)));
        assert!(nested(Some(&text(MAX_NESTED)), "x").is_ok());
        assert_eq!(nested(Some(&text(MAX_NESTED + 1)), "x"), Err(Refusal::Malformed(Fault::Json(json::Error::TooLong))));
        let deep = Value::from("[".repeat(100));
        assert_eq!(nested(Some(&deep), "x"), Err(Refusal::Malformed(Fault::Json(json::Error::TooDeep))));
        let fits = |items: &[Value]| fitting(items.iter().map(Some), "data");
        let items = |count: usize| vec![json!({ "data": text(1024) }); count];
        assert!(fits(&items(MAX_NESTED / 1024)).into_iter().all(|fits| fits));
        assert_eq!(fits(&items(MAX_NESTED / 1024 + 1)).into_iter().filter(|fits| !fits).count(), 1);
        let long = json!({ "data": text(MAX_NESTED) });
        assert_eq!(fits(&[json!({ "data": text(9) }), long, json!({ "data": text(9) })]), [true, false, true]);
        assert_eq!(fits(&[json!(1), json!({ "data": {} })]), [true, true]);
    }
}
