//! Texts that as a whole ask for no more messages, or for messages again.
//!
//! The words are those that carriers prescribe (Twilio's and CTIA's English ones; in China 回T、TD、N、R、退订). They count only
//! if they are the whole text. Case, width, traditional characters, blanks and punctuation do not matter.

use crate::normalise;

/// The choice about messages in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// True: messages again. False: no more messages.
    pub given: bool,
    /// The word of the list, in its folded form.
    pub wording: &'static str,
}

/// The longest text that is looked at, in bytes. Every word of the lists is far shorter, however it is spelt.
const MAX: usize = 200;

/// Words that mean nothing else in any message.
const STOP: [&str; 11] =
    ["stop", "unsubscribe", "optout", "退订", "td退订", "退订td", "我要退订", "回复退订", "取消订阅", "退订短信", "拒收"];
/// Words with this meaning in text messages, where carriers tell people to send them.
const STOP_BY_TEXT_MESSAGE: [&str; 8] = ["stopall", "cancel", "end", "quit", "revoke", "arret", "arrêt", "拒收短信"];
/// Words that the last line of a Chinese text message tells people to send (拒收请回复R、回T退订、退订回TD). Some send the whole line.
const STOP_OF_FOOTERS: [&str; 6] = ["t", "td", "n", "r", "退订", "拒收"];
const START: [&str; 8] = ["start", "unstop", "resubscribe", "subscribe", "optin", "恢复订阅", "重新订阅", "恢复接收"];

/// Reads a whole text message; `None` if it is not such a word.
pub fn text_message(text: &str) -> Option<Choice> {
    find(text, &[(&STOP, false), (&STOP_BY_TEXT_MESSAGE, false), (&START, true)]).or_else(|| footer(text))
}

/// Reads the word of a footer, or the whole footer: `[退订|拒收][请][回复|回]<word>[退订|拒收]`.
fn footer(text: &str) -> Option<Choice> {
    if text.len() > MAX {
        return None;
    }
    fn without<'a>(text: &'a str, parts: &[&str], strip: fn(&'a str, &str) -> Option<&'a str>) -> [Option<&'a str>; 2] {
        [Some(text), parts.iter().find_map(|part| strip(text, part))]
    }
    const ENDS: [&str; 2] = ["退订", "拒收"];
    let text = normalise(text);
    let starts = without(&text, &ENDS, |text, part| text.strip_prefix(part));
    let asked = |text| without(text, &["请"], |text, part| text.strip_prefix(part));
    let told = |text| without(text, &["回复", "回"], |text, part| text.strip_prefix(part));
    let ends = |text| without(text, &ENDS, |text, part| text.strip_suffix(part));
    let cores = starts.into_iter().flatten().flat_map(asked).flatten().flat_map(told).flatten().flat_map(ends).flatten();
    let known = |core: &str| STOP_OF_FOOTERS.into_iter().find(|word| *word == core);
    cores.filter_map(known).next().map(|wording| Choice { given: false, wording })
}

/// Reads a whole mail, with fewer such words: `cancel` may be about an order.
pub fn mail(text: &str) -> Option<Choice> {
    find(text, &[(&STOP, false), (&START, true)])
}

fn find(text: &str, lists: &[(&'static [&'static str], bool)]) -> Option<Choice> {
    if text.len() > MAX {
        return None;
    }
    let text = normalise(text);
    lists
        .iter()
        .find_map(|(words, given)| words.iter().find(|word| **word == text).map(|wording| Choice { given: *given, wording }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    fn given(text: &str) -> Option<bool> {
        text_message(text).map(|choice| choice.given)
    }

    #[test]
    fn w15_words_of_carriers_count_as_the_whole_text() {
        for text in [
            "STOP",
            "stop",
            " Stop. ",
            "STOP ALL",
            "Stopall",
            "unsubscribe",
            "CANCEL",
            "END",
            "Quit!",
            "ARRÊT",
            "ARRE\u{302}T",
            "OPT-OUT",
            "opt out",
            "TD",
            "td",
            "ＴＤ",
            "T",
            "Ｔ",
            "n",
            "N。",
            "R",
            "退订",
            "退訂",
            "「退订」",
            "TD退订",
            "回复TD",
            "回T",
            "回N",
            "回复R",
            "退订回T",
            "退订回TD",
            "退订请回复TD",
            "拒收请回复R",
            "拒收回R",
            "回N退订",
            "拒收回复TD退订",
            "取消订阅",
            "取消訂閱",
            "T\u{200b}D",
        ] {
            assert_eq!(given(text), Some(false), "{text}");
        }
        for text in ["START", "unstop", "恢复订阅", "重新訂閱"] {
            assert_eq!(given(text), Some(true), "{text}");
        }
        for text in [
            "",
            "?",
            "please stop by",
            "STOP sending me rice",
            "怎么退订会员",
            "退订的钱什么时候到",
            "TDK",
            "cancel my order",
            "N1",
            "the end",
            "no",
            "可以退订吗",
            "R&D",
            "回",
            "请回复",
            "回复",
            "请退",
            "回电",
            "回头退订",
            "退货回T恤",
        ] {
            assert_eq!(given(text), None, "{text}");
        }
    }

    #[test]
    fn w15_a_mail_has_fewer_such_words() {
        let given = |text: &str| mail(text).map(|choice| choice.given);
        assert_eq!(
            ["Unsubscribe", "退訂", "STOP", "cancel", "N", "end"].map(given),
            [Some(false), Some(false), Some(false), None, None, None]
        );
    }

    #[test]
    fn every_word_of_the_lists_is_folded() {
        for word in STOP.iter().chain(&STOP_BY_TEXT_MESSAGE).chain(&STOP_OF_FOOTERS).chain(&START) {
            assert_eq!(normalise(word), *word);
        }
    }

    proptest! {
        #[test]
        fn signs_around_a_word_change_nothing(before in "[ \\-。.!！\u{200b}]{0,8}", after in "[ 。.!！\n]{0,8}") {
            let text = format!("{before}退訂{after}");
            prop_assert!(given(&text) == Some(false));
        }

        #[test]
        fn other_words_beside_it_do(more in "[一-龥]{3,20}") {
            prop_assert!(given(&(more + "TD")).is_none());
        }
    }
}
