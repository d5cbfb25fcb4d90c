//! Header fields: blocks of them, and their addresses, ids, dates and parameters.

use super::account::is_address;
use super::charset::{decode, guess};
use super::words::words;
use crate::civil;
use crate::values::is_id;
use serde_json::Value;
use warmline_model::Timestamp;

/// The most bytes that are read of a block of fields, and of one field. The rest is cut: no mail is refused because of it.
const MAX_BLOCK: usize = 256 * 1024;
const MAX_FIELD: usize = 32 * 1024;
/// The most fields of a block that are kept.
const MAX_FIELDS: usize = 1_000;
/// The most addresses of a list that are read.
const MAX_ADDRESSES: usize = 100;

/// A mail's header fields, each as it came (with encoded words) and as text.
#[derive(Default)]
pub(super) struct Headers(Vec<Field>);

struct Field {
    name: String,
    raw: String,
    text: String,
}

/// A mail address, in lower case, and the name before it.
pub(super) type Address = (String, Option<String>);

impl Headers {
    /// Reads the fields at the beginning of a mail or of a part of one.
    pub(super) fn read(block: &[u8]) -> Self {
        Self::read_with_rest(block).0
    }

    /// The same, and the text after the empty line that ends them.
    pub(super) fn read_with_rest(block: &[u8]) -> (Self, &[u8]) {
        let (mut fields, mut open, mut rest, mut read) = (Vec::new(), Vec::new(), block, 0usize);
        while !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                break;
            }
            read += line.len();
            if read > MAX_BLOCK {
                continue;
            }
            let room = line.get(..MAX_FIELD).unwrap_or(line);
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                if open.len() < MAX_FIELD {
                    open.extend_from_slice(room);
                }
            } else {
                close(&mut fields, &mut open);
                open.extend_from_slice(room);
            }
        }
        close(&mut fields, &mut open);
        (Self(fields), rest)
    }

    /// Reads Mailgun's list of pairs.
    pub(super) fn of_pairs(pairs: &Value) -> Self {
        let pair = |pair: &Value| {
            let (name, raw) = (pair[0].as_str()?.to_ascii_lowercase(), pair[1].as_str()?.to_owned());
            Some(Field { text: words(&raw), name, raw })
        };
        Self(pairs.as_array().map(|pairs| pairs.iter().filter_map(pair).collect()).unwrap_or_default())
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name && !field.text.trim().is_empty())
    }

    /// Whether a field is present, even if it is empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|field| field.name == name)
    }

    /// A field as text by its name in lower case, if it is present and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.field(name).map(|field| field.text.trim())
    }

    /// The same before its words are decoded.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.field(name).map(|field| field.raw.trim())
    }

    /// The mail's own id, without brackets.
    pub(super) fn message_id(&self) -> Option<String> {
        self.ids("message-id").into_iter().next()
    }

    /// The ids in a field.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        ids(self.get(name).unwrap_or_default())
    }

    /// The addresses in a field. They are separated before words are decoded, so that no text in a name passes for an
    /// address.
    pub(super) fn addresses(&self, name: &str) -> Vec<Address> {
        addresses(self.raw(name).unwrap_or_default())
    }

    /// The time at which the mail claims to have been written.
    pub(super) fn date(&self) -> Option<Timestamp> {
        civil::read_mail(self.get("date")?).filter(|at| at.secs() > 0)
    }

    /// The media type, in lower case, and its parameters.
    pub(super) fn content_type(&self) -> Parameters {
        Parameters::read(self.raw("content-type").unwrap_or_default())
    }
}

fn close(fields: &mut Vec<Field>, open: &mut Vec<u8>) {
    let line = std::mem::take(open);
    if fields.len() >= MAX_FIELDS {
        return;
    }
    let Some(colon) = line.iter().position(|b| *b == b':') else { return };
    let (name, value) = line.split_at(colon);
    let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
    if name.is_empty() || name.len() > 76 || name.contains(char::is_whitespace) {
        return;
    }
    let raw = guess(value.get(1..).unwrap_or_default());
    fields.push(Field { text: words(&raw), name, raw });
}

/// The message ids in a text, without brackets: the texts between < and > or, if there are none, words that could be ids.
/// Only ids that may stand in a header again are returned.
pub(super) fn ids(text: &str) -> Vec<String> {
    let good = |id: &&str| is_id(id, 250) && !id.contains(['<', '>', ',']);
    if text.contains('<') {
        let between = text.split('<').skip(1).filter_map(|after| after.split_once('>')).map(|(id, _)| id.trim());
        return between.filter(good).map(str::to_owned).collect();
    }
    let bare = |id: &&str| good(id) && !id.starts_with('(') && !id.ends_with(')');
    let mut words = text.split(|c: char| c.is_whitespace() || c == ',').filter(bare);
    if text.contains('(') {
        words.next().into_iter().map(str::to_owned).collect()
    } else {
        words.map(str::to_owned).collect()
    }
}

