//! What tells that two senders are one person.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
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
}

impl IdentifierKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::UnionId, Self::MemberId, Self::Phone, Self::Email, Self::Nick];

    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnionId => "union_id",
            Self::MemberId => "member_id",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Nick => "nick",
        }
    }

    /// From the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

// Through the one list of names: less code in each adapter than serde's own for a list of variants.
impl TryFrom<String> for IdentifierKind {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("is no kind of identifier")
    }
}

/// An identifier, as a channel or a member of staff tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    /// The kind.
    pub kind: IdentifierKind,
    /// The value as it was written.
    pub value: String,
    /// Whether somebody who can know vouches that it is the person's: the network for a caller's number, the brand's own app for
    /// what its members proved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
}
