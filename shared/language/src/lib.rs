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

/// What a word does to a message of the brand that contains it, before the message goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing. Quality notes it afterwards, as in a customer's message.
    #[default]
    Info,
    /// The writer is warned. The message goes out.
    Warn,
    /// The message waits until a supervisor releases it.
    Approve,
    /// The message is refused.
    Block,
}

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
    /// What it does to a message of the brand.
    #[serde(default)]
    pub effect: Effect,
    /// Longer phrases with the word in them, in which it does not count: `路口交通` for `口交`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 2, max = 64)))]
    pub allow: Vec<String>,
}

impl SensitiveWord {
    /// A word without effect or exceptions.
    pub fn new(word: impl Into<String>, category: impl Into<String>, severity: i64) -> Self {
        Self { word: word.into(), category: category.into(), severity, effect: Effect::Info, allow: Vec::new() }
    }
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
    WORDS.iter().map(|(w, c, s)| SensitiveWord::new(*w, *c, *s)).collect()
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
    words: Vec<Watched>,
}

struct Watched {
    pattern: Pattern,
    word: SensitiveWord,
    allowed: Vec<Phrase>,
}

/// A phrase in which a word does not count.
struct Phrase {
    letters: Vec<char>,
    /// The letters of the phrase before the word.
    before: usize,
}

impl Watched {
    fn new(word: SensitiveWord) -> Self {
        let pattern = Pattern::of(&word.word);
        let allowed = word.allow.iter().flat_map(|phrase| Phrase::all(phrase, &pattern)).collect();
        Self { pattern, word, allowed }
    }

    /// The place of the word whose letters begin there; `None` if they are a part of something longer, or of a phrase in which
    /// the word does not count.
    fn at(&self, text: &Folded, at: usize) -> Option<Range<usize>> {
        let place = self.pattern.at(text, at)?;
        let first = text.letter_at(at)?;
        if self.allowed.iter().any(|phrase| phrase.is_around(text, first)) { None } else { Some(place) }
    }
}

impl Phrase {
    /// The phrase once for each place of the word in it.
    fn all(phrase: &str, word: &Pattern) -> Vec<Self> {
        let folded = Folded::of(phrase);
        let letters: Vec<char> = folded.letters().iter().map(|letter| letter.c).collect();
        let places = folded.text().match_indices(word.text()).filter_map(|(at, _)| folded.letter_at(at));
        places.map(|before| Self { letters: letters.clone(), before }).collect()
    }

    fn is_around(&self, text: &Folded, word: usize) -> bool {
        let Some(from) = word.checked_sub(self.before) else { return false };
        let there = text.letters().get(from..from + self.letters.len()).unwrap_or_default();
        there.len() == self.letters.len() && there.iter().zip(&self.letters).all(|(letter, c)| letter.c == *c)
    }
}

/// Whether a phrase can be an exception for a word: it contains the word, and more.
pub fn is_exception(phrase: &str, word: &str) -> bool {
    let (phrase, word) = (normalise(phrase), normalise(word));
    phrase.len() > word.len() && phrase.contains(&word)
}

/// The beginnings of words: two letters, or the only one. Words whose beginning is not in [`heads`] of a text are not in the
/// text.
pub fn head(word: &str) -> String {
    normalise(word).chars().take(2).collect()
}