/// The ids as the previous release read them, for the keys that it made.
pub(super) fn earlier_ids(text: &str) -> Vec<String> {
    let good = |id: &&str| is_id(id, 250);
    text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',')).filter(good).map(str::to_owned).collect()
}

/// The first address of a list and its name.
pub(super) fn address(text: &str) -> Option<Address> {
    addresses(text).into_iter().next()
}

/// The addresses of a list. Groups are opened. Comments and invalid addresses are left out.
pub(super) fn addresses(text: &str) -> Vec<Address> {
    let (mut found, mut item) = (Vec::new(), Item::default());
    let (mut quoted, mut escaped, mut comment, mut angle) = (false, false, 0usize, false);
    let end = text.floor_char_boundary(MAX_FIELD);
    for c in text[..end].chars().chain([',']) {
        if found.len() >= MAX_ADDRESSES {
            break;
        }
        match c {
            _ if escaped => {
                escaped = false;
                item.push(c, angle);
            }
            '\\' if quoted || comment > 0 => escaped = true,
            '"' if comment == 0 => quoted = !quoted,
            _ if quoted => item.push(c, angle),
            '(' => comment += 1,
            ')' if comment > 0 => comment -= 1,
            _ if comment > 0 => item.comment.push(c),
            '<' => {
                // The last one counts. Text in brackets before it belongs to the name.
                item.abandon();
                angle = true;
            }
            '>' => angle = false,
            ',' | ';' => {
                found.extend(std::mem::take(&mut item).read());
                angle = false;
            }
            // The name of a group.
            ':' if !angle && item.address.is_none() => item = Item::default(),
            _ => item.push(c, angle),
        }
    }
    if found.is_empty() && (quoted || comment > 0) {
        // A mark that is never closed: this takes the text in the last brackets, if there is any.
        let last = text[..end].rsplit_once('<').and_then(|(_, after)| after.split_once('>'));
        found.extend(last.map(|(address, _)| address.trim().to_lowercase()).filter(|a| is_address(a)).map(|a| (a, None)));
    }
    found
}

#[derive(Default)]
struct Item {
    name: String,
    address: Option<String>,
    comment: String,
}

impl Item {
    fn push(&mut self, c: char, angle: bool) {
        if angle { self.address.get_or_insert_default().push(c) } else { self.name.push(c) }
    }

    fn abandon(&mut self) {
        if let Some(before) = self.address.replace(String::new()) {
            self.name.push_str(&before);
        }
    }

    fn read(self) -> Option<Address> {
        let Self { name, address, comment } = self;
        let (address, name) = match address {
            Some(address) => (address, name),
            None => (name, comment),
        };
        let address = address.trim().to_lowercase();
        let name: String = words(name.trim()).chars().filter(|c| !c.is_control()).take(128).collect();
        let name = name.trim_matches(|c: char| c.is_whitespace() || c == '"').to_owned();
        is_address(&address).then_some((address, (!name.is_empty()).then_some(name)))
    }
}

/// A value with parameters: a media type or a disposition.
#[derive(Default)]
pub(super) struct Parameters {
    /// The value, in lower case.
    pub(super) value: String,
    params: Vec<(String, String)>,
}

impl Parameters {
    pub(super) fn read(text: &str) -> Self {
        let (value, mut rest) = token(text);
        let divides = |c: char| c.is_whitespace() || matches!(c, ';' | ',');
        let mut params = Vec::new();
        while params.len() < 64 {
            rest = rest.trim_start_matches(divides);
            let Some((name, after)) = rest.split_once('=') else { break };
            let (value, after) = parameter(after.trim_start());
            // The word before a mark or a blank has no value, and comes before the next name.
            let name = name.trim_end().rsplit(divides).next().unwrap_or_default();
            params.push((name.to_ascii_lowercase(), value));
            rest = after;
        }
        Self { value, params }
    }

