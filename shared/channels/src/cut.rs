//! Cuts a text that is too long for a channel into parts. A part ends after a sentence if one ends in its second half, and
//! otherwise between words. Links stay whole, and so does anything that looks like one character (an emoji of several, a
//! letter with its marks, a flag), as long as it fits into a part at all.

use crate::capabilities::TextUnit;
use unicode_segmentation::UnicodeSegmentation as _;

/// The beginnings of links.
const SCHEMES: [&str; 5] = ["https://", "http://", "www.", "miniprogram://", "weixin://"];

/// Cuts a text into parts within the limit. Only blanks between parts are lost.
pub(crate) fn cut(text: &str, limit: usize, unit: TextUnit) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let end = end_of_part(rest, limit, unit);
        if end == 0 {
            // Not even one character fits: no platform has such a limit.
            break;
        }
        let (part, after) = rest.split_at(end);
        parts.push(part.trim());
        rest = after.trim_start();
    }
    parts
}

/// The end of the first part of a text.
fn end_of_part(text: &str, limit: usize, unit: TextUnit) -> usize {
    let (mut room, mut full) = (limit, None);
    let (mut sentence, mut word, mut seen) = (0, 0, 0);
    let (mut link, mut before) = (0..0, "");
    for (at, grapheme) in text.grapheme_indices(true) {
        if at >= link.end {
            link = at..at + text.get(at..).map_or(0, |rest| link_length(rest, before));
        }
        if at > 0 && !(link.start < at && at < link.end) {
            seen = at;
            if may_part(before, grapheme) {
                word = at;
                if ends_sentence(text.get(..at).unwrap_or_default(), grapheme) {
                    sentence = at;
                }
            }
        }
        let cost = unit.of(grapheme);
        if cost > room {
            full = Some(at);
            break;
        }
        room -= cost;
        before = grapheme;
    }
    match full {
        None => text.len(),
        Some(at) if sentence > 0 && sentence * 2 >= at => sentence,
        Some(_) if word > 0 => word,
        // One word fills the part.
        Some(_) if seen > 0 => seen,
        Some(_) => longest(text, limit, unit),
    }
}

/// The longest beginning that fits: whole graphemes if at least one fits, otherwise whole characters.
fn longest(text: &str, limit: usize, unit: TextUnit) -> usize {
    let fits = |pieces: &mut dyn Iterator<Item = &str>| {
        let mut room = limit;
        let fitting = pieces.take_while(|piece| {
            let cost = unit.of(piece);
            let fits = cost <= room;
            room = room.saturating_sub(cost);
            fits
        });
        fitting.map(str::len).sum::<usize>()
    };
    match fits(&mut text.graphemes(true)) {
        0 => fits(&mut text.split_inclusive(|_| true)),
        end => end,
    }
}

/// The length of the link that begins here, or 0. Its address is ASCII. Marks at its end belong to the sentence around it.
fn link_length(text: &str, before: &str) -> usize {
    let begins = SCHEMES.iter().any(|scheme| text.get(..scheme.len()).is_some_and(|t| t.eq_ignore_ascii_case(scheme)));
    if !begins || before.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric()) {
        return 0;
    }
    let inside = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '`');
    let end = text.find(|c| !inside(c)).unwrap_or(text.len());
    let link = text.get(..end).unwrap_or_default();
    link.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'']).len()
}

/// Whether a part may end between two graphemes: at a blank, and beside characters that are written without blanks, but not
/// before a closing mark or after an opening one.
fn may_part(before: &str, after: &str) -> bool {
    let (Some(left), Some(right)) = (before.chars().next_back(), after.chars().next()) else { return false };
    let closes = |c: char| "，。！？；：、）】》」』”’…,.!?;:)]}".contains(c);
    let opens = |c: char| "（【《「『“‘([{".contains(c);
    if left.is_whitespace() || right.is_whitespace() {
        return true;
    }
    let tight = is_tight(left) && is_tight(right);
    !(tight || closes(right) || opens(left))
}

/// Whether a sentence or line ends before a grapheme.
fn ends_sentence(text: &str, after: &str) -> bool {
    let closed = text.trim_end_matches(['”', '’', '」', '』', '）', '》', '】', '"', '\'', ')']);
    match closed.chars().next_back() {
        Some('\n' | '。' | '！' | '？' | '；' | '…') => true,
        // In a number or a name such a mark ends no sentence.
        Some('.' | '!' | '?' | ';') => !after.starts_with(is_tight),
        Some(' ') => closed.trim_end().ends_with(['.', '!', '?', ';']),
        _ => false,
    }
}

