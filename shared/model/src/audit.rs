//! An entry of the audit log: who read or changed which data.

use crate::ids::{AgentId, ConversationId, CustomerId};
use crate::time::Timestamp;

/// An entry. It holds ids and codes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, from 1, without gaps.
    pub seq: i64,
    /// The time.
    pub at: Timestamp,
    /// The member of staff; `None`: the administrator's token of the configuration.
    pub actor: Option<AgentId>,
    /// The role of that member of staff.
    pub role: String,
    /// The action, as a stable code.
    pub action: String,
    /// The customer whose data it was.
    pub customer: Option<CustomerId>,
    /// All customers who were that person then; empty if there was only one.
    pub customers: Vec<CustomerId>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// The reason, as a stable code, if the action needs one.
    pub reason: Option<String>,
}
