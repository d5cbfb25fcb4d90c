//! Character sets as mails name them.

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, UTF_8};

/// Names that the WHATWG's list lacks, without their punctuation, in lower case.
const ALIASES: &[(&str, &Encoding)] = &[
    ("936", GB18030),
    ("cp936", GB18030),
    ("ms936", GB18030),
    ("windows936", GB18030),
    ("win936", GB18030),
    ("xcp936", GB18030),
    ("euccn", GB18030),
    ("xeuccn", GB18030),
    ("cngb", GB18030),
    ("gb231280", GB18030),
    ("gb180302000", GB18030),
    ("gb180302005", GB18030),
    ("gb180302022", GB18030),
    ("950", BIG5),
    ("cp950", BIG5),
    ("ms950", BIG5),
    ("windows950", BIG5),
    ("win950", BIG5),
    ("xwindows950", BIG5),
    ("cp951", BIG5),
    ("big5eten", BIG5),
    ("big5hkscs1999", BIG5),
    ("big5hkscs2001", BIG5),
    ("big5hkscs2004", BIG5),
    ("big5hkscs2008", BIG5),
    ("932", SHIFT_JIS),
    ("cp932", SHIFT_JIS),
    ("ms932", SHIFT_JIS),
    ("windows932", SHIFT_JIS),
    ("cp943", SHIFT_JIS),
    ("xmscp932", SHIFT_JIS),
    ("cp51932", EUC_JP),
    ("949", EUC_KR),
    ("cp949", EUC_KR),
    ("ms949", EUC_KR),
    ("windows949", EUC_KR),
    ("uhc", EUC_KR),
    ("cp51949", EUC_KR),
    ("cp65001", UTF_8),
    ("utf8mb4", UTF_8),
    ("utf8mb3", UTF_8),
    ("utf8bom", UTF_8),
];

/// Text in a charset by its name. A name that says nothing (`us-ascii`, `8bit`), a wrong one, or none: see [`guess`]. What
/// cannot be read shows as U+FFFD, and U+0000 is left out, since a store or a screen would end there.
pub(super) fn decode(raw: &[u8], name: &str) -> String {
    let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).to_ascii_lowercase();
    let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if matches!(bare.as_str(), "hz" | "hzgb2312") {
        return clean(&GB18030.decode_without_bom_handling(&hz(raw)).0);
    }
    let windows = ["cp", "ms", "win", "windows"].iter().find_map(|prefix| bare.strip_prefix(prefix));
    let windows = windows.filter(|page| page.len() == 4 && page.starts_with("125")).map(|page| format!("windows-{page}"));
    let latin = bare.strip_prefix("latin").map(|n| format!("latin{n}"));
    let labels = [Some(name.as_str()), Some(bare.as_str()), windows.as_deref(), latin.as_deref()];
    let known = labels.into_iter().flatten().find_map(|label| Encoding::for_label_no_replacement(label.as_bytes()));
    let known = known.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == bare).map(|(_, encoding)| *encoding));
    match known {
        Some(encoding) if encoding != UTF_8 && !says_nothing(&bare) => {
            let (text, _, broken) = encoding.decode(raw);
            match std::str::from_utf8(raw) {
                Ok(utf8) if broken => clean(utf8),
                _ => clean(&text),
            }
        }
        _ => guess(raw),
    }
}

/// Names of seven bits, which say nothing of bytes beyond them.
fn says_nothing(bare: &str) -> bool {
    matches!(bare, "ascii" | "usascii" | "ansix341968" | "iso646us" | "us")
}

/// Text in a charset that nobody named: UTF-8 as mails are today, and GB18030 where it is none. A character that was cut
/// does not make it another charset: what tells UTF-8 are characters of three bytes and more, which GB18030 hardly ever
/// looks like.
pub(super) fn guess(raw: &[u8]) -> String {
    let (text, lossy) = UTF_8.decode_with_bom_removal(raw);
    let (mut wide, mut lost) = (0usize, 0usize);
    for c in text.chars().filter(|_| lossy) {
        lost += usize::from(c == char::REPLACEMENT_CHARACTER);
        wide += usize::from(c >= '\u{800}' && c != char::REPLACEMENT_CHARACTER);
    }
    if lost > 2 * wide { clean(&GB18030.decode_without_bom_handling(raw).0) } else { clean(&text) }
}

fn clean(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() }
}

