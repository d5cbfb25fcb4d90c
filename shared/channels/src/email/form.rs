//! The parts of a posted form: multipart/form-data as SendGrid and Mailgun write it, or urlencoded.
//!
//! Multipart is read by the mail reader, which it is a dialect of: it takes line ends of either kind, as the providers' own samples
//! have them. Lines and parts are counted first, so that what a body can cost is known before anything is built.

use crate::json;
use crate::kit::Refusal;
use mailparse::MailHeaderMap;
use std::collections::BTreeMap;

/// The most lines of a body, the most of them that could begin a part, and the most kinds `multipart/…` named in it.
const MAX_LINES: usize = 60_000;
const MAX_DASHES: usize = 2_000;
const MAX_MULTIPARTS: usize = 24;
/// The most bytes of headers, of all parts together, and the most bytes of them that are walked for encoded words.
const MAX_HEADERS: usize = 128 * 1024;
const MAX_WALKED: usize = 2 * 1024 * 1024;
/// The most parts of a form.
const MAX_PARTS: usize = 256;

/// A part of a form.
pub(super) struct Part {
    pub(super) name: String,
    /// The file's name, where the part is a file.
    pub(super) file: Option<String>,
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
}

/// A form.
pub(super) struct Form(Vec<Part>);

/// Whether a mail or form can be read at a known cost. Headers begin with the body or after a line that begins with `--`, and end
/// with an empty line; the reader walks a header's line once for each mark of an encoded word in it.
pub(super) fn bounded(body: &[u8]) -> Result<(), Refusal> {
    let (mut lines, mut dashes, mut multiparts) = (0usize, 0usize, 0usize);
    let (mut in_headers, mut headers, mut walked) = (true, 0usize, 0usize);
    for line in body.split(|b| *b == b'\n') {
        lines += 1;
        if line.starts_with(b"--") {
            dashes += 1;
            in_headers = true;
        }
        if line.is_empty() || line == b"\r" {
            in_headers = false;
        }
        if in_headers {
            headers += line.len();
            let marks = line.windows(2).filter(|w| *w == b"=?" || *w == b"?=").count();
            walked = walked.saturating_add(marks.saturating_mul(line.len()));
            multiparts += line.windows(10).filter(|w| w.eq_ignore_ascii_case(b"multipart/")).count();
        }
    }
    let many = lines > MAX_LINES || dashes > MAX_DASHES || multiparts > MAX_MULTIPARTS;
    if many || headers > MAX_HEADERS || walked > MAX_WALKED {
        return Err(Refusal::Malformed("too many lines, parts or headers"));
    }
    Ok(())
}

impl Form {
    pub(super) fn read(kind: &str, body: &[u8]) -> Result<Self, Refusal> {
        let parsed = mailparse::parse_content_type(kind);
        match parsed.mimetype.as_str() {
            "multipart/form-data" => Self::multipart(&parsed, body),
            "application/x-www-form-urlencoded" => {
                let parts: Vec<_> = form_urlencoded::parse(body)
                    .take(MAX_PARTS + 1)
                    .map(|(name, value)| Part {
                        name: name.into_owned(),
                        file: None,
                        kind: String::new(),
                        body: value.into_owned().into_bytes(),
                    })
                    .collect();
                if parts.len() > MAX_PARTS { Err(Refusal::Malformed("too many parts")) } else { Ok(Self(parts)) }
            }
            _ => Err(Refusal::Malformed("not a form")),
        }
    }

    fn multipart(kind: &mailparse::ParsedContentType, body: &[u8]) -> Result<Self, Refusal> {
        let boundary =
            kind.params.get("boundary").filter(|b| (1..=200).contains(&b.len()) && !b.contains(['"', '\r', '\n']));
        let boundary = boundary.ok_or(Refusal::Malformed("no boundary"))?;
        bounded(body)?;
        let mut mail = format!("Content-Type: multipart/form-data; boundary=\"{boundary}\"\r\n\r\n").into_bytes();
        mail.extend_from_slice(body);
        let mail = mailparse::parse_mail(&mail).map_err(|_| Refusal::Malformed("not multipart/form-data"))?;
        if mail.subparts.len() > MAX_PARTS {
            return Err(Refusal::Malformed("too many parts"));
        }
        let mut parts = Vec::new();
        for part in &mail.subparts {
            let disposition = part.headers.get_first_value("Content-Disposition").unwrap_or_default();
            let mut params = mailparse::parse_content_disposition(&disposition).params;
            let Some(name) = params.remove("name") else { continue };
            let body = part.get_body_raw().map_err(|_| Refusal::Malformed("a part cannot be decoded"))?;
            parts.push(Part { name, file: params.remove("filename"), kind: part.ctype.mimetype.clone(), body });
        }
        if parts.is_empty() { Err(Refusal::Malformed("not multipart/form-data")) } else { Ok(Self(parts)) }
    }

