//! Searches folded texts for one word.
//!
//! A Chinese word is found if its characters follow one another, with any signs between them except those that end a
//! sentence: `赔-偿` is `赔偿`, and `到路口。交通` does not contain `口交`. A number, or a word of a script that is written
//! with blanks, matches as a whole: not inside a longer number, and not inside a longer word. `12315` is therefore in
//! `打12315投诉`, and not in an order's number.
//!
//! | text | `12315` | why |
//! |---|---|---|
//! | `12315`, `１２３１５`, `打12315！`, `12315.cn` | found | a number of its own |
//! | `1 2 3 1 5`, `1-2-3-1-5`, `①②③①⑤` | found | spelt digit by digit |
//! | `12-315`, `12 315` | found | two groups, and nothing else beside them |
//! | `2024123150088`, `13812315000`, `SF12315` | – | inside a longer run of digits and letters |
//! | `138-12315-000`, `SF-12315` | – | a group of a longer number |
//! | `123.15`, `12,315`, `12315.50` | – | an amount |
//! | `12-31 5`, `1 2 3 1 5 6` | – | groups of different sizes; longer |

use crate::fold::{Folded, Gap, Letter};
use std::ops::Range;

/// A word, prepared for searching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// The number of its letters.
    len: usize,
    /// The letters before which the word itself has blanks or signs.
    splits: Vec<usize>,
    /// Whether all of it is of scripts that are written with blanks.
    spaced: bool,
    /// Whether all of it is digits.
    digits: bool,
}

impl Pattern {
    /// Prepares a word as people write it.
    pub fn of(word: &str) -> Self {
        let folded = Folded::of(word);
        let letters = folded.letters();
        let split = |(n, letter): (usize, &Letter)| (n > 0 && letter.gap != Gap::Joined).then_some(n);
        Self {
            len: letters.len(),
            splits: letters.iter().enumerate().filter_map(split).collect(),
            spaced: letters.iter().all(|l| is_spaced(l.c)),
            digits: letters.iter().all(|l| is_digit(l.c)),
            text: folded.into_text(),
        }
    }

    /// Whether the word has no letter or digit. It is then found nowhere.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Its folded letters.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first place of the word in a text, as a range of the original.
    pub fn find(&self, text: &Folded) -> Option<Range<usize>> {
        let first = self.text.chars().next()?.len_utf8();
        let mut from = 0;
        while let Some(found) = text.text().get(from..).and_then(|rest| rest.find(&self.text)) {
            if let Some(at) = self.at(text, from + found) {
                return Some(at);
            }
            from += found + first;
        }
        None
    }

    /// Whether the word is in a text.
    pub fn is_in(&self, text: &Folded) -> bool {
        self.find(text).is_some()
    }

    /// The word whose letters begin at a position of the folded text; `None` if they are a part of something longer.
    pub(crate) fn at(&self, text: &Folded, at: usize) -> Option<Range<usize>> {
        let from = text.letter_at(at)?;
        let letters = from..from + self.len;
        self.stands(text.letters(), letters.clone()).then(|| text.original(letters))
    }

    fn stands(&self, all: &[Letter], at: Range<usize>) -> bool {
        let Some(inside) = all.get(at.clone()).filter(|inside| !inside.is_empty()) else { return false };
        let before = at.start.checked_sub(1).and_then(|n| all.get(n));
        let after = all.get(at.end);
        let (first, last) = (inside[0], inside[inside.len() - 1]);
        let grows = |edge: Letter, beside: Option<&Letter>, gap: Gap| {
            gap == Gap::Joined && is_spaced(edge.c) && beside.is_some_and(|l| is_spaced(l.c))
        };
        let gap_after = after.map_or(Gap::Wide, |l| l.gap);
        if grows(first, before, first.gap) || grows(last, after, gap_after) {
            return false;
        }
        if !self.spaced {
            return inside.iter().skip(1).all(|letter| letter.gap != Gap::Stop);
        }
        let splits: Vec<usize> = (1..inside.len()).filter(|n| inside[*n].gap != Gap::Joined).collect();
        let goes_on = |gaps: &[Gap]| {
            before.is_some_and(|l| is_digit(l.c) && gaps.contains(&first.gap))
                || after.is_some_and(|l| is_digit(l.c) && gaps.contains(&gap_after))
        };
        if splits.iter().all(|n| self.splits.contains(n)) {
            return !self.digits || !self.in_a_number(before, first.gap, after, gap_after);
        }
        if splits.len() + 1 == inside.len() {
            // The word is spelt letter by letter.
            return !self.digits || !goes_on(&[Gap::Space, Gap::Hyphen, Gap::Point, Gap::Comma]);
        }
        match splits.as_slice() {
            [one] if self.digits => {
                matches!(inside[*one].gap, Gap::Space | Gap::Hyphen)
                    && !goes_on(&[Gap::Space, Gap::Hyphen, Gap::Point, Gap::Comma])
            }
            _ => false,
        }
    }

    /// Whether a separate number is a group of a longer one, or a part of an amount.
    fn in_a_number(&self, before: Option<&Letter>, gap: Gap, after: Option<&Letter>, gap_after: Gap) -> bool {
        let joins = |beside: Option<&Letter>, gap: Gap| {
            beside.is_some_and(|l| match gap {
                Gap::Hyphen => is_spaced(l.c),
                Gap::Point => is_digit(l.c),
                // A group of thousands has three digits and follows at most three.
                Gap::Comma => is_digit(l.c) && self.len <= 3,
                _ => false,
            })
        };
        joins(before, gap) || joins(after, gap_after)
    }
}

