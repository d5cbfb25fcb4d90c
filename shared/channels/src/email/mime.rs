//! Raw mails (RFC 5322, 2045 and 2046): a tree of parts, reduced to the text, the attachments, and the forwarded mails.
//!
//! Parts are found by their boundary's lines alone, and read in place. A body is never copied before it is decoded, and an
//! attachment is only measured.

use super::charset::{decode, decode_html};
use super::header::{Headers, Parameters, token};
use super::html::to_text;
use super::report::{Report, told};
use super::words::{base64, quoted_printable};
use std::borrow::Cow;
use warmline_model::Media;

/// The most attachments named.
pub(super) const MAX_FILES: usize = 32;
/// The deepest nesting, the most parts of one mail, and the most parts of one part, that are read.
const MAX_DEPTH: usize = 12;
const MAX_PARTS: usize = 500;
/// The most bytes of a text that are decoded.
const MAX_TEXT: usize = 1024 * 1024;
/// The field of a part whose content was left out when the mail came in. It holds the content's size.
pub(super) const SIZE: &str = "x-warmline-size";

/// A raw mail, as far as it is needed.
#[derive(Default)]
pub(super) struct Raw {
    pub(super) headers: Headers,
    pub(super) text: Option<String>,
    pub(super) files: Vec<Media>,
    /// Mails inside this one, as text. They are not the customer's words.
    pub(super) forwarded: Vec<String>,
    pub(super) report: Option<Report>,
    /// The parts that hold the report, as files. They are files if the mail is no report.
    pub(super) reported: Vec<Media>,
}

impl Raw {
    pub(super) fn read(mail: &[u8]) -> Self {
        // The line of a mailbox before the first field.
        let mail = match mail.strip_prefix(b"From ") {
            Some(rest) => rest.iter().position(|b| *b == b'\n').and_then(|end| rest.get(end + 1..)).unwrap_or_default(),
            None => mail,
        };
        let (headers, body) = Headers::read_with_rest(mail);
        let mut parts = MAX_PARTS;
        let Found { text, files, forwarded, report, reported, .. } = part(&headers, body, 0, &mut parts);
        Self { text: (!text.trim().is_empty()).then_some(text), files, forwarded, report, reported, headers }
    }
}

/// The way in which a part is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As text; whether nothing better can be said of it.
    Words {
        plain: bool,
    },
    Html,
    /// A mail inside the mail.
    Mail,
    /// The fate of another mail, or its fields.
    Report,
    File,
}

impl Reading {
    /// Chooses by a part's own header fields alone.
    pub(super) fn of(headers: &Headers) -> Self {
        let kind = headers.content_type();
        let disposition = Parameters::read(headers.raw("content-disposition").unwrap_or_default());
        let attached = disposition.value == "attachment" || name(&disposition, &kind).is_some();
        match kind.value.as_str() {
            kind if told(kind).is_some() => Self::Report,
            "message/rfc822" | "message/global" => Self::Mail,
            _ if attached => Self::File,
            "" | "text/plain" | "text" => Self::Words { plain: true },
            // A multipart without its boundaries is read as text.
            kind if kind.starts_with("multipart/") => Self::Words { plain: true },
            "text/calendar" | "text/vcard" | "text/x-vcard" | "text/directory" | "text/x-amp-html" => Self::File,
            "text/html" | "text/watch-html" | "application/xhtml+xml" => Self::Html,
            // Text of an unknown kind is text (RFC 2046, 4.1.4).
            kind if kind.starts_with("text/") => Self::Words { plain: false },
            _ => Self::File,
        }
    }
}

fn name(disposition: &Parameters, kind: &Parameters) -> Option<String> {
    disposition.text("filename").or_else(|| kind.text("name")).filter(|name| !name.trim().is_empty())
}

