//! Writes platform XML: texts in CDATA sections, numbers bare.

use std::fmt::Write as _;

/// Builds a document. Names are the caller's constants and are written unchanged. Texts may contain anything.
#[derive(Default)]
pub struct Writer {
    out: String,
}

impl Writer {
    /// An empty document.
    pub fn new() -> Self {
        Self { out: String::with_capacity(256) }
    }

    /// Opens an element.
    pub fn open(&mut self, name: &str) -> &mut Self {
        self.out.extend(["<", name, ">"]);
        self
    }

    /// Closes an element.
    pub fn close(&mut self, name: &str) -> &mut Self {
        self.out.extend(["</", name, ">"]);
        self
    }

    /// An element with a text in CDATA. A `]]>` in the text is split over two sections. Characters that XML 1.0 cannot
    /// carry at all (most control characters) are left out, since one of them would cost the whole message.
    pub fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name);
        self.out.push_str("<![CDATA[");
        for (i, piece) in text.split("]]>").enumerate() {
            if i > 0 {
                self.out.push_str("]]]]><![CDATA[>");
            }
            if piece.chars().all(allowed) {
                self.out.push_str(piece);
            } else {
                self.out.extend(piece.chars().filter(|&c| allowed(c)));
            }
        }
        self.out.push_str("]]>");
        self.close(name)
    }

    /// An element with a number.
    pub fn number(&mut self, name: &str, number: i64) -> &mut Self {
        self.open(name);
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{number}");
        self.close(name)
    }

    /// The document.
    pub fn finish(self) -> String {
        self.out
    }
}

/// XML 1.0, production 2 (`Char`), limited to the values of a Rust `char`.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;
    use proptest::prelude::*;

    #[test]
    fn cdata_ends_are_split() {
        let mut xml = Writer::new();
        xml.open("xml").text("a", "x]]>y]]>").number("n", -5).close("xml");
        let xml = xml.finish();
        assert_eq!(xml, "<xml><a><![CDATA[x]]]]><![CDATA[>y]]]]><![CDATA[>]]></a><n>-5</n></xml>");
        assert_eq!(Document::read(xml.as_bytes()).unwrap().text("a"), Some("x]]>y]]>"));
    }

    #[test]
    fn forbidden_characters_are_left_out() {
        let mut xml = Writer::new();
        xml.text("xml", "a\0b\u{8}c\u{FFFF}😀\n");
        assert_eq!(xml.finish(), "<xml><![CDATA[abc😀\n]]></xml>");
    }

    proptest! {
        #[test]
        fn every_allowed_text_reads_back(text: String) {
            let text: String = text.chars().filter(|&c| allowed(c)).collect();
            let mut xml = Writer::new();
            xml.open("xml").text("a", &text).close("xml");
            let xml = xml.finish();
            let document = Document::read(xml.as_bytes()).unwrap();
            prop_assert_eq!(document.text("a").unwrap_or_default(), text);
        }

        #[test]
        fn brackets_read_back(text in "[\\]>a]{0,40}") {
            let mut xml = Writer::new();
            xml.open("xml").text("a", &text).close("xml");
            let xml = xml.finish();
            let document = Document::read(xml.as_bytes()).unwrap();
            prop_assert_eq!(document.text("a"), Some(text.as_str()));
        }
    }
}
