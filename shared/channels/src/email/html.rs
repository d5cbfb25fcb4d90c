//! Reduces HTML to the text that a reader sees. It is no browser: it knows the elements that end a line, those without
//! text, the targets of links, and quotations. It needs one pass and no recursion.

use super::entities::entity;

/// Elements after (and before) which a line ends.
const LINES: &[&str] =
    &["br", "p", "div", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "hr", "pre"];
/// Elements whose content is no text. `head` is not among them: browsers end it even if its end tag is missing.
const SILENT: &[&str] = &["script", "style", "title", "template"];

/// The most of a document that is read, in bytes: several times the longest text kept.
const MAX_HTML: usize = 1024 * 1024;
/// The longest link address that is shown.
const MAX_LINK: usize = 2_048;
/// The deepest list and quotation that are distinguished.
const MAX_DEPTH: usize = 32;

/// The text of a document. With `cut`, the document is known to be incomplete, and a mark at the end says so.
pub(super) fn to_text(html: &str, cut: bool) -> String {
    let text = read(html);
    if cut || html.len() > MAX_HTML { text + "…" } else { text }
}

fn read(html: &str) -> String {
    let mut out = Text::default();
    let mut quotes = true;
    let mut comments = true;
    let mut rest = &html[..html.floor_char_boundary(MAX_HTML)];
    while let Some(at) = rest.find('<') {
        out.push(&rest[..at]);
        let inside = &rest[at + 1..];
        if let Some(comment) = inside.strip_prefix("!--") {
            // A comment without an end ends with the tag, so that it does not swallow the rest. The end is sought only
            // once.
            let end = if comments { comment.find("-->").map(|end| end + 3) } else { None };
            comments &= end.is_some();
            let end = end.or_else(|| comment.find('>').map(|end| end + 1));
            rest = end.map_or("", |end| &comment[end..]);
            continue;
        }
        // A bare < is text, like in browsers.
        if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            out.push("&lt;");
            rest = inside;
            continue;
        }
        let mut end = tag_end(inside, &mut quotes);
        if end.is_none() && quotes {
            // A quote that ends in the wrong place would swallow the rest.
            quotes = false;
            end = tag_end(inside, &mut quotes);
        }
        let Some(end) = end else { return out.finish() };
        let tag = &inside[..end];
        rest = &inside[end + 1..];
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            // `<title-bar>` is not a title.
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))
            .take(16)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let closes = tag.starts_with('/');
        if SILENT.contains(&name.as_str()) && !closes {
            // In XHTML, `<title/>` is closed already.
            if !tag
                .strip_suffix('/')
                .is_some_and(|tag| tag.len() == name.len() || tag.ends_with([' ', '\n', '\t', '"', '\'']))
            {
                rest = after_close(rest, &name);
            }
            continue;
        }
        out.element(&name, tag, closes);
    }
    out.push(rest);
    out.finish()
}

/// The end of a tag: the first > outside of a quoted value. A quote that is never closed does not count from there on.
fn tag_end(tag: &str, quotes: &mut bool) -> Option<usize> {
    let mut at = 0;
    while let Some(next) = tag[at..].find(['>', '"', '\'']) {
        at += next;
        let mark = tag.as_bytes().get(at).copied()?;
        if mark == b'>' {
            return Some(at);
        }
        // A quote begins a value only after the equals sign.
        let begins = *quotes && tag[..at].trim_end().ends_with('=');
        let close = if begins { tag[at + 1..].find(char::from(mark)) } else { None };
        *quotes &= !begins || close.is_some();
        at += 1 + close.map_or(0, |close| close + 1);
    }
    None
}

/// The value of an attribute, its entities decoded.
fn attribute(tag: &str, wanted: &str) -> Option<String> {
    let mut rest = tag.split_once(|c: char| c.is_ascii_whitespace() || c == '/')?.1;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '/')).unwrap_or(rest.len());
        if rest.is_empty() {
            return None;
        }
        let (name, after) = rest.split_at(end);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            rest = after;
            if name.is_empty() {
                return None;
            }
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(mark @ ('"' | '\'')) => {
                let inner = &value[1..];
                inner.find(mark).map_or((inner, ""), |end| (&inner[..end], &inner[end + 1..]))
            }
            _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(decoded(value));
        }
        rest = after;
    }
}