    /// A field's bytes.
    pub(super) fn raw(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|p| p.name == name && p.file.is_none()).map(|p| p.body.as_slice())
    }

    /// A field as text, in UTF-8.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|raw| decode(raw, "utf-8"))
    }

    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Part> {
        self.0.iter().filter(|part| part.file.is_some())
    }

    /// The charsets of the fields, as SendGrid tells them: JSON in the field `charsets`.
    pub(super) fn charsets(&self) -> BTreeMap<String, String> {
        self.raw("charsets").and_then(|raw| json::read_as(raw, 16 * 1024).ok()).unwrap_or_default()
    }
}

/// Text in a charset by its label (WHATWG: GBK, GB18030, Big5, …); an unknown one is read as UTF-8. What cannot be read shows.
pub(super) fn decode(raw: &[u8], label: &str) -> String {
    let encoding = encoding_rs::Encoding::for_label(label.trim().as_bytes()).unwrap_or(encoding_rs::UTF_8);
    encoding.decode(raw).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: &str = "multipart/form-data; boundary=\"xYz\"";

    #[test]
    fn parts_and_files() {
        let body = "--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\r\n--xYz\r\nContent-Disposition: form-data; \
                    name=\"f\"; filename=\"退货.pdf\"\r\nContent-Type: application/pdf\r\n\r\n\0\r\nx\r\n--xYz--\r\n";
        let form = Form::read(KIND, body.as_bytes()).ok().unwrap();
        assert_eq!((form.text("a").as_deref(), form.text("f"), form.text("b")), (Some("1\r\n"), None, None));
        let file = form.files().next().unwrap();
        assert_eq!((file.file.as_deref(), file.kind.as_str()), (Some("退货.pdf"), "application/pdf"));
        assert_eq!(file.body, b"\0\r\nx");
        let plain = Form::read("application/x-www-form-urlencoded", b"a=%E4%BD%A0&a=2").ok().unwrap();
        assert_eq!(plain.text("a").as_deref(), Some("你"));
    }

    #[test]
    fn refusals() {
        let refused = |kind: &str, body: &str| Form::read(kind, body.as_bytes()).err();
        assert_eq!(refused("text/plain", ""), Some(Refusal::Malformed("not a form")));
        assert_eq!(refused("multipart/form-data", ""), Some(Refusal::Malformed("no boundary")));
        assert_eq!(refused(KIND, "nothing"), Some(Refusal::Malformed("not multipart/form-data")));
        let bounds = Some(Refusal::Malformed("too many lines, parts or headers"));
        assert_eq!(refused(KIND, &"--xYz\n".repeat(2_001)), bounds);
        assert_eq!(refused(KIND, &"\n".repeat(60_001)), bounds);
        assert_eq!(refused(KIND, &"Content-Type: MULTIPART/mixed\n".repeat(25)), bounds);
        assert_eq!(refused(KIND, &format!("--xYz\nX: {}", "=?".repeat(2_000))), bounds);
        assert_eq!(refused(KIND, &format!("--xYz\nX: {}", "x".repeat(200_000))), bounds);
        let many = "--xYz\nContent-Disposition: form-data; name=a\n\nx\n".repeat(300);
        assert_eq!(refused(KIND, &many), Some(Refusal::Malformed("too many parts")));
        assert_eq!(
            refused("application/x-www-form-urlencoded", &"a&".repeat(300)),
            Some(Refusal::Malformed("too many parts"))
        );
    }

    #[test]
    fn charsets() {
        assert_eq!(decode(b"\xc4\xe3\xba\xc3", "gbk"), "你好");
        assert_eq!(decode(b"\x95\x32\x82\x36", "GB18030"), "𠀀");
        assert_eq!(decode(b"\xa7\x41\xa6\x6e", "Big5"), "你好");
        assert_eq!(decode("你".as_bytes(), "klingon"), "你");
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(kind in ".{0,60}", body: Vec<u8>, text in "(--xYz|\r\n|\n|[a-zA-Z:;=\" -]){0,60}") {
            let _ = Form::read(&kind, &body);
            let _ = Form::read(KIND, &body);
            let _ = Form::read(KIND, format!("--xYz\r\n{text}").as_bytes());
        }
    }
}
