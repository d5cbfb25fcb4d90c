//! Reading request bodies.

use serde::de::DeserializeOwned;
use serde_json::Value;
use warmline_channels::names;
use warmline_http::{Problem, Request};
use warmline_model::Content;

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
        let (field, detail) = explained(&text);
        Problem { field, ..Problem::new(422, "invalid_body", detail) }
    })
}

/// What a reader's error says, without the body's own words: of a field that nobody knows its name and the right ones; of a value that is
/// none of a list, the list.
fn explained(text: &str) -> (Option<String>, String) {
    if let Some(name) = text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return (Some(name.to_owned()), text.to_owned());
    }
    // The body's word comes first and could be anything; what follows the last of these words is ours.
    let parts = |kind: &str| text.strip_prefix(kind)?.rsplit_once("`, expected ");
    if let Some((wrong, right)) = parts("unknown field `") {
        let right: Vec<&str> = right.split('`').skip(1).step_by(2).collect();
        let detail = format!("`{wrong}` is not a field here; {}", names::instead(wrong, "fields", &right));
        return (Some(wrong.to_owned()), detail);
    }
    let wrong = "a field has a value of the wrong type or form";
    let detail = match parts("unknown variant `") {
        Some((_, right)) => format!("{wrong}; it takes {right}"),
        None => wrong.to_owned(),
    };
    (None, detail)
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

/// Refuses what only a mail that came in can say of itself: copies go to whom `reply_all` says and to nobody else.
///
/// # Errors
/// It names addresses or history.
pub(crate) fn own_words(content: &Content) -> Result<(), Problem> {
    if content.is_mail() {
        let detail = "a new text takes no quoted, to, cc or reply_to; set reply_all to answer everybody whom a mail went to";
        return Err(Problem::field("not_a_mail", "content", detail));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only their names matter")]
    struct Plan {
        #[serde(default)]
        groups: Vec<Group>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only their names matter")]
    struct Group {
        id: String,
        #[serde(default)]
        accept_secs: i64,
        #[serde(default)]
        first: Option<First>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum First {
        People,
        Ai,
    }

    fn refused(body: &Value) -> (Option<String>, String) {
        let error = serde_json::from_value::<Plan>(body.clone()).unwrap_err().to_string();
        explained(&error)
    }

    #[test]
    fn newcomer_a_misspelt_field_is_answered_with_the_right_ones() {
        let (field, detail) = refused(&json!({ "groups": [{ "id": "a", "acceptSecs": 60 }] }));
        assert_eq!(field.as_deref(), Some("acceptSecs"));
        assert_eq!(
            detail,
            "`acceptSecs` is not a field here; did you mean `accept_secs`? The fields are `id`, `accept_secs`, `first`"
        );
        let (_, detail) = refused(&json!({ "group": [] }));
        assert!(detail.contains("did you mean `groups`?"), "{detail}");
        let (field, detail) = refused(&json!({ "groups": [{}] }));
        assert_eq!((field.as_deref(), detail.as_str()), (Some("id"), "missing field `id`"));
    }

    #[test]
    fn a_wrong_word_is_answered_with_those_that_are_taken_and_not_repeated() {
        let (_, detail) = refused(&json!({ "groups": [{ "id": "a", "first": "13800000000" }] }));
        assert_eq!(detail, "a field has a value of the wrong type or form; it takes `people` or `ai`");
        let (_, detail) = refused(&json!({ "groups": "13800000000" }));
        assert_eq!(detail, "a field has a value of the wrong type or form");
        let sly = json!({ "groups": [{ "id": "a", "first": "x`, expected `y" }] });
        assert_eq!(refused(&sly).1, "a field has a value of the wrong type or form; it takes `people` or `ai`");
    }
}
