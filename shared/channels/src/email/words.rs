//! Texts in headers (RFC 2047 encoded words) and the transfer encodings. The reader is lenient: a text without a valid
//! encoding stays as it is.

use super::charset::decode;

/// Decodes the encoded words in a header's value. Neighbouring words of one charset are joined first, since many programs
/// cut in the middle of a character.
pub(super) fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run: Option<Run> = None;
    let mut rest = text;
    while let Some(at) = rest.find("=?") {
        let (before, word) = rest.split_at(at);
        let Some((Word { charset, base64, data }, after)) = Word::read(word) else {
            flush(&mut out, run.take());
            let (mark, after) = word.split_at(2);
            out.push_str(before);
            out.push_str(mark);
            rest = after;
            continue;
        };
        let beside = run.is_some() && before.chars().all(char::is_whitespace);
        if !beside {
            flush(&mut out, run.take());
            out.push_str(before);
        } else if run.as_ref().is_some_and(|run| !run.charset.eq_ignore_ascii_case(charset)) {
            flush(&mut out, run.take());
        }
        run.get_or_insert_with(|| Run { charset: charset.to_owned(), bytes: Vec::new(), base64: Base64::default() })
            .add(base64, data);
        rest = after;
    }
    flush(&mut out, run);
    out.push_str(rest);
    out
}

fn flush(out: &mut String, run: Option<Run>) {
    if let Some(run) = run {
        out.push_str(&decode(&run.bytes, &run.charset));
    }
}

/// Neighbouring words of one charset.
struct Run {
    charset: String,
    bytes: Vec<u8>,
    base64: Base64,
}

impl Run {
    fn add(&mut self, base64: bool, data: &str) {
        if base64 {
            self.base64.add(data.as_bytes(), &mut self.bytes);
            self.base64.end_of_word();
        } else {
            self.base64 = Base64::default();
            self.bytes.extend(quoted_printable(data.replace('_', " ").as_bytes()));
        }
    }
}

/// `=?charset?B?data?=`
struct Word<'a> {
    charset: &'a str,
    base64: bool,
    data: &'a str,
}

impl<'a> Word<'a> {
    /// Reads the word at the beginning of a text, and returns the text after it.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let inside = text.strip_prefix("=?")?;
        // The charset's name is short, so that a text full of marks costs one pass.
        let end = inside.bytes().take(64).position(|b| b == b'?')?;
        let (charset, inside) = (inside.get(..end)?, inside.get(end + 1..)?);
        let base64 = match inside.as_bytes().first()? {
            b'B' | b'b' => true,
            b'Q' | b'q' => false,
            _ => return None,
        };
        let inside = inside.get(1..)?.strip_prefix('?')?;
        let end = inside.find('?')?;
        let (data, after) = (inside.get(..end)?, inside.get(end..)?.strip_prefix("?=")?);
        if charset.is_empty() || data.contains(['\r', '\n']) {
            return None;
        }
        // A language may follow the charset's name (RFC 2231, 5).
        let charset = charset.split_once('*').map_or(charset, |(charset, _)| charset);
        Some((Self { charset, base64, data }, after))
    }
}

/// A reader of base64.
#[derive(Default)]
pub(super) struct Base64 {
    bits: u32,
    count: u32,
}

impl Base64 {
    /// Decodes bytes. Bytes outside the alphabet are skipped, and padding ends a group.
    pub(super) fn add(&mut self, data: &[u8], out: &mut Vec<u8>) {
        for byte in data {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                b'=' => {
                    *self = Self::default();
                    continue;
                }
                _ => continue,
            };
            self.bits = (self.bits << 6 | u32::from(value)) & 0xff_ffff;
            self.count += 6;
            if self.count >= 8 {
                self.count -= 8;
                out.push((self.bits >> self.count & 0xff) as u8);
            }
        }
    }

    /// A word whose rest is only zeros was complete without its padding. Otherwise it continues in the next word.
    fn end_of_word(&mut self) {
        if self.bits & ((1 << self.count) - 1) == 0 {
            *self = Self::default();
        }
    }
}

/// A body in base64.
pub(super) fn base64(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() / 4 * 3);
    Base64::default().add(body, &mut out);
    out
}