/// HZ (RFC 1843) as GB 2312: what stands between `~{` and `~}` has its eighth bits back.
fn hz(raw: &[u8]) -> Vec<u8> {
    let (mut out, mut wide, mut rest) = (Vec::with_capacity(raw.len()), false, raw);
    while let Some((&byte, after)) = rest.split_first() {
        let (taken, length) = match (byte, after.first()) {
            (b'~', Some(b'{')) if !wide => {
                wide = true;
                (None, 2)
            }
            (b'~', Some(b'}')) if wide => {
                wide = false;
                (None, 2)
            }
            (b'~', Some(b'~')) if !wide => (Some(b'~'), 2),
            (b'~', Some(b'\n')) if !wide => (None, 2),
            (b'\n', _) => {
                wide = false;
                (Some(byte), 1)
            }
            _ => (Some(if wide { byte | 0x80 } else { byte }), 1),
        };
        out.extend(taken);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn w10_charsets_by_every_name_that_mails_use() {
        for name in ["gbk", "GB2312", "gb18030", "cp936", "CP-936", "MS936", "x-gbk", "windows-936", "euc-cn", "\"gbk\""] {
            assert_eq!(decode(b"\xc4\xe3\xba\xc3", name), "你好", "{name}");
        }
        for name in ["big5", "Big5-HKSCS", "MS950", "cp950", "x-x-big5", "cn-big5", "windows-950"] {
            assert_eq!(decode(b"\xa7\x41\xa6\x6e", name), "你好", "{name}");
        }
        for name in ["ks_c_5601-1987", "euc-kr", "cp949", "windows-949", "KSC5601"] {
            assert_eq!(decode(b"\xbe\xc8\xb3\xe7", name), "안녕", "{name}");
        }
        for name in ["shift_jis", "cp932", "MS932", "windows-31j", "sjis"] {
            assert_eq!(decode(b"\x82\xb1\x82\xf1", name), "こん", "{name}");
        }
        for name in ["windows-1252", "cp1252", "CP-1252", "iso-8859-1", "latin1", "Latin-1"] {
            assert_eq!(decode(b"caf\xe9", name), "café", "{name}");
        }
        assert_eq!(decode(b"\x80 \xcf\xf0", "cp1251"), "Ђ Пр");
        assert_eq!(decode(b"\x1b$B$3$s\x1b(B", "iso-2022-jp"), "こん");
        assert_eq!(decode(b"hi ~{<:Ky2;~} ~~", "HZ-GB-2312"), "hi 己所不 ~");
        assert_eq!(decode(b"\x95\x32\x82\x36", "GB18030"), "𠀀");
    }

    #[test]
    fn w10_an_unknown_name_is_read_like_none() {
        for name in ["", "klingon", "us-ascii", "unknown-8bit", "8bit", "default", "utf-8"] {
            assert_eq!(decode("你好😀".as_bytes(), name), "你好😀", "{name}");
            assert_eq!(decode(b"\xc4\xe3\xba\xc3\xa3\xac\xd0\xbb\xd0\xbb", name), "你好，谢谢", "{name}");
        }
        assert_eq!(decode(&"谢谢你们的帮助".as_bytes()[..20], "utf-8"), "谢谢你们的帮\u{fffd}");
        assert_eq!(
            decode(b"\xe8\xb0\xa2\xe8\xb0\xa2\xed\xa0\xbd\xe5\xa5\xbd", "utf-8"),
            "谢谢\u{fffd}\u{fffd}\u{fffd}好",
            "half a surrogate"
        );
        assert_eq!(decode("谢谢你".as_bytes(), "gb2312"), "谢谢你", "a wrong name");
    }

    #[test]
    fn f7_nul_is_taken_out() {
        assert_eq!(decode(b"a\0b", "utf-8"), "ab");
        assert_eq!(decode(b"a\0b", "gbk"), "ab");
    }

    proptest! {
        #[test]
        fn w10_what_was_written_in_a_charset_is_read_in_it(text in "[一-龥，。a-z ]{0,40}", wide in 0usize..3) {
            let (name, encoding) = [("cp936", GB18030), ("x-unknown", UTF_8), ("utf8", UTF_8)][wide];
            prop_assert_eq!(decode(&encoding.encode(&text).0, name), text);
        }

        #[test]
        fn any_bytes_are_a_text_without_nul(raw: Vec<u8>, name in "[a-zA-Z0-9_-]{0,20}") {
            prop_assert!(!decode(&raw, &name).contains('\0'));
            prop_assert!(!decode(&raw, "hz").contains('\0'));
        }
    }
}
