//! Makes JSON readable that a platform cut or joined wrongly: halves of surrogate pairs, bytes that are not UTF-8, bare
//! control characters, invalid escapes. Each becomes U+FFFD, so that a reader sees that something was there. The text
//! around it, and the beginnings and ends of texts, stay.

/// A character that could not be read.
const LOST: &str = "\u{FFFD}";

/// The mended body. Unescaped line ends and tabs stay line ends and tabs.
pub(super) fn mend(body: &[u8]) -> Vec<u8> {
    let body = body.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(body);
    let mut out = Vec::with_capacity(body.len() + 16);
    let (mut at, mut in_text) = (0, false);
    while let Some(&byte) = body.get(at) {
        at += 1;
        match byte {
            b'"' => {
                in_text = !in_text;
                out.push(byte);
            }
            0 if !in_text => out.push(b' '),
            _ if !in_text => out.push(byte),
            b'\\' => at = escape(body, at, &mut out),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => out.extend_from_slice(LOST.as_bytes()),
            _ => out.push(byte),
        }
    }
    match String::from_utf8(out) {
        Ok(text) => text.into_bytes(),
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned().into_bytes(),
    }
}

/// Writes the character after a backslash. Returns the place at which to continue.
fn escape(body: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let whole = |end: usize| body.get(at - 1..end).unwrap_or_default();
    match body.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
            out.extend_from_slice(whole(at + 1));
            at + 1
        }
        Some(b'u') => {
            let low = || body.get(at + 5..at + 7) == Some(b"\\u") && matches!(unit(body, at + 7), Some(0xDC00..=0xDFFF));
            match unit(body, at + 1) {
                Some(0xD800..=0xDBFF) if low() => {
                    out.extend_from_slice(whole(at + 11));
                    at + 11
                }
                Some(unit) if !(0xD800..=0xDFFF).contains(&unit) => {
                    out.extend_from_slice(whole(at + 5));
                    at + 5
                }
                _ => {
                    out.extend_from_slice(LOST.as_bytes());
                    let digits = body.iter().skip(at + 1).take(4).take_while(|b| b.is_ascii_hexdigit()).count();
                    at + 1 + digits
                }
            }
        }
        _ => {
            out.extend_from_slice(LOST.as_bytes());
            at
        }
    }
}

/// Four hexadecimal digits.
fn unit(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_BYTES, read_lenient};
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(inside: &[u8]) -> String {
        let body = [b"{\"a\":\"", inside, b"\"}"].concat();
        read_lenient(&body, MAX_BYTES).unwrap()["a"].as_str().unwrap().to_owned()
    }

    #[test]
    fn w0_what_cannot_be_read_of_a_text_is_replaced_and_the_rest_stays() {
        assert_eq!(text("谢谢\\ud83d".as_bytes()), "谢谢\u{FFFD}");
        assert_eq!(text(br"\ude00\ud83d"), "\u{FFFD}\u{FFFD}");
        assert_eq!(text(br"\ud83d\u4f60"), "\u{FFFD}你");
        assert_eq!(text(br"\ud83d\ud83d\ude00x"), "\u{FFFD}😀x");
        assert_eq!(text(br"\ud83d\n"), "\u{FFFD}\n");
        assert_eq!(text(br"\ud83"), "\u{FFFD}");
        assert_eq!(text(br"\u"), "\u{FFFD}");
        assert_eq!(text(br"a\u0000b"), "a\u{FFFD}b");
        assert_eq!(text(b"a\0b"), "a\u{FFFD}b");
        assert_eq!(text(b"a\x01b\nc\td\re"), "a\u{FFFD}b\nc\td\re");
        assert_eq!(text(b"a\xffb\xe4\xbd"), "a\u{FFFD}b\u{FFFD}");
        assert_eq!(text(b"\xed\xa0\xbd"), "\u{FFFD}\u{FFFD}\u{FFFD}");
        assert_eq!(text(br"\x41\'"), "\u{FFFD}x41\u{FFFD}'");
        assert_eq!(text(br#"\"\\\/ \ud83d \\ud83d"#), "\"\\/ \u{FFFD} \\ud83d");
        let marked = "\u{FEFF}{\"a\":1}\0".as_bytes();
        assert_eq!(read_lenient(marked, MAX_BYTES), Ok(json!({ "a": 1 })));
    }

    proptest! {
        #[test]
        fn any_bytes_in_a_text_are_readable(inside: Vec<u8>) {
            // A quotation mark or a backslash at the end would end the text elsewhere.
            let inside: Vec<u8> = inside.into_iter().filter(|b| !matches!(b, b'"' | b'\\')).collect();
            let found = text(&inside);
            prop_assert!(!found.contains('\0'));
        }

        #[test]
        fn what_is_good_is_not_touched(words: String) {
            let body = json!({ "a": words }).to_string();
            prop_assert_eq!(mend(body.as_bytes()), body.as_bytes());
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, soup in "[\"\\\\u{}\\[\\]d8c0,:a]{0,60}") {
            let _ = mend(&bytes);
            let _ = mend(soup.as_bytes());
        }
    }
}
