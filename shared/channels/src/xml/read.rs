//! Reads platform XML in one pass into a flat list of elements that borrow from the body.
//!
//! It refuses more than [`MAX_BYTES`], [`MAX_DEPTH`] or [`MAX_ELEMENTS`], a document type (and with it every entity bomb
//! and every external entity), references other than the five of XML and characters by number, processing instructions,
//! U+0000, invalid UTF-8, and anything that is not well-formed. Attributes are not part of these formats and are ignored.
//!
//! White space around a CDATA section or between elements is layout and is dropped (`<A> <![CDATA[x]]> </A>` is `x`).
//! Inside a CDATA section it is the customer's and is kept.
//!
//! Platforms' bodies go through [`readable`] first. U+0000, other control characters and bytes that are not UTF-8 become
//! U+FFFD, and so do references to no character.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The longest document read.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The most elements that may be open at once, the root included.
pub const MAX_DEPTH: usize = 8;
/// The most elements read.
pub const MAX_ELEMENTS: usize = 2_048;

/// The reason why a document is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than [`MAX_BYTES`].
    #[error("the XML is too long")]
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the XML is nested too deeply")]
    TooDeep,
    /// More than [`MAX_ELEMENTS`].
    #[error("the XML has too many elements")]
    TooMany,
    /// It has a document type. These formats never have one, and attacks do.
    #[error("the XML has a document type")]
    DocumentType,
    /// It has a reference to an entity that XML itself does not define, or to no character.
    #[error("the XML refers to an unknown entity")]
    Entity,
    /// Holds U+0000.
    #[error("the XML holds U+0000")]
    Nul,
    /// Not UTF-8.
    #[error("the XML is not UTF-8")]
    Encoding,
    /// Not well-formed.
    #[error("the XML is not well-formed")]
    Syntax,
}

/// A document: its elements in the order in which they open.
pub struct Document<'a> {
    nodes: Vec<Node<'a>>,
}

struct Node<'a> {
    name: &'a str,
    /// The depth; 0 for the root.
    depth: usize,
    text: Cow<'a, str>,
    /// Whether a CDATA section was seen, so that white space outside of it is layout.
    cdata: bool,
}

/// The body with U+FFFD for bytes that are not UTF-8, and for control characters except tabs and line ends.
pub fn readable(body: &[u8]) -> Cow<'_, [u8]> {
    let odd = |byte: &u8| is_odd(char::from(*byte));
    if !body.iter().any(odd) && std::str::from_utf8(body).is_ok() {
        return Cow::Borrowed(body);
    }
    let text = String::from_utf8_lossy(body);
    Cow::Owned(text.replace(is_odd, "\u{FFFD}").into_bytes())
}

const fn is_odd(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}')
}

impl<'a> Document<'a> {
    /// Reads a document.
    ///
    /// # Errors
    /// The document breaks a bound or is not well-formed.
    pub fn read(body: &'a [u8]) -> Result<Self, Error> {
        if body.len() > MAX_BYTES {
            return Err(Error::TooLong);
        }
        if body.contains(&0) {
            return Err(Error::Nul);
        }
        let source = std::str::from_utf8(body).map_err(|_| Error::Encoding)?;
        let source = source.trim_start_matches('\u{FEFF}').trim();
        let mut reader = Reader::from_str(source);
        let mut build = Builder { nodes: Vec::with_capacity(16), open: [0; MAX_DEPTH], depth: 0 };
        loop {
            // The next markup begins here: an element's name stands right after its `<`.
            let at = usize::try_from(reader.buffer_position()).map_err(|_| Error::Syntax)?;
            match reader.read_event().map_err(|_| Error::Syntax)? {
                Event::Start(tag) => build.push(name_at(source, at, tag.name().as_ref().len())?)?,
                Event::Empty(tag) => {
                    build.push(name_at(source, at, tag.name().as_ref().len())?)?;
                    build.pop();
                }
                Event::End(_) => build.pop(),
                Event::Text(text) => build.characters(text.into_inner())?,
                Event::CData(text) => build.cdata(text.into_inner())?,
                Event::GeneralRef(reference) => build.reference(&reference)?,
                Event::Comment(_) => {}
                Event::Decl(_) if build.nodes.is_empty() => {}
                Event::Decl(_) | Event::PI(_) => return Err(Error::Syntax),
                Event::DocType(_) => return Err(Error::DocumentType),
                Event::Eof => break,
            }
        }
        if build.depth != 0 || build.nodes.is_empty() {
            return Err(Error::Syntax);
        }
        Ok(Self { nodes: build.nodes })
    }