fn is_digit(c: char) -> bool {
    c.is_numeric() && is_spaced(c)
}

/// Whether a letter is of a script that writes blanks between words. Chinese, Japanese, Thai and their neighbours do not.
fn is_spaced(c: char) -> bool {
    !matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{1b000}'..='\u{1b2ff}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn found<'t>(word: &str, text: &'t str) -> Option<&'t str> {
        Pattern::of(word).find(&Folded::of(text)).and_then(|at| text.get(at))
    }

    #[test]
    fn w14_numbers_match_whole() {
        for (text, at) in [
            ("12315", "12315"),
            ("我要打12315！", "12315"),
            ("打１２３１５投诉", "１２３１５"),
            ("1 2 3 1 5", "1 2 3 1 5"),
            ("打 1-2-3-1-5 吧", "1-2-3-1-5"),
            ("1，2，3，1，5", "1，2，3，1，5"),
            ("①②③①⑤", "①②③①⑤"),
            ("1\u{200b}2315", "1\u{200b}2315"),
            ("12-315", "12-315"),
            ("打12 315", "12 315"),
            ("12315.", "12315"),
            ("www.12315.cn", "12315"),
            ("12315 12345", "12315"),
            ("12315,12345都打", "12315"),
            ("12345/12315", "12315"),
            ("电话:12315", "12315"),
            ("打12315 3次了", "12315"),
            ("订单2024123150088，我打12315", "12315"),
        ] {
            assert_eq!(found("12315", text), Some(at), "{text}");
        }
        for text in [
            "我的订单号是2024123150088",
            "13812315000",
            "１３８１２３１５０００",
            "138 1231 5000",
            "138-1231-5000",
            "138-12315-000",
            "+86 138-1231-5678",
            "SF12315",
            "12315A",
            "call12315now",
            "SF-12315",
            "123.15元",
            "12315.50元",
            "12,315元",
            "2024-12-31 5件",
            "12-31 5件",
            "12/31 5件",
            "12:31:5",
            "1 2 3 1 5 6",
            "9 1 2 3 1 5",
            "12 315 88",
            "2024123\u{200b}150088",
            "1231",
            "12月31日5点",
        ] {
            assert_eq!(found("12315", text), None, "{text}");
        }
        assert_eq!((found("315", "315晚会曝光"), found("315", "12,315元"), found("315", "3,15")), (Some("315"), None, None));
        assert_eq!((found("315晚会", "上315晚会"), found("315晚会", "12315晚会")), (Some("315晚会"), None));
        assert_eq!((found("退1赔10", "必须退1 赔10！"), found("退1赔10", "退1赔100")), (Some("退1 赔10"), None));
    }

    #[test]
    fn w14_words_of_letters_match_whole() {
        assert_eq!((found("ems", "查一下 EMS"), found("ems", "用ＥＭＳ寄")), (Some("EMS"), Some("ＥＭＳ")));
        assert_eq!((found("ems", "items, systems"), found("ems", "ems2")), (None, None));
        for text in ["human agent", "Human-Agent please", "humanagent", "HUMAN  AGENT"] {
            assert!(found("human agent", text).is_some(), "{text}");
        }
        assert_eq!((found("human agent", "superhuman agent"), found("human agent", "human agents")), (None, None));
        assert_eq!((found("scam", "a S.C.A.M!"), found("scam", "sc am")), (Some("S.C.A.M"), None));
        assert_eq!(found("！！", "你好！！"), None);
    }

    #[test]
    fn a_chinese_word_ends_with_its_sentence() {
        assert_eq!((found("口交", "到路口。交通很堵"), found("口交", "到路口！交通")), (None, None));
        assert_eq!(found("赔偿", "要赔。偿还"), None);
        assert_eq!(found("赔偿", "赔，偿"), Some("赔，偿"));
        // A sign that ends a sentence stands before or after the word.
        assert_eq!(found("赔偿", "什么？赔偿！"), Some("赔偿"));
    }

    #[test]
    fn w20_traditional_is_simplified() {
        assert_eq!(found("投诉", "我要投訴你們"), Some("投訴"));
        assert_eq!(found("律師", "我的律师"), Some("律师"));
        assert_eq!(found("市场监管", "市場\u{200b}監管局"), Some("市場\u{200b}監管"));
    }

    proptest! {
        #[test]
        fn a_chinese_word_is_found_in_any_surroundings(before in ".{0,40}", after in ".{0,40}") {
            let text = before + "投訴" + &after;
            prop_assert!(found("投诉", &text).is_some());
        }

        #[test]
        fn a_number_is_never_found_inside_digits(before in "[0-9０-９a-zA-Z]{1,9}", after in "[0-9a-z]{0,9}") {
            for text in [format!("{before}987654321{after}"), format!("{after}987654321{before}")] {
                prop_assert_eq!(found("987654321", &text), None);
            }
        }

        #[test]
        fn what_is_found_is_the_word(text in "([0-9 投诉訴a,.-]|12315){0,30}") {
            for word in ["12315", "投诉", "a1"] {
                if let Some(at) = found(word, &text) {
                    prop_assert_eq!(Folded::of(at).into_text(), Folded::of(word).into_text());
                }
            }
        }
    }
}
