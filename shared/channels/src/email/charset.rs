//! Character sets by their names in mails.

use super::words::Base64;
use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252,
};

/// Names that the WHATWG's list lacks, without punctuation, in lower case.
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

/// The bytes of a document in which the name of its charset is looked for.
const DOCUMENTS_HEAD: usize = 4 * 1024;
/// The length from which on a text may have been cut inside a character.
const CUT: usize = 4 * 1024;

/// Decodes text in a charset by its name. For a name without meaning (`us-ascii`, `8bit`), a wrong name, or none, see
/// [`guess`]. Unreadable bytes become U+FFFD. U+0000 is left out, since a store or a screen would end there.
pub(super) fn decode(raw: &[u8], name: &str) -> String {
    let name = first_word(name);
    let bare = bare(name);
    match bare.as_str() {
        "hz" | "hzgb2312" if !is_utf8(raw) => return clean(&GB18030.decode_without_bom_handling(&hz(raw)).0),
        "iso2022cn" | "iso2022cnext" => return clean(&GB18030.decode_without_bom_handling(&shifted(raw)).0),
        "iso2022kr" => return clean(&EUC_KR.decode_without_bom_handling(&shifted(raw)).0),
        "utf7" | "unicode11utf7" | "csunicode11utf7" if raw.is_ascii() => return clean(&utf7(raw)),
        _ => {}
    }
    let Some(encoding) = known(name, &bare).filter(|encoding| *encoding != UTF_8 && !says_nothing(&bare)) else {
        return guess(raw);
    };
    // Many programs give their UTF-8 the name of an earlier charset, and Latin letters are a common default.
    let by_its_name = [UTF_16BE, UTF_16LE, ISO_2022_JP].contains(&encoding);
    if !by_its_name && (is_utf8(raw) || encoding == WINDOWS_1252 && !raw.is_ascii() && std::str::from_utf8(raw).is_ok()) {
        return guess(raw);
    }
    if encoding == WINDOWS_1252 && is_chinese(raw) {
        return clean(&GB18030.decode_without_bom_handling(raw).0);
    }
    let (text, _, broken) = encoding.decode(raw);
    match std::str::from_utf8(raw) {
        Ok(utf8) if broken => clean(utf8),
        _ => clean(&text),
    }
}

/// The same for an HTML document, which may name its charset itself. The mail's own name comes first.
pub(super) fn decode_html(raw: &[u8], name: &str) -> String {
    let bare = bare(first_word(name));
    if !(bare.is_empty() || says_nothing(&bare)) {
        return decode(raw, name);
    }
    let named = document_charset(raw).unwrap_or_default();
    // A document whose beginning can be read is in no charset of wide characters.
    if named.starts_with("utf-16") || named.starts_with("utf-32") { guess(raw) } else { decode(raw, &named) }
}

/// `<meta charset=gbk>`, `<meta content="text/html; charset=gbk">`, `<?xml encoding="gbk"?>`
fn document_charset(raw: &[u8]) -> Option<String> {
    let head: String = raw.iter().take(DOCUMENTS_HEAD).map(|b| char::from(b.to_ascii_lowercase())).collect();
    head.split('<').find_map(|tag| {
        let tag = tag.split('>').next().unwrap_or_default();
        let mark = if tag.starts_with("meta") { "charset" } else { tag.strip_prefix("?xml").map(|_| "encoding")? };
        let (_, after) = tag.split_once(mark)?;
        let value = after.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.+".contains(c))).unwrap_or(value.len());
        value.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
    })
}

fn first_word(name: &str) -> &str {
    let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    name.split(|c: char| c.is_whitespace() || matches!(c, ';' | ',' | '"')).next().unwrap_or_default()
}

fn bare(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn known(name: &str, bare: &str) -> Option<&'static Encoding> {
    let windows = ["cp", "ms", "win", "windows"].iter().find_map(|prefix| bare.strip_prefix(prefix));
    let windows = windows.filter(|page| page.len() == 4 && page.starts_with("125")).map(|page| format!("windows-{page}"));
    let latin = bare.strip_prefix("latin").map(|n| format!("latin{n}"));
    let labels = [Some(name), Some(bare), windows.as_deref(), latin.as_deref()];
    let known = labels.into_iter().flatten().find_map(|label| Encoding::for_label_no_replacement(label.as_bytes()));
    known.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == bare).map(|(_, encoding)| *encoding))
}

