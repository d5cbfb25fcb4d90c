//! Decisions, and the turns of AI seats.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_customers::model::MessageView;
use warmline_model::{AgentId, Content, Timestamp};
use warmline_routing::Decision;
use warmline_routing::handover::{HandOverReason, Turn};

/// One decision on a conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct DecisionView {
    /// When it was made.
    pub at: Timestamp,
    /// Its place in the event log.
    pub seq: i64,
    /// The decision.
    pub decision: Decision,
}

/// An agent to give a conversation to.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// The agent.
    pub agent: AgentId,
}

/// A colleague to ask.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consult {
    /// The colleague.
    pub agent: AgentId,
    /// For the colleague; the customer never sees it.
    #[serde(default)]
    pub note: Option<String>,
}

/// A note for colleagues; the customer never sees it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The note, 1 to 4,000 characters.
    pub text: String,
}

/// An AI seat's turn.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnRequest {
    /// What it says to the customer; nothing, where it found no answer.
    #[serde(default)]
    #[schemars(length(max = 10))]
    #[serde(deserialize_with = "warmline_model::content::request::many")]
    pub messages: Vec<Content>,
    /// How it went.
    #[serde(default)]
    pub turn: Turn,
}

/// What a turn came to.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TurnView {
    /// The messages that go to the customer.
    pub messages: Vec<MessageView>,
    /// Why people take over; none where the AI seat goes on. Then no message was sent.
    pub handed_over: Option<HandOverReason>,
}
