//! The callers and writers in the forms of telephone systems: a number, a SIP or tel address (RFC 3261, RFC 3966), perhaps
//! with a name before it.
//!
//! | written | number |
//! |---|---|
//! | `13800138000`, `138-0013-8000`, `+86 138 0013 8000`, `008613800138000` | as it is dialled, without separators |
//! | `sip:13800138000@10.0.0.1:5060`, `<sip:+8613800138000@ims.example;user=phone>;tag=a1` | the user part |
//! | `tel:+86-138-0013-8000`, `tel:13800138000;phone-context=+86` | with its context |
//! | `"王" <sip:13800138000@10.0.0.1>` | and the name |
//! | `tel:+86-21-6888-8888;ext=8001`, `021-68888888转8001` | with `;ext=8001` at its end: many people share a company's number |
//! | `whatsapp:+8613800138000` | without the network |
//! | `anonymous`, `Unavailable`, `sip:anonymous@anonymous.invalid`, `+266696687` | none |
//! | `client:alice`, `sip:alice@shop.example` | none; the name is `alice` |

use serde_json::Value;

/// The longest text that is read.
const MAX: usize = 512;
const MAX_NAME: usize = 64;
/// The number of digits: three for a short number; E.164 has at most fifteen, and some systems add prefixes.
const DIGITS: std::ops::RangeInclusive<usize> = 3..=20;
/// The texts that systems write if a caller withholds the number, or if it is unknown.
const NOBODY: [&str; 12] = [
    "anonymous",
    "unavailable",
    "restricted",
    "private",
    "unknown",
    "withheld",
    "blocked",
    "hidden",
    "none",
    "null",
    "asterisk",
    "匿名",
];
/// The same in Twilio's form, spelt on a telephone's keys: ANONYMOUS, RESTRICTED, UNAVAILABLE, UNKNOWN, BLOCKED. One of
/// them looks like a number of Chengdu, and would make one person of all callers who withhold their number.
const SPELT: [&str; 5] = ["266696687", "7378742833", "86282452253", "8656696", "2562533"];

/// A caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The number, without separators.
    pub(crate) number: Option<String>,
    /// The name, if it is given.
    pub(crate) name: Option<String>,
}

/// Reads a caller. The result is empty if the caller withholds the number.
pub(crate) fn read(text: &str) -> Caller {
    let text = text.trim();
    if text.len() > MAX {
        return Caller::default();
    }
    let mut first = Caller::default();
    // Of several addresses (P-Asserted-Identity), the one with a number counts.
    for address in split(text) {
        let caller = one(address);
        if caller.number.is_some() {
            return caller;
        }
        if first.name.is_none() {
            first = caller;
        }
    }
    first
}

/// Reads a caller whose number may also be a JSON number.
pub(crate) fn read_value(value: Option<&Value>) -> Caller {
    match value {
        Some(Value::String(text)) => read(text),
        // A number with a fraction or an exponent was never dialled.
        Some(Value::Number(number)) if number.is_u64() => read(&number.to_string()),
        _ => Caller::default(),
    }
}

/// The number alone.
pub(crate) fn number(text: &str) -> Option<String> {
    read(text).number
}

/// The addresses between commas, except commas in quotes or angle brackets.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut inside) = (false, false);
    let listed = text.contains('<');
    text.split(move |c| {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => inside = true,
            '>' if !quoted => inside = false,
            _ => {}
        }
        c == ',' && listed && !quoted && !inside
    })
}

fn one(text: &str) -> Caller {
    let text = text.trim();
    let after_name = text.strip_prefix('"').and_then(|t| t.find('"')).map_or(0, |at| at + 2);
    let open = text.get(after_name..).and_then(|t| t.find('<')).map(|at| after_name + at);
    let (display, address) = match open {
        Some(open) => {
            let inside = text.get(open + 1..).unwrap_or_default();
            (text.get(..open).unwrap_or_default(), inside.split('>').next().unwrap_or_default())
        }
        None => ("", text),
    };
    let display = display.trim().trim_matches('"').trim();
    let (user, parameters) = user(address.trim());
    if is_nobody(&user) || address.to_ascii_lowercase().contains("anonymous.invalid") {
        return Caller::default();
    }
    let number = dialled(&user, parameters);
    let shown = |text: &str| {
        let good = !text.is_empty() && !is_nobody(text) && !text.chars().any(char::is_control);
        good.then(|| text.chars().take(MAX_NAME).collect::<String>())
    };
    let named = user.chars().any(char::is_alphabetic);
    let name = shown(display).or_else(|| number.clone()).or_else(|| shown(&user).filter(|_| named));
    Caller { number, name }
}

