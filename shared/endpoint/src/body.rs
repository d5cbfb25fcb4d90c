//! Reading request bodies: the one place where the text of a body becomes values.
//!
//! Before a body is read as a type, it is checked as a whole: its media type, its encoding, names that occur twice in an
//! object (readers disagree about which one counts), and control characters. Handlers therefore need not think of these.

mod shaped;
mod strict;

use crate::{Problem, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;
use warmline_channels::names;
use warmline_model::Content;

/// A body's text and its values, after the checks of this module.
///
/// # Errors
/// 415 if the body claims not to be JSON or is encoded; 400 if it is not JSON; 422 `duplicate_key` and `bad_character`, with
/// the path. The texts repeat nothing from the body but names of fields.
pub fn checked(request: &Request) -> Result<(&str, Value), Problem> {
    Request::plain_body(&request.headers)?;
    media_type(request)?;
    let malformed = |detail: String| Problem::new(400, "malformed_json", detail);
    let text = std::str::from_utf8(&request.body).map_err(|_| malformed("the body is not UTF-8".to_owned()))?;
    let mut faults = strict::Faults::default();
    let value = strict::read(text, &mut faults)
        .map_err(|e| malformed(format!("the body is not JSON (line {}, column {})", e.line(), e.column())))?;
    match faults.first {
        Some(strict::Fault::Twice(path)) => {
            Err(Problem::field("duplicate_key", path, "the name stands twice in its object; say it once"))
        }
        Some(strict::Fault::Character(path)) => {
            let detail = "the text holds a control character (U+0000, for one); only tabs and line ends are taken";
            Err(Problem::field("bad_character", path, detail))
        }
        None => Ok((text, value)),
    }
}

/// Refuses a body with a media type other than JSON. A body without a type is taken as JSON.
fn media_type(request: &Request) -> Result<(), Problem> {
    let unsupported = |detail| Err(Problem::new(415, "unsupported_media_type", detail));
    let said = request.headers.get("content-type").map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    let said = said.unwrap_or_default();
    let (kind, charset) = said.split_once(';').unwrap_or((&said, ""));
    let kind = kind.trim();
    let is_json = matches!(kind, "" | "application/json" | "text/json")
        || (kind.starts_with("application/") && kind.ends_with("+json"));
    if !is_json {
        return unsupported("send JSON, as `Content-Type: application/json`");
    }
    let charset = charset.trim().strip_prefix("charset=").map(|c| c.trim_matches('"'));
    if charset.is_some_and(|charset| !matches!(charset, "utf-8" | "utf8" | "us-ascii")) {
        return unsupported("send JSON in UTF-8");
    }
    Ok(())
}

/// Reads a JSON body as a type.
///
/// # Errors
/// The errors of [`checked`], and 422 if the body does not fit the type.
pub fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let (_, value) = checked(request)?;
    shape(value)
}

/// Reads checked values as a type.
///
/// # Errors
/// The values do not fit the type.
pub fn shape<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(shaped::Shaped(value)).map_err(|e| {
        let (field, detail) = explained(&e.inner().to_string());
        // If the error names no field, the field is the place where the reader stopped.
        let at = || Some(e.path().to_string()).filter(|path| path != "." && path.len() <= 200);
        Problem { field: field.or_else(at), ..Problem::new(422, "invalid_body", detail) }
    })
}

/// Explains a reader's error without repeating the body's own words. For an unknown field, it names the field and the
/// known ones. For a value outside a list, it gives the list.
pub fn explained(text: &str) -> (Option<String>, String) {
    if let Some(name) = text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return (Some(name.to_owned()), text.to_owned());
    }
    // The word from the body comes first and can be anything. The text after the last occurrence of this marker is our
    // own.
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

/// Checks a word that is stored in events: a short code, never a sentence that could name somebody.
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

