//! The parts of a posted form: multipart/form-data as SendGrid and Mailgun write it, or urlencoded.
//!
//! Multipart is a dialect of a mail's parts and is read like them: by the lines of its boundary, with line ends of either
//! kind, as in the providers' own samples. Parts are read in place in the body.

use super::charset::decode;
use super::header::{Headers, Parameters};
use super::mime::{Encoding, SIZE, encoding, split};
use super::words::{base64, quoted_printable};
use crate::json;
use crate::kit::{Fault, Refusal};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The most parts of a form that are read.
const MAX_PARTS: usize = 4_096;

/// A part of a form.
pub(super) struct Part<'a> {
    pub(super) name: String,
    /// The file's name, if the part is a file.
    pub(super) file: Option<String>,
    pub(super) kind: String,
    pub(super) body: Cow<'a, [u8]>,
    /// The size with which it came.
    pub(super) size: u64,
}

/// A form.
pub(super) struct Form<'a>(Vec<Part<'a>>);

impl<'a> Form<'a> {
    pub(super) fn read(kind: &str, body: &'a [u8]) -> Result<Self, Refusal> {
        let kind = Parameters::read(kind);
        match kind.value.as_str() {
            "multipart/form-data" => Self::multipart(kind.plain("boundary").unwrap_or_default(), body),
            "application/x-www-form-urlencoded" => {
                let part = |(name, value): (Cow<'a, str>, Cow<'a, str>)| {
                    let body = match value {
                        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                    };
                    Part { name: name.into_owned(), file: None, kind: String::new(), size: size(&body), body }
                };
                Ok(Self(form_urlencoded::parse(body).take(MAX_PARTS).map(part).collect()))
            }
            _ => Err(Refusal::Malformed(Fault::NotForm)),
        }
    }

    fn multipart(boundary: &str, body: &'a [u8]) -> Result<Self, Refusal> {
        if !(1..=200).contains(&boundary.len()) {
            return Err(Refusal::Malformed(Fault::NoBoundary));
        }
        let raw = split(body, boundary.as_bytes(), MAX_PARTS).unwrap_or_default();
        let parts: Vec<_> = raw.into_iter().filter_map(Part::read).collect();
        if parts.is_empty() { Err(Refusal::Malformed(Fault::NotMultipart)) } else { Ok(Self(parts)) }
    }

    /// A field's bytes.
    pub(super) fn raw(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|p| p.name == name && p.file.is_none()).map(|p| &*p.body)
    }

    /// Whether a field came incomplete.
    pub(super) fn is_cut(&self, name: &str) -> bool {
        self.0.iter().any(|p| p.name == name && p.file.is_none() && p.size > size(&p.body))
    }

    /// A field as text, in UTF-8.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|raw| decode(raw, "utf-8"))
    }

    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Part<'a>> {
        self.0.iter().filter(|part| part.file.is_some())
    }

    /// The charsets of the fields, as SendGrid tells them: JSON in the field `charsets`.
    pub(super) fn charsets(&self) -> BTreeMap<String, String> {
        self.raw("charsets").and_then(|raw| json::read_as(raw, 16 * 1024).ok()).unwrap_or_default()
    }
}

impl<'a> Part<'a> {
    fn read(raw: &'a [u8]) -> Option<Self> {
        let (headers, body) = Headers::read_with_rest(raw);
        let disposition = Parameters::read(headers.raw("content-disposition")?);
        let body = match encoding(&headers) {
            Encoding::Base64 => Cow::Owned(base64(body)),
            Encoding::Quoted => Cow::Owned(quoted_printable(body)),
            Encoding::None => Cow::Borrowed(body),
        };
        let size = headers.get(SIZE).and_then(|size| size.parse().ok()).unwrap_or_else(|| size(&body));
        let (name, file) = (disposition.text("name")?, disposition.text("filename"));
        Some(Self { name, file, kind: headers.content_type().value, body, size })
    }
}

fn size(body: &[u8]) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
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
        assert_eq!((&*file.body, file.size), (&b"\0\r\nx"[..], 4));
        let plain = Form::read("application/x-www-form-urlencoded", b"a=%E4%BD%A0&a=2").ok().unwrap();
        assert_eq!(plain.text("a").as_deref(), Some("你"));
    }

    #[test]
    fn refusals() {
        let refused = |kind: &str, body: &str| Form::read(kind, body.as_bytes()).err();
        assert_eq!(refused("text/plain", ""), Some(Refusal::Malformed(Fault::NotForm)));
        assert_eq!(refused("multipart/form-data", ""), Some(Refusal::Malformed(Fault::NoBoundary)));
        assert_eq!(refused(KIND, "nothing"), Some(Refusal::Malformed(Fault::NotMultipart)));
        assert_eq!(refused(KIND, &"--xYz\n".repeat(2_001)), Some(Refusal::Malformed(Fault::NotMultipart)));
    }

    #[test]
    fn w11_no_form_is_refused_for_its_lines_parts_or_headers() {
        let field =
            |value: &str| format!("--xYz\r\nContent-Disposition: form-data; name=\"html\"\r\n\r\n{value}\r\n--xYz--\r\n");
        let word = "<!-- /* Style Definitions */\r\n--><p>x</p>\r\n".repeat(5_000);
        for html in [word.as_str(), &"<p>好</p>\n".repeat(70_000), &"--\n".repeat(5_000), &"x".repeat(300_000)] {
            let body = field(html);
            assert_eq!(Form::read(KIND, body.as_bytes()).ok().unwrap().text("html").as_deref(), Some(html));
        }
        let many = "--xYz\nContent-Disposition: form-data; name=a\n\nx\n".repeat(300) + &field("last");
        assert_eq!(Form::read(KIND, many.as_bytes()).ok().unwrap().text("html").as_deref(), Some("last"));
        let many = "a&".repeat(300) + "html=last";
        let form = Form::read("application/x-www-form-urlencoded", many.as_bytes()).ok().unwrap();
        assert_eq!(form.text("html").as_deref(), Some("last"));
        let long =
            format!("--xYz\r\nX: {}\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--xYz--", "x".repeat(200_000));
        assert_eq!(Form::read(KIND, long.as_bytes()).ok().unwrap().text("a").as_deref(), Some("x"));
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