/// A body in quoted-printable.
pub(super) fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut out, mut rest) = (Vec::with_capacity(body.len()), body);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            out.push(byte);
            continue;
        }
        // A line that continues: the mark, perhaps blanks, and the line's end.
        let blanks = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).take(8).count();
        let end = after.get(blanks..).unwrap_or_default();
        if let Some(next) = end.strip_prefix(b"\r\n").or_else(|| end.strip_prefix(b"\n")) {
            rest = next;
        } else if let (Some(high), Some(low)) = (after.first().and_then(hex), after.get(1).and_then(hex)) {
            out.push(high << 4 | low);
            rest = after.get(2..).unwrap_or_default();
        } else if !end.is_empty() {
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    use proptest::prelude::*;

    fn header_text(raw: &[u8]) -> String {
        words(&super::super::charset::guess(raw))
    }

    #[test]
    fn w9_words_cut_inside_a_character_are_joined_first() {
        let cut = b"=?gb18030?B?udjT2s7ls6O088PXsPzXsMbGy/DS?=\r\n =?gb18030?B?qsfzzcu7u7v1tcTOyszix+u+ob/stKbA7Q==?=";
        assert_eq!(header_text(cut), "关于五常大米包装破损要求退换货的问题请尽快处理");
        let utf8 = "退款😀".as_bytes();
        for at in 0..utf8.len() {
            let [one, two] = [&utf8[..at], &utf8[at..]];
            for engine in [STANDARD, STANDARD_NO_PAD] {
                let text = format!("=?utf-8?B?{}?=\t=?UTF-8?B?{}?=", engine.encode(one), engine.encode(two));
                assert_eq!(words(&text), "退款😀", "{text}");
            }
            let quoted = |part: &[u8]| part.iter().map(|b| format!("={b:02X}")).collect::<String>();
            assert_eq!(words(&format!("=?utf-8?Q?{}?= =?utf-8?b?{}?=", quoted(one), STANDARD.encode(two))), "退款😀");
        }
        // The base64 itself is cut: the group continues in the next word.
        assert_eq!(words("=?utf-8?B?6YCA5?= =?utf-8?B?qy+?="), "退款");
    }

    #[test]
    fn words_among_others() {
        assert_eq!(words("Re: =?utf-8?Q?a_b?= c =?gbk?B?xOO6ww==?="), "Re: a b c 你好");
        assert_eq!(words("=?utf-8?Q?a?= =?gbk?B?xOM=?="), "a你");
        assert_eq!(words("=?utf-8*zh?q?=E4=BD=A0?="), "你");
        assert_eq!(words("\"=?utf-8?B?5L2g?=\" <a@b>"), "\"你\" <a@b>");
        for plain in ["=?", "=?a?=", "=?a?x?b?=", "=??B?eA==?=", "a =?= b", "=?utf-8?B?eA==", "=?utf-8?B?eA=?x"] {
            assert_eq!(words(plain), plain);
        }
        assert_eq!(header_text("退货".as_bytes()), "退货");
        assert_eq!(header_text(b"\xcd\xcb\xbb\xf5"), "退货");
    }

    #[test]
    fn transfer_encodings() {
        assert_eq!(quoted_printable(b"a=20b=\r\nc= \n=e4=BD=a0=3D=zz="), "a bc你==zz".as_bytes());
        assert_eq!(base64(b"5L2g\r\n5aW9=\n5L2g"), "你好你".as_bytes());
    }

    #[test]
    fn w9_many_marks_cost_one_pass() {
        for soup in ["=?a?B?", "=?", "?=", "=?a?Q?=?", "=?a?B? "] {
            let text = soup.repeat(200_000);
            assert!(words(&text).len() <= text.len() + 16);
        }
    }

    proptest! {
        #[test]
        fn w9_a_text_cut_anywhere_is_read_whole(text in "[一-龥a-z😀 ]{1,40}", cuts in prop::collection::vec(1usize..30, 0..6)) {
            let (mut rest, mut header) = (text.as_bytes(), String::new());
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let (word, after) = rest.split_at(cut.min(rest.len()));
                header.push_str(&format!("=?UTF-8?B?{}?=\r\n ", STANDARD.encode(word)));
                rest = after;
            }
            prop_assert_eq!(header_text(header.trim_end().as_bytes()), text);
        }

        #[test]
        fn no_header_panics(raw: Vec<u8>, soup in "(=\\?|\\?=|\\?|B|Q|utf-8|gbk|=|[a-z]| |你){0,60}") {
            let _ = header_text(&raw);
            let _ = words(&soup);
            let _ = (base64(&raw), quoted_printable(&raw));
        }
    }
}