/// Whether a text can only be UTF-8: it contains characters of three bytes or more, which no everyday text in another
/// charset forms from beginning to end. The everyday characters of GB 2312 and Big5 form none at all. Two rare Chinese
/// characters can look like one of four bytes, so only those that mails hold are a sign, and one of a plane without characters
/// is a sign against it.
fn is_utf8(raw: &[u8]) -> bool {
    let valid = match std::str::from_utf8(raw) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() && raw.len() > CUT => {
            raw.get(..e.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    valid.chars().any(is_wide) && !valid.chars().any(is_nothing)
}

/// A character of three bytes in UTF-8, an emoji, or a Chinese character of four bytes.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{800}'..='\u{ffff}' | '\u{1f000}'..='\u{3ffff}') && c != char::REPLACEMENT_CHARACTER
}

/// A place in one of the ten planes in which Unicode has no characters.
fn is_nothing(c: char) -> bool {
    matches!(c, '\u{40000}'..='\u{dffff}')
}

/// Whether a text that claims to be Latin is Chinese in GB 2312: it consists of pairs from its rows, several of them, and
/// most of them everyday characters. Letters with accents seldom stand in pairs.
fn is_chinese(raw: &[u8]) -> bool {
    let (mut pairs, mut everyday, mut rest) = (0usize, 0usize, raw);
    while let Some((&high, after)) = rest.split_first() {
        rest = after;
        if high.is_ascii() {
            continue;
        }
        let Some((0xa1..=0xfe, after)) = after.split_first() else { return false };
        rest = after;
        match high {
            0xa1 | 0xa3 | 0xb0..=0xd7 => everyday += 1,
            0xa2 | 0xa4..=0xa9 | 0xd8..=0xf7 => {}
            _ => return false,
        }
        pairs += 1;
    }
    pairs >= 2 && everyday * 5 >= pairs * 4
}

/// Names of seven-bit charsets, which say nothing about bytes beyond them.
fn says_nothing(bare: &str) -> bool {
    matches!(bare, "ascii" | "usascii" | "ansix341968" | "iso646us" | "us")
}

/// Decodes text in an unnamed charset: UTF-8, like mails today, or GB18030 if it is not UTF-8. A cut character does not
/// make it another charset. The mark of UTF-8 is its characters of three bytes and more, which GB18030 hardly ever
/// resembles.
pub(super) fn guess(raw: &[u8]) -> String {
    let (text, lossy) = UTF_8.decode_with_bom_removal(raw);
    let (mut wide, mut lost) = (0usize, 0usize);
    for c in text.chars() {
        lost += usize::from(lossy && c == char::REPLACEMENT_CHARACTER || is_nothing(c));
        wide += usize::from(is_wide(c));
    }
    if lost > 2 * wide { clean(&GB18030.decode_without_bom_handling(raw).0) } else { clean(&text) }
}

fn clean(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() }
}

/// HZ (RFC 1843) as GB 2312: the text between `~{` and `~}` gets its eighth bits back.
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

/// ISO-2022-CN and ISO-2022-KR (RFC 1922, 1557), with the eighth bits of the text between shift-out and shift-in. Of the
/// Chinese sets this covers GB 2312. A character of another set becomes an invalid byte.
fn shifted(raw: &[u8]) -> Vec<u8> {
    let (mut out, mut wide, mut other, mut rest) = (Vec::with_capacity(raw.len()), false, false, raw);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            // These name the set that follows: `ESC $ ) A`; and one character of a third set: `ESC N`.
            (0x1b, [b'$', b')', set, after @ ..]) => {
                other = !matches!(set, b'A' | b'C' | b'E');
                rest = after;
            }
            (0x1b, [b'$', _, _, after @ ..]) => rest = after,
            (0x1b, [b'N' | b'O', _, _, after @ ..]) => {
                out.push(0xff);
                rest = after;
            }
            (0x0e, _) => wide = true,
            (0x0f, _) => wide = false,
            (b'\n', _) => {
                wide = false;
                out.push(byte);
            }
            (0x21..=0x7e, [_, after @ ..]) if wide && other => {
                out.push(0xff);
                rest = after;
            }
            (0x21..=0x7e, _) if wide => out.push(byte | 0x80),
            _ => out.push(byte),
        }
    }
    out
}

