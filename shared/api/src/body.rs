//! Reading request bodies.

use serde::de::DeserializeOwned;
use serde_json::error::Category;
use warmline_http::{Problem, Request};

/// Reads a JSON body of a known shape.
///
/// # Errors
/// 400 where it is not JSON, 422 where it has another shape. The texts repeat nothing of the body but names of fields.
pub fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    serde_json::from_slice(&request.body).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        match e.classify() {
            Category::Data => {
                let text = e.to_string();
                let known = ["missing field", "unknown field"].iter().any(|p| text.starts_with(p));
                let detail =
                    if known { text } else { format!("a field has a value of the wrong type or form ({place})") };
                Problem::new(422, "invalid_body", detail)
            }
            _ => Problem::new(400, "malformed_json", format!("the body is not JSON ({place})")),
        }
    })
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