    /// The outermost element.
    pub fn root(&self) -> Element<'_, 'a> {
        Element { nodes: &self.nodes }
    }

    /// The text of the root's first child of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.nodes.iter().find(|n| n.depth == 1 && n.name == name).map(|n| &*n.text)
    }
}

/// An element of a [`Document`].
#[derive(Clone, Copy)]
pub struct Element<'d, 'a> {
    /// The element and all elements after it. Those that are deeper, up to the first that is not, are inside it.
    nodes: &'d [Node<'a>],
}

impl<'d, 'a> Element<'d, 'a> {
    /// Its name.
    pub fn name(&self) -> &'d str {
        self.nodes.first().map_or("", |n| n.name)
    }

    /// Its own text.
    pub fn text(&self) -> &'d str {
        self.nodes.first().map_or("", |n| &*n.text)
    }

    /// Its child elements, in order.
    pub fn children(&self) -> impl Iterator<Item = Element<'d, 'a>> + use<'d, 'a> {
        let nodes = self.nodes;
        let depth = nodes.first().map_or(0, |n| n.depth);
        let inside = nodes.iter().skip(1).take_while(move |n| n.depth > depth).enumerate();
        inside.filter(move |(_, n)| n.depth == depth + 1).map(move |(i, _)| Element { nodes: &nodes[i + 1..] })
    }

    /// The element as JSON: a text if it has no children, otherwise an object in which a name that occurs more than once
    /// becomes an array.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        for child in self.children() {
            let value = child.to_json();
            match map.get_mut(child.name()) {
                None => {
                    map.insert(child.name().to_owned(), value);
                }
                Some(Value::Array(items)) => items.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        if map.is_empty() { Value::String(self.text().to_owned()) } else { Value::Object(map) }
    }
}

struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    /// Indices of the open elements. The first `depth` are valid.
    open: [usize; MAX_DEPTH],
    depth: usize,
}

impl<'a> Builder<'a> {
    fn push(&mut self, name: &'a str) -> Result<(), Error> {
        if self.depth == 0 && !self.nodes.is_empty() {
            return Err(Error::Syntax); // a second root
        }
        if self.nodes.len() == MAX_ELEMENTS {
            return Err(Error::TooMany);
        }
        *self.open.get_mut(self.depth).ok_or(Error::TooDeep)? = self.nodes.len();
        self.nodes.push(Node { name, depth: self.depth, text: Cow::Borrowed(""), cdata: false });
        self.depth += 1;
        Ok(())
    }

    /// The reader has checked that the names match, so there is one to close.
    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The innermost open element. Text outside of the root is an error.
    fn current(&mut self) -> Result<&mut Node<'a>, Error> {
        let index = self.depth.checked_sub(1).map(|top| self.open[top]).ok_or(Error::Syntax)?;
        self.nodes.get_mut(index).ok_or(Error::Syntax)
    }

    fn characters(&mut self, text: Cow<'a, str>) -> Result<(), Error> {
        let blank = text.bytes().all(|b| b.is_ascii_whitespace());
        if blank && self.depth == 0 {
            return Ok(());
        }
        let node = self.current()?;
        if !(blank && (node.cdata || node.text.is_empty())) {
            append(&mut node.text, text);
        }
        Ok(())
    }

    fn cdata(&mut self, text: Cow<'a, str>) -> Result<(), Error> {
        let node = self.current()?;
        node.cdata = true;
        append(&mut node.text, text);
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'a>) -> Result<(), Error> {
        let node = self.current()?;
        match reference.resolve_char_ref() {
            Ok(Some(c)) if !is_odd(c) => node.text.to_mut().push(c),
            // Half of a surrogate pair, or a character that XML cannot hold.
            Ok(Some(_)) | Err(_) => node.text.to_mut().push('\u{FFFD}'),
            Ok(None) => {
                let name = reference.borrow().into_inner();
                append(&mut node.text, Cow::Borrowed(resolve_xml_entity(&name).ok_or(Error::Entity)?));
            }
        }
        Ok(())
    }
}

fn append<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}