/// UTF-7 (RFC 2152): UTF-16 in base64 between `+` and `-`.
fn utf7(raw: &[u8]) -> String {
    let (mut out, mut rest) = (String::with_capacity(raw.len()), raw);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'+' {
            out.push(char::from(byte));
            continue;
        }
        let end = after.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))).unwrap_or(after.len());
        let (inside, after) = after.split_at(end);
        if inside.is_empty() {
            out.push('+');
        } else {
            let mut bytes = Vec::new();
            Base64::default().add(inside, &mut bytes);
            out.push_str(&UTF_16BE.decode_without_bom_handling(bytes.get(..bytes.len() & !1).unwrap_or_default()).0);
        }
        rest = after.strip_prefix(b"-").unwrap_or(after);
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

    #[test]
    fn w10_what_is_utf8_is_read_so_whatever_it_is_called() {
        for name in
            ["gb2312", "gbk", "big5", "iso-8859-1", "windows-1252", "latin1", "shift_jis", "euc-kr", "koi8-r", "hz-gb-2312"]
        {
            for text in ["投诉", "我", "退款。", "<p>订单 20240012 破损</p>", "안녕", "😀"] {
                assert_eq!(decode(text.as_bytes(), name), text, "{name}");
            }
        }
        for name in ["iso-8859-1", "Windows-1252"] {
            for text in ["退款", "我要投诉到12315！", "<p>您好，包裹破了。</p>"] {
                assert_eq!(decode(&GB18030.encode(text).0, name), text, "{name}");
            }
            // Latin text stays Latin.
            for text in ["café", "Größe", "CRÉÉE À PARIS", "naïve façade", "ÄÖÜ äöü ß", "£5 – “x”", "Ñandú ¿qué?", "ÀÉ"]
            {
                assert_eq!(decode(&WINDOWS_1252.encode(text).0, name), text, "{name}");
            }
            assert_eq!(decode("café".as_bytes(), name), "café");
        }
        assert_eq!(decode(&[0x4f, 0x60, 0xe4, 0xb8, 0x80, 0x41], "utf-16be").chars().next(), Some('你'));
        let long = "谢谢".repeat(1_000);
        assert!(decode(&long.as_bytes()[..5_999], "gb2312").starts_with("谢谢"));
    }

    #[test]
    fn w10_charsets_of_seven_bits() {
        assert_eq!(decode(b"\x1b$)A\x0eDc:C\x0f hi\r\n\x1b$)A\x0e;6\x0f", "ISO-2022-CN"), "你好 hi\r\n欢");
        assert_eq!(decode(b"\x1b$)Ga\x0eGs\x0fb", "iso-2022-cn"), "a\u{fffd}b");
        assert_eq!(decode(b"\x1b$)C\x0e>H3g\x0f ok", "iso-2022-kr"), "안녕 ok");
        assert_eq!(decode(b"Hi +T2BZfQ-! 1 +- 2 +bUuL1Q", "utf-7"), "Hi 你好! 1 + 2 测试");
        assert_eq!(decode(b"+2D3eAA-x", "UTF-7"), "😀x");
        assert_eq!(decode("投诉".as_bytes(), "utf-7"), "投诉", "a wrong name");
    }

    #[test]
    fn w10_two_rare_characters_are_not_one_of_an_empty_plane() {
        // F2 80 A1 A3 and F0 90 A1 A3: valid UTF-8, which nobody writes.
        for text in ["騹。", "饜。"] {
            let raw = GB18030.encode(text).0;
            assert!(std::str::from_utf8(&raw).is_ok());
            assert_eq!(decode(&raw, "gbk"), text);
        }
        assert_eq!(guess(&GB18030.encode("騹。").0), "騹。");
        assert_eq!(decode("😀".as_bytes(), "gbk"), "😀");
        assert_eq!(guess("😀".as_bytes()), "😀");
    }

    /// The everyday characters of a charset, by its bytes.
    fn everyday(encoding: &'static Encoding, leads: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = String> {
        let character = (leads, 0xa1u8..=0xfe).prop_map(move |(lead, trail)| encoding.decode(&[lead, trail]).0.into_owned());
        let character = character.prop_filter("not there", |c| !c.contains('\u{fffd}') && c.chars().count() == 1);
        prop::collection::vec(prop_oneof![8 => character, 1 => "[a-z0-9 ]"], 1..40).prop_map(|all| all.concat())
    }

    proptest! {
        #[test]
        fn w10_everyday_chinese_is_read_by_its_name(gb in everyday(GB18030, 0xb0..=0xd7), big5 in everyday(BIG5, 0xa4..=0xc6)) {
            for name in ["gb2312", "gbk", "gb18030", "cp936"] {
                prop_assert_eq!(&decode(&GB18030.encode(&gb).0, name), &gb);
            }
            // If Big5 has a character twice, the decoded texts are compared.
            prop_assert_eq!(&decode(&BIG5.encode(&big5).0, "big5"), &big5);
        }

        #[test]
        fn w10_utf8_is_read_so_under_every_name(text in "[a-z0-9 <>]{0,9}[一-龥]{1,40}[a-z，。]{0,9}", at in 0usize..6) {
            let name = ["gb2312", "big5", "iso-8859-1", "windows-1252", "gb18030", "shift_jis"][at];
            prop_assert_eq!(decode(text.as_bytes(), name), text);
        }

        #[test]
        fn w10_chinese_called_latin_is_chinese(text in everyday(GB18030, 0xb0..=0xd7)) {
            let wide = text.chars().filter(|c| !c.is_ascii()).count();
            let raw = GB18030.encode(&text).0;
            prop_assume!(wide > 1 && std::str::from_utf8(&raw).is_err());
            prop_assert_eq!(decode(&raw, "iso-8859-1"), text);
        }

        #[test]
        fn w10_what_was_written_in_a_charset_is_read_in_it(text in "[一-龥，。a-z ]{0,40}", wide in 0usize..3) {
            let (name, encoding) = [("cp936", GB18030), ("x-unknown", UTF_8), ("utf8", UTF_8)][wide];
            let raw = encoding.encode(&text).0;
            // A few rare characters in a row are UTF-8, too, and then nothing tells which they are.
            prop_assume!(encoding == UTF_8 || !is_utf8(&raw));
            prop_assert_eq!(decode(&raw, name), text);
        }

        #[test]
        fn any_bytes_are_a_text_without_nul(raw: Vec<u8>, name in "[a-zA-Z0-9_-]{0,20}") {
            prop_assert!(!decode(&raw, &name).contains('\0'));
            prop_assert!(!decode(&raw, "hz").contains('\0'));
        }
    }
}