/// The content of a part.
#[derive(Default)]
struct Found {
    text: String,
    /// Whether the text was written as plain text, and not as HTML.
    plain: bool,
    files: Vec<Media>,
    forwarded: Vec<String>,
    report: Option<Report>,
    reported: Vec<Media>,
}

impl Found {
    /// Takes in everything of another part except its text.
    fn beside(&mut self, other: &mut Self) {
        self.files.append(&mut other.files);
        self.files.truncate(MAX_FILES);
        self.reported.append(&mut other.reported);
        self.reported.truncate(MAX_FILES);
        self.forwarded.append(&mut other.forwarded);
        self.report = match (self.report.take(), other.report.take()) {
            (Some(one), Some(two)) => Some(one.with(two)),
            (one, two) => one.or(two),
        };
    }
}

fn part(headers: &Headers, body: &[u8], depth: usize, budget: &mut usize) -> Found {
    *budget = budget.saturating_sub(1);
    let kind = headers.content_type();
    if let Some(subtype) = kind.value.strip_prefix("multipart/")
        && depth < MAX_DEPTH
        && let Some(parts) = kind.text("boundary").and_then(|boundary| split(body, boundary.trim().as_bytes(), MAX_PARTS))
    {
        return multipart(subtype, &parts, depth, budget);
    }
    match Reading::of(headers) {
        Reading::Report => {
            let report = Report::of_part(&kind.value, &content(headers, body));
            Found { report, reported: vec![file(headers, &kind, body)], ..Found::default() }
        }
        Reading::Mail if depth < MAX_DEPTH => forwarded(headers, body, depth, budget),
        Reading::Words { plain } => {
            let (words, cut) = words(headers, &kind, body, decode);
            Found { text: if cut { words + "…" } else { words }, plain, ..Found::default() }
        }
        Reading::Html => {
            let (html, cut) = words(headers, &kind, body, decode_html);
            Found { text: to_text(&html, cut), ..Found::default() }
        }
        Reading::Mail | Reading::File => Found { files: vec![file(headers, &kind, body)], ..Found::default() },
    }
}

fn file(headers: &Headers, kind: &Parameters, body: &[u8]) -> Media {
    let disposition = Parameters::read(headers.raw("content-disposition").unwrap_or_default());
    let size = headers.get(SIZE).and_then(|size| size.parse().ok()).unwrap_or_else(|| {
        let mut measure = Measure::new(encoding(headers));
        measure.add(body);
        measure.size()
    });
    let format = Some(kind.value.chars().take(128).collect());
    Media { name: name(&disposition, kind), size: Some(size), format, ..Media::default() }
}

fn multipart(subtype: &str, parts: &[&[u8]], depth: usize, budget: &mut usize) -> Found {
    let mut all = Vec::with_capacity(parts.len().min(64));
    for raw in parts {
        if *budget == 0 {
            break;
        }
        let (headers, body) = Headers::read_with_rest(raw);
        // The parts of a digest are mails (RFC 2046, 5.1.5).
        let found = match subtype {
            "digest" if !headers.has("content-type") && depth < MAX_DEPTH => forwarded(&headers, body, depth, budget),
            _ => part(&headers, body, depth + 1, budget),
        };
        all.push(found);
    }
    let mut whole = Found::default();
    for found in &mut all {
        whole.beside(found);
    }
    let written = |found: &&mut Found| !found.text.trim().is_empty();
    if subtype == "alternative" {
        // The same words in several forms, the best last. As text, however, plain text is the best.
        let best = all.iter_mut().filter(written).enumerate().max_by_key(|(at, found)| (found.plain, *at));
        if let Some((_, best)) = best {
            (whole.text, whole.plain) = (std::mem::take(&mut best.text), best.plain);
        }
        return whole;
    }
    let texts: Vec<_> = all.iter_mut().filter(written).collect();
    whole.plain = texts.iter().all(|found| found.plain);
    whole.text = texts.into_iter().map(|found| std::mem::take(&mut found.text)).collect::<Vec<_>>().join("\n");
    // The mail inside a report is no forwarded mail.
    if subtype == "report" && whole.report.as_ref().is_some_and(|report| report.event.is_some()) {
        whole.forwarded.clear();
    }
    whole
}

