//! Recognises that two senders are one person: identifiers in one form, and which of them are proof.
//!
//! A strong identifier belongs to only one person, and a party that can know vouches for it. Two customers with the same
//! strong identifier are one person, and are joined automatically. A weak one only suggests it to staff.
//!
//! | kind | strong |
//! |---|---|
//! | union id, member id | always: the platform or the brand's own app vouches for it |
//! | phone, e-mail | if it is verified |
//! | nick, device | never: a telephone is lent, sold, shared by a family |

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use std::fmt::Write as _;
use warmline_model::{Channel, Identifier, IdentifierKind, Sender};

/// The longest identifier, in bytes, before and after it is normalised.
pub const MAX: usize = 512;

/// A normalised identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NormalisedIdentifier {
    /// The kind.
    pub kind: IdentifierKind,
    /// The channel, if the platform issues the ids; otherwise empty.
    pub platform: String,
    /// The value, in one form for all spellings.
    pub value: String,
    /// Whether it is proof.
    pub strong: bool,
}

/// The reason why a text is not an identifier of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentifier {
    /// The text is empty, too long, or has characters that no identifier has.
    #[error("must be 1 to {MAX} bytes without control characters")]
    Text,
    /// Not a telephone number that can exist.
    #[error(
        "is not a telephone number that can exist; write it with its country code, as +86 138 1234 5678, or as it is dialled in China"
    )]
    Phone,
    /// The text is not an e-mail address.
    #[error("is not an e-mail address")]
    Email,
}

/// Normalises an identifier. `platform` is the issuer of union ids and nicks.
///
/// # Errors
/// The text is not an identifier of its kind; see [`InvalidIdentifier`].
pub fn normalise(platform: &str, identifier: &Identifier) -> Result<NormalisedIdentifier, InvalidIdentifier> {
    let Identifier { kind, value, verified } = identifier;
    if value.len() > MAX || value.chars().any(char::is_control) {
        return Err(InvalidIdentifier::Text);
    }
    let value = value.trim();
    let (platform, value, strong) = match kind {
        IdentifierKind::UnionId => (platform, value.to_owned(), true),
        IdentifierKind::MemberId => ("", value.to_owned(), true),
        IdentifierKind::Nick => (platform, value.to_owned(), false),
        IdentifierKind::Device => ("", value.to_owned(), false),
        IdentifierKind::Phone => ("", phone(value).ok_or(InvalidIdentifier::Phone)?, *verified),
        IdentifierKind::Email => ("", email(value).ok_or(InvalidIdentifier::Email)?, *verified),
    };
    if value.is_empty() {
        return Err(InvalidIdentifier::Text);
    }
    Ok(NormalisedIdentifier { kind: *kind, platform: platform.to_owned(), value, strong })
}

/// All identifiers that a sender brings, each once, in a fixed order. An invalid identifier is left out, so that it does
/// not cost the message.
pub fn of(channel: &Channel, sender: &Sender) -> Vec<NormalisedIdentifier> {
    let union = sender.union_id.iter().map(|value| Identifier {
        kind: IdentifierKind::UnionId,
        value: value.clone(),
        verified: true,
    });
    let mut all: Vec<NormalisedIdentifier> =
        union.chain(sender.identifiers.iter().cloned()).filter_map(|i| normalise(channel.as_str(), &i).ok()).collect();
    // Of two that differ only in strength, the strong one comes last and is kept.
    all.sort();
    all.reverse();
    all.dedup_by(|a, b| (a.kind, &a.platform, &a.value) == (b.kind, &b.platform, &b.value));
    all.reverse();
    all
}

/// The E.164 form of any written form. A number without a country code is read as dialled in China.
fn phone(text: &str) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(text, Some(Region::CN)).ok()?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
        return None;
    }
    let plain = number.format_as(PhoneNumberFormat::E164).to_string();
    // E.164 has no place for an extension. Without the extension, all people behind one number would be one person.
    let whole = number.format_as(PhoneNumberFormat::RFC3966).to_string();
    Some(match whole.split_once(";ext=") {
        Some((_, extension)) => format!("{plain};ext={extension}"),
        None => plain,
    })
}

/// In lower case. (By RFC 5321, section 2.3.11, the part before the @ may be case-sensitive. No known provider does that.)
fn email(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let plain = |part: &str| !part.is_empty() && !part.chars().any(char::is_whitespace);
    (plain(local) && plain(domain) && domain.contains('.') && text.len() <= 254).then(|| text.to_lowercase())
}

/// An identifier for people who need not know it: `+86138****5678`, `w***@example.com`, `小**`.
pub fn masked(kind: IdentifierKind, value: &str) -> String {
    let chars: Vec<char> = value.chars().collect();
    match kind {
        IdentifierKind::Phone if chars.len() > 8 => {
            let (head, tail) = (&chars[..chars.len() - 8], &chars[chars.len() - 4..]);
            head.iter().chain(&['*'; 4]).chain(tail).collect()
        }
        IdentifierKind::Email => {
            let (local, domain) = value.rsplit_once('@').unwrap_or((value, ""));
            let mut out: String = local.chars().take(1).collect();
            let _ = write!(out, "***@{domain}");
            out
        }
        _ if chars.len() > 8 => chars[..2].iter().chain(&['*'; 4]).chain(&chars[chars.len() - 2..]).collect(),
        _ => chars.iter().take(1).chain(&['*'; 2]).collect(),
    }
}