fn decoded(value: &str) -> String {
    let (mut out, mut rest) = (String::new(), value);
    while let Some(at) = rest.find('&') {
        let (before, marked) = rest.split_at(at);
        let (text, length) = entity(marked);
        out.push_str(before);
        out.push_str(&text);
        rest = &marked[length..];
    }
    out + rest
}

/// The text after `</name>`. If the end is missing, nobody sees the rest of a program; a title then ends with the next tag.
fn after_close<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let closes = rest.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
        // `</header>` does not close a head.
        if closes && rest[name.len()..].starts_with(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>')) {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    match name {
        "title" => text.find('<').map_or("", |at| &text[at..]),
        "template" => text,
        _ => "",
    }
}

/// An open link: its address, and the beginning of its text.
struct Link {
    url: String,
    from: usize,
}

/// The text so far. Blanks are joined, and at most one line is left empty.
#[derive(Default)]
struct Text {
    out: String,
    blank: bool,
    lines: u8,
    /// The text before the next character: the mark of a list's item.
    mark: Option<String>,
    /// Open lists: the next number, or `None` if they have no numbers.
    lists: Vec<Option<u32>>,
    /// Open quotations.
    quoted: usize,
    link: Option<Link>,
}

impl Text {
    fn line(&mut self) {
        self.lines = self.lines.saturating_add(1).min(2);
        self.blank = false;
    }

    fn element(&mut self, name: &str, tag: &str, closes: bool) {
        // Items follow each other line by line.
        if LINES.contains(&name) && !(name == "li" && self.lines > 0) {
            self.line();
        }
        match (name, closes) {
            ("td" | "th", _) => self.push(" "),
            ("ul" | "ol", false) if self.lists.len() < MAX_DEPTH => self.lists.push((name == "ol").then_some(1)),
            ("ul" | "ol", true) => drop(self.lists.pop()),
            ("li", false) => {
                self.mark = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{number}. ");
                        *number = number.saturating_add(1);
                        mark
                    }
                    _ => "- ".to_owned(),
                });
            }
            ("blockquote", false) => self.quoted = self.quoted.saturating_add(1),
            ("blockquote", true) => self.quoted = self.quoted.saturating_sub(1),
            ("a", false) => {
                self.close_link();
                let url = attribute(tag, "href").map(|url| url.split_whitespace().collect::<String>());
                let url = url.filter(|url| url.len() <= MAX_LINK && shown(url));
                self.link = url.map(|url| Link { url, from: self.out.len() });
            }
            ("a", true) => self.close_link(),
            ("img", false) => {
                // A picture's own description, which is all that a text can show of it.
                if let Some(alt) = attribute(tag, "alt").filter(|alt| !alt.trim().is_empty() && alt.len() <= 256) {
                    self.push_plain(&format!("[{}]", alt.trim()));
                }
            }
            _ => {}
        }
    }

    /// The address behind a link's text, unless the text is the address.
    fn close_link(&mut self) {
        let Some(Link { url, from }) = self.link.take() else { return };
        let text = self.out.get(from..).unwrap_or_default();
        let bare = |text: &str| {
            let text = text.trim().trim_end_matches('/');
            ["https://", "http://", "mailto:", "tel:"]
                .iter()
                .find_map(|s| text.strip_prefix(s))
                .unwrap_or(text)
                .to_lowercase()
        };
        if bare(text) == bare(&url) {
            return;
        }
        let (open, close) = if text.trim().is_empty() { ("", "") } else { (" (", ")") };
        self.push_plain(&format!("{open}{url}{close}"));
    }

    /// Adds text without entities.
    fn push_plain(&mut self, text: &str) {
        text.chars().for_each(|c| self.character(c));
    }

    fn push(&mut self, raw: &str) {
        let mut rest = raw;
        while let Some(c) = rest.chars().next() {
            if c != '&' {
                self.character(c);
                rest = &rest[c.len_utf8()..];
                continue;
            }
            let (text, length) = entity(rest);
            self.push_plain(&text);
            rest = &rest[length..];
        }
    }

    fn character(&mut self, c: char) {
        // HTML's own blanks are collapsed. A full-width blank is a character.
        if matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{a0}') {
            self.blank = true;
            return;
        }
        if matches!(c, '\0' | '\u{ad}' | '\u{200b}' | '\u{feff}') {
            return;
        }
        let begins = self.out.is_empty();
        if self.lines > 0 && !begins {
            self.out.push_str(if self.lines > 1 { "\n\n" } else { "\n" });
        } else if self.blank && self.lines == 0 && !begins {
            self.out.push(' ');
        }
        if self.quoted > 0 && (begins || self.lines > 0) {
            self.out.push_str("> ");
        }
        if let Some(mark) = self.mark.take() {
            self.out.push_str(&mark);
        }
        (self.blank, self.lines) = (false, 0);
        self.out.push(c);
    }

    fn finish(mut self) -> String {
        self.close_link();
        self.out
    }
}

