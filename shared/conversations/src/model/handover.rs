//! Hand-overs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_customers::model::SummaryView;
use warmline_model::ConversationId;

/// Why an agent is told of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The conversation was given to the agent.
    Assigned,
    /// It came out of somebody else's hands.
    Transferred,
    /// A colleague asks the agent about it.
    Consulted,
    /// Somebody with whom the agent talks writes on another channel, in another's hands or nobody's.
    ChangedChannel,
    /// The customer calls.
    Calling,
}

/// A hand-over: what the summary tells, of which conversation, and why.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct HandOver {
    /// The conversation.
    pub conversation: ConversationId,
    /// Why the agent is told.
    pub reason: Why,
    /// The customer, as `GET /api/customers/{id}/summary` tells.
    #[serde(flatten)]
    pub summary: SummaryView,
}
