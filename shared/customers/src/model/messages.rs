//! Messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, Content, DeliveryState, MessageId, Origin, Timestamp};

/// Where an outgoing message stands.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct DeliveryView {
    /// State.
    pub state: DeliveryState,
    /// Why, as a stable code: why it was given up, why the last try failed, or why the account's platform takes nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is tried next, where the last try failed or the account's platform takes nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// `in` from the customer, `out` to the customer.
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
    /// Who speaks.
    pub from: Origin,
    /// The agent, where one wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What it says; `null` where it can no longer be opened.
    pub content: Option<Content>,
    /// Where the bytes of its picture, voice, film or file can be fetched; the platform keeps them for some days only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// When it was received or written.
    pub at: Timestamp,
    /// Where it stands on its way to the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryView>,
}
