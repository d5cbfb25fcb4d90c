//! Recognises sentences that ask, promise, report something as done, or are angry. It uses words and marks, in Chinese and
//! English. It serves to pick sentences out of a conversation: a sentence too many costs little, and none can be invented.

use crate::fold::spelt;
use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::LazyLock;

/// The longest sentence shown. A longer one is cut there.
const MAX_CHARS: usize = 120;

const ASKS: [&str; 42] = [
    "吗",
    "呢",
    "什么",
    "怎么",
    "为何",
    "多少",
    "几天",
    "几点",
    "哪",
    "能不能",
    "可不可以",
    "是不是",
    "是否",
    "有没有",
    "如何",
    "请问",
    "帮我",
    "帮忙",
    "麻烦",
    "我要",
    "我想",
    "希望",
    "催",
    "查一下",
    "要求",
    "退货",
    "退款",
    "换货",
    "补发",
    "开发票",
    "what",
    "how ",
    "when",
    "where",
    "why",
    "which",
    "can you",
    "could you",
    "please",
    "i want",
    "i need",
    "i'd like",
];
const PROMISES: [&str; 33] = [
    "会尽快",
    "会为您",
    "会给您",
    "会帮您",
    "会安排",
    "会联系",
    "会通知",
    "会处理",
    "将为您",
    "将尽快",
    "马上",
    "立即",
    "立刻",
    "尽快",
    "稍后",
    "给您补",
    "给您退",
    "给您寄",
    "给您换",
    "给您安排",
    "帮您登记",
    "为您申请",
    "帮您申请",
    "以内",
    "之内",
    "前送达",
    "will ",
    "'ll ",
    "shall ",
    "right away",
    "within ",
    "as soon as",
    "going to ",
];
const DONE: [&str; 24] = [
    "已补发",
    "已经补发",
    "已退",
    "已经退",
    "已寄",
    "已经寄",
    "已发",
    "已经发",
    "已安排",
    "已经安排",
    "已处理",
    "已经处理",
    "已解决",
    "已经解决",
    "已登记",
    "已完成",
    "办好了",
    "has been",
    "have been",
    "we sent",
    "we have sent",
    "refunded",
    "shipped",
    "resolved",
];
const ANGRY: [&str; 30] = [
    "投诉",
    "差评",
    "曝光",
    "12315",
    "消协",
    "工商局",
    "市场监管",
    "律师",
    "起诉",
    "骗",
    "垃圾",
    "太差",
    "气死",
    "失望",
    "忽悠",
    "敷衍",
    "恶心",
    "坑人",
    "什么态度",
    "没人管",
    "不负责",
    "再也不",
    "受够",
    "complain",
    "terrible",
    "ridiculous",
    "unacceptable",
    "scam",
    "furious",
    "worst",
];

fn automaton(words: &[&str]) -> Option<AhoCorasick> {
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).ascii_case_insensitive(true).build(words).ok()
}

/// Whether a sentence contains one of the words, in any spelling. A number counts only as a whole.
fn has(words: &Option<AhoCorasick>, sentence: &str) -> bool {
    let Some(words) = words else { return false };
    let sentence = spelt(sentence);
    let beside = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    words.find_iter(&sentence).any(|found| {
        let (before, rest) = sentence.split_at(found.start());
        let (word, after) = rest.split_at(found.len());
        !word.bytes().all(|b| b.is_ascii_digit()) || !(beside(before.chars().next_back()) || beside(after.chars().next()))
    })
}

/// The sentences of a text, unchanged but without the white space around them.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let end = |c: char| matches!(c, '。' | '！' | '？' | '!' | '?' | '；' | ';' | '\n' | '…');
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            // The marks at its end belong to a sentence.
            let stop = rest.find(end).map_or(rest.len(), |at| {
                let after = rest.get(at..).unwrap_or_default();
                at + after.find(|c| !end(c)).unwrap_or(after.len())
            });
            let (sentence, further) = rest.split_at(stop);
            rest = further;
            let sentence = sentence.trim();
            if sentence.chars().any(char::is_alphanumeric) {
                return Some(cut(sentence));
            }
        }
        None
    })
}

fn cut(sentence: &str) -> &str {
    sentence.char_indices().nth(MAX_CHARS).and_then(|(at, _)| sentence.get(..at)).unwrap_or(sentence)
}

/// Whether a customer's sentence asks or wants something.
pub fn asks(sentence: &str) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(&ASKS));
    sentence.ends_with(['?', '？']) || has(&WORDS, sentence)
}