/// A person's name for people who need not know it: the first character. Some channels give the number as the name.
pub fn masked_name(name: &str) -> String {
    match phone(name) {
        Some(number) => masked(IdentifierKind::Phone, &number),
        None => name.trim().chars().take(1).chain(['*'; 2]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn app() -> Channel {
        Channel::new("app").unwrap()
    }

    fn one(kind: IdentifierKind, value: &str, verified: bool) -> Result<NormalisedIdentifier, InvalidIdentifier> {
        normalise("app", &Identifier { kind, value: value.into(), verified })
    }

    #[test]
    fn a_number_has_one_form() {
        for written in [
            "13812345678",
            " 138 1234 5678",
            "138-1234-5678",
            "+8613812345678",
            "+86 138 1234 5678",
            "(+86)13812345678",
            "008613812345678",
            "8613812345678",
            "１３８１２３４５６７８",
            "＋８６ １３８－１２３４－５６７８",
            "tel:+86-138-1234-5678",
        ] {
            let known = one(IdentifierKind::Phone, written, true).unwrap();
            assert_eq!((known.value.as_str(), known.strong), ("+8613812345678", true), "{written}");
        }
        assert_eq!(one(IdentifierKind::Phone, "(021) 6888 8888", false).unwrap().value, "+862168888888");
        assert_eq!(one(IdentifierKind::Phone, "+1 202-555-0173", false).unwrap().value, "+12025550173");
        for wrong in ["", "86", "1381234567", "138123456789", "138****5678", "anonymous", "12345678901234567890", "138 abc"]
        {
            assert_eq!(one(IdentifierKind::Phone, wrong, true), Err(InvalidIdentifier::Phone), "{wrong}");
        }
    }

    #[test]
    fn w21_an_extension_is_a_part_of_the_number() {
        for written in
            ["+862168888888;ext=8001", "tel:+86-21-6888-8888;ext=8001", "021-68888888 ext. 8001", "02168888888;ext=8001"]
        {
            assert_eq!(one(IdentifierKind::Phone, written, true).unwrap().value, "+862168888888;ext=8001", "{written}");
        }
        let house = one(IdentifierKind::Phone, "021-68888888", true).unwrap();
        assert_ne!(one(IdentifierKind::Phone, "02168888888;ext=8001", true).unwrap().value, house.value);
    }

    #[test]
    fn only_what_somebody_vouches_for_is_proof() {
        let strong = |kind, value, verified| one(kind, value, verified).unwrap().strong;
        assert!(strong(IdentifierKind::UnionId, "u", false) && strong(IdentifierKind::MemberId, "m", false));
        assert!(strong(IdentifierKind::Email, "a@b.cn", true) && !strong(IdentifierKind::Email, "a@b.cn", false));
        assert!(
            !strong(IdentifierKind::Phone, "13812345678", false)
                && !strong(IdentifierKind::Device, "d", true)
                && !strong(IdentifierKind::Nick, "n", true)
        );
        assert_eq!(one(IdentifierKind::Email, " Wang@Example.CN ", false).unwrap().value, "wang@example.cn");
        for wrong in ["", "a", "a@", "@b.cn", "a b@c.cn", "a@b"] {
            assert_eq!(one(IdentifierKind::Email, wrong, true), Err(InvalidIdentifier::Email), "{wrong}");
        }
        assert_eq!(one(IdentifierKind::UnionId, &"x".repeat(10_000), true), Err(InvalidIdentifier::Text));
        assert_eq!(one(IdentifierKind::MemberId, " ", true), Err(InvalidIdentifier::Text));
        assert_eq!(one(IdentifierKind::Nick, "a\0", true), Err(InvalidIdentifier::Text));
    }

    #[test]
    fn a_sender_is_known_by_each_identifier_once() {
        let phone = |value: &str, verified| Identifier { kind: IdentifierKind::Phone, value: value.into(), verified };
        let sender = Sender {
            union_id: Some("u1".into()),
            identifiers: vec![phone("13812345678", false), phone("+86 138 1234 5678", true), phone("nobody", true)],
            ..Sender::default()
        };
        let all = of(&app(), &sender);
        let short: Vec<_> = all.iter().map(|k| (k.platform.as_str(), k.value.as_str(), k.strong)).collect();
        assert_eq!(short, [("app", "u1", true), ("", "+8613812345678", true)]);
    }

    #[test]
    fn masks_hide_what_tells() {
        assert_eq!(masked(IdentifierKind::Phone, "+8613812345678"), "+86138****5678");
        assert_eq!(masked(IdentifierKind::Email, "wang@example.cn"), "w***@example.cn");
        assert_eq!(masked(IdentifierKind::Nick, "小米粥"), "小**");
        assert_eq!(masked(IdentifierKind::UnionId, "oABCDEFGHIJ"), "oA****IJ");
        assert_eq!((masked_name("王小姐"), masked_name("13812345678")), ("王**".into(), "+86138****5678".into()));
    }

    proptest! {
        #[test]
        fn the_form_of_a_form_is_itself(kind in 0usize..5, value in ".{0,40}", verified in any::<bool>()) {
            if let Ok(known) = one(IdentifierKind::ALL[kind], &value, verified) {
                prop_assert_eq!(one(known.kind, &known.value, verified), Ok(known));
            }
        }

        #[test]
        fn every_mobile_number_has_one_form(n in 0u64..100_000_000, gaps in proptest::collection::vec(0usize..12, 0..4)) {
            let plain = format!("138{n:08}");
            let mut written = plain.clone();
            for gap in gaps {
                if written.is_char_boundary(gap) && gap > 0 {
                    written.insert(gap, ' ');
                }
            }
            prop_assert_eq!(one(IdentifierKind::Phone, &written, true).unwrap().value, format!("+86{plain}"));
        }
    }
}
