//! The line of a fault in a plan's text.

use serde::de::IgnoredAny;

/// The line, from 1, at which the value at a path (`rules[3].group`) begins in a JSON text. If the value is missing, it is
/// the line of its nearest parent.
pub fn line_of(text: &str, path: &str) -> usize {
    let mut at = skip_space(text, 0);
    for step in path.split(['.', '[']).map(|s| s.trim_end_matches(']')).filter(|s| !s.is_empty()) {
        match enter(text, at, step) {
            Some(inner) => at = inner,
            None => break,
        }
    }
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

fn skip_space(text: &str, at: usize) -> usize {
    at + text.get(at..).map_or(0, |rest| rest.len() - rest.trim_start().len())
}

/// The end of the value that begins at a place.
fn end(text: &str, at: usize) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text.get(at..)?).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(at + values.byte_offset())
}

/// The beginning of a member of the object, or of an item of the array, that begins at a place.
fn enter(text: &str, at: usize, step: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let object = match bytes.get(at)? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let mut index = 0;
    let mut at = skip_space(text, at + 1);
    loop {
        let mut wanted = step.parse() == Ok(index);
        if object {
            let key_end = end(text, at)?;
            let key: String = serde_json::from_str(text.get(at..key_end)?).ok()?;
            wanted = key == step;
            at = skip_space(text, key_end);
            at = skip_space(text, at + 1);
        }
        if wanted {
            return Some(at);
        }
        at = skip_space(text, end(text, at)?);
        if bytes.get(at) != Some(&b',') {
            return None;
        }
        at = skip_space(text, at + 1);
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::line_of;
    use proptest::prelude::{prop_assert, proptest};

    const TEXT: &str = r#"{
  "groups": [
    { "id": "a", "name": "]}\"," },
    {
      "id": "b"
    }
  ],
  "rules": [ { "group": "x",
      "skills": { "order.desk": 1 } } ] }"#;

    #[test]
    fn the_line_of_a_path() {
        for (path, line) in [
            ("", 1),
            ("groups", 2),
            ("groups[0].name", 3),
            ("groups[1]", 4),
            ("groups[1].id", 5),
            ("groups[1].settings.greeting", 4),
            ("rules[0].skills", 9),
            ("rules[7]", 8),
            ("nothing", 1),
        ] {
            assert_eq!(line_of(TEXT, path), line, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_and_path_have_a_line(text in ".{0,80}", path in "[a-z\\[\\].0-9]{0,20}") {
            prop_assert!(line_of(&text, &path) >= 1);
        }
    }
}
