//! HTML reduced to the text that a reader sees. Not a browser: it knows which elements end a line, which hold no text, and the
//! characters that mail programs write as entities. One pass, no recursion.

/// Elements after (and before) which a line ends.
const LINES: &[&str] =
    &["br", "p", "div", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "hr", "pre"];
/// Elements whose content is no text.
const SILENT: &[&str] = &["script", "style", "head", "title", "template"];

/// The most of a document that is looked at, in bytes: several times the longest text kept.
const MAX_HTML: usize = 256 * 1024;

/// The text of a document.
pub(super) fn to_text(html: &str) -> String {
    let mut out = Text::default();
    let mut rest = &html[..html.floor_char_boundary(MAX_HTML)];
    while let Some(at) = rest.find('<') {
        out.push(&rest[..at]);
        let inside = &rest[at + 1..];
        let Some(tag) = inside.strip_prefix("!--") else {
            // A bare < is text, as browsers have it.
            if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
                out.push("&lt;");
                rest = inside;
                continue;
            }
            let Some(end) = inside.find('>') else { return out.finish() };
            let name: String = inside[..end]
                .trim_start_matches('/')
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_lowercase())
                .collect();
            rest = &inside[end + 1..];
            if SILENT.contains(&name.as_str()) && !inside.starts_with('/') {
                rest = after_close(rest, &name);
            } else if LINES.contains(&name.as_str()) {
                out.line();
            } else if matches!(name.as_str(), "td" | "th") {
                out.push(" ");
            }
            continue;
        };
        rest = tag.find("-->").map_or("", |end| &tag[end + 3..]);
    }
    out.push(rest);
    out.finish()
}

/// What follows `</name>`; nothing where it is missing.
fn after_close<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name)) {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    ""
}

/// The text so far: blanks are joined, and at most one line is left empty.
#[derive(Default)]
struct Text {
    out: String,
    blank: bool,
    lines: u8,
}

impl Text {
    fn line(&mut self) {
        self.lines = self.lines.saturating_add(1).min(2);
        self.blank = false;
    }

    fn push(&mut self, raw: &str) {
        let mut rest = raw;
        while let Some(c) = rest.chars().next() {
            let (c, length) = if c == '&' { entity(rest) } else { (c, c.len_utf8()) };
            rest = &rest[length..];
            // Collapsing is for blanks as HTML knows them; a full-width blank is a character.
            if matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{a0}') {
                self.blank = true;
                continue;
            }
            if self.lines > 0 && !self.out.is_empty() {
                self.out.push_str(if self.lines > 1 { "\n\n" } else { "\n" });
            } else if self.blank && self.lines == 0 && !self.out.is_empty() {
                self.out.push(' ');
            }
            (self.blank, self.lines) = (false, 0);
            self.out.push(c);
        }
    }

    fn finish(self) -> String {
        self.out
    }
}

/// The character that an entity at the start of a text stands for, and its length; `&` itself where it is none.
fn entity(text: &str) -> (char, usize) {
    let bare = ('&', 1);
    let Some(end) = text.bytes().take(12).position(|b| b == b';') else { return bare };
    let Some(name) = text.get(1..end) else { return bare };
    let found = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        "hellip" => Some('…'),
        "mdash" => Some('—'),
        "ndash" => Some('–'),
        "lsquo" => Some('‘'),
        "rsquo" => Some('’'),
        "ldquo" => Some('“'),
        "rdquo" => Some('”'),
        "yen" => Some('¥'),
        "copy" => Some('©'),
        _ => number(name),
    };
    found.map_or(bare, |c| (c, end + 1))
}

fn number(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(code).filter(|c| *c != '\0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn no_markup_panics(html in "(<|>|/|!|-|&|;|#|x|[a-z]|你|\n| |<p>|</style>|<style>|<!--|-->){0,80}", any in ".*") {
            let _ = to_text(&html);
            let _ = to_text(&any);
        }
    }
}
