//! Bounded readers for strangers' JSON: its size, depth and number of values are capped before anything is built, so that a
//! hostile body costs one pass over its bytes and no memory.
//!
//! Our own clients' JSON is read strictly ([`read`], [`read_as`]). Platforms' JSON is read leniently ([`read_lenient`]): a
//! platform may cut a customer's words in the middle of a character and never mends it. Platforms' lists are read item by
//! item (`list`).

mod list;
mod mend;

pub(crate) use list::{ANY, List, list, list_of};

use crate::kit::{Fault, Refusal};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The longest body read.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting read.
pub const MAX_DEPTH: usize = 16;
/// The most values and keys read.
pub const MAX_VALUES: usize = 8_192;

/// The reason why a body is not read as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than the caller allows.
    #[error("the body is too long")]
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the JSON is nested too deeply")]
    TooDeep,
    /// More than [`MAX_VALUES`] values.
    #[error("the JSON has too many values")]
    TooMany,
    /// The list has more items than are accepted at once.
    #[error("the list has too many items")]
    TooManyItems,
    /// The body is not JSON or not UTF-8, or has a lone surrogate, a number that is out of range, or another shape.
    #[error("not the JSON that is wanted here")]
    Syntax,
    /// A text contains U+0000, at which a store or a screen would cut.
    #[error("a text holds U+0000")]
    Nul,
}

/// Reads a value within the bounds.
///
/// # Errors
/// The body breaks a bound or is not JSON.
pub fn read(body: &[u8], max_bytes: usize) -> Result<Value, Error> {
    let value: Value = read_as(body, max_bytes)?;
    if holds_nul(&value) { Err(Error::Nul) } else { Ok(value) }
}

/// Reads a platform's JSON within the bounds. Unreadable characters become U+FFFD: halves of surrogate pairs, bytes that
/// are not UTF-8, bare control characters, U+0000.
///
/// # Errors
/// The body breaks a bound, or is not JSON even then.
pub fn read_lenient(body: &[u8], max_bytes: usize) -> Result<Value, Error> {
    if body.len() > max_bytes {
        return Err(Error::TooLong);
    }
    measure(body, MAX_VALUES)?;
    parse_lenient(body)
}

fn parse_lenient(body: &[u8]) -> Result<Value, Error> {
    // Mostly there is nothing to mend.
    let read = serde_json::from_slice(body).or_else(|_| serde_json::from_slice(&mend::mend(body)));
    read.map(without_nul).map_err(|_| Error::Syntax)
}

/// Reads a platform's JSON, which must be an object.
pub(crate) fn read_object(body: &[u8], max_bytes: usize) -> Result<Map<String, Value>, Refusal> {
    match read_lenient(body, max_bytes)? {
        Value::Object(map) => Ok(map),
        _ => Err(Refusal::Malformed(Fault::NotObject)),
    }
}

/// Reads a typed value within the bounds. Texts may still hold U+0000.
///
/// # Errors
/// The body breaks a bound, is not JSON, or is not a `T`.
pub fn read_as<T: DeserializeOwned>(body: &[u8], max_bytes: usize) -> Result<T, Error> {
    if body.len() > max_bytes {
        return Err(Error::TooLong);
    }
    measure(body, MAX_VALUES)?;
    serde_json::from_slice(body).map_err(|_| Error::Syntax)
}

/// The value, with U+FFFD for U+0000 in its texts and names.
fn without_nul(mut value: Value) -> Value {
    if holds_nul(&value) {
        replace_nul(&mut value);
    }
    value
}

fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('\0', "\u{FFFD}"),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(map) => {
            let old = std::mem::take(map);
            map.extend(old.into_iter().map(|(name, mut value)| {
                replace_nul(&mut value);
                (name.replace('\0', "\u{FFFD}"), value)
            }));
        }
        _ => {}
    }
}

/// Whether any text or key in it holds U+0000.
pub fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// Counts brackets and separators outside of texts. The count is correct for JSON and harmless for anything else: the
/// parser decides that.
fn measure(body: &[u8], max_values: usize) -> Result<(), Error> {
    let (mut depth, mut values, mut in_text, mut escaped) = (0usize, 1usize, false, false);
    for &byte in body {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                depth += 1;
                values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b':' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        if values > max_values {
            return Err(Error::TooMany);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_text(text: &str) -> Result<Value, Error> {
        read(text.as_bytes(), MAX_BYTES)
    }

    #[test]
    fn bounds_hold_before_anything_is_built() {
        assert_eq!(read(&vec![b' '; 10 * 1024 * 1024], MAX_BYTES), Err(Error::TooLong));
        assert_eq!(read_text(&"[".repeat(500_000)), Err(Error::TooDeep));
        assert_eq!(read_text(&format!("[{}0]", "0,".repeat(500_000))), Err(Error::TooMany));
        assert!(read_text(&format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH))).is_ok());
        // Brackets and commas inside a text do not count.
        assert!(read_text(&format!("{{\"text\":\"{}\"}}", "[{,:\\\"".repeat(10_000))).is_ok());
    }

    #[test]
    fn nul_is_replaced_everywhere() {
        let value = without_nul(json!({ "a\0": ["x\0", { "b": "\0" }], "c": 1 }));
        assert_eq!(value, json!({ "a\u{FFFD}": ["x\u{FFFD}", { "b": "\u{FFFD}" }], "c": 1 }));
        assert_eq!(read_lenient(br#"{"a":"\u0000"}"#, MAX_BYTES), Ok(json!({ "a": "\u{FFFD}" })));
    }

    #[test]
    fn the_lenient_reader_has_the_same_bounds() {
        let lenient = |text: &str| read_lenient(text.as_bytes(), MAX_BYTES);
        assert_eq!(read_lenient(&vec![b' '; 10 * 1024 * 1024], MAX_BYTES), Err(Error::TooLong));
        assert_eq!(lenient(&"[".repeat(500_000)), Err(Error::TooDeep));
        assert_eq!(lenient(&format!("[{}0]", "0,".repeat(500_000))), Err(Error::TooMany));
        assert_eq!(lenient("{"), Err(Error::Syntax));
        assert_eq!(lenient("1e999"), Err(Error::Syntax));
    }

    #[test]
    fn odd_texts() {
        assert_eq!(read_text(r#"{"a":"\ud800"}"#), Err(Error::Syntax));
        assert_eq!(read_text(r#"{"a":"\u0000"}"#), Err(Error::Nul));
        assert_eq!(read_text(r#"{"\u0000":1}"#), Err(Error::Nul));
        assert_eq!(read_text(r#"{"a":"\\u0000"}"#).unwrap()["a"], "\\u0000");
        assert_eq!(read(b"{\"a\":\"\xff\"}", MAX_BYTES), Err(Error::Syntax));
        assert_eq!(read_text(r#"{"a":"\ud83d\ude00😀"}"#).unwrap()["a"], "😀😀");
        assert_eq!(read_text("1e999"), Err(Error::Syntax));
    }
}