    /// A parameter's value, unchanged.
    pub(super) fn plain(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A parameter as text: with a charset and continuations (RFC 2231), or with encoded words, as many programs write it.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let (mut bytes, mut charset) = (Vec::new(), "");
        if let Some(value) = self.plain(&format!("{name}*")) {
            extended(value, &mut charset, true, &mut bytes);
            return Some(decode(&bytes, charset));
        }
        for number in 0..64 {
            if let Some(value) = self.plain(&format!("{name}*{number}*")) {
                extended(value, &mut charset, number == 0, &mut bytes);
            } else if let Some(value) = self.plain(&format!("{name}*{number}")) {
                bytes.extend_from_slice(value.as_bytes());
            } else if number == 0 {
                return self.plain(name).map(words);
            } else {
                break;
            }
        }
        Some(decode(&bytes, charset))
    }
}

/// The first word of a field's value, in lower case, and the text after it. Programs put a comment after it, or separate a
/// parameter by a blank or a comma instead of a semicolon.
pub(super) fn token(text: &str) -> (String, &str) {
    let text = text.trim_start();
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, ';' | ',' | '(')).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    (value.trim_matches(['"', '\'']).to_ascii_lowercase(), rest)
}

/// A value in a charset, or its continuation. Only the first part names the charset and the language.
fn extended<'a>(value: &'a str, charset: &mut &'a str, first: bool, out: &mut Vec<u8>) {
    let mut pieces = value.splitn(3, '\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(name), Some(_), Some(rest)) if first => {
            *charset = name;
            percent(rest.as_bytes(), out);
        }
        _ => percent(value.as_bytes(), out),
    }
}

/// The beginning of the next parameter inside a value that no semicolon ends. A file's name may contain blanks and an
/// equals sign.
fn next_parameter(value: &str) -> Option<usize> {
    const NAMES: [&str; 6] = ["charset", "name", "boundary", "format", "filename", "type"];
    let blanks = value.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at);
    let begins = |at: &usize| {
        let (name, _) = value.get(*at..).unwrap_or_default().trim_start().split_once('=').unwrap_or_default();
        NAMES.iter().any(|known| known.eq_ignore_ascii_case(name.trim_end_matches('*')))
    };
    blanks.take(64).find(begins)
}

/// A parameter's value, quoted or not, and the text after it.
fn parameter(text: &str) -> (String, &str) {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, after) = text.split_at(next_parameter(&text[..end]).unwrap_or(end));
        return (value.trim().trim_end_matches(',').to_owned(), after);
    };
    let (mut value, mut chars) = (String::new(), inside.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, inside.get(at + 1..).unwrap_or_default()),
            // Windows programs write paths unescaped. Only a quote and the mark itself count as escaped.
            '\\' => match chars.clone().next() {
                Some((_, next @ ('"' | '\\'))) => {
                    chars.next();
                    value.push(next);
                }
                _ => value.push(c),
            },
            '\r' | '\n' => {}
            c => value.push(c),
        }
    }
    (value, "")
}

