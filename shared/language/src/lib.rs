//! Language, as far as the first slice needs it: [`normalise`] makes spellings comparable, [`Checker`] finds the brand's
//! sensitive words, [`said`] what a sentence does.

pub mod said;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// A word that a supervisor wants to know of.
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

/// Makes spellings comparable: compatibility forms become plain ones (NFKC: full-width digits and letters, ligatures), letters
/// become lower case, and what is neither letter nor digit goes away, so that `赔 - 偿` is `赔偿`.
pub fn normalise(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect()
}

/// Finds sensitive words in one pass over a text, however many words there are.
pub struct Checker {
    automaton: AhoCorasick,
    words: Vec<SensitiveWord>,
}

impl Checker {
    /// Prepares the words. Words that are empty after normalisation are left out: they would be found everywhere.
    ///
    /// # Errors
    /// The list is too large to build an automaton for (gigabytes).
    pub fn new(words: Vec<SensitiveWord>) -> Result<Self, BuildError> {
        let (patterns, words): (Vec<_>, Vec<_>) =
            words.into_iter().map(|w| (normalise(&w.word), w)).filter(|(p, _)| !p.is_empty()).unzip();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns)?;
        Ok(Self { automaton, words })
    }

    /// The words found, each once, in the order of the list.
    pub fn check(&self, text: &str) -> Vec<&SensitiveWord> {
        let text = normalise(text);
        let mut found: Vec<usize> = self.automaton.find_overlapping_iter(&text).map(|m| m.pattern().as_usize()).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|i| self.words.get(i)).collect()
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