/// The user part of an address, and the parameters after it.
fn user(address: &str) -> (String, &str) {
    let (scheme, rest) = match address.split_once(':') {
        Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphabetic()) => {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => (String::new(), address),
    };
    let (user, outside) = match rest.split_once('@') {
        Some((user, host)) => (user, host.split_once(';').map_or("", |(_, parameters)| parameters)),
        // A host alone names nobody.
        None if scheme.starts_with("sip") && rest.split([';', '?']).next().is_some_and(|r| r.contains('.')) => ("", ""),
        None => (rest, ""),
    };
    let (user, inside) = user.split_once(';').unwrap_or((user, ""));
    let user = if scheme.starts_with("sip") { user.split(':').next().unwrap_or_default() } else { user };
    let user = user.replace("%2B", "+").replace("%2b", "+").replace("%20", " ");
    (user.trim().to_owned(), if inside.is_empty() { outside } else { inside })
}

fn is_nobody(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    NOBODY.contains(&lower.as_str()) || {
        let digits = lower.trim_start_matches('+');
        SPELT.iter().any(|spelt| digits == *spelt || digits.strip_prefix('1') == Some(*spelt))
    }
}

/// A dialled number: digits, perhaps with a plus sign before and an extension after.
fn dialled(user: &str, parameters: &str) -> Option<String> {
    let lower = user.to_lowercase();
    let parameter = |name: &str| parameters.split(';').find_map(|p| p.trim().strip_prefix(name)?.strip_prefix('='));
    let (main, behind) = match ["转", "轉", "ext.", "ext", "x", "#", ",,"].iter().find_map(|mark| lower.split_once(mark)) {
        Some((main, extension)) => (main, Some(extension)),
        None => (lower.as_str(), None),
    };
    let main = digits(main)?;
    let number = match parameter("phone-context").and_then(digits) {
        Some(context) if context.starts_with('+') && !main.starts_with('+') => format!("{context}{main}"),
        _ => main,
    };
    let count = number.bytes().filter(u8::is_ascii_digit).count();
    if !DIGITS.contains(&count) || number.bytes().all(|b| matches!(b, b'0' | b'+')) {
        return None;
    }
    let extension = match behind {
        Some(extension) => Some(digits(extension)?),
        None => parameter("ext").and_then(digits),
    };
    Some(match extension {
        Some(extension) if extension.len() <= 8 => format!("{number};ext={extension}"),
        _ => number,
    })
}

