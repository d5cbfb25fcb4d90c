//! The state of a conversation, and the state of a reply's delivery.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The states of a conversation. Every one but `closed` counts as open: a customer has at most one open conversation on a
/// channel account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversationState {
    /// Opened. No agent is sought yet.
    Open,
    /// Waits in a skill group's queue for an agent with capacity.
    Queued,
    /// An agent holds it and owes the customer a reply.
    Assigned,
    /// An agent holds it and has replied. The customer speaks next.
    WaitingOnCustomer,
    /// The talk is over. The agent finishes the after-contact work (话后处理) and still spends capacity on it.
    WrapUp,
    /// Over.
    Closed,
}

impl ConversationState {
    /// All states, in the order of a conversation's life.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Queued, Self::Assigned, Self::WaitingOnCustomer, Self::WrapUp, Self::Closed];

    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Queued => "queued",
            Self::Assigned => "assigned",
            Self::WaitingOnCustomer => "waiting_on_customer",
            Self::WrapUp => "wrap_up",
            Self::Closed => "closed",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// Whether an agent's capacity is spent on a conversation in this state.
    pub const fn holds_capacity(self) -> bool {
        matches!(self, Self::Assigned | Self::WaitingOnCustomer | Self::WrapUp)
    }
}

/// The state of an outgoing message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits to be sent, or is being sent.
    Pending,
    /// The platform accepted it.
    Sent,
    /// The last try failed. It will be tried again.
    Failed,
    /// Given up, with a reason. An agent or supervisor may retry it.
    Dead,
}

impl DeliveryState {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dead => "dead",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Sent, Self::Failed, Self::Dead].into_iter().find(|s| s.as_str() == word)
    }
}