fn name_at(source: &str, at: usize, length: usize) -> Result<&str, Error> {
    source.get(at + 1..at + 1 + length).filter(|name| !name.is_empty()).ok_or(Error::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn error(text: &str) -> Option<Error> {
        Document::read(text.as_bytes()).err()
    }

    #[test]
    fn reads_texts_references_and_lists() {
        let xml = "\u{FEFF}<?xml version=\"1.0\"?>\n<xml x=\"1\"><!-- c --><A> <![CDATA[ x<y ]]>\n</A><B>a&amp;b&#x1F600; &lt; &gt;</B>\
                   <C/><D></D><L><item><T>1</T></item><item><T>2</T></item></L><E>\n</E></xml>\n";
        let document = Document::read(xml.as_bytes()).unwrap();
        assert_eq!(document.root().name(), "xml");
        assert_eq!(document.text("A"), Some(" x<y "));
        assert_eq!(document.text("B"), Some("a&b😀 < >"));
        assert_eq!(document.text("C"), Some(""));
        assert_eq!(document.text("E"), Some(""));
        assert_eq!(document.text("T"), None);
        let expected = json!({ "A": " x<y ", "B": "a&b😀 < >", "C": "", "D": "", "E": "",
                               "L": { "item": [{ "T": "1" }, { "T": "2" }] } });
        assert_eq!(document.root().to_json(), expected);
    }

    #[test]
    fn texts_are_borrowed() {
        let document = Document::read(b"<xml><A><![CDATA[x]]></A><B>1</B></xml>").unwrap();
        assert!(document.nodes.iter().all(|n| matches!(n.text, Cow::Borrowed(_))));
    }

    #[test]
    fn bombs_are_refused() {
        let lol = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]><xml><A>&lol2;</A></xml>";
        assert_eq!(error(lol), Some(Error::DocumentType));
        assert_eq!(error("<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><xml/>"), Some(Error::DocumentType));
        assert_eq!(error("<xml>&lol;</xml>"), Some(Error::Entity));
        assert_eq!(error(&"<a>".repeat(100_000)), Some(Error::TooDeep));
        assert_eq!(error(&format!("<xml>{}</xml>", "<a/>".repeat(100_000))), Some(Error::TooMany));
        assert_eq!(error(&" ".repeat(10 * 1024 * 1024)), Some(Error::TooLong));
        assert_eq!(error("<xml>\0</xml>"), Some(Error::Nul));
        assert_eq!(Document::read(b"<xml>\xff</xml>").err(), Some(Error::Encoding));
        assert_eq!(Document::read(b"<xml>\xed\xa0\x80</xml>").err(), Some(Error::Encoding)); // a surrogate in UTF-8
    }

    #[test]
    fn w0_what_cannot_be_read_of_a_text_is_replaced_and_the_rest_stays() {
        let text = |inside: &[u8]| {
            let body = [b"<xml><A><![CDATA[", inside, b"]]></A><B>&#0;&#xD83D;&#1;x&#10;</B></xml>"].concat();
            let body = readable(&body);
            let document = Document::read(&body).unwrap();
            assert_eq!(document.text("B"), Some("\u{FFFD}\u{FFFD}\u{FFFD}x\n"));
            document.text("A").unwrap().to_owned()
        };
        assert_eq!(text("谢谢\0\u{1}\t\r\n".as_bytes()), "谢谢\u{FFFD}\u{FFFD}\t\r\n");
        assert_eq!(text(b"a\xffb\xe4\xbd"), "a\u{FFFD}b\u{FFFD}");
        assert_eq!(text(b"\xed\xa0\x80"), "\u{FFFD}\u{FFFD}\u{FFFD}");
        assert!(matches!(readable("<xml>好</xml>".as_bytes()), Cow::Borrowed(_)));
    }

    #[test]
    fn ill_formed_is_refused() {
        for text in [
            "",
            "  ",
            "xml",
            "<xml>",
            "<xml></yml>",
            "</xml>",
            "<xml/><xml/>",
            "<xml/>x",
            "x<xml/>",
            "<xml><![CDATA[x</xml>",
            "<xml/>&amp;",
            "<xml/><![CDATA[x]]>",
            "<?php x?><xml/>",
            "<xml/><?xml version=\"1.0\"?>",
            "<xml>&</xml>",
            "<>a</>",
            "<xml>&amp</xml>",
            "<xml><a></xml></a>",
        ] {
            assert!(error(text).is_some(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>) {
            if let Ok(document) = Document::read(&bytes) {
                document.root().to_json();
            }
        }

        #[test]
        fn markup_soup_does_not_panic(soup in "(<|>|/|!|\\[CDATA\\[|\\]\\]>|&|;|#|a|x|\\?|<a>|</a>|<a/>|\"|=| |<!--|-->|é){0,60}") {
            if let Ok(document) = Document::read(soup.as_bytes()) {
                document.root().to_json();
            }
        }
    }
}
