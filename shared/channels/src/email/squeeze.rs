//! Leaves out pictures inside a document (`<img src="data:image/jpeg;base64,…">`) while it comes in: nobody reads them, and
//! words follow them. Everything else passes unchanged, line ends too.

use super::mime::Encoding;
use super::words::Base64;

/// The number of bytes of such an address that are kept.
const KEPT: usize = 64;
/// The longest media type in one.
const TYPE: usize = 128;
const BEGINS: &[u8] = b"data:";
const MARK: &[u8] = b"base64,";

/// The encoding of the document's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Plain,
    /// `=3D`
    Quoted,
    /// `%3D`
    Percent,
    Base64,
}

#[derive(Clone, Copy)]
enum Place {
    /// In the document, after this much of the beginning of such an address.
    Document(usize),
    /// In its media type: its length, and the part of the mark read so far.
    Type(usize, usize),
    /// In the content: its length.
    Content(usize),
}

/// A document on its way in.
pub(super) struct Squeeze {
    written: Written,
    place: Place,
    before: u8,
    /// Whether a line end does not end the address.
    closed: bool,
    /// An incomplete unit of the encoding.
    unit: Vec<u8>,
}

impl Squeeze {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self::written(match encoding {
            Encoding::None => Written::Plain,
            Encoding::Quoted => Written::Quoted,
            Encoding::Base64 => Written::Base64,
        })
    }

    /// Makes it for a field of a urlencoded form.
    pub(super) fn percent() -> Self {
        Self::written(Written::Percent)
    }

    fn written(written: Written) -> Self {
        Self { written, place: Place::Document(0), before: 0, closed: false, unit: Vec::new() }
    }

    /// Takes in bytes and passes on those that stay.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            match self.written {
                Written::Plain => {
                    if !self.idle(byte) {
                        out.push(byte);
                    }
                }
                Written::Base64 if !(byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte)) => out.push(byte),
                Written::Base64 => {
                    self.unit.push(byte);
                    if self.unit.len() == 4 {
                        self.four(out);
                    }
                }
                Written::Quoted | Written::Percent => self.marked(byte, out),
            }
        }
    }

    /// Ends the document.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.unit);
        *self = Self::written(self.written);
    }

    /// Four letters of base64 hold three bytes. They are removed only together, so that the other bytes stay in place.
    fn four(&mut self, out: &mut Vec<u8>) {
        let mut bytes = Vec::with_capacity(3);
        Base64::default().add(&self.unit, &mut bytes);
        let idle = bytes.iter().filter(|byte| self.idle(**byte)).count();
        if idle < 3 {
            out.append(&mut self.unit);
        }
        self.unit.clear();
    }

    /// Takes a byte, or one of three that encode one.
    fn marked(&mut self, byte: u8, out: &mut Vec<u8>) {
        let mark = if self.written == Written::Quoted { b'=' } else { b'%' };
        if self.unit.is_empty() && byte != mark {
            let meant = if self.written == Written::Percent && byte == b'+' { b' ' } else { byte };
            if !self.idle(meant) {
                out.push(byte);
            }
            return;
        }
        self.unit.push(byte);
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match *self.unit.as_slice() {
            [_] | [b'=', b'\r'] => {}
            [_, high] if hex(high).is_some() => {}
            [_, high, low] if let (Some(high), Some(low)) = (hex(high), hex(low)) => {
                if !self.idle(high << 4 | low) {
                    out.append(&mut self.unit);
                }
                self.unit.clear();
            }
            // A line that continues in the next one, or a mistake.
            _ => out.append(&mut self.unit),
        }
    }

    /// Whether a byte of the document can be left out.
    fn idle(&mut self, byte: u8) -> bool {
        let lower = byte.to_ascii_lowercase();
        let (before, mut idle) = (std::mem::replace(&mut self.before, byte), false);
        let along = |word: &[u8], at: usize| match word.get(at) {
            Some(next) if *next == lower => at + 1,
            _ => usize::from(word.first() == Some(&lower)),
        };
        self.place = match self.place {
            Place::Document(at) => {
                if at == 0 {
                    self.closed = matches!(before, b'"' | b'\'' | b'(');
                }
                match along(BEGINS, at) {
                    at if at == BEGINS.len() => Place::Type(0, 0),
                    // The letter may begin another one.
                    1 if at > 0 => {
                        self.closed = matches!(before, b'"' | b'\'' | b'(');
                        Place::Document(1)
                    }
                    at => Place::Document(at),
                }
            }
            Place::Type(length, at) => match along(MARK, at) {
                at if at == MARK.len() => Place::Content(0),
                at if length < TYPE && (byte.is_ascii_alphanumeric() || b"/;,=+-._".contains(&byte)) => {
                    Place::Type(length + 1, at)
                }
                _ => Place::Document(0),
            },
            Place::Content(length) => {
                let line =
                    self.closed && (matches!(byte, b'\r' | b'\n') || blank(byte) && matches!(before, b'\n' | b' ' | b'\t'));
                if line {
                    Place::Content(length)
                } else if byte.is_ascii_alphanumeric() || b"+/=-_%".contains(&byte) {
                    idle = length >= KEPT;
                    Place::Content(length + 1)
                } else {
                    Place::Document(0)
                }
            }
        };
        idle
    }
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::super::html::to_text;
    use super::super::words::{base64, quoted_printable};
    use super::*;
    use ::base64::Engine;
    use ::base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn squeezed(mut squeeze: Squeeze, written: &str, chunk: usize) -> Vec<u8> {
        let mut out = Vec::new();
        written.as_bytes().chunks(chunk).for_each(|chunk| squeeze.push(chunk, &mut out));
        squeeze.end(&mut out);
        out
    }

    /// Writes a document in every way, squeezes it, and reads it again.
    fn every_way(html: &str, chunk: usize) -> [Vec<u8>; 4] {
        let (mut quoted, mut length) = (String::new(), 0);
        for byte in html.bytes() {
            let unit = if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("={byte:02X}") };
            if length + unit.len() > 75 {
                quoted.push_str("=\r\n");
                length = 0;
            }
            length += unit.len();
            quoted.push_str(&unit);
        }
        let letters = STANDARD.encode(html);
        let lines: Vec<_> = letters.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
        let percent: String = form_urlencoded::byte_serialize(html.as_bytes()).collect();
        let percent = [b"a=", &squeezed(Squeeze::percent(), &percent, chunk)[..]].concat();
        [
            squeezed(Squeeze::new(Encoding::None), html, chunk),
            quoted_printable(&squeezed(Squeeze::new(Encoding::Quoted), &quoted, chunk)),
            base64(&squeezed(Squeeze::new(Encoding::Base64), &lines.join("\r\n"), chunk)),
            form_urlencoded::parse(&percent).next().unwrap().1.into_owned().into_bytes(),
        ]
    }

    #[test]
    fn w19_only_what_a_picture_holds_is_left_out() {
        let photo = STANDARD.encode([7; 30_000]);
        let lines: Vec<_> = photo.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
        for (photo, most) in [(photo.as_str(), 400), (&lines.join("\r\n "), 4_000)] {
            for html in [
                format!("<p>看照片</p><img src=\"data:image/jpeg;base64,{photo}\"><p>我要投诉</p>"),
                format!("<p>看照片</p><img src='DATA:image/svg+xml;charset=utf-8;Base64,{photo}'/><p>我要投诉</p>"),
                format!("<p style=\"background:url(data:image/png;base64,{photo})\">看照片</p>\n\n我要投诉"),
            ] {
                for found in every_way(&html, 1_000) {
                    assert!(found.len() < most, "{}", found.len());
                    assert_eq!(to_text(&String::from_utf8(found).unwrap(), false).replace("\n\n", "\n"), "看照片\n我要投诉");
                }
            }
        }
        for kept in [
            "data:image/png;base64,AAAA",
            "data: x",
            "data:,text",
            "ddata:datadata:text;base64",
            "=\r\n",
            "=",
            "%",
            "=4",
            "abc",
        ] {
            let html = format!("{kept} {}", "A".repeat(500));
            assert_eq!(every_way(&html, 7).map(|found| String::from_utf8(found).unwrap()), [(); 4].map(|()| html.clone()));
        }
        let text = format!("data:image/png;base64,{}\r\nRefund, please", "A".repeat(500));
        assert!(every_way(&text, 9).iter().all(|found| found.ends_with(b"AA\r\nRefund, please")));
    }

    proptest! {
        #[test]
        fn w19_words_around_pictures_stay(
            pieces in prop::collection::vec("([一-龥]{1,6}|[a-z ]{1,9}|<p>|<br>|data:|d|base64,|=|%3D|\r\n)", 0..12), size in 0usize..900, chunk in 1usize..90
        ) {
            let photo = format!("<img src=\"data:image/png;base64,{}\">", STANDARD.encode(vec![9; size]));
            let html = pieces.join(&photo);
            for found in every_way(&html, chunk) {
                prop_assert_eq!(to_text(&String::from_utf8(found).unwrap(), false), to_text(&html, false));
            }
        }

        #[test]
        fn any_bytes_are_squeezed(bytes: Vec<u8>, soup in "(data:|base64,|=|%|[a-zA-Z0-9/+]{0,99}|\r\n|\"){0,30}") {
            for bytes in [&bytes[..], soup.as_bytes()] {
                for encoding in [Encoding::None, Encoding::Quoted, Encoding::Base64] {
                    let mut out = Vec::new();
                    let mut squeeze = Squeeze::new(encoding);
                    squeeze.push(bytes, &mut out);
                    squeeze.end(&mut out);
                    prop_assert!(out.len() <= bytes.len());
                }
            }
        }
    }
}
