//! Messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, Content, DeliveryState, MessageId, Origin, Timestamp};

/// The state of an outgoing message's delivery.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct DeliveryView {
    /// State.
    pub state: DeliveryState,
    /// The reason, as a stable code: why it was given up, why the last try failed, or why the account's platform accepts
    /// nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The time of the next try, if the last try failed or the account's platform accepts nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// The direction of a message: `in` from the customer, `out` to the customer.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the customer.
    In,
    /// To the customer.
    Out,
}

/// A message.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MessageView {
    /// Id.
    pub id: MessageId,
    /// Number in the conversation, from 1.
    pub n: i64,
    /// Direction.
    pub direction: Direction,
    /// The author.
    pub from: Origin,
    /// The agent, if an agent wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The content; `null` if it can no longer be opened.
    pub content: Option<Content>,
    /// The path of the bytes of its picture, voice, film or file. The platform keeps them for some days only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// The time at which it was received or written.
    pub at: Timestamp,
    /// The state of its delivery to the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryView>,
}