/// Whether the brand's sentence promises something.
pub fn promises(sentence: &str) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(&PROMISES));
    has(&WORDS, sentence) && !says_done(sentence) && !sentence.ends_with(['?', '？'])
}

/// Whether the brand's sentence reports something as done.
pub fn says_done(sentence: &str) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(&DONE));
    has(&WORDS, sentence)
}

/// Whether a customer's sentence is angry: by its words, or by three marks in a row.
pub fn angry(sentence: &str) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(&ANGRY));
    let marks = sentence.chars().rev().take_while(|c| matches!(c, '!' | '！' | '?' | '？')).count();
    marks >= 3 || has(&WORDS, sentence)
}

/// Words before the number of an order.
const ORDER: [&str; 3] = ["订单", "訂單", "order"];
/// The greatest distance of the number from such a word, in characters.
const NEAR: usize = 12;

/// The numbers of orders that a text names, as it writes them: at least six letters, digits and hyphens with four digits
/// among them, soon after a word for an order. Mobile numbers do not count.
pub fn orders(text: &str) -> impl Iterator<Item = &str> {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(&ORDER));
    let after = WORDS.as_ref().into_iter().flat_map(move |words| words.find_iter(text));
    after.filter_map(move |word| number(text.get(word.end()..).unwrap_or_default()))
}

fn number(rest: &str) -> Option<&str> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let digits = |token: &str| token.bytes().filter(u8::is_ascii_digit).count();
    let mobile = |token: &str| token.len() == 11 && digits(token) == 11 && token.starts_with('1');
    let mut passed = 0;
    for token in rest.split_inclusive(|c| !part(c)) {
        let found = token.trim_end_matches(|c| !part(c));
        if passed > NEAR {
            break;
        }
        if (6..=64).contains(&found.len()) && digits(found) >= 4 {
            return Some(found).filter(|token| !mobile(token));
        }
        passed += token.chars().count();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    #[test]
    fn sentences_do_what_they_say() {
        let all = |text| sentences(text).collect::<Vec<_>>();
        assert_eq!(all("你好。我的米什么时候到？！谢谢"), ["你好。", "我的米什么时候到？！", "谢谢"]);
        assert_eq!(all(" ？！\n。"), Vec::<&str>::new());
        assert!(asks("我的米什么时候到") && asks("可以退吗？") && asks("I want a refund") && !asks("好的，谢谢"));
        assert!(promises("我们马上给您补发") && promises("We will call you") && !promises("已为您补发，已经补发了"));
        assert!(!promises("马上要吗？") && says_done("已经补发了") && !says_done("马上补发"));
        assert!(angry("我要投诉你们") && angry("人呢！！！") && !angry("好的！"));
    }

    #[test]
    fn w14_w20_sentences_are_read_as_words_are() {
        assert!(!angry("我的订单号是2024123150088") && angry("我打12315了") && angry("我打１２３１５了"));
        assert!(angry("我要投訴") && angry("找律師") && asks("請問什麼時候發貨") && says_done("已經補發了"));
        assert!(promises("馬上給您補發") && promises("We WILL call you"));
    }

    #[test]
    fn orders_are_numbers_after_a_word_for_them() {
        let all = |text| orders(text).collect::<Vec<_>>();
        assert_eq!(all("我的订单号是：2024-110088，还有订单T778899到哪了"), ["2024-110088", "T778899"]);
        assert_eq!(all("訂單編號 20241100"), ["20241100"]);
        assert_eq!(all("Where is my order number AB12345?"), ["AB12345"]);
        assert_eq!(all("订单上的电话是13800001111"), Vec::<&str>::new());
        assert_eq!(all("订单还没到，请打13800001111或者20241100"), Vec::<&str>::new());
        assert_eq!(all("快递20241100，订单123，订单什么时候能到呢我已经等了好多天了20241100"), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn every_order_stands_in_its_text(text in "(订单|order|[ ，。a-z0-9-]){0,40}") {
            for order in orders(&text) {
                prop_assert!(text.contains(order) && order.len() >= 6);
            }
        }

        #[test]
        fn every_sentence_stands_in_its_text(text in ".{0,200}") {
            let mut from = 0;
            for sentence in sentences(&text) {
                let at = text[from..].find(sentence);
                prop_assert!(at.is_some(), "{sentence}");
                from += at.unwrap();
            }
        }
    }
}
