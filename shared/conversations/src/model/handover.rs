//! Hand-overs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_customers::model::SummaryView;
use warmline_model::ConversationId;

/// The reason for telling an agent about a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The conversation was given to the agent.
    Assigned,
    /// The conversation was transferred from another agent.
    Transferred,
    /// A colleague asks the agent about the conversation.
    Consulted,
    /// A customer with whom the agent talks has written on another channel, where the agent does not hold the conversation.
    ChangedChannel,
    /// The customer calls.
    Calling,
}

/// A hand-over: the summary, its conversation, and the reason.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct HandOver {
    /// The conversation.
    pub conversation: ConversationId,
    /// The reason for telling the agent.
    pub reason: Why,
    /// The customer, as in `GET /api/customers/{id}/summary`.
    #[serde(flatten)]
    pub summary: SummaryView,
}
