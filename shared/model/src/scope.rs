//! The scopes to which a token can be narrowed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of the API. Every route belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Conversations, queues, presence.
    Conversations,
    /// Customers' identities, and their messages.
    Customers,
    /// Figures and events.
    Figures,
    /// Accounts, staff, routing, words, limits; and the tick.
    Configuration,
    /// Holds, consent, retention, the audit log, data without a mask.
    Privacy,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [Self::Conversations, Self::Customers, Self::Figures, Self::Configuration, Self::Privacy];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Customers => "customers",
            Self::Figures => "figures",
            Self::Configuration => "configuration",
            Self::Privacy => "privacy",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}
