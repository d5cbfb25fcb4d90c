//! Texts in a form for comparison. Every spelling of a word folds to the same letters. Each folded letter knows its place
//! in the text, and the gap before it.

use crate::traditional::simplified;
use std::ops::Range;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The gap between a letter and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Nothing visible.
    Joined,
    /// One blank.
    Space,
    /// One hyphen, or another sign that groups digits.
    Hyphen,
    /// One full stop: a decimal point between digits.
    Point,
    /// One comma: it groups thousands.
    Comma,
    /// Anything else, and the beginning of the text.
    Wide,
    /// Signs of which one ends a sentence.
    Stop,
}

impl Gap {
    fn then(self, sign: char) -> Self {
        match (self, sign) {
            (Self::Stop, _) | (_, '。' | '！' | '？' | '；' | '!' | '?' | ';') => Self::Stop,
            (Self::Joined, c) if c.is_whitespace() => Self::Space,
            (Self::Joined, '-' | '‐' | '‒' | '–' | '—' | '−' | '_' | '~' | '·' | '*') => Self::Hyphen,
            (Self::Joined, '.') => Self::Point,
            (Self::Joined, ',') => Self::Comma,
            _ => Self::Wide,
        }
    }
}

/// One folded letter or digit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter {
    pub(crate) c: char,
    /// Its beginning in the folded text.
    pub(crate) at: usize,
    pub(crate) gap: Gap,
    /// The place of its spelling in the original.
    from: usize,
    to: usize,
}

/// A folded text. Compatibility forms become plain ones (NFKC: full-width digits and letters, ligatures), letters become
/// lower case, and traditional characters become simplified ones. Everything but letters and digits is removed, so that `賠
/// - 償` is `赔偿`.
#[derive(Clone, Debug)]
pub struct Folded {
    text: String,
    letters: Vec<Letter>,
}

impl Folded {
    /// Folds a text.
    pub fn of(text: &str) -> Self {
        let mut folded = Self { text: String::with_capacity(text.len()), letters: Vec::with_capacity(text.len() / 2) };
        let (mut gap, mut rest) = (Gap::Wide, text.char_indices().peekable());
        while let Some((from, c)) = rest.next() {
            let mut to = from + c.len_utf8();
            let mut alone = true;
            while let Some((at, mark)) = rest.next_if(|(_, next)| attaches(*next)) {
                (to, alone) = (at + mark.len_utf8(), false);
            }
            if attaches(c) {
                // This mark has no letter.
                continue;
            }
            if alone && is_plain(c) {
                folded.push(c.to_ascii_lowercase(), from..to, &mut gap);
                continue;
            }
            let mut based = false;
            for c in text.get(from..to).unwrap_or_default().nfkc().flat_map(char::to_lowercase) {
                if attaches(c) && (!based || !c.is_alphanumeric()) {
                    continue;
                }
                based |= c.is_alphanumeric();
                folded.push(c, from..to, &mut gap);
            }
        }
        folded
    }

    fn push(&mut self, c: char, original: Range<usize>, gap: &mut Gap) {
        if c.is_alphanumeric() {
            let (c, at, before) = (simplified(c), self.text.len(), std::mem::replace(gap, Gap::Joined));
            self.text.push(c);
            self.letters.push(Letter { c, at, gap: before, from: original.start, to: original.end });
        } else if !is_unseen(c) {
            *gap = gap.then(c);
        }
    }

    /// The folded letters and digits, one after the other.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folded text alone.
    pub fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn letters(&self) -> &[Letter] {
        &self.letters
    }

    /// The index of the letter that begins at a position of the folded text.
    pub(crate) fn letter_at(&self, at: usize) -> Option<usize> {
        self.letters.binary_search_by_key(&at, |letter| letter.at).ok()
    }

    /// The place of letters in the original.
    pub(crate) fn original(&self, letters: Range<usize>) -> Range<usize> {
        let found = self.letters.get(letters).unwrap_or_default();
        found.first().map_or(0, |l| l.from)..found.last().map_or(0, |l| l.to)
    }
}

/// A text with folded spelling that keeps its signs and blanks, for words that contain them.
pub(crate) fn spelt(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).filter(|c| !is_unseen(*c)).map(simplified).collect()
}

/// Whether a character's own folding is known. This holds for most of every text.
fn is_plain(c: char) -> bool {
    c.is_ascii() || matches!(c, '\u{4e00}'..='\u{9fff}')
}

/// Whether a character belongs to the one before it: marks, and the final letters of a Hangul syllable or of half-width
/// kana.
fn attaches(c: char) -> bool {
    !c.is_ascii() && (matches!(c, '\u{1160}'..='\u{11ff}' | '\u{ff9e}'..='\u{ff9f}') || is_combining_mark(c))
}

/// Whether it is invisible: zero-width and formatting characters, controls other than blanks.
fn is_unseen(c: char) -> bool {
    let formatting = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    formatting || (c.is_control() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn folded(text: &str) -> String {
        Folded::of(text).into_text()
    }

    #[test]
    fn w20_spellings_fold_alike() {
        for text in
            ["投诉", "投訴", "投 - 訴", "投\u{200b}诉", "投\u{feff}\u{ad}訴", "投\u{fe0f}诉\u{fe0f}", "投̶诉̶", "「投」诉"]
        {
            assert_eq!(folded(text), "投诉", "{text:?}");
        }
        for text in ["12315", "１２３１５", "1 2 3 1 5", "①②③①⑤", "1\u{200d}2315"] {
            assert_eq!(folded(text), "12315", "{text:?}");
        }
        assert_eq!(folded("Café ﬁne ＳＴＯＰ"), "caféfinestop");
        assert_eq!(folded("cafe\u{301}"), "café");
        assert_eq!(folded("ｶﾞ 가"), "ガ가");
        // A vowel or a final consonant of Hangul without its syllable is a mark without its letter, however it is spelled.
        assert_eq!(folded("\u{313a}\u{ac00}\u{314f}"), "\u{ac00}");
    }

    #[test]
    fn positions_are_the_originals() {
        let text = "请。投 - 訴!";
        let seen = Folded::of(text);
        assert_eq!(text.get(seen.original(1..3)), Some("投 - 訴"));
        let text = "cafe\u{301} ㈱";
        let seen = Folded::of(text);
        assert_eq!((text.get(seen.original(3..4)), text.get(seen.original(4..5))), (Some("e\u{301}"), Some("㈱")));
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in ".{0,80}") {
            prop_assert_eq!(folded(&folded(&text)), folded(&text));
        }

        #[test]
        fn every_letter_stands_in_the_original(text in "(.|[投訴1２ａ\u{200b}\u{301}\u{fe0f} -]){0,60}") {
            let seen = Folded::of(&text);
            let mut last = 0;
            for n in 0..seen.letters().len() {
                let at = seen.original(n..n + 1);
                prop_assert!(text.get(at.clone()).is_some_and(|t| !t.is_empty()) && at.start >= last);
                last = at.start;
            }
        }
    }
}
