//! Raw mails (RFC 5322, 2045 and 2046): a tree of parts, reduced to what was written, what was attached, and what was
//! forwarded.
//!
//! Parts are found by their boundary's lines alone, and read where they stand: a body is never copied before it is decoded,
//! and an attachment is only measured.

use super::charset::decode;
use super::header::{Headers, Parameters};
use super::html::to_text;
use super::report::Report;
use super::words::{base64, quoted_printable};
use std::borrow::Cow;
use warmline_model::Media;

/// The most attachments named.
pub(super) const MAX_FILES: usize = 32;
/// The deepest nesting, the most parts of one mail, and of one part, that are looked at.
const MAX_DEPTH: usize = 12;
const MAX_PARTS: usize = 500;
/// The most bytes of a text that are decoded.
const MAX_TEXT: usize = 1024 * 1024;
/// In a part whose content was left out when the mail came in: the size that it had.
pub(super) const SIZE: &str = "x-warmline-size";

/// A raw mail, as far as it is needed.
#[derive(Default)]
pub(super) struct Raw {
    pub(super) headers: Headers,
    pub(super) text: Option<String>,
    pub(super) files: Vec<Media>,
    /// Mails inside this one, as text: they are not the customer's words.
    pub(super) forwarded: Vec<String>,
    pub(super) report: Option<Report>,
}

impl Raw {
    pub(super) fn read(mail: &[u8]) -> Self {
        // A mailbox's line before the first field.
        let mail = match mail.strip_prefix(b"From ") {
            Some(rest) => rest.iter().position(|b| *b == b'\n').and_then(|end| rest.get(end + 1..)).unwrap_or_default(),
            None => mail,
        };
        let (headers, body) = Headers::read_with_rest(mail);
        let mut parts = MAX_PARTS;
        let Found { text, files, forwarded, report, .. } = part(&headers, body, 0, &mut parts);
        Self { text: (!text.trim().is_empty()).then_some(text), files, forwarded, report, headers }
    }
}

/// What a part holds.
#[derive(Default)]
struct Found {
    text: String,
    /// Whether the text was written as text, and not as HTML.
    plain: bool,
    files: Vec<Media>,
    forwarded: Vec<String>,
    report: Option<Report>,
}

impl Found {
    /// Takes in what another part holds beside its text.
    fn beside(&mut self, other: &mut Self) {
        self.files.append(&mut other.files);
        self.files.truncate(MAX_FILES);
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
    let disposition = Parameters::read(headers.raw("content-disposition").unwrap_or_default());
    let name = disposition.text("filename").or_else(|| kind.text("name")).filter(|name| !name.trim().is_empty());
    let attached = disposition.value == "attachment" || name.is_some();
    match kind.value.as_str() {
        "message/delivery-status" | "message/disposition-notification" | "message/feedback-report" => {
            Found { report: Some(Report::read(&kind.value, &content(headers, body))), ..Found::default() }
        }
        "text/rfc822-headers" => {
            let original = Headers::read(&content(headers, body));
            Found { report: Some(Report::of_original(&original)), ..Found::default() }
        }
        "message/rfc822" | "message/global" if depth < MAX_DEPTH => forwarded(headers, body, depth, budget),
        // A multipart without its boundaries is read as the text that it is.
        text if !attached
            && (text.is_empty() || text == "text/plain" || text == "text" || text.starts_with("multipart/")) =>
        {
            Found { text: words(headers, &kind, body), plain: true, ..Found::default() }
        }
        "text/html" | "application/xhtml+xml" if !attached => {
            Found { text: to_text(&words(headers, &kind, body)), ..Found::default() }
        }
        other => {
            let size = headers.get(SIZE).and_then(|size| size.parse().ok()).unwrap_or_else(|| size(headers, body));
            let format = Some(other.chars().take(128).collect());
            Found { files: vec![Media { name, size: Some(size), format, ..Media::default() }], ..Found::default() }
        }
    }
}

fn multipart(subtype: &str, parts: &[&[u8]], depth: usize, budget: &mut usize) -> Found {
    let mut all = Vec::with_capacity(parts.len().min(64));
    for raw in parts {
        if *budget == 0 {
            break;
        }
        let (headers, body) = Headers::read_with_rest(raw);
        // In a digest parts are mails (RFC 2046, 5.1.5).
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
        // The same words several times, the best last; but as text nothing is better than text.
        let best = all.iter_mut().filter(written).enumerate().max_by_key(|(at, found)| (found.plain, *at));
        if let Some((_, best)) = best {
            (whole.text, whole.plain) = (std::mem::take(&mut best.text), best.plain);
        }
        return whole;
    }
    let texts: Vec<_> = all.iter_mut().filter(written).collect();
    whole.plain = texts.iter().all(|found| found.plain);
    whole.text = texts.into_iter().map(|found| std::mem::take(&mut found.text)).collect::<Vec<_>>().join("\n");
    // What a report brings back of the mail is no forwarded mail.
    if whole.report.as_ref().is_some_and(|report| report.event.is_some()) {
        whole.forwarded.clear();
    }
    whole
}

/// A mail inside a mail: who wrote it, its subject and its words, for reading; and, should it have bounced, which it was.
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

fn words(headers: &Headers, kind: &Parameters, body: &[u8]) -> String {
    let content = content(headers, body.get(..2 * MAX_TEXT).unwrap_or(body));
    decode(content.get(..MAX_TEXT).unwrap_or(&content), &kind.text("charset").unwrap_or_default())
}

enum Encoding {
    None,
    Base64,
    Quoted,
}

fn encoding(headers: &Headers) -> Encoding {
    match headers.get("content-transfer-encoding").map(str::to_ascii_lowercase).as_deref() {
        Some("base64") => Encoding::Base64,
        Some("quoted-printable") => Encoding::Quoted,
        _ => Encoding::None,
    }
}

/// How many bytes an attachment has, without decoding it.
fn size(headers: &Headers, body: &[u8]) -> u64 {
    let length = match encoding(headers) {
        Encoding::Base64 => {
            body.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_')).count() * 3 / 4
        }
        Encoding::Quoted => {
            let escapes = body.iter().filter(|b| **b == b'=').count();
            body.len().saturating_sub(2 * escapes)
        }
        Encoding::None => body.len(),
    };
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The parts between a boundary's lines; none where the boundary does not stand in the body. A part that is not closed ends
/// with the body. Only a line that is the boundary, and nothing that merely begins like it, divides.
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

/// Whether a line is a boundary's: false for one of several, true for the last.
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
