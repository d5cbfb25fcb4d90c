//! Identifiers, which show that two senders are one person.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierKind {
    /// The person's id across the accounts of one platform.
    UnionId,
    /// The person's number in the brand's own membership.
    MemberId,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// The name of a buyer on a marketplace.
    Nick,
    /// A device, as the brand's own app names it.
    Device,
}

impl IdentifierKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::UnionId, Self::MemberId, Self::Phone, Self::Email, Self::Nick, Self::Device];

    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnionId => "union_id",
            Self::MemberId => "member_id",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Nick => "nick",
            Self::Device => "device",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// An identifier, from a channel or a member of staff. Its JSON form is one text: `phone!13812345678` if it is verified and
/// `phone?13812345678` if it is not. Every adapter reads and writes it, and this form takes the least code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier {
    /// The kind.
    pub kind: IdentifierKind,
    /// The value as it was written.
    pub value: String,
    /// Whether a party that can know vouches for it: the network for a caller's number, the brand's own app for values that
    /// its members proved.
    pub verified: bool,
}

impl From<Identifier> for String {
    fn from(i: Identifier) -> Self {
        [i.kind.as_str(), if i.verified { "!" } else { "?" }, &i.value].concat()
    }
}

impl TryFrom<String> for Identifier {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = text.find(['!', '?']).map(|at| (text.get(..at), text.get(at..=at), text.get(at + 1..)));
        let Some((Some(kind), Some(mark), Some(value))) = parts else { return Err("is no identifier") };
        let kind = IdentifierKind::parse(kind).ok_or("is no kind of identifier")?;
        Ok(Self { kind, value: value.to_owned(), verified: mark == "!" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn what_is_written_is_read(kind in 0usize..5, value in ".*", verified in any::<bool>()) {
            let written = Identifier { kind: IdentifierKind::ALL[kind], value, verified };
            let json = serde_json::to_string(&written).unwrap();
            prop_assert_eq!(serde_json::from_str::<Identifier>(&json).unwrap(), written);
        }
    }
}
