//! Reading request bodies.

use serde::de::DeserializeOwned;
use serde_json::Value;
use warmline_http::{Problem, Request};

/// Reads a JSON body of a known shape.
///
/// # Errors
/// 400 where it is not JSON, 422 where it has another shape. The texts repeat nothing of the body but names of fields.
pub fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(&request.body).map_err(|e| {
        let detail = format!("the body is not JSON (line {}, column {})", e.line(), e.column());
        Problem::new(400, "malformed_json", detail)
    })?;
    serde_json::from_value(value).map_err(|e| {
        let text = e.to_string();
        let known = ["missing field", "unknown field"].iter().any(|p| text.starts_with(p));
        let detail = if known { text } else { "a field has a value of the wrong type or form".to_owned() };
        Problem::new(422, "invalid_body", detail)
    })
}

/// Checks a word that stands in events: a short code, never a sentence that could name somebody.
///
/// # Errors
/// It is not a code.
pub fn code(field: &str, word: &str) -> Result<(), Problem> {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if (1..=40).contains(&word.len()) && word.bytes().all(ok) {
        return Ok(());
    }
    Err(Problem::field("bad_code", field, format!("{field} takes a code of 1 to 40 characters from a-z, 0-9, _ and -")))
}

/// Checks the length of a text in characters.
///
/// # Errors
/// It is too short or too long.
pub fn length(field: &str, text: &str, min: usize, max: usize) -> Result<(), Problem> {
    let n = text.chars().count();
    if (min..=max).contains(&n) {
        return Ok(());
    }
    Err(Problem::field("bad_length", field, format!("{field} takes {min} to {max} characters")))
}

/// The `reason` parameter: one of those that are taken, since it is kept.
pub(crate) fn reason(request: &Request, taken: &[&str]) -> Result<String, Problem> {
    let reason = request.param("reason").unwrap_or_default();
    if taken.contains(&reason.as_str()) {
        return Ok(reason);
    }
    Err(Problem {
        field: Some("reason".into()),
        ..Problem::new(400, "reason_needed", format!("say why, in reason: one of {}", taken.join(", ")))
    })
}
