//! Who read what of whom: an entry of the audit log.

use crate::ids::{AgentId, ConversationId, CustomerId};
use crate::time::Timestamp;

/// An entry. It holds ids and codes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who; none: the administrator's token of the configuration.
    pub actor: Option<AgentId>,
    /// In which role.
    pub role: String,
    /// What was done, as a stable code.
    pub action: String,
    /// Of whom.
    pub customer: Option<CustomerId>,
    /// All customers who were that person then; empty where it was one.
    pub customers: Vec<CustomerId>,
    /// Of which conversation.
    pub conversation: Option<ConversationId>,
    /// Why, as a stable code, where it has to be said.
    pub reason: Option<String>,
}