/// Whether a character stays with its neighbours: letters and digits of scripts with blanks between words, ASCII signs.
fn is_tight(c: char) -> bool {
    c.is_ascii_graphic()
        || (c.is_alphanumeric()
            && !matches!(c, '\u{2e80}'..='\u{a4cf}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const URL: &str = "https://pan.example/s/1a2b3c?pwd=x.y;z";

    fn whole_links(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let (mut at, mut before) = (0, "");
        while at < text.len() {
            let length = link_length(&text[at..], before);
            let step = if length > 0 { length } else { text[at..].chars().next().unwrap().len_utf8() };
            if length > 0 {
                found.push(&text[at..at + length]);
            }
            before = &text[at..at + step];
            at += step;
        }
        found
    }

    #[test]
    fn long_texts_are_cut_after_sentences() {
        assert_eq!(cut("一二三。四五六。七", 6, TextUnit::Chars), ["一二三。", "四五六。七"]);
        assert_eq!(cut("一二三四五六七", 3, TextUnit::Chars), ["一二三", "四五六", "七"]);
        assert_eq!(cut("a\nb c d e f", 9, TextUnit::Bytes), ["a\nb c d e", "f"]);
        assert_eq!(cut("😀😀", 5, TextUnit::Bytes), ["😀", "😀"]);
        assert_eq!(cut("One. Two three", 9, TextUnit::Chars), ["One.", "Two three"]);
        assert_eq!(cut("他说：“好。”然后走了", 8, TextUnit::Chars), ["他说：“好。”", "然后走了"]);
        assert_eq!(cut("重 3.14159 kg", 6, TextUnit::Chars), ["重", "3.1415", "9 kg"]);
    }

    #[test]
    fn w16_a_link_stays_whole() {
        let text = format!("{}{URL}", "好".repeat(470));
        assert_eq!(cut(&text, 500, TextUnit::Chars), ["好".repeat(470).as_str(), URL]);
        let text = format!("{}{URL}。谢谢", "好".repeat(470));
        assert_eq!(cut(&text, 500, TextUnit::Chars), ["好".repeat(470), format!("{URL}。谢谢")]);
        let text = format!("Please see {URL}, and write to us");
        assert_eq!(
            cut(&text, 45, TextUnit::Chars),
            ["Please see".to_owned(), format!("{URL}, and"), "write to us".to_owned()]
        );
        // A link longer than a part has to be cut.
        assert_eq!(cut(URL, 10, TextUnit::Chars).concat(), URL);
    }

    #[test]
    fn w16_what_is_seen_as_one_character_stays_whole() {
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
        assert_eq!(cut(&format!("好{family}"), 7, TextUnit::Chars), ["好", family]);
        assert_eq!(cut("🇨🇳🇯🇵🇺🇸", 3, TextUnit::Chars), ["🇨🇳", "🇯🇵", "🇺🇸"]);
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 5, TextUnit::Chars), ["e\u{301}e\u{301}", "e\u{301}"]);
        assert_eq!(cut("👍🏽👍🏽", 3, TextUnit::Chars), ["👍🏽", "👍🏽"]);
        // A grapheme longer than a part is cut nevertheless.
        assert_eq!(cut(family, 3, TextUnit::Chars).concat(), family);
    }

    #[test]
    fn w16_words_stay_whole() {
        assert_eq!(cut("order SF1234567890 is here", 12, TextUnit::Chars), ["order", "SF1234567890", "is here"]);
        assert_eq!(cut("请写信到help@shop.example谢谢", 18, TextUnit::Chars), ["请写信到", "help@shop.example谢", "谢"]);
    }

    #[test]
    fn w16_text_messages_are_measured_as_carriers_do() {
        assert_eq!(
            [TextUnit::Sms.of("abc"), TextUnit::Sms.of("€[]"), TextUnit::Sms.of("好"), TextUnit::Sms.of("😀")],
            [3, 6, 1, 2]
        );
        assert_eq!(cut("😀😀😀", 4, TextUnit::Sms), ["😀😀", "😀"]);
    }

    proptest! {
        #[test]
        fn parts_fit_and_lose_nothing_but_space(text in "(.|[a-c。\n 😀]|👨\u{200d}👩|🇨🇳|https://a\\.example/[a-z]{1,9}){0,60}", limit in 4usize..40, unit in 0usize..3) {
            let unit = [TextUnit::Bytes, TextUnit::Chars, TextUnit::Sms][unit];
            let parts = cut(&text, limit, unit);
            for part in &parts {
                prop_assert!(unit.of(part) <= limit, "{part:?}");
            }
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(&parts.concat()), bare(&text));
        }

        #[test]
        fn w16_links_and_graphemes_that_fit_stay_whole(text in "([一-龥]{1,9}|[a-z]{1,5} |[ 。.!?\n]|👨\u{200d}👩\u{200d}👧|e\u{301}|🇨🇳|https://a\\.example/[a-z./]{1,12}[a-z] ){0,40}", limit in 32usize..80) {
            let parts = cut(&text, limit, TextUnit::Chars);
            let (mut at, mut boundaries) = (0, Vec::new());
            for part in &parts {
                let found = text[at..].find(part).unwrap() + at;
                boundaries.extend([found, found + part.len()]);
                at = found + part.len();
            }
            for boundary in boundaries {
                let whole = text.grapheme_indices(true).any(|(n, _)| n == boundary) || boundary == text.len();
                prop_assert!(whole, "{boundary} in {text:?}");
            }
            let together: Vec<&str> = parts.iter().flat_map(|part| whole_links(part)).collect();
            prop_assert_eq!(together, whole_links(&text));
        }
    }
}
