//! Colleagues who were asked about a conversation. It stays with its agent.

use warmline_model::{AgentId, ConversationId, Timestamp};
use warmline_store::{Db, StoreError};

const ADD: &str = "INSERT INTO consults (conversation_id, agent_id, asked_by, at) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO NOTHING RETURNING 1";
const END: &str = "DELETE FROM consults WHERE conversation_id = ?1 AND agent_id = ?2 RETURNING 1";
const END_ALL: &str = "DELETE FROM consults WHERE conversation_id = ?1";
const IS: &str = "SELECT 1 FROM consults WHERE conversation_id = ?1 AND agent_id = ?2";
const OF: &str = "SELECT conversation_id FROM consults WHERE agent_id = ?1 ORDER BY at, conversation_id LIMIT ?2";

/// Asks an agent. Returns false if the agent was asked before.
pub fn add(
    db: &dyn Db,
    conversation: ConversationId,
    agent: AgentId,
    asked_by: Option<AgentId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let asked_by = asked_by.map(|a| a.as_bytes().to_vec());
    let params = [conversation.as_bytes().into(), agent.as_bytes().into(), asked_by.into(), now.into()];
    Ok(db.first(ADD, &params)?.is_some())
}

/// Ends an agent's consultation. Returns false if the agent was not asked.
pub fn end(db: &dyn Db, conversation: ConversationId, agent: AgentId) -> Result<bool, StoreError> {
    Ok(db.first(END, &[conversation.as_bytes().into(), agent.as_bytes().into()])?.is_some())
}

/// Ends all consultations about a conversation.
pub fn end_all(db: &dyn Db, conversation: ConversationId) -> Result<(), StoreError> {
    db.execute(END_ALL, &[conversation.as_bytes().into()])?;
    Ok(())
}

/// Whether an agent was asked about a conversation.
pub fn is_asked(db: &dyn Db, conversation: ConversationId, agent: AgentId) -> Result<bool, StoreError> {
    Ok(db.first(IS, &[conversation.as_bytes().into(), agent.as_bytes().into()])?.is_some())
}

/// The conversations that an agent was asked about, oldest first.
pub fn of(db: &dyn Db, agent: AgentId, limit: i64) -> Result<Vec<ConversationId>, StoreError> {
    db.execute(OF, &[agent.as_bytes().into(), limit.into()])?
        .iter()
        .map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?)))
        .collect()
}
