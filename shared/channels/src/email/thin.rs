//! Thins a mail while it comes in: the parts that are read are kept, and the bytes of its attachments are only counted.
//!
//! A mail may have 25 MiB and more, nearly all of it pictures and documents that are not kept. They are left out while the
//! body arrives, so that a mail costs about as much memory as its words. The result is the same form, in which a part that
//! was left out or cut states its original size ([`SIZE`]). This module understands a part exactly as the readers do: by
//! the part's own fields. A line that could begin a part counts as one, which at worst keeps more than is needed. Pictures
//! inside documents are left out, too ([`Squeeze`]).

use super::header::{Headers, Parameters};
use super::mime::{Measure, Reading, SIZE, encoding};
use super::squeeze::Squeeze;
use crate::json;
use crate::kit::Gather;

/// The longest body that is accepted: more than either provider posts (30 MB).
pub(super) const LIMIT: usize = 32 << 20;
/// The most bytes kept of a text, and of the report on a mail that came back.
const TEXT: usize = 2 << 20;
const REPORT: usize = 64 << 10;
/// The bytes after which only the beginnings of fields are kept, and their length.
const ENOUGH: usize = 6 << 20;
const BEGINNING: usize = 4 << 10;
/// The most bytes kept in all.
const MOST: usize = 8 << 20;
/// The longest line that can be a boundary, and the most bytes of a part's header fields that are read.
const LINE: usize = 512;
const HEAD: usize = 16 << 10;
/// The most heads that are understood. The readers look at fewer parts.
const HEADS: usize = 4_096;

/// A body on its way in.
pub(super) enum Thin {
    Multipart(Box<Multipart>),
    Urlencoded(Urlencoded),
    /// Anything that is not a mail.
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
            Self::Urlencoded(form) => form.finish(),
            Self::Whole { out } => out,
        }
    }
}

/// A urlencoded form: each field up to the length that is read.
pub(super) struct Urlencoded {
    out: Vec<u8>,
    field: usize,
    squeeze: Squeeze,
}

impl Default for Urlencoded {
    fn default() -> Self {
        Self { out: Vec::new(), field: 0, squeeze: Squeeze::percent() }
    }
}

impl Urlencoded {
    fn push(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|b| *b == b'&') {
            let (value, ends) = piece.strip_suffix(b"&").map_or((piece, false), |value| (value, true));
            let mut kept = Vec::with_capacity(value.len());
            self.squeeze.push(value, &mut kept);
            if ends {
                self.squeeze.end(&mut kept);
            }
            self.keep(&kept);
            if ends {
                self.field = 0;
                self.keep(b"&");
                self.field = 0;
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.field += 1;
            // A character takes up to three times its bytes.
            if self.field <= room(self.out.len(), 2 * TEXT) {
                self.out.push(byte);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let mut kept = Vec::new();
        self.squeeze.end(&mut kept);
        self.keep(&kept);
        self.out
    }
}

/// The bytes of a field that may be kept after this many were kept.
const fn room(kept: usize, most: usize) -> usize {
    match kept {
        0..ENOUGH => most,
        ENOUGH..MOST => BEGINNING,
        _ => 0,
    }
}

/// The place of the line that is coming in.
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
    /// The beginning of the line that is coming in, until its kind is known.
    line: Vec<u8>,
    /// Whether the line is known to be content: it is too long for anything else.
    long: bool,
    place: Place,
    /// The present part's header fields, and the number of parts so far.
    head: Vec<u8>,
    heads: usize,
    /// Whether the form's part is a whole mail, which is searched for parts as well.
    mail: bool,
    /// Whether the present head is one of the form's own parts.
    outer: bool,
    part: Part,
}

/// The present part's content.
#[derive(Default)]
struct Part {
    /// The place at which a field can be added to its head.
    at: usize,
    most: usize,
    kept: usize,
    /// Whether more came than was kept.
    cut: bool,
    measure: Measure,
    /// The squeezer, if it is a document.
    squeeze: Option<Squeeze>,
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
            heads: 0,
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

    /// Takes a line that is too long to be a boundary: content, or one of a head's fields.
    fn any(&mut self, line: &[u8], piece: &[u8]) {
        for bytes in [line, piece] {
            self.content(bytes);
        }
    }

    /// Takes a whole line of any kind.
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

