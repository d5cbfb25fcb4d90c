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
    /// The message that contains it.
    pub message: MessageId,
    /// The conversation of that message.
    pub conversation: ConversationId,
    /// Its channel.
    pub channel: Channel,
    /// The time at which it was said.
    pub at: Timestamp,
}

/// An order, with its last report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Its number.
    pub order: String,
    /// The report: the status or the event.
    pub status: String,
    /// The message that reports it.
    pub message: MessageId,
    /// The time of the message.
    pub at: Timestamp,
}

/// An order whose number was named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Slot {
    /// Its number, as it was written.
    pub order: String,
    /// The message.
    pub message: MessageId,
    /// The time of the message.
    pub at: Timestamp,
}

/// The trend of the customer's temper: the angry sentences among the last five, compared with the five before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// No angry sentences in either.
    #[default]
    Calm,
    /// More than before.
    Rising,
    /// The same number.
    Steady,
    /// Fewer.
    Falling,
}

/// The summary of what was said with a person. Each list is newest first.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The number of messages that were read.
    pub messages: usize,
    /// Whether there are older messages in the time asked for.
    pub more: bool,
    /// The channels of these messages.
    pub channels: BTreeSet<Channel>,
    /// The customer's questions and wishes.
    pub asked: Vec<Line>,
    /// The promises to the customer.
    pub promised: Vec<Line>,
    /// The open matters: the customer's lines since the last answer, and promises that no later line in the same
    /// conversation reports as done.
    pub open: Vec<Line>,
    /// The last report of each order.
    pub orders: Vec<Order>,
    /// The orders that were named in any way.
    pub slots: Vec<Slot>,
    /// Angry lines.
    pub angry: Vec<Line>,
    /// Whether one of them is among the customer's last five sentences.
    pub angry_now: bool,
    /// The trend of the customer's temper.
    pub trend: Trend,
    /// The member of staff or the AI seat who answered last.
    pub agent: Option<AgentId>,
}
