//! Summaries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use warmline_model::{AgentId, Channel, ConversationId, MessageId, Timestamp};

/// A sentence of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// The sentence.
    pub text: String,
    /// The message that it stands in.
    pub message: MessageId,
    /// That message's conversation.
    pub conversation: ConversationId,
    /// Its channel.
    pub channel: Channel,
    /// When it was said.
    pub at: Timestamp,
}

/// An order, as it was told of last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Its number.
    pub order: String,
    /// What was told: the status, or what happened.
    pub status: String,
    /// The message that says so.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
}

/// An order whose number was named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Slot {
    /// Its number, as it was written.
    pub order: String,
    /// The message.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
}

/// Where the customer's temper goes: angry sentences among the last five, against the five before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// None in either.
    #[default]
    Calm,
    /// More than before.
    Rising,
    /// As many.
    Steady,
    /// Fewer.
    Falling,
}

/// What a colleague must know. Each list is newest first.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Messages that were looked at.
    pub messages: usize,
    /// Whether there are older ones in the time asked for.
    pub more: bool,
    /// The channels that they came by.
    pub channels: BTreeSet<Channel>,
    /// What the customer asked or wanted.
    pub asked: Vec<Line>,
    /// What was promised.
    pub promised: Vec<Line>,
    /// What is open: said since somebody answered last, and promised without anything in the same conversation that says it is done.
    pub open: Vec<Line>,
    /// Orders.
    pub orders: Vec<Order>,
    /// Orders that were named, in whatever way.
    pub slots: Vec<Slot>,
    /// Angry lines.
    pub angry: Vec<Line>,
    /// Whether one of them is among the customer's last five.
    pub angry_now: bool,
    /// Where the customer's temper goes.
    pub trend: Trend,
    /// The member of staff, or the AI seat, who answered last.
    pub agent: Option<AgentId>,
}
