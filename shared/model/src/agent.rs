//! Staff: their roles and their presence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The role of a token's bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything, including accounts and staff.
    Admin,
    /// Every conversation of every agent; groups and words.
    Supervisor,
    /// The agent's own conversations.
    Agent,
    /// Operations: figures, events, the tick; no conversation content.
    Ops,
    /// Privacy officer: holds, consent, retention, the audit log, and customers' identities. No conversations and no
    /// routing.
    Privacy,
}

impl Role {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Supervisor => "supervisor",
            Self::Agent => "agent",
            Self::Ops => "ops",
            Self::Privacy => "privacy",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Admin, Self::Supervisor, Self::Agent, Self::Ops, Self::Privacy].into_iter().find(|r| r.as_str() == word)
    }
}

/// An agent's presence. Only `available` agents are given conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Not at work.
    Offline,
    /// Receives conversations while capacity is left.
    Available,
    /// At work, and receives no new conversation.
    Busy,
    /// 小休: away for a while.
    Break,
    /// After-contact work.
    WrapUp,
}

impl AgentState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Offline, Self::Available, Self::Busy, Self::Break, Self::WrapUp];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Available => "available",
            Self::Busy => "busy",
            Self::Break => "break",
            Self::WrapUp => "wrap_up",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}
