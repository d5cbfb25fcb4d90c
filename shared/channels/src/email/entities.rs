//! Named characters of HTML.

/// The names of the HTML standard and their characters, one a line, sorted.
const NAMES: &str = include_str!("entities.txt");
/// The longest name.
const MAX_NAME: usize = 31;
/// Names that browsers also read without their semicolon. Each is one character of Latin-1.
const BARE: &str = " AElig AMP Aacute Acirc Agrave Aring Atilde Auml COPY Ccedil ETH Eacute Ecirc Egrave Euml GT Iacute Icirc \
                    Igrave Iuml LT Ntilde Oacute Ocirc Ograve Oslash Otilde Ouml QUOT REG THORN Uacute Ucirc Ugrave Uuml Yacute \
                    aacute acirc acute aelig agrave amp aring atilde auml brvbar ccedil cedil cent copy curren deg divide eacute \
                    ecirc egrave eth euml frac12 frac14 frac34 gt iacute icirc iexcl igrave iquest iuml laquo lt macr micro \
                    middot nbsp not ntilde oacute ocirc ograve ordf ordm oslash otilde ouml para plusmn pound quot raquo reg sect \
                    shy sup1 sup2 sup3 szlig thorn times uacute ucirc ugrave uml uuml yacute yen yuml ";
/// The meaning of the numbers 128 to 159: old programs meant windows-1252.
const WINDOWS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

/// The meaning of an entity at the start of a text, and its length. If there is no entity, it is `&` itself.
pub(super) fn entity(text: &str) -> (String, usize) {
    let inside = text.get(1..).unwrap_or_default();
    let found = if inside.starts_with('#') { number(inside) } else { name(inside) };
    found.map_or_else(|| ("&".to_owned(), 1), |(found, length)| (found, length + 1))
}

fn name(inside: &str) -> Option<(String, usize)> {
    let length = inside.bytes().take(MAX_NAME + 1).take_while(u8::is_ascii_alphanumeric).count();
    let word = inside.get(..length)?;
    if inside.as_bytes().get(length) == Some(&b';')
        && let Some(found) = look_up(word)
    {
        return Some((found.to_owned(), length + 1));
    }
    let bare = |length: &usize| word.get(..*length).is_some_and(|word| BARE.contains(&format!(" {word} ")));
    let length = (2..=length.min(6)).rev().find(bare)?;
    Some((look_up(word.get(..length)?)?.to_owned(), length))
}

/// A binary search: a document can contain very many names.
fn look_up(word: &str) -> Option<&'static str> {
    let (mut low, mut high) = (0, NAMES.len());
    while low < high {
        let middle = NAMES.floor_char_boundary(low + (high - low) / 2);
        let start = NAMES[low..middle].rfind('\n').map_or(low, |at| low + at + 1);
        let end = NAMES[start..].find('\n').map_or(NAMES.len(), |at| start + at);
        let (name, stands_for) = NAMES[start..end].split_once(' ')?;
        match word.cmp(name) {
            std::cmp::Ordering::Equal => return Some(stands_for),
            std::cmp::Ordering::Less => high = start,
            std::cmp::Ordering::Greater => low = end + 1,
        }
    }
    None
}

fn number(inside: &str) -> Option<(String, usize)> {
    let digits = inside.strip_prefix('#')?;
    let (radix, digits) = digits.strip_prefix(['x', 'X']).map_or((10, digits), |hex| (16, hex));
    let length = digits.bytes().take(12).take_while(|b| char::from(*b).is_digit(radix)).count();
    let code = u32::from_str_radix(digits.get(..length)?, radix).ok()?;
    let c = match code {
        128..=159 => WINDOWS.chars().nth(usize::try_from(code - 128).ok()?),
        code => char::from_u32(code).filter(|c| *c != '\0'),
    }?;
    let whole = inside.len() - digits.len() + length;
    Some((c.to_string(), whole + usize::from(inside.as_bytes().get(whole) == Some(&b';'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w12_every_name_is_found() {
        let mut before = "";
        for line in NAMES.lines() {
            let (name, stands_for) = line.split_once(' ').unwrap();
            assert!(before < name && name.len() <= MAX_NAME, "{name}");
            assert_eq!(entity(&format!("&{name};x")), (stands_for.to_owned(), name.len() + 2), "{name}");
            before = name;
        }
        assert_eq!(BARE.split_whitespace().filter(|name| look_up(name).is_none()).count(), 0);
        assert_eq!(BARE.split_whitespace().count(), 106);
    }
}