    /// Ends a head, and decides on its content.
    fn begin(&mut self) {
        self.place = Place::Content;
        self.heads += 1;
        if self.heads > HEADS && !self.outer {
            self.part = Part { at: self.out.len(), most: TEXT, ..Part::default() };
            return;
        }
        let headers = Headers::read(&self.head);
        let reading = Reading::of(&headers);
        let encoding = encoding(&headers);
        let (most, document) = if self.outer {
            let disposition = Parameters::read(headers.raw("content-disposition").unwrap_or_default());
            let (name, file) = (disposition.text("name").unwrap_or_default(), disposition.text("filename").is_some());
            self.mail = !file && matches!(name.as_str(), "email" | "body-mime");
            // A whole mail begins with its own head.
            if self.mail {
                self.place = Place::Head;
                self.head.clear();
                self.outer = false;
                return;
            }
            match reading {
                Reading::Report => (REPORT, false),
                _ if file => (0, false),
                _ => (TEXT, matches!(name.as_str(), "html" | "body-html" | "stripped-html")),
            }
        } else {
            match reading {
                Reading::Report => (REPORT, false),
                // Content of an uncertain kind is kept.
                _ if self.head.len() >= HEAD || headers.content_type().value.starts_with("multipart/") => (TEXT, false),
                Reading::File => (0, false),
                Reading::Words { .. } | Reading::Mail => (TEXT, false),
                Reading::Html => (TEXT, true),
            }
        };
        let squeeze = document.then(|| Squeeze::new(encoding));
        self.part = Part { at: self.out.len(), most, measure: Measure::new(encoding), squeeze, ..Part::default() };
    }

    /// Takes bytes that divide nothing.
    fn content(&mut self, bytes: &[u8]) {
        if self.place == Place::Head {
            if self.head.len() < HEAD {
                self.head.extend_from_slice(bytes.get(..HEAD).unwrap_or(bytes));
            }
            return self.keep(bytes, MOST);
        }
        self.part.measure.add(bytes);
        match self.part.squeeze.take() {
            Some(mut squeeze) => {
                let mut kept = Vec::with_capacity(bytes.len());
                squeeze.push(bytes, &mut kept);
                self.keep_content(&kept);
                self.part.squeeze = Some(squeeze);
            }
            None => self.keep_content(bytes),
        }
    }

    fn keep_content(&mut self, bytes: &[u8]) {
        let most = if self.part.most == 0 { 0 } else { room(self.out.len(), self.part.most) };
        let before = self.out.len();
        self.keep(bytes, most.saturating_sub(self.part.kept));
        let kept = self.out.len() - before;
        self.part.kept += kept;
        self.part.cut |= kept < bytes.len();
    }

    fn keep(&mut self, bytes: &[u8], most: usize) {
        let most = most.min((MOST + BEGINNING).saturating_sub(self.out.len()));
        self.out.extend_from_slice(bytes.get(..most).unwrap_or(bytes));
    }