/// Digits without the separators that people write; `None` if there is anything else.
fn digits(text: &str) -> Option<String> {
    let plain = text.chars().filter_map(|c| match c {
        '\u{ff10}'..='\u{ff19}' => char::from_u32(u32::from(c) - 0xff10 + u32::from('0')),
        '＋' => Some('+'),
        ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '－' | '–' => None,
        c => Some(c),
    });
    let plain: String = plain.collect();
    let bare = plain.strip_prefix('+').unwrap_or(&plain);
    (!bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit())).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn w21_the_number_in_every_form() {
        for (text, expected) in [
            ("13800138000", "13800138000"),
            ("138-0013 8000", "13800138000"),
            ("１３８００１３８０００", "13800138000"),
            ("+86 138 0013 8000", "+8613800138000"),
            ("(+86)13800138000", "+8613800138000"),
            ("008613800138000", "008613800138000"),
            ("sip:13800138000@10.0.0.1:5060", "13800138000"),
            ("SIP:+8613800138000@ims.mnc000.example;user=phone", "+8613800138000"),
            ("sips:%2B8613800138000@pbx.example", "+8613800138000"),
            ("sip:13800138000:secret@10.0.0.1", "13800138000"),
            ("sip:13800138000;phone-context=+86@10.0.0.1", "+8613800138000"),
            ("sip:13800138000", "13800138000"),
            ("<sip:13800138000@10.0.0.1>;tag=1928301774", "13800138000"),
            ("\"王小姐\" <sip:13800138000@10.0.0.1>;tag=a", "13800138000"),
            ("\"a <b>, c\" <tel:+86-138-0013-8000>", "+8613800138000"),
            ("王 <13800138000>", "13800138000"),
            ("tel:+86-138-0013-8000", "+8613800138000"),
            ("tel:13800138000;phone-context=+86", "+8613800138000"),
            ("tel:+86-21-6888-8888;ext=8001", "+862168888888;ext=8001"),
            ("021-68888888转8001", "02168888888;ext=8001"),
            ("021 6888 8888 ext. 8001", "02168888888;ext=8001"),
            ("<sip:alice@a.example>, <tel:+8613800138000>", "+8613800138000"),
            ("13800138000@10.0.0.1", "13800138000"),
            ("whatsapp:+8613800138000", "+8613800138000"),
            ("12345", "12345"),
        ] {
            assert_eq!(number(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn w21_nobody_has_no_number() {
        for text in [
            "",
            " ",
            "anonymous",
            "Anonymous",
            "UNAVAILABLE",
            "Restricted",
            "private",
            "unknown",
            "匿名",
            "sip:anonymous@anonymous.invalid",
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1",
            "<sip:13800138000@anonymous.invalid>",
            "+266696687",
            "+7378742833",
            "+17378742833",
            "+86282452253",
            "+8656696",
            "+2562533",
            "0",
            "+0000",
            "sip:10.0.0.1",
            "sip:@10.0.0.1",
            "1",
            "+",
            "sip:unavailable@10.0.0.1",
        ] {
            assert_eq!(read(text), Caller::default(), "{text}");
        }
        let alice = Caller { number: None, name: Some("alice".into()) };
        for text in ["client:alice", "sip:alice@shop.example", "alice", "<sip:alice@10.0.0.1:5060>"] {
            assert_eq!(read(text), alice, "{text}");
        }
        assert_eq!(number(&"1".repeat(21)), None);
        assert_eq!(number(&format!("sip:{}@x", "1".repeat(600))), None);
    }

    #[test]
    fn w21_a_number_of_json_is_one_too() {
        let number = |value: Value| read_value(Some(&value)).number;
        assert_eq!(number(Value::from(13_800_138_000_u64)).as_deref(), Some("13800138000"));
        assert_eq!(number(Value::from("138-0013-8000")).as_deref(), Some("13800138000"));
        for odd in [Value::Null, Value::from(1.5), Value::from(-13_800_138_000_i64), Value::from(true), Value::from(vec![1])]
        {
            assert_eq!(read_value(Some(&odd)), Caller::default(), "{odd}");
        }
        assert_eq!(read_value(None), Caller::default());
    }

    #[test]
    fn w21_the_name_before_the_address() {
        let name = |text: &str| read(text).name;
        assert_eq!(name("\"王小姐\" <sip:13800138000@10.0.0.1>").as_deref(), Some("王小姐"));
        assert_eq!(name("\"Anonymous\" <sip:13800138000@10.0.0.1>").as_deref(), Some("13800138000"));
        assert_eq!(name("sip:13800138000@10.0.0.1").as_deref(), Some("13800138000"));
    }

    proptest! {
        #[test]
        fn arbitrary_callers_do_not_panic(text in ".{0,80}", odd in "[<>\"@:;,+=0-9sip転转x% .]{0,60}") {
            let _ = read(&text);
            let _ = read(&odd);
        }

        #[test]
        fn a_number_is_read_from_every_envelope(n in 0u64..1_000_000_000, envelope in 0usize..7) {
            let number = format!("13{n:09}");
            let text = match envelope {
                0 => number.clone(),
                1 => format!("sip:{number}@10.0.0.1:5060"),
                2 => format!("<sip:{number}@10.0.0.1>;tag=x1"),
                3 => format!("\"13800000000\" <sip:{number}@h>"),
                4 => format!("tel:{}-{}", &number[..3], &number[3..]),
                5 => format!("sips:{number};user=phone@h;transport=tls"),
                _ => format!(" {number} "),
            };
            prop_assert_eq!(super::number(&text), Some(number));
        }
    }
}