/// Whether to show a link's address: one that a person can open, and not one inside the mail.
fn shown(url: &str) -> bool {
    let lower: String = url.chars().take(8).map(|c| c.to_ascii_lowercase()).collect();
    ["http://", "https://", "mailto:", "tel:", "ftp://", "sms:"].iter().any(|scheme| lower.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to_text(html: &str) -> String {
        super::to_text(html, false)
    }

    #[test]
    fn what_a_reader_sees() {
        assert_eq!(to_text("<html><body><strong>Hello Twilio SendGrid!</body></html>\n"), "Hello Twilio SendGrid!");
        assert_eq!(to_text("<p>你好，</p>\n<p>我要<b>退货</b>。</p>"), "你好，\n\n我要退货。");
        assert_eq!(to_text("a<br>b<br/>c<BR />d"), "a\nb\nc\nd");
        assert_eq!(
            to_text("<head><style>p{x:1}</style><title>T</title></head><SCRIPT>if(a<b){}</Script>x<!-- c > -->y"),
            "xy"
        );
        assert_eq!(to_text("1 &lt; 2 &amp;amp; &#20320;&#x597D; &nbsp; &nope; &"), "1 < 2 &amp; 你好 &nope; &");
        assert_eq!(to_text("a < b <3"), "a < b <3");
        assert_eq!(to_text("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"), "a b\n\nc");
        assert!(to_text(&"<p>好</p>".repeat(100_000)).len() < MAX_HTML);
        assert_eq!(to_text("x<unclosed"), "x");
        assert_eq!(to_text("x<!-- unclosed"), "x");
        assert_eq!(to_text("<style>unclosed"), "");
        assert_eq!(to_text("&#0;&#xD800;"), "&#0;&#xD800;");
    }

    #[test]
    fn w12_entities_are_decoded_fully() {
        assert_eq!(to_text("caf&eacute; &euro;15"), "café €15");
        assert_eq!(to_text("&hearts;&rarr;&Omega;&frac12;&ensp;&zwj;x&NotEqualTilde;"), "♥→Ω½\u{2002}\u{200d}x≂̸");
        assert_eq!(to_text("&#128;&#x93;ok&#148; &#8364; &#x1F600;"), "€“ok” € 😀");
        assert_eq!(to_text("&copy2024 &nbsp&amp &notit; &eacutex"), "©2024 & ¬it; éx");
        assert_eq!(to_text("AT&T R&D &unknown; a&b;"), "AT&T R&D &unknown; a&b;");
    }

    #[test]
    fn w12_a_link_is_shown_with_its_address() {
        let link = "<p>见<a href=\"https://pan.example/s/abc\">点这里</a>。</p>";
        assert_eq!(to_text(link), "见点这里 (https://pan.example/s/abc)。");
        assert_eq!(to_text("<a href='https://a.example/'>https://a.example</a>"), "https://a.example");
        assert_eq!(to_text("<a href=mailto:w@x>w@x</a>"), "w@x");
        assert_eq!(
            to_text("<a target=_blank href=\"https://a.example?x=1&amp;y=2\">a</a>"),
            "a (https://a.example?x=1&y=2)"
        );
        assert_eq!(to_text("<a href=\"https://a.example\"><img alt=\"优惠\" src=x></a>"), "[优惠] (https://a.example)");
        assert_eq!(to_text("<a href=\"https://a.example\"><img src=x></a>"), "https://a.example");
        for quiet in ["javascript:alert(1)", "#top", "cid:p1", "data:text/html,x", ""] {
            assert_eq!(to_text(&format!("<a href=\"{quiet}\">点</a>")), "点", "{quiet}");
        }
        assert_eq!(to_text("<a title=\"a>b\" href=\"https://a.example\">c</a>d"), "c (https://a.example)d");
    }

    #[test]
    fn w12_lists_pictures_quotations_and_words_comments() {
        assert_eq!(to_text("<ul><li>米</li><li>油</li></ul>好"), "- 米\n- 油\n\n好");
        assert_eq!(to_text("<ol><li>米<li>油</ol>"), "1. 米\n2. 油");
        assert_eq!(to_text("好的<blockquote>您好<br>请问</blockquote>谢谢"), "好的\n> 您好\n> 请问\n谢谢");
        let word = "<!--[if gte mso 9]><xml><o:x>1</o:x></xml><![endif]--><![if !supportLists]>·<![endif]><o:p>你好</o:p>";
        assert_eq!(to_text(word), "·你好");
        assert_eq!(to_text("x<!-- unclosed <b>你好</b>"), "x你好");
        assert_eq!(to_text("a&shy;b\u{200b}c"), "abc");
    }

    #[test]
    fn w12_a_missing_end_tag_costs_no_text() {
        let words = "<p>我要投诉，请退款</p></body></html>";
        for head in [
            "<html><head><meta charset=\"utf-8\"><body>",
            "<html><head><title>x</title><body>",
            "<html><head><title>x<body>",
            "<html><head><title/></head><body>",
            "<html><head><script src=\"x\" /><style/></head><body>",
            "<html><head><style>p{a:1}</styles></style ><body><header></header>",
            "<html><head><style>p{}</style\n><body>",
            "<title-bar><style-x>",
            "<template>",
        ] {
            assert_eq!(to_text(&format!("{head}{words}")), "我要投诉，请退款", "{head}");
        }
        assert_eq!(to_text("<style>a</styles>b</style>c"), "c");
        assert_eq!(to_text("<script src=http://a/>b</script>c"), "c");
    }

    #[test]
    fn w19_a_document_that_is_cut_says_so() {
        let long = "<b>好</b>".repeat(MAX_HTML / 8);
        assert!(to_text(&long).ends_with("好…"));
        assert_eq!((to_text("好"), super::to_text("好<img src=\"x", true)), ("好".to_owned(), "好…".to_owned()));
    }

    #[test]
    fn w12_no_document_costs_more_than_a_pass() {
        for soup in
            ["<!--", "<a \"", "<a =\"", "<a ='\"", "&", "&a", "<", "<a href=", "<style", "</", "<li>", "<blockquote>"]
        {
            assert!(to_text(&soup.repeat(MAX_HTML / 8 / soup.len())).len() <= 5 * MAX_HTML);
        }
    }

    proptest! {
        #[test]
        fn no_markup_panics(html in "(<|>|/|!|-|&|;|#|x|[a-z]|你|\n| |<p>|</style>|<style>|<!--|-->){0,80}", any in ".*") {
            let _ = to_text(&html);
            let _ = to_text(&any);
        }
    }
}