    /// Ends a part. If it was not kept whole, the part states its original size.
    fn end(&mut self) {
        if let Some(mut squeeze) = self.part.squeeze.take() {
            let mut kept = Vec::new();
            squeeze.end(&mut kept);
            self.keep_content(&kept);
        }
        let Part { at, cut, mut measure, .. } = std::mem::take(&mut self.part);
        if cut && self.out.len() < MOST {
            measure.without_line_end();
            let field = format!("{SIZE}: {}\r\n", measure.size());
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

    /// Reads a mail whole and thinned.
    fn both_ways(mail: &[u8], chunk: usize) -> [Raw; 2] {
        let (kind, body) = sign::multipart(&[("email", mail)], &[]);
        let thin = thinned(&kind, &body, chunk);
        [Raw::read(mail), Raw::read(Form::read(&kind, &thin).ok().unwrap().raw("email").unwrap())]
    }

    #[test]
    fn w19_words_in_other_fields_make_no_attachment() {
        for head in [
            "Subject: Re: attachment broken",
            "Subject: filename=\"x\"; name=y",
            "List-Unsubscribe: <https://l.example/?name=w>",
            "X-Content-Disposition: attachment",
            "Content-Type: text/plain; charset=utf-8\r\nSubject: attachment; filename=a",
            "Content-Disposition: inline\r\nX: attachment; name=\"a\"",
            "Content-Type:\r\n text/plain;\r\n charset=utf-8\r\nX: attachment",
        ] {
            let [whole, thin] = both_ways(format!("From: a@b\r\n{head}\r\n\r\n我要投诉").as_bytes(), 40);
            assert_eq!((thin.text.as_deref(), whole.text.as_deref()), (Some("我要投诉"), Some("我要投诉")), "{head}");
            assert_eq!((thin.files.len(), whole.files.len()), (0, 0), "{head}");
        }
    }

    #[test]
    fn w19_a_picture_inside_a_document_costs_it_no_words() {
        use ::base64::Engine;
        let photo = "/9j/4AAQ".repeat(3 << 17);
        let html = format!("<p>看照片</p><img src=\"data:image/jpeg;base64,{photo}\"><p>我要投诉到12315</p>");
        let lines = |text: &str| text.as_bytes().chunks(76).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\r\n");
        let quoted = html.replace('=', "=3D");
        for (encoding, body) in [
            ("8bit", html.clone()),
            ("quoted-printable", quoted),
            ("base64;", lines(&::base64::engine::general_purpose::STANDARD.encode(&html))),
        ] {
            let mail = format!(
                "From: a@b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n"
            );
            assert!(mail.len() > 3 << 20);
            let thin = &both_ways(mail.as_bytes(), 65_536)[1];
            assert_eq!(thin.text.as_deref(), Some("看照片\n\n我要投诉到12315"), "{encoding}");
        }
        let (kind, body) = sign::multipart(&[("html", html.as_bytes())], &[]);
        assert!(thinned(&kind, &body, 65_536).len() < 1_024);
        let body = sign::mailgun_form("k", "1", "t0", &[("body-html", &html), ("body-plain", "x")]);
        let thin = thinned("application/x-www-form-urlencoded", body.as_bytes(), 65_536);
        let form = Form::read("application/x-www-form-urlencoded", &thin).ok().unwrap();
        assert!(thin.len() < 1_024 && form.text("body-html").is_some_and(|html| html.ends_with("我要投诉到12315</p>")));
        assert_eq!((form.text("body-plain").as_deref(), form.text("token").as_deref()), (Some("x"), Some("t0")));
    }

    proptest! {
        // The readers agree, whatever a head contains.
        #[test]
        fn w19_a_thinned_mail_reads_as_the_mail(
            fields in prop::collection::vec((
                "(Subject|X-A|List-Unsubscribe|Content-Type|Content-Disposition|Content-Transfer-Encoding|content-type)",
                "(attachment|inline|text/plain|text/html|text/enriched|image/png|message/rfc822|message/delivery-status|multipart/mixed|base64|\
                  quoted-printable|8bit|;|,| |\r\n |\r\n\t|name=a|filename=\"b.txt\"|filename\\*=utf-8''c|charset=gbk|name|[a-z]{1,5}|退货){0,7}",
            ), 0..6),
            inner in prop::collection::vec(("(Content-Type|Content-Disposition|X|Content-Transfer-Encoding): \
                (text/plain|text/html|text/plain attachment|attachment; filename=a|application/pdf|text/calendar|base64|quoted-printable \\(x\\)|base64;)",
                "(QUJD|=E4=BD=A0|<p>|我要投诉|[a-z ]{1,9}|\r\n|\n){0,9}"), 0..4),
            chunk in 1usize..200,
        ) {
            let head: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let parts: String = inner.iter().map(|(head, body)| format!("--b1\r\n{head}\r\n\r\n{body}\r\n")).collect();
            for mail in [
                format!("From: a@b\r\n{head}\r\n我要投诉\r\n5L2g\r\n"),
                format!("From: a@b\r\nContent-Type: multipart/mixed; boundary=b1\r\n{head}\r\n{parts}--b1--\r\n"),
            ] {
                let [whole, thin] = both_ways(mail.as_bytes(), chunk);
                prop_assert_eq!(&whole.text, &thin.text);
                prop_assert_eq!(&whole.files, &thin.files);
                prop_assert_eq!((&whole.forwarded, &whole.report), (&thin.forwarded, &thin.report));
                prop_assert_eq!((&whole.reported, whole.headers.get("subject")), (&thin.reported, thin.headers.get("subject")));
            }
        }

        // A small mail passes unchanged, however it was cut on its way.
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