/// Checks the code of a purpose, which may contain dots.
///
/// # Errors
/// It is no such code.
pub fn purpose(field: &str, word: &str) -> Result<(), Problem> {
    if word.is_empty() || word.len() > 40 || code(field, &word.replace('.', "_")).is_err() {
        let detail = format!("{field} takes a code of 1 to 40 characters from a-z, 0-9, _, - and .");
        return Err(Problem::field("bad_code", field, detail));
    }
    Ok(())
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

/// Checks a name: at most `max` characters on one line.
///
/// # Errors
/// It is empty, too long, or holds a control character.
pub fn name(field: &str, text: &str, max: usize) -> Result<(), Problem> {
    length(field, text, 1, max)?;
    if text.chars().any(char::is_control) {
        return Err(Problem::field("bad_character", field, format!("{field} takes one line without control characters")));
    }
    if text.trim().is_empty() {
        return Err(Problem::field("bad_length", field, format!("{field} needs a character that is no space")));
    }
    Ok(())
}

/// Refuses fields that only a received mail can have. Copies go to the addresses that `reply_all` allows, and to no others.
///
/// # Errors
/// It has addresses or quoted history.
pub fn own_words(content: &Content) -> Result<(), Problem> {
    if content.is_mail() {
        let detail = "a new text takes no quoted, to, cc or reply_to; set reply_all to answer everybody whom a mail went to";
        return Err(Problem::field("not_a_mail", "content", detail));
    }
    Ok(())
}

/// The `reason` parameter. Only known reasons are accepted, since the reason is stored.
pub fn reason(request: &Request, taken: &[&str]) -> Result<String, Problem> {
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

    fn misread(body: &Value) -> (Option<String>, String) {
        let error = serde_json::from_value::<Plan>(body.clone()).unwrap_err().to_string();
        explained(&error)
    }

    #[test]
    fn newcomer_a_misspelt_field_is_answered_with_the_right_ones() {
        let (field, detail) = misread(&json!({ "groups": [{ "id": "a", "acceptSecs": 60 }] }));
        assert_eq!(field.as_deref(), Some("acceptSecs"));
        assert_eq!(
            detail,
            "`acceptSecs` is not a field here; did you mean `accept_secs`? The fields are `id`, `accept_secs`, `first`"
        );
        let (_, detail) = misread(&json!({ "group": [] }));
        assert!(detail.contains("did you mean `groups`?"), "{detail}");
        let (field, detail) = misread(&json!({ "groups": [{}] }));
        assert_eq!((field.as_deref(), detail.as_str()), (Some("id"), "missing field `id`"));
    }

    #[test]
    fn a_wrong_word_is_answered_with_those_that_are_taken_and_not_repeated() {
        let (_, detail) = misread(&json!({ "groups": [{ "id": "a", "first": "13800000000" }] }));
        assert_eq!(detail, "a field has a value of the wrong type or form; it takes `people` or `ai`");
        let (_, detail) = misread(&json!({ "groups": "13800000000" }));
        assert_eq!(detail, "a field has a value of the wrong type or form");
        let sly = json!({ "groups": [{ "id": "a", "first": "x`, expected `y" }] });
        assert_eq!(misread(&sly).1, "a field has a value of the wrong type or form; it takes `people` or `ai`");
    }

    #[test]
    fn newcomer_a_value_of_the_wrong_type_is_told_by_its_path() {
        let at = |body: Value| shape::<Plan>(body).unwrap_err().field;
        assert_eq!(at(json!({ "groups": [{ "id": "a" }, { "id": 7 }] })).as_deref(), Some("groups[1].id"));
        assert_eq!(at(json!({ "groups": [{ "id": "a", "accept_secs": "60" }] })).as_deref(), Some("groups[0].accept_secs"));
        assert_eq!(at(json!({ "groups": 7 })).as_deref(), Some("groups"));
        assert_eq!(at(json!({ "groups": [{}] })).as_deref(), Some("id"));
        assert_eq!(at(json!([])), None);
    }

    fn request(headers: &[(&'static str, &'static str)], body: &[u8]) -> Request {
        let mut map = http::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Request { method: http::Method::POST, path: "/".into(), query: String::new(), headers: map, body: body.to_vec() }
    }

    #[track_caller]
    fn refused(headers: &[(&'static str, &'static str)], body: &[u8]) -> (u16, &'static str, String) {
        let problem = checked(&request(headers, body)).unwrap_err();
        (problem.status, problem.code, problem.field.unwrap_or_default())
    }

    #[test]
    fn l1_a_name_that_stands_twice_is_refused_with_its_path() {
        let at = |body: &str| refused(&[], body.as_bytes());
        assert_eq!(at(r#"{"a":1,"a":1}"#), (422, "duplicate_key", "a".into()));
        assert_eq!(at(r#"{"a":[{"b":0},{"b":{"c":1,"d":2,"c":3}}]}"#), (422, "duplicate_key", "a[1].b.c".into()));
        // The same name, written differently.
        assert_eq!(at(r#"{"name":1,"n\u0061me":2}"#), (422, "duplicate_key", "name".into()));
        assert!(checked(&request(&[], br#"{"a":{"x":1},"b":{"x":1}}"#)).is_ok());
    }

    #[test]
    fn l1_control_characters_are_refused_with_their_path() {
        let at = |body: &str| refused(&[], body.as_bytes());
        assert_eq!(at(r#"{"name":"a\u0000b"}"#), (422, "bad_character", "name".into()));
        assert_eq!(at(r#"{"words":[{"word":"\u001b[31m"}]}"#), (422, "bad_character", "words[0].word".into()));
        assert_eq!(at(r#"{"settings":{"a\u0007":1}}"#), (422, "bad_character", "settings.a?".into()));
        assert_eq!(at(r#"["\u0085"]"#), (422, "bad_character", "[0]".into()));
        assert_eq!(at(r#""\u007f""#), (422, "bad_character", String::new()));
        assert!(checked(&request(&[], r#"{"text":"一\n二\t三\r\n"}"#.as_bytes())).is_ok());
    }

    #[test]
    fn l8_what_is_no_json_is_told_apart() {
        assert_eq!(refused(&[("content-type", "text/plain")], b"{}").0, 415);
        assert_eq!(refused(&[("content-type", "application/x-www-form-urlencoded")], b"{}").0, 415);
        assert_eq!(refused(&[("content-type", "application/json; charset=gbk")], b"{}").0, 415);
        assert_eq!(refused(&[("content-encoding", "gzip")], b"{}").0, 415);
        for kind in ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"] {
            assert!(checked(&request(&[("content-type", kind)], b"{}")).is_ok(), "{kind}");
        }
        for body in [&b"\xff"[..], b"{\"a\":\"\xc3\x28\"}", b"", b"{", b"{} {}", br#"{"a":"\ud800"}"#] {
            assert_eq!(refused(&[], body).1, "malformed_json");
        }
        assert_eq!(refused(&[], "[".repeat(100_000).as_bytes()).1, "malformed_json");
    }

    #[test]
    fn l1_a_name_is_one_line_of_something() {
        for wrong in ["", " ", "a\nb", "a\u{0}", "\u{9b}x", &"长".repeat(101)] {
            assert!(name("name", wrong, 100).is_err(), "{wrong:?}");
        }
        assert!(name("name", "王 晓明", 100).is_ok());
    }
}
