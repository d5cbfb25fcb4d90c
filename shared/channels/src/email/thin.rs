//! A mail as it comes in: what is read of it is kept, the bytes of its attachments are only counted.
//!
//! A mail may have 25 MiB and more, nearly all of it pictures and documents that are not kept. They are left out while the
//! body arrives, so that a mail costs about as much memory as its words. What is left is the same form, in which a part that
//! was left out, or cut, says how large it was ([`SIZE`]). Nothing is understood here that the readers would understand
//! otherwise: lines that could begin a part are taken for one, and then more is kept than is needed.

use super::header::Parameters;
use super::mime::SIZE;
use crate::json;
use crate::kit::Gather;

/// The longest body that is taken: more than either provider posts (30 MB).
pub(super) const LIMIT: usize = 32 << 20;
/// The most bytes kept of a text, and of the report on a mail that came back.
const TEXT: usize = 2 << 20;
const REPORT: usize = 64 << 10;
/// Bytes after which only the beginnings of fields are kept, and their length.
const ENOUGH: usize = 6 << 20;
const BEGINNING: usize = 4 << 10;
/// The most bytes kept in all.
const MOST: usize = 8 << 20;
/// The longest line that can be a boundary, and the most bytes of a part's header fields that are looked at.
const LINE: usize = 512;
const HEAD: usize = 16 << 10;

/// A body on its way in.
pub(super) enum Thin {
    Multipart(Box<Multipart>),
    Urlencoded(Urlencoded),
    /// Anything else, which is no mail.
    Whole {
        out: Vec<u8>,
    },
}

impl Thin {
    pub(super) fn new(content_type: &str) -> Self {
        let kind = Parameters::read(content_type);
        match (kind.value.as_str(), kind.plain("boundary")) {
            ("multipart/form-data", Some(boundary)) if !boundary.is_empty() => {
                Self::Multipart(Box::new(Multipart::new(boundary)))
            }
            ("application/x-www-form-urlencoded", _) => Self::Urlencoded(Urlencoded::default()),
            _ => Self::Whole { out: Vec::new() },
        }
    }
}

impl Gather for Thin {
    fn limit(&self) -> usize {
        match self {
            Self::Whole { .. } => json::MAX_BYTES,
            _ => LIMIT,
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        match self {
            Self::Multipart(form) => form.push(chunk),
            Self::Urlencoded(form) => form.push(chunk),
            Self::Whole { out } => out.extend_from_slice(chunk),
        }
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        match *self {
            Self::Multipart(form) => form.finish(),
            Self::Urlencoded(form) => form.out,
            Self::Whole { out } => out,
        }
    }
}

/// An urlencoded form: each field up to what is read of it.
#[derive(Default)]
pub(super) struct Urlencoded {
    out: Vec<u8>,
    field: usize,
}

impl Urlencoded {
    fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            self.field = if byte == b'&' { 0 } else { self.field + 1 };
            // A character takes up to three times its bytes.
            if self.field <= room(self.out.len(), 2 * TEXT) {
                self.out.push(byte);
            }
        }
    }
}

/// How much of a field may be kept when so much was.
const fn room(kept: usize, most: usize) -> usize {
    match kept {
        0..ENOUGH => most,
        ENOUGH..MOST => BEGINNING,
        _ => 0,
    }
}

/// Where the line stands that comes in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the fields at the head of a part.
    Head,
    /// In a part's content.
    Content,
}

/// A multipart form.
pub(super) struct Multipart {
    boundary: Vec<u8>,
    out: Vec<u8>,
    /// The beginning of the line that comes in, until it is known what it is.
    line: Vec<u8>,
    /// Whether the line is known to be content: it is too long for anything else.
    long: bool,
    place: Place,
    /// The present part's header fields, as text in lower case.
    head: Vec<u8>,
    /// Whether the form's part is a whole mail, in which parts are sought in their turn.
    mail: bool,
    /// Whether the present head is one of the form's own parts.
    outer: bool,
    part: Part,
}

/// The present part's content.
#[derive(Default)]
struct Part {
    /// Where a field can be added to its head.
    at: usize,
    most: usize,
    kept: usize,
    /// Bytes that came, and those of them that base64 counts.
    came: usize,
    letters: usize,
    base64: bool,
}

