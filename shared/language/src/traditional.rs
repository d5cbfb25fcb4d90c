//! Traditional characters in their simplified form, for comparison only: `投訴` is found by `投诉`.
//!
//! The table is OpenCC's `TSCharacters` (Apache-2.0) with its variants of Hong Kong and Taiwan, limited to the characters
//! of the first plane. A traditional character with several simplified ones takes the first. That is good enough to compare
//! texts, because both sides are folded alike. It is no translation for people.

/// Pairs of a traditional and a simplified character, sorted by the traditional one. Every character takes three bytes.
const SOURCE: &[u8] = include_bytes!("traditional.txt");
const PAIRS: usize = count(SOURCE);
static TABLE: [(u16, u16); PAIRS] = read(SOURCE);
/// The beginning of the table: no character before it is Chinese.
const FIRST: u16 = 0x3400;

const fn count(source: &[u8]) -> usize {
    let (mut at, mut ends) = (0, 0);
    while at < source.len() {
        if source[at] == b'\n' {
            ends += 1;
        }
        at += 1;
    }
    (source.len() - ends) / 6
}

const fn read(source: &[u8]) -> [(u16, u16); PAIRS] {
    let (mut table, mut at, mut n) = ([(0, 0); PAIRS], 0, 0);
    while n < PAIRS {
        if source[at] == b'\n' {
            at += 1;
        }
        table[n] = (three(source, at), three(source, at + 3));
        at += 6;
        n += 1;
    }
    table
}

/// The character in three bytes of UTF-8.
const fn three(source: &[u8], at: usize) -> u16 {
    let (high, middle, low) = (source[at] & 0x0f, source[at + 1] & 0x3f, source[at + 2] & 0x3f);
    ((high as u16) << 12) | ((middle as u16) << 6) | low as u16
}

/// The simplified form of a character. Any other character stays.
pub(crate) fn simplified(c: char) -> char {
    let Ok(code) = u16::try_from(u32::from(c)) else { return c };
    if code < FIRST {
        return c;
    }
    let found = TABLE.binary_search_by_key(&code, |pair| pair.0).ok().and_then(|n| TABLE.get(n));
    found.and_then(|pair| char::from_u32(u32::from(pair.1))).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_closed_and_complete() {
        let chars: Vec<char> = include_str!("traditional.txt").chars().filter(|c| *c != '\n').collect();
        assert_eq!(chars.len(), PAIRS * 2);
        for (n, pair) in chars.chunks(2).enumerate() {
            assert_eq!((TABLE[n].0, TABLE[n].1), (pair[0] as u16, pair[1] as u16), "{pair:?}");
            assert_eq!(simplified(pair[0]), pair[1]);
            assert_eq!(simplified(pair[1]), pair[1], "what is simplified stays so");
        }
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn w20_traditional_and_regional_characters() {
        let all = |text: &str| text.chars().map(simplified).collect::<String>();
        assert_eq!(
            all("投訴 律師 賠償 發霉 曝光 媒體 市場監管 起訴 消協 訂單 退貨 衞生 衛生"),
            "投诉 律师 赔偿 发霉 曝光 媒体 市场监管 起诉 消协 订单 退货 卫生 卫生"
        );
        assert_eq!(all("投诉 aé😀"), "投诉 aé😀");
    }
}