/// The beginnings of all words that a text can contain, each once.
pub fn heads(text: &Folded) -> Vec<&str> {
    let (text, letters) = (text.text(), text.letters());
    let end = |n: usize| letters.get(n).map_or(text.len(), |letter| letter.at);
    let at = letters.iter().enumerate();
    let mut all: Vec<&str> =
        at.flat_map(|(n, letter)| [text.get(letter.at..end(n + 1)), text.get(letter.at..end(n + 2))]).flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl Checker {
    /// Prepares the words. Words without a letter or digit are left out: they would be found everywhere.
    ///
    /// # Errors
    /// The list is too large to build an automaton for (gigabytes).
    pub fn new(words: Vec<SensitiveWord>) -> Result<Self, BuildError> {
        let words: Vec<_> = words.into_iter().map(Watched::new).filter(|watched| !watched.pattern.is_empty()).collect();
        let letters = words.iter().map(|watched| watched.pattern.text());
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(letters)?;
        Ok(Self { automaton, words })
    }

    /// All places of the words, in the order of the text.
    pub fn find(&self, text: &Folded) -> Vec<Found<'_>> {
        let mut found: Vec<_> = self.places(text).map(|(_, found)| found).collect();
        found.sort_by_key(|f| (f.at.start, f.at.end));
        found
    }

    /// The words found, each once, in the order of the list.
    pub fn check(&self, text: &str) -> Vec<&SensitiveWord> {
        let mut found: Vec<usize> = self.places(&Folded::of(text)).map(|(n, _)| n).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|n| self.words.get(n).map(|watched| &watched.word)).collect()
    }

    fn places<'c>(&'c self, text: &Folded) -> impl Iterator<Item = (usize, Found<'c>)> {
        self.automaton.find_overlapping_iter(text.text()).filter_map(move |found| {
            let n = found.pattern().as_usize();
            let watched = self.words.get(n)?;
            Some((n, Found { word: &watched.word, at: watched.at(text, found.start())? }))
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
        let at: Vec<_> =
            checker.find(&Folded::of(text)).into_iter().map(|f| (f.word.word.as_str(), text.get(f.at))).collect();
        assert_eq!(at, [("投诉", Some("投\u{200b}訴")), ("律师", Some("律師"))]);
    }

    #[test]
    fn overlapping_words_are_all_found_once() {
        let words = ["退一赔十", "赔十"].map(|w| SensitiveWord::new(w, "", 1));
        let checker = Checker::new(words.to_vec()).unwrap();
        assert_eq!(checker.check("退一赔十，退一赔十").len(), 2);
    }

    #[test]
    fn a_word_of_punctuation_is_not_found_everywhere() {
        let words = vec![SensitiveWord::new("！！", "", 1)];
        assert!(Checker::new(words).unwrap().check("你好").is_empty());
    }

    #[test]
    fn a_word_does_not_count_in_its_exceptions() {
        let word = |word: &str, allow: &[&str]| SensitiveWord {
            allow: allow.iter().map(|phrase| (*phrase).to_owned()).collect(),
            ..SensitiveWord::new(word, "", 3)
        };
        let words = vec![word("口交", &["路口交通", "进出口交易"]), word("最快", &["最快今天发货", "最快明天发货"])];
        let checker = Checker::new(words).unwrap();
        for text in ["路口交通拥堵，快递晚到", "路 口 交 通", "您的大米最快今天发货", "進出口交易額"]
        {
            assert!(checker.check(text).is_empty(), "{text}");
        }
        for (text, words) in [
            ("口交通", vec!["口交"]),
            ("路口交", vec!["口交"]),
            ("全国最快", vec!["最快"]),
            ("全国最快，最快今天发货", vec!["最快"]),
        ] {
            let found: Vec<_> = checker.check(text).iter().map(|w| w.word.as_str()).collect();
            assert_eq!(found, words, "{text}");
        }
        // A phrase may hold its word twice.
        let checker = Checker::new(vec![word("好", &["好不好"])]).unwrap();
        assert_eq!((checker.check("好不好").len(), checker.find(&Folded::of("真好，好不好")).len()), (0, 1));
    }

    #[test]
    fn only_a_longer_phrase_with_the_word_in_it_is_an_exception() {
        assert!(is_exception("路口交通", "口交") && is_exception("路口，交通", "口 交"));
        assert!(!is_exception("口交", "口交") && !is_exception("路口", "口交") && !is_exception("！！口交", "口交"));
    }

    proptest! {
        #[test]
        fn a_word_begins_with_one_of_the_heads_of_the_text_that_holds_it(before in ".{0,9}", word in "[a-c1-3投诉訴赔 ]{1,5}", after in ".{0,9}") {
            let text = Folded::of(&format!("{before}{word}{after}"));
            let checker = Checker::new(vec![SensitiveWord::new(word.clone(), "", 1)]).unwrap();
            if !checker.find(&text).is_empty() {
                prop_assert!(heads(&text).contains(&head(&word).as_str()));
            }
        }

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
