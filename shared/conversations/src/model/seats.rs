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
    /// A note for the colleague. The customer never sees it.
    #[serde(default)]
    pub note: Option<String>,
}

/// A note for colleagues; the customer never sees it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The note, 1 to 4,000 characters.
    pub text: String,
    /// Colleagues who are to read it: at most 20.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub mentions: Vec<AgentId>,
}

/// An AI seat's turn.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnRequest {
    /// Its messages to the customer; empty if it found no answer.
    #[serde(default)]
    #[schemars(length(max = 10))]
    #[serde(deserialize_with = "warmline_model::content::request::many")]
    pub messages: Vec<Content>,
    /// The seat's own report of the turn.
    #[serde(default)]
    pub turn: Turn,
}

/// The result of a turn.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TurnView {
    /// The messages that were sent to the customer. Empty if people took over.
    pub messages: Vec<MessageView>,
    /// The reason why people take over; `null` if the AI seat goes on.
    pub handed_over: Option<HandOverReason>,
}