fn percent(text: &[u8], out: &mut Vec<u8>) {
    let hex = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, hex(after.first()), hex(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
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
        assert_eq!(Headers::read(b"Date: Wed, 10 Aug 4294967295 18:10:13 -0700\n\n").date(), None);
        assert_eq!(Headers::read(b"Message-Id: <a\x07b@c>\n\n").message_id(), None);
        let pairs = Headers::of_pairs(&json!([["Subject", "=?gbk?B?zcu79Q==?="], ["X", 1], []]));
        assert_eq!(pairs.get("subject"), Some("退货"));
    }

    #[test]
    fn w4_an_id_is_what_stands_between_the_brackets() {
        let id = |text: &str| Headers::read(format!("Message-ID: {text}\r\n\r\n").as_bytes()).message_id();
        assert_eq!(id("<m1@att> (added by postmaster@mx.example)").as_deref(), Some("m1@att"));
        assert_eq!(id("(added by postmaster@mx.example) <m1@att>").as_deref(), Some("m1@att"));
        assert_eq!(id("m1@att (added by postmaster@mx.example)").as_deref(), Some("m1@att"));
        assert_eq!(id(" <m1@att>\r\n (x)").as_deref(), Some("m1@att"));
        assert_eq!(id("m1@att").as_deref(), Some("m1@att"));
        assert_eq!(ids("<1@x> (from a@b) <2@x>"), ["1@x", "2@x"]);
        assert_eq!(ids("Your message of Monday <1@x>"), ["1@x"]);
    }

    #[test]
    fn addresses_of_a_list() {
        let read = |text: &str| address(text);
        assert_eq!(read("Example User <Test@Example.com>"), Some(("test@example.com".into(), Some("Example User".into()))));
        assert_eq!(read("\"王, 小姐\" <w@x>, other@y"), Some(("w@x".into(), Some("王, 小姐".into()))));
        assert_eq!(read("=?utf-8?B?546L?= <w@x>"), Some(("w@x".into(), Some("王".into()))));
        assert_eq!(read("a@b"), Some(("a@b".into(), None)));
        assert_eq!(read("a@b (Wang)"), Some(("a@b".into(), Some("Wang".into()))));
        assert_eq!(read("nobody"), None);
        assert_eq!(read(""), None);
        assert_eq!(read("<>"), None);
        let list: Vec<_> =
            addresses("team: a@b, \"x;y\" <c@d>;, undisclosed-recipients:;, e@f").into_iter().map(|a| a.0).collect();
        assert_eq!(list, ["a@b", "c@d", "e@f"]);
        // No text in a name passes for the address.
        assert_eq!(read("\"victim@x <victim@x>\" <thief@y>").unwrap().0, "thief@y");
        assert_eq!(read("=?utf-8?Q?victim=40x=20=3Cvictim=40x=3E=2C?= <thief@y>").unwrap().0, "thief@y");
        assert_eq!(read("victim <victim@x> <thief@y>").unwrap().0, "thief@y");
    }

    #[test]
    fn parameters() {
        let name = |text: &str, name: &str| Parameters::read(text).text(name);
        assert_eq!(name("a/b; name=\"=?gb18030?B?xsbL8NXVxqzSuy5qcGc=?=\"", "name").as_deref(), Some("破损照片一.jpg"));
        let continued = "attachment; filename*0*=UTF-8''%E5%8F%91%E7%A5%A8; filename*1*=%E4%BA%8C.pdf";
        assert_eq!(name(continued, "filename").as_deref(), Some("发票二.pdf"));
        assert_eq!(name("a; filename*=UTF-8''%E5%8F%91.pdf; filename=x", "filename").as_deref(), Some("发.pdf"));
        assert_eq!(name("a; filename*=cp936''%B7%A2", "filename").as_deref(), Some("发"));
        assert_eq!(name("a; filename*0=\"ab\"; filename*1=c", "filename").as_deref(), Some("abc"));
        assert_eq!(name("a; filename=two words.pdf; x=1", "filename").as_deref(), Some("two words.pdf"));
        assert_eq!(name(r#"a; filename="C:\a\"b".pdf""#, "filename").as_deref(), Some(r#"C:\a"b"#));
        assert_eq!(Parameters::read("Text/HTML (x); charset=\"GBK\"").value, "text/html");
        assert_eq!(Parameters::read("text/html; charset=\"GBK\"").plain("charset"), Some("GBK"));
        assert_eq!(Parameters::read("").value, "");
    }

    #[test]
    fn w6_a_parameter_stands_behind_a_blank_or_a_comma_too() {
        for text in [
            "text/html charset=gbk",
            "text/html, charset=gbk",
            "Text/HTML (x) charset=\"gbk\"",
            "text/html,charset = gbk",
            "text/html; charset=gbk format=flowed",
            "text/html; charset=gbk, format=flowed",
            "text/html word; charset=gbk",
            "\"text/html\"; charset=gbk",
            "text/html;; charset=gbk;",
        ] {
            let found = Parameters::read(text);
            assert_eq!((found.value.as_str(), found.plain("charset")), ("text/html", Some("gbk")), "{text}");
        }
        let found = Parameters::read("attachment filename=two words, a=b.pdf");
        assert_eq!((found.value.as_str(), found.plain("filename")), ("attachment", Some("two words, a=b.pdf")));
    }

    #[test]
    fn w11_long_headers_are_cut_and_not_refused() {
        let block =
            format!("References: {}\r\nSubject: s\r\nX: {}\r\n\r\nrest", "<a@b> ".repeat(20_000), "=?".repeat(60_000));
        let (headers, rest) = Headers::read_with_rest(block.as_bytes());
        assert_eq!((headers.get("subject"), rest), (Some("s"), &b"rest"[..]));
        let many = "X: y\r\n".repeat(100_000) + "\r\nrest";
        assert_eq!(Headers::read_with_rest(many.as_bytes()).1, b"rest");
    }

    proptest! {
        #[test]
        fn no_block_panics(bytes: Vec<u8>, text in ".*", date in "[A-Za-z0-9,:+ -]{0,40}", soup in
            "(=\\?gbk\\?B\\?|\\?=|<|>|\\(|\\)|\"|;|:|,|@|\\*0\\*|\\*|=|'|%|[a-z]| |\r\n |\\\\){0,60}") {
            let _ = Headers::read(&bytes);
            let _ = Headers::read(format!("Date: {date}\n\n").as_bytes()).date();
            let _ = addresses(&text);
            let _ = (addresses(&soup), ids(&soup), Parameters::read(&soup).text("a"));
        }
    }
}