/// A mail inside a mail: its writer, its subject and its words, for reading; and its identity, in case it bounced.
fn forwarded(headers: &Headers, body: &[u8], depth: usize, budget: &mut usize) -> Found {
    let inner = content(headers, body);
    let (original, body) = Headers::read_with_rest(&inner);
    let mut found = part(&original, body, depth + 1, budget);
    let line = |name: &str, label: &str| original.get(name).map(|value| format!("{label}: {value}"));
    let mut lines: Vec<String> =
        [line("from", "From"), line("date", "Date"), line("subject", "Subject")].into_iter().flatten().collect();
    lines.extend([String::new(), std::mem::take(&mut found.text)]);
    found.forwarded.insert(0, lines.join("\n"));
    found.report = Some(Report::of_original(&original));
    Found { plain: false, ..found }
}

/// A part's content, decoded.
fn content<'a>(headers: &Headers, body: &'a [u8]) -> Cow<'a, [u8]> {
    let body = body.get(..4 * MAX_TEXT).unwrap_or(body);
    match encoding(headers) {
        Encoding::Base64 => base64(body).into(),
        Encoding::Quoted => quoted_printable(body).into(),
        Encoding::None => body.into(),
    }
}

/// A part's text, and whether it is cut.
fn words(headers: &Headers, kind: &Parameters, body: &[u8], read: fn(&[u8], &str) -> String) -> (String, bool) {
    let whole = body.len() <= 2 * MAX_TEXT && !headers.has(SIZE);
    let content = content(headers, body.get(..2 * MAX_TEXT).unwrap_or(body));
    let text = read(content.get(..MAX_TEXT).unwrap_or(&content), &kind.text("charset").unwrap_or_default());
    (text, !whole || content.len() > MAX_TEXT)
}

/// The encoding of a part's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    #[default]
    None,
    Base64,
    Quoted,
}

pub(super) fn encoding(headers: &Headers) -> Encoding {
    match token(headers.get("content-transfer-encoding").unwrap_or_default()).0.as_str() {
        "base64" => Encoding::Base64,
        "quoted-printable" => Encoding::Quoted,
        _ => Encoding::None,
    }
}

/// Measures an attachment without decoding it.
#[derive(Default)]
pub(super) struct Measure {
    encoding: Encoding,
    bytes: usize,
    letters: usize,
    escapes: usize,
    /// The last two bytes.
    last: [u8; 2],
}

impl Measure {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self { encoding, ..Self::default() }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let letter = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
        self.bytes += bytes.len();
        match self.encoding {
            Encoding::Base64 => self.letters += bytes.iter().filter(letter).count(),
            Encoding::Quoted => self.escapes += bytes.iter().filter(|b| **b == b'=').count(),
            Encoding::None => {}
        }
        match *bytes {
            [] => {}
            [one] => self.last = [self.last[1], one],
            [.., one, two] => self.last = [one, two],
        }
    }

    /// Leaves out the line's end before a boundary, which belongs to the boundary.
    pub(super) fn without_line_end(&mut self) {
        self.bytes = self.bytes.saturating_sub(match self.last {
            [b'\r', b'\n'] => 2,
            [_, b'\n'] => 1,
            _ => 0,
        });
    }

    pub(super) fn size(&self) -> u64 {
        let size = match self.encoding {
            Encoding::Base64 => self.letters * 3 / 4,
            Encoding::Quoted => self.bytes.saturating_sub(2 * self.escapes),
            Encoding::None => self.bytes,
        };
        u64::try_from(size).unwrap_or(u64::MAX)
    }
}