impl Multipart {
    fn new(boundary: &str) -> Self {
        Self {
            boundary: format!("--{boundary}").into_bytes(),
            out: Vec::new(),
            line: Vec::with_capacity(LINE),
            long: false,
            place: Place::Content,
            head: Vec::new(),
            mail: false,
            outer: false,
            part: Part { most: BEGINNING, ..Part::default() },
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|b| *b == b'\n') {
            let ends = piece.ends_with(b"\n");
            if self.long {
                self.content(piece);
            } else if self.line.len() + piece.len() > LINE {
                let line = std::mem::take(&mut self.line);
                self.any(&line, piece);
                self.long = true;
            } else {
                self.line.extend_from_slice(piece);
                if ends {
                    let mut line = std::mem::take(&mut self.line);
                    self.short(&line);
                    line.clear();
                    self.line = line;
                }
            }
            self.long &= !ends;
        }
    }

    /// A line that is too long to be a boundary: content, or one of a head's fields.
    fn any(&mut self, line: &[u8], piece: &[u8]) {
        for bytes in [line, piece] {
            self.content(bytes);
        }
    }

    /// A whole line that may be anything.
    fn short(&mut self, line: &[u8]) {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        let outer = bare.strip_prefix(self.boundary.as_slice()).is_some_and(|rest| {
            let rest = rest.strip_prefix(b"--").unwrap_or(rest);
            rest.iter().all(|b| matches!(b, b' ' | b'\t'))
        });
        if outer || (self.mail && bare.starts_with(b"--")) {
            self.end();
            self.mail &= !outer;
            self.outer = outer;
            self.place = Place::Head;
            self.head.clear();
            self.keep(line, MOST);
        } else if self.place == Place::Head && bare.is_empty() {
            self.begin();
            self.keep(line, MOST);
        } else {
            self.content(line);
        }
    }

    /// A head is complete: what becomes of its content.
    fn begin(&mut self) {
        self.place = Place::Content;
        let head = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
        let field = |name: &str| {
            let line = head.split('\n').find_map(|line| line.strip_prefix(name))?;
            Some(line.split(';').next().unwrap_or_default().trim().to_owned())
        };
        let kind = field("content-type:").unwrap_or_default();
        let named = head.contains("name=\"") || head.contains("name=") || head.contains("name*");
        let report = [
            "message/delivery-status",
            "message/disposition-notification",
            "message/feedback-report",
            "text/rfc822-headers",
        ];
        let most = if report.contains(&kind.as_str()) {
            REPORT
        } else if self.outer {
            let disposition = head.replace(['\r', '\n', ' ', '\t'], "");
            let file = disposition.contains(";filename=") || disposition.contains(";filename*");
            self.mail = !file
                && ["name=\"email\"", "name=email", "name=\"body-mime\"", "name=body-mime"]
                    .iter()
                    .any(|name| disposition.split(';').any(|part| part.starts_with(name)));
            // A whole mail begins with its own head.
            if self.mail {
                self.place = Place::Head;
                self.head.clear();
                self.outer = false;
                return;
            }
            if file { 0 } else { TEXT }
        } else {
            let read = kind.is_empty() || kind.starts_with("multipart/") || kind.starts_with("message/");
            let words = kind.starts_with("text") && !named && !head.contains("attachment");
            if read || words { TEXT } else { 0 }
        };
        let encoding = field("content-transfer-encoding:");
        let base64 = encoding.is_some_and(|encoding| encoding == "base64");
        self.part = Part { at: self.out.len(), most, base64, ..Part::default() };
    }

    /// Bytes that divide nothing.
    fn content(&mut self, bytes: &[u8]) {
        if self.place == Place::Head {
            if self.head.len() < HEAD {
                self.head.extend_from_slice(bytes.get(..HEAD).unwrap_or(bytes));
            }
            return self.keep(bytes, MOST);
        }
        self.part.came += bytes.len();
        self.part.letters += bytes.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count();
        let most = if self.part.most == 0 { 0 } else { room(self.out.len(), self.part.most) };
        let before = self.out.len();
        self.keep(bytes, most.saturating_sub(self.part.kept));
        self.part.kept += self.out.len() - before;
    }

    fn keep(&mut self, bytes: &[u8], most: usize) {
        let most = most.min((MOST + BEGINNING).saturating_sub(self.out.len()));
        self.out.extend_from_slice(bytes.get(..most).unwrap_or(bytes));
    }

