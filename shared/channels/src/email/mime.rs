//! Raw mails (RFC 5322, 2045 and 2047), and the headers of parsed ones.

use super::form::{bounded, decode};
use crate::kit::Refusal;
use crate::values::is_id;
use mailparse::{DispositionType, MailAddr, MailHeader, ParsedMail};
use serde_json::Value;
use warmline_model::{Media, Timestamp};

/// The longest block of headers that is looked at, in bytes.
const MAX_HEADERS: usize = 64 * 1024;
/// The headers that are looked at.
const WANTED: &[&str] =
    &["message-id", "in-reply-to", "references", "from", "subject", "date", "auto-submitted", "x-autoreply", "precedence"];
/// The most attachments named.
pub(super) const MAX_FILES: usize = 32;
/// The most leaves of a mail that are looked at.
const MAX_LEAVES: usize = 200;

/// A mail's headers, decoded.
#[derive(Default)]
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    /// From a block of lines.
    pub(super) fn read(block: &[u8]) -> Self {
        let block = block.get(..MAX_HEADERS).unwrap_or(block);
        if bounded(block).is_err() {
            return Self::default();
        }
        mailparse::parse_headers(block).map(|(headers, _)| Self::of(&headers)).unwrap_or_default()
    }

    /// From Mailgun's list of pairs, which are decoded already.
    pub(super) fn of_pairs(pairs: &Value) -> Self {
        let pair = |pair: &Value| Some((pair[0].as_str()?.to_ascii_lowercase(), pair[1].as_str()?.to_owned()));
        Self(pairs.as_array().map(|pairs| pairs.iter().filter_map(pair).collect()).unwrap_or_default())
    }

    fn of(headers: &[MailHeader<'_>]) -> Self {
        let named = headers.iter().map(|h| (h.get_key_ref().to_ascii_lowercase(), h));
        Self(named.filter(|(name, _)| WANTED.contains(&name.as_str())).map(|(name, h)| (name, h.get_value())).collect())
    }

    /// A header by its name in lower case, where it is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim()).filter(|v| !v.is_empty())
    }

    /// The mail's own id, without brackets.
    pub(super) fn message_id(&self) -> Option<String> {
        self.ids("message-id").pop()
    }

    /// The ids in a header.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        ids(self.get(name).unwrap_or_default())
    }

    /// When the mail says it was written.
    pub(super) fn date(&self) -> Option<Timestamp> {
        // The parser counts the centuries one by one: a year of ten digits would take it a while.
        let date = self.get("date")?;
        if date.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 4) {
            return None;
        }
        mailparse::dateparse(date).ok().filter(|secs| *secs > 0).map(Timestamp::from_secs)
    }

    /// Whether an automaton wrote it (RFC 3834): such mails are not to be answered.
    pub(super) fn automatic(&self) -> bool {
        self.get("auto-submitted").is_some_and(|v| !v.eq_ignore_ascii_case("no"))
            || self.get("x-autoreply").is_some_and(|v| v.eq_ignore_ascii_case("yes"))
            || self.get("precedence").is_some_and(|v| v.eq_ignore_ascii_case("auto_reply"))
    }
}

/// The message ids in a text, without brackets: only what can stand in a header again.
pub(super) fn ids(text: &str) -> Vec<String> {
    let good = |id: &&str| is_id(id, 250);
    text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',')).filter(good).map(str::to_owned).collect()
}

/// The first address of a list and its name.
pub(super) fn address(text: &str) -> Option<(String, Option<String>)> {
    if text.len() > 8 * 1024 {
        return None;
    }
    let first = mailparse::addrparse(text).ok().and_then(|list| {
        list.into_inner().into_iter().find_map(|addr| match addr {
            MailAddr::Single(info) => Some(info),
            MailAddr::Group(group) => group.addrs.into_iter().next(),
        })
    });
    let (address, name) = match first {
        Some(info) => (info.addr, info.display_name),
        // What is not quite an address list may still hold one address in brackets.
        None => (text.split_once('<')?.1.split_once('>')?.0.to_owned(), None),
    };
    let name = name.map(|n| n.chars().filter(|c| !c.is_control()).take(128).collect::<String>());
    let address = address.trim().to_lowercase();
    super::account::is_address(&address).then(|| (address, name.filter(|n| !n.trim().is_empty())))
}

/// A raw mail, as far as it is needed.
#[derive(Default)]
pub(super) struct Raw {
    pub(super) headers: Headers,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) files: Vec<Media>,
}

impl Raw {
    pub(super) fn read(mail: &[u8]) -> Result<Self, Refusal> {
        bounded(mail)?;
        let mail = mailparse::parse_mail(mail).map_err(|_| Refusal::Malformed("not a mail"))?;
        let mut raw = Self { headers: Headers::of(&mail.headers), ..Self::default() };
        for leaf in mail.parts().filter(|part| part.subparts.is_empty()).take(MAX_LEAVES) {
            raw.leaf(leaf);
        }
        Ok(raw)
    }