/// The parts between a boundary's lines; `None` if the boundary is not in the body. A part that is not closed ends with the
/// body. Only a line that is the boundary divides, and not a line that merely begins like it.
pub(super) fn split<'a>(body: &'a [u8], boundary: &[u8], most: usize) -> Option<Vec<&'a [u8]>> {
    if boundary.is_empty() {
        return None;
    }
    let (mut parts, mut begun, mut at) = (Vec::new(), None, 0);
    while at < body.len() {
        let rest = body.get(at..).unwrap_or_default();
        let length = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |end| end + 1);
        let line = rest.get(..length).unwrap_or_default();
        if let Some(last) = divides(line, boundary) {
            if let Some(from) = begun.take().filter(|_| parts.len() < most) {
                // The line's end before a boundary belongs to the boundary.
                let part = body.get(from..at).unwrap_or_default();
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                parts.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            if last {
                return Some(parts);
            }
            begun = Some(at + length);
        }
        at += length;
    }
    let from = begun?;
    if parts.len() < most {
        parts.push(body.get(from..).unwrap_or_default());
    }
    Some(parts)
}

/// Whether a line is a boundary: `false` for one between parts, `true` for the last.
fn divides(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let blank = |rest: &[u8]| rest.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    match rest.strip_prefix(b"--") {
        Some(rest) if blank(rest) => Some(true),
        _ => blank(rest).then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn raw_mails() {
        let mail = "From: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative; \
                    boundary=i\r\n\r\n--i\r\nContent-Type: text/plain; charset=gbk\r\nContent-Transfer-Encoding: base64\r\n\r\nxOO6ww==\r\n\
                    --i\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n--i--\r\n--o\r\nContent-Type: image/jpeg; name=\"p.jpg\"\r\n\
                    Content-Disposition: attachment; filename=\"p.jpg\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--o--\r\n";
        let raw = Raw::read(mail.as_bytes());
        assert_eq!(raw.text.as_deref(), Some("你好"));
        let file = &raw.files[0];
        assert_eq!((file.name.as_deref(), file.size, file.format.as_deref()), (Some("p.jpg"), Some(3), Some("image/jpeg")));
    }

    #[test]
    fn mails_without_a_charset() {
        let text = |body: &[u8]| Raw::read(&[b"From: a@b\r\n\r\n", body].concat()).text;
        assert_eq!(text("你好".as_bytes()).as_deref(), Some("你好"));
        assert_eq!(text(b"\xc4\xe3\xba\xc3").as_deref(), Some("你好"));
    }

    #[test]
    fn w6_a_type_is_read_however_it_is_written() {
        let text = |head: &str, body: &[u8]| {
            let raw = Raw::read(&[b"From: a@b\r\n", head.as_bytes(), b"\r\n\r\n", body].concat());
            (raw.text.unwrap_or_default(), raw.files.len())
        };
        for kind in
            ["text/html charset=gbk", "text/html, charset=gbk", "TEXT/HTML (x); charset=gbk", "text/watch-html; charset=gbk"]
        {
            assert_eq!(text(&format!("Content-Type: {kind}"), b"<b>\xc4\xe3\xba\xc3</b>"), ("你好".into(), 0), "{kind}");
        }
        for kind in [
            "text/plain charset=gbk",
            "text/enriched; charset=gbk",
            "text/markdown; charset=gbk",
            "text/richtext,charset=gbk",
        ] {
            assert_eq!(text(&format!("Content-Type: {kind}"), b"\xc4\xe3\xba\xc3"), ("你好".into(), 0), "{kind}");
        }
        for kind in ["text/calendar", "text/vcard", "text/x-amp-html", "text/markdown; name=a.md", "application/pdf"] {
            assert_eq!(text(&format!("Content-Type: {kind}"), b"x"), (String::new(), 1), "{kind}");
        }
        for encoding in ["base64", "base64;", "Base64 (x)", "\"base64\""] {
            assert_eq!(
                text(&format!("Content-Transfer-Encoding: {encoding}"), b"5L2g5aW9"),
                ("你好".into(), 0),
                "{encoding}"
            );
        }
        for encoding in ["quoted-printable (x)", "Quoted-Printable;", "quoted-printable, x"] {
            assert_eq!(
                text(&format!("Content-Transfer-Encoding: {encoding}"), b"=E4=BD=A0"),
                ("你".into(), 0),
                "{encoding}"
            );
        }
        // Plain text is better than a text that only looks like it.
        assert_eq!(
            mixed("alternative", &[PLAIN, "Content-Type: text/enriched\r\n\r\n<bold>x</bold>"]).text.as_deref(),
            Some("你好")
        );
        assert_eq!(
            mixed("alternative", &["Content-Type: text/enriched\r\n\r\n<bold>x</bold>", HTML]).text.as_deref(),
            Some("您好")
        );
    }

    #[test]
    fn w10_a_documents_own_charset_counts_where_the_mail_names_none() {
        let text = |kind: &str, head: &str| {
            let head = format!("From: a@b\r\nContent-Type: text/html{kind}\r\n\r\n{head}");
            Raw::read(&[head.as_bytes(), b"<p>\xa7\x41\xa6\x6e</p>"].concat()).text.unwrap()
        };
        for head in [
            "<meta charset=big5>",
            "<META CharSet=\"Big5\">",
            "<html><head>\r\n<meta http-equiv='Content-Type' content='text/html; charset=big5'>",
            "<?xml version=\"1.0\" encoding=\"big5\"?>",
        ] {
            assert_eq!(text("", head), "你好", "{head}");
            assert_eq!(text("; charset=us-ascii", head), "你好", "{head}");
        }
        assert_eq!(text("; charset=big5", "<meta charset=gbk>"), "你好", "the mail knows better");
    }

    #[test]
    fn w19_what_is_cut_ends_with_a_mark() {
        let long = "好".repeat(MAX_TEXT / 2);
        for kind in ["plain", "html"] {
            let found = Raw::read(format!("Content-Type: text/{kind}; charset=utf-8\r\n\r\n{long}").as_bytes());
            assert!(found.text.is_some_and(|text| text.ends_with('…')), "{kind}");
            let found = Raw::read(format!("Content-Type: text/{kind}\r\n{SIZE}: 9\r\n\r\n你好").as_bytes());
            assert_eq!(found.text.as_deref(), Some("你好…"), "{kind}");
        }
    }

    fn mixed(subtype: &str, parts: &[&str]) -> Raw {
        let parts: String = parts.iter().map(|part| format!("--b\r\n{part}\r\n")).collect();
        Raw::read(
            format!("From: a@b\r\nContent-Type: multipart/{subtype}; boundary=\"b\"\r\n\r\n{parts}--b--\r\n").as_bytes(),
        )
    }

    const PLAIN: &str = "Content-Type: text/plain\r\n\r\n你好";
    const HTML: &str = "Content-Type: text/html\r\n\r\n<p>您好</p>";
    const PICTURE: &str = "Content-Type: image/png\r\n\r\nPNG";

    #[test]
    fn w6_parts_are_joined_in_their_order() {
        let raw = mixed("mixed", &[PLAIN, PICTURE, "Content-Type: text/plain\r\n\r\n我要退款", HTML]);
        assert_eq!((raw.text.as_deref(), raw.files.len()), (Some("你好\n我要退款\n您好"), 1));
        let raw = mixed("mixed", &[PICTURE, "\r\n没有类型"]);
        assert_eq!((raw.text.as_deref(), raw.files.len()), (Some("没有类型"), 1));
        let raw = mixed("related", &[HTML, PICTURE]);
        assert_eq!((raw.text.as_deref(), raw.files.len()), (Some("您好"), 1));
        let raw = mixed("signed", &[PLAIN, "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nx"]);
        assert_eq!((raw.text.as_deref(), raw.files.len()), (Some("你好"), 1));
    }

    #[test]
    fn w6_of_alternatives_the_best_is_taken_and_all_attachments() {
        assert_eq!(mixed("alternative", &[PLAIN, HTML]).text.as_deref(), Some("你好"));
        assert_eq!(mixed("alternative", &["Content-Type: text/plain\r\n\r\n \r\n", HTML]).text.as_deref(), Some("您好"));
        let inner = "Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\nContent-Type: text/html\r\n\r\n<p>您</p>\r\n--i\r\n\
                     Content-Type: application/pdf; name=a.pdf\r\n\r\nPDF\r\n--i--";
        let raw = mixed("alternative", &[PLAIN, inner]);
        assert_eq!((raw.text.as_deref(), raw.files.len()), (Some("你好"), 1));
        assert_eq!(mixed("alternative", &[inner]).text.as_deref(), Some("您"));
    }

    #[test]
    fn w6_a_forwarded_mail_is_not_the_customers_words() {
        let mail = "Content-Type: message/rfc822\r\n\r\nFrom: other@x\r\nSubject: =?utf-8?B?5oqV6K+J?=\r\n\r\n我要投诉";
        let raw = mixed("mixed", &[PLAIN, mail]);
        assert_eq!(raw.text.as_deref(), Some("你好"));
        assert_eq!(raw.forwarded, ["From: other@x\nSubject: 投诉\n\n我要投诉"]);
    }

    #[test]
    fn w11_only_a_line_that_is_the_boundary_begins_a_part() {
        let raw = mixed("mixed", &["Content-Type: text/plain\r\n\r\na\r\n--bb\r\n--b x\r\n --b\r\n<!-- x --b-->\r\nz"]);
        assert_eq!(raw.text.as_deref(), Some("a\r\n--bb\r\n--b x\r\n --b\r\n<!-- x --b-->\r\nz"));
        let open = "From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b  \r\n\r\n你好";
        assert_eq!(Raw::read(open.as_bytes()).text.as_deref(), Some("你好"));
        let none = "From: a@b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--b\r\n\r\n你好";
        assert_eq!(Raw::read(none.as_bytes()).text.as_deref(), Some("--b\r\n\r\n你好"));
        // A boundary that begins like the outer one.
        let inner = "Content-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\n你\r\n--bb--";
        assert_eq!(mixed("mixed", &[inner, PLAIN]).text.as_deref(), Some("你\n你好"));
    }

    #[test]
    fn w11_no_mail_costs_more_than_some_passes() {
        let nested: String =
            (0..3_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
        let mails = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
        for soup in [nested.as_str(), &mails, "--b\r\n", "\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"]
        {
            let mail = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", soup.repeat(1 + 200_000 / soup.len()));
            assert!(Raw::read(mail.as_bytes()).files.len() <= MAX_FILES);
        }
    }

    proptest! {
        #[test]
        fn w6_no_text_of_a_mixed_mail_is_lost(texts in prop::collection::vec("[一-龥]{1,8}", 1..8), every in 1usize..4) {
            let parts: Vec<String> = texts.iter().map(|text| format!("Content-Type: text/plain\r\n\r\n{text}")).collect();
            let parts: Vec<&str> =
                parts.iter().enumerate().flat_map(|(n, p)| if n % every == 0 { vec![p.as_str(), PICTURE] } else { vec![p.as_str()] }).collect();
            prop_assert_eq!(mixed("mixed", &parts).text, Some(texts.join("\n")));
        }

        #[test]
        fn arbitrary_mails_do_not_panic(bytes: Vec<u8>, soup in
            "(Content-Type: (multipart/mixed; boundary=x|message/rfc822|text/html)\n|--x\n|--x--\n|\n|[a-zA-Z:;=\"?]|=\\?gbk\\?B\\?|\\?=| ){0,60}") {
            let _ = Raw::read(&bytes);
            let _ = Raw::read(soup.as_bytes());
            let _ = split(&bytes, b"x", 4);
        }
    }
}
