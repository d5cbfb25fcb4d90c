//! Suggestions for an unknown name: the text that helps a person who misspelt it.

/// The longest name for which a suggestion is made.
const LONGEST: usize = 64;

/// The text after the wrong name in a sentence, such as `` did you mean `app_id`? The settings are `app_id`, `mode` ``.
/// `what` is the kind of the right names, such as "settings".
pub fn instead(wrong: &str, what: &str, right: &[&str]) -> String {
    if right.is_empty() {
        return format!("there are no {what} here");
    }
    let all = right.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest(wrong, right) {
        Some(name) => format!("did you mean `{name}`? The {what} are {all}"),
        None => format!("the {what} are {all}"),
    }
}

/// The name that was probably meant: the one that takes the fewest changes, if those are a third of it or fewer.
pub fn nearest<'a>(wrong: &str, right: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| -> Vec<u8> {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|b| b.to_ascii_lowercase()).collect()
    };
    if wrong.len() > LONGEST {
        return None;
    }
    let typed = plain(wrong);
    let distances = right.iter().map(|name| (distance(&typed, &plain(name)), *name));
    let near = distances.filter(|(changes, name)| changes * 3 <= name.len());
    near.min_by_key(|(changes, _)| *changes).map(|(_, name)| name)
}

/// The number of letters to insert, remove or replace to turn one word into the other.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let (mut corner, mut left) = (i, i + 1);
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            left = (above + 1).min(left + 1).min(corner + usize::from(x != y));
            (corner, *cell) = (above, left);
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RIGHT: [&str; 4] = ["app_id", "mode", "encoding_aes_key", "max_age_secs"];

    #[test]
    fn newcomer_a_misspelt_name_is_answered_with_the_right_one_and_all_others() {
        for (wrong, right) in [
            ("appid", Some("app_id")),
            ("appId", Some("app_id")),
            ("APP-ID", Some("app_id")),
            ("moed", None),
            ("modes", Some("mode")),
            ("encodingAESKey", Some("encoding_aes_key")),
            ("EncodingAesKeys", Some("encoding_aes_key")),
            ("max_age", Some("max_age_secs")),
            ("webhook_url", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, &RIGHT), right, "{wrong}");
        }
        assert_eq!(
            instead("appid", "settings", &["app_id", "mode"]),
            "did you mean `app_id`? The settings are `app_id`, `mode`"
        );
        assert_eq!(instead("x", "settings", &["app_id"]), "the settings are `app_id`");
        assert_eq!(instead("x", "secrets", &[]), "there are no secrets here");
    }

    #[test]
    fn distances() {
        for (a, b, n) in [("", "", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), n, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn a_distance_is_one(a in "[a-c]{0,8}", b in "[a-c]{0,8}", c in "[a-c]{0,8}") {
            let d = |x: &str, y: &str| distance(x.as_bytes(), y.as_bytes());
            prop_assert_eq!(d(&a, &b), d(&b, &a));
            prop_assert_eq!(d(&a, &b) == 0, a == b);
            prop_assert!(d(&a, &c) <= d(&a, &b) + d(&b, &c));
        }

        #[test]
        fn no_name_panics(wrong: String) {
            let text = instead(&wrong, "settings", &RIGHT);
            prop_assert!(RIGHT.iter().all(|name| text.contains(name)));
        }
    }
}