    fn leaf(&mut self, part: &ParsedMail<'_>) {
        let disposition = part.get_content_disposition();
        let name = disposition.params.get("filename").or_else(|| part.ctype.params.get("name")).cloned();
        let attached = disposition.disposition == DispositionType::Attachment || name.is_some();
        let kind = part.ctype.mimetype.as_str();
        match kind {
            "text/plain" if !attached && self.text.is_none() => self.text = body(part),
            "text/html" if !attached && self.html.is_none() => self.html = body(part),
            _ if kind.starts_with("multipart/") => {}
            _ if self.files.len() < MAX_FILES => {
                let size = part.get_body_raw().ok().and_then(|body| u64::try_from(body.len()).ok());
                self.files.push(Media { name, size, format: Some(kind.to_owned()), ..Media::default() });
            }
            _ => {}
        }
    }
}

/// A part's text. Mails that name no charset are UTF-8 today, and GB18030 where they are not.
fn body(part: &ParsedMail<'_>) -> Option<String> {
    let raw = part.get_body_raw().ok()?;
    let named = part.ctype.charset.as_str();
    Some(match String::from_utf8(raw) {
        Ok(text) if matches!(named.to_ascii_lowercase().as_str(), "us-ascii" | "utf-8") => text,
        Ok(text) => decode(text.as_bytes(), named),
        Err(e) if named.eq_ignore_ascii_case("us-ascii") => decode(e.as_bytes(), "gb18030"),
        Err(e) => decode(e.as_bytes(), named),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn headers() {
        let block = "Message-ID: <a.b@c>\r\nSubject: =?GB18030?B?zcu79Q==?=\r\nReferences: <1@x>\r\n <2@x>,<3@x>\r\n\
                     Date: Wed, 10 Aug 2016 18:10:13 -0700\r\nAuto-Submitted: no\r\n\r\n";
        let headers = Headers::read(block.as_bytes());
        assert_eq!((headers.message_id().as_deref(), headers.get("subject")), (Some("a.b@c"), Some("退货")));
        assert_eq!(headers.ids("references"), ["1@x", "2@x", "3@x"]);
        assert_eq!(headers.date(), Some(Timestamp::from_secs(1_470_877_813)));
        assert!(!headers.automatic());
        assert_eq!(Headers::read(b"Date: Wed, 10 Aug 4294967295 18:10:13 -0700\n\n").date(), None);
        let pairs = Headers::of_pairs(&json!([["Auto-Submitted", "auto-replied"], ["X", 1], []]));
        assert!(pairs.automatic());
        assert!(Headers::read(b"X-Autoreply: yes\n\n").automatic());
        assert_eq!(Headers::read(b"Message-Id: <a\x07b@c>\n\n").message_id(), None);
    }

    #[test]
    fn addresses() {
        let read = |text: &str| address(text);
        assert_eq!(read("Example User <Test@Example.com>"), Some(("test@example.com".into(), Some("Example User".into()))));
        assert_eq!(read("\"王, 小姐\" <w@x>, other@y"), Some(("w@x".into(), Some("王, 小姐".into()))));
        assert_eq!(read("a@b"), Some(("a@b".into(), None)));
        assert_eq!(read("nobody"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn raw_mails() {
        let mail = "From: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative; \
                    boundary=i\r\n\r\n--i\r\nContent-Type: text/plain; charset=gbk\r\nContent-Transfer-Encoding: base64\r\n\r\nxOO6ww==\r\n\
                    --i\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n--i--\r\n--o\r\nContent-Type: image/jpeg; name=\"p.jpg\"\r\n\
                    Content-Disposition: attachment; filename=\"p.jpg\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--o--\r\n";
        let raw = Raw::read(mail.as_bytes()).ok().unwrap();
        assert_eq!((raw.text.as_deref(), raw.html.as_deref()), (Some("你好"), Some("<b>x</b>")));
        let file = &raw.files[0];
        assert_eq!((file.name.as_deref(), file.size, file.format.as_deref()), (Some("p.jpg"), Some(3), Some("image/jpeg")));
    }

    #[test]
    fn mails_without_a_charset() {
        let text = |body: &[u8]| Raw::read(&[b"From: a@b\r\n\r\n", body].concat()).ok().unwrap().text;
        assert_eq!(text("你好".as_bytes()).as_deref(), Some("你好"));
        assert_eq!(text(b"\xc4\xe3\xba\xc3").as_deref(), Some("你好"));
    }

    proptest! {
        #[test]
        fn arbitrary_mails_do_not_panic(bytes: Vec<u8>, text in ".*", date in "[A-Za-z0-9,:+ -]{0,40}", soup in
            "(Content-Type: multipart/mixed; boundary=x\n|--x\n|--x--\n|\n|[a-zA-Z:;=\"?]|=\\?gbk\\?B\\?|\\?=| ){0,60}") {
            let _ = Raw::read(&bytes);
            let _ = Raw::read(soup.as_bytes());
            let _ = Headers::read(&bytes);
            let _ = Headers::read(format!("Date: {date}\n\n").as_bytes()).date();
            let _ = Headers::read(soup.as_bytes()).message_id();
            let _ = address(&text);
            let _ = address(&soup);
        }
    }
}