    /// A part is over: where not all of it was kept, it says how large it was.
    fn end(&mut self) {
        let Part { at, kept, came, letters, base64, .. } = std::mem::take(&mut self.part);
        if kept < came && self.out.len() < MOST {
            // The line's end before the boundary is the boundary's.
            let size = if base64 { letters * 3 / 4 } else { came.saturating_sub(2) };
            let field = format!("{SIZE}: {size}\r\n");
            self.out.splice(at..at, field.into_bytes());
            if !self.out.ends_with(b"\n") {
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.short(&line);
        }
        self.end();
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::Form;
    use super::super::mime::Raw;
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;

    fn thinned(kind: &str, body: &[u8], chunk: usize) -> Vec<u8> {
        let mut thin = Box::new(Thin::new(kind));
        body.chunks(chunk.max(1)).for_each(|chunk| thin.push(chunk));
        thin.finish()
    }

    fn raw(attachment: &str, text: &str) -> String {
        format!(
            "From: a@b\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n看照片：\r\n\
             --b1\r\nContent-Type: image/jpeg;\r\n name=\"photo.jpg\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{attachment}\r\n--b1\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--b1--\r\n"
        )
    }

    #[test]
    fn w19_a_large_mail_leaves_its_words_and_its_attachments_size() {
        let photo = ("QUJD".repeat(19) + "\r\n").repeat(20 << 20 >> 6);
        let mail = raw(&photo, "我要退款");
        let (kind, body) = sign::multipart(&[("to", b"s@r"), ("email", mail.as_bytes()), ("subject", b"x")], &[]);
        assert!(body.len() > 24 << 20);
        let thin = thinned(&kind, &body, 65_536);
        assert!(thin.len() < 4_096, "{}", thin.len());
        let form = Form::read(&kind, &thin).ok().unwrap();
        let found = Raw::read(form.raw("email").unwrap());
        assert_eq!(found.text.as_deref(), Some("看照片：\n我要退款"));
        assert_eq!((found.files[0].name.as_deref(), found.files[0].size), (Some("photo.jpg"), Some((20 << 20 >> 6) * 57)));
        assert_eq!(form.text("subject").as_deref(), Some("x"));

        let (kind, body) =
            sign::multipart(&[("text", "我要退款".as_bytes())], &[("attachment1", "a.jpg", &vec![b'\n'; 3 << 20])]);
        let thin = thinned(&kind, &body, 1_000);
        let form = Form::read(&kind, &thin).ok().unwrap();
        let file = form.files().next().unwrap();
        assert_eq!((form.text("text").as_deref(), file.size, thin.len() < 1_024), (Some("我要退款"), 3 << 20, true));
    }

    #[test]
    fn w19_what_is_kept_is_bounded() {
        let dashes = "--b1\r\n".repeat(1 << 20);
        let heads = "--b1\r\nX: y\r\n\r\nx\r\n".repeat(1 << 20);
        let long = "x".repeat(10 << 20);
        for soup in [dashes, heads, long.clone(), "\r\n".repeat(5 << 20)] {
            let (kind, body) =
                sign::multipart(&[("email", soup.as_bytes()), ("html", soup.as_bytes()), ("token", b"t0")], &[]);
            assert!(thinned(&kind, &body, 9_999).len() <= MOST + 2 * BEGINNING);
        }
        let form = format!("body-html={long}&a={long}&b={long}&timestamp=1&token=t0");
        let thin = thinned("application/x-www-form-urlencoded", form.as_bytes(), 9_999);
        assert!(thin.len() <= MOST && thin.ends_with(b"&timestamp=1&token=t0"));
    }

    proptest! {
        // What is small comes through as it is, however it was cut on its way.
        #[test]
        fn w19_a_small_mail_is_not_changed(soup in "(--warmline-9f3b6d2c7a|--|\r\n|\n|[a-z:;= ]{1,9}|Content-Type: text/plain\r\n\r\n){0,60}", chunk in 1usize..40) {
            let (kind, body) = sign::multipart(&[("email", soup.as_bytes()), ("text", soup.as_bytes()), ("a", b"1")], &[]);
            prop_assert_eq!(thinned(&kind, &body, chunk), body);
        }

        #[test]
        fn w19_any_bytes_are_taken_in(body: Vec<u8>, chunk in 1usize..40, kind in "(multipart/form-data; boundary=x|application/x-www-form-urlencoded|a/b)") {
            prop_assert!(thinned(&kind, &body, chunk).len() <= body.len() + 64);
        }

        #[test]
        fn w19_text_behind_an_attachment_is_never_lost(size in 0usize..4_000, text in "[一-龥]{1,20}", chunk in 1usize..3_000) {
            let mail = raw(&"QUJD\r\n".repeat(size), &text);
            let (kind, body) = sign::multipart(&[("email", mail.as_bytes())], &[]);
            let thin = thinned(&kind, &body, chunk);
            let found = Raw::read(Form::read(&kind, &thin).ok().unwrap().raw("email").unwrap());
            prop_assert_eq!(found.text, Some(format!("看照片：\n{text}")));
            prop_assert_eq!(found.files[0].size, Some(u64::try_from(size * 3).unwrap()));
        }
    }
}
