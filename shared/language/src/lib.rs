//! Language: [`Folded`] makes spellings comparable, [`Pattern`] finds one word, [`Checker`] finds the brand's sensitive
//! words, [`said`] finds questions, promises and anger in sentences, and [`optout`] recognises customers who want no more
//! messages.

mod fold;
pub mod optout;
pub mod said;
mod traditional;
mod word;

pub use fold::Folded;
pub use word::Pattern;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A word that a supervisor wants to know about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SensitiveWord {
    /// The word.
    #[schemars(length(min = 1, max = 64))]
    pub word: String,
    /// The brand's category for it.
    #[schemars(length(max = 64))]
    pub category: String,
    /// 1 (note) to 3 (act now).
    #[schemars(range(min = 1, max = 3))]
    pub severity: i64,
}

/// The words that are watched until the brand sets its own list.
pub fn default_words() -> Vec<SensitiveWord> {
    const WORDS: [(&str, &str, i64); 16] = [
        ("赔偿", "compensation", 2),
        ("赔钱", "compensation", 2),
        ("退一赔十", "compensation", 3),
        ("投诉", "complaint", 2),
        ("差评", "complaint", 1),
        ("12315", "authority", 3),
        ("消协", "authority", 3),
        ("工商局", "authority", 3),
        ("市场监管", "authority", 3),
        ("起诉", "legal", 3),
        ("律师", "legal", 3),
        ("曝光", "publicity", 3),
        ("媒体", "publicity", 2),
        ("发霉", "food-safety", 3),
        ("中毒", "food-safety", 3),
        ("假货", "authenticity", 2),
    ];
    WORDS.iter().map(|(w, c, s)| SensitiveWord { word: (*w).into(), category: (*c).into(), severity: *s }).collect()
}

/// Makes spellings comparable; see [`Folded`].
pub fn normalise(text: &str) -> String {
    Folded::of(text).into_text()
}

/// A word found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'w> {
    /// The word.
    pub word: &'w SensitiveWord,
    /// Its place in the original text, in bytes.
    pub at: Range<usize>,
}

/// Finds sensitive words in one pass over a text, however many words there are.
pub struct Checker {
    automaton: AhoCorasick,
    words: Vec<(Pattern, SensitiveWord)>,
}

impl Checker {
    /// Prepares the words. Words without a letter or digit are left out: they would be found everywhere.
    ///
    /// # Errors
    /// The list is too large to build an automaton for (gigabytes).
    pub fn new(words: Vec<SensitiveWord>) -> Result<Self, BuildError> {
        let words: Vec<_> =
            words.into_iter().map(|w| (Pattern::of(&w.word), w)).filter(|(pattern, _)| !pattern.is_empty()).collect();
        let letters = words.iter().map(|(pattern, _)| pattern.text());
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(letters)?;
        Ok(Self { automaton, words })
    }

    /// All places of the words, in the order of the text.
    pub fn find(&self, text: &str) -> Vec<Found<'_>> {
        let mut found: Vec<_> = self.places(&Folded::of(text)).map(|(_, found)| found).collect();
        found.sort_by_key(|f| (f.at.start, f.at.end));
        found
    }

    /// The words found, each once, in the order of the list.
    pub fn check(&self, text: &str) -> Vec<&SensitiveWord> {
        let mut found: Vec<usize> = self.places(&Folded::of(text)).map(|(n, _)| n).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|n| self.words.get(n).map(|(_, word)| word)).collect()
    }

    fn places<'c>(&'c self, text: &Folded) -> impl Iterator<Item = (usize, Found<'c>)> {
        self.automaton.find_overlapping_iter(text.text()).filter_map(move |found| {
            let n = found.pattern().as_usize();
            let (pattern, word) = self.words.get(n)?;
            Some((n, Found { word, at: pattern.at(text, found.start())? }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    fn found(text: &str) -> Vec<String> {
        Checker::new(default_words()).unwrap().check(text).iter().map(|w| w.word.clone()).collect()
    }

    #[test]
    fn finds_words_however_they_are_spelt() {
        assert_eq!(found("我要投诉你们，打１２３１５！"), ["投诉", "12315"]);
        assert_eq!(found("必须 赔 - 偿"), ["赔偿"]);
        assert!(found("什么时候发货").is_empty());
    }

    #[test]
    fn w14_an_orders_number_is_no_hotline() {
        assert!(found("我的订单号是2024123150088").is_empty());
        assert!(found("电话13812315000，单号SF12315").is_empty());
        assert_eq!(found("再不处理就打 1 2 3 1 5"), ["12315"]);
    }

    #[test]
    fn w20_traditional_words_are_found_where_they_stand() {
        assert_eq!(found("我要投訴，找律師，要求賠償"), ["赔偿", "投诉", "律师"]);
        let checker = Checker::new(default_words()).unwrap();
        let text = "我要投\u{200b}訴，找律師";
        let at: Vec<_> = checker.find(text).into_iter().map(|f| (f.word.word.as_str(), text.get(f.at))).collect();
        assert_eq!(at, [("投诉", Some("投\u{200b}訴")), ("律师", Some("律師"))]);
    }

    #[test]
    fn overlapping_words_are_all_found_once() {
        let words = ["退一赔十", "赔十"].map(|w| SensitiveWord { word: w.into(), category: String::new(), severity: 1 });
        let checker = Checker::new(words.to_vec()).unwrap();
        assert_eq!(checker.check("退一赔十，退一赔十").len(), 2);
    }

    #[test]
    fn a_word_of_punctuation_is_not_found_everywhere() {
        let words = vec![SensitiveWord { word: "！！".into(), category: String::new(), severity: 1 }];
        assert!(Checker::new(words).unwrap().check("你好").is_empty());
    }

    proptest! {
        #[test]
        fn a_word_is_found_in_any_surroundings(before in ".{0,40}", after in ".{0,40}") {
            prop_assert!(found(&(before + "投诉" + &after)).iter().any(|w| w == "投诉"));
        }

        #[test]
        fn normalising_twice_changes_nothing(text in ".{0,80}") {
            prop_assert!(normalise(&normalise(&text)) == normalise(&text));
        }
    }
}
