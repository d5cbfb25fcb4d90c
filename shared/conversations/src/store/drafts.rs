//! Drafts: what an agent has written in a conversation and not sent.

use crate::model::DraftMode;
use warmline_model::{AgentId, ConversationId, CustomerId, Timestamp};
use warmline_store::{Db, Row, StoreError};

/// A draft as stored.
pub struct Draft {
    /// The conversation.
    pub conversation: ConversationId,
    /// The writer.
    pub agent: AgentId,
    /// What it is to become.
    pub mode: DraftMode,
    /// Rises with every change.
    pub version: i64,
    /// The text, sealed.
    pub text: Vec<u8>,
    /// The time of the last change.
    pub saved_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT d.conversation_id, d.agent_id, d.mode, d.version, d.text, d.saved_at FROM ", $rest)
    };
}

const GET: &str = select!("drafts d WHERE d.conversation_id = ?1 AND d.agent_id = ?2 AND d.mode = ?3");
const OF_CONVERSATION: &str = select!("drafts d WHERE d.conversation_id = ?1 ORDER BY d.agent_id, d.mode");
const OF_CUSTOMER: &str =
    select!("conversations v CROSS JOIN drafts d ON d.conversation_id = v.id WHERE v.customer_id = ?1 LIMIT ?2");
const PUT: &str = "INSERT INTO drafts (conversation_id, agent_id, mode, version, text, saved_at) VALUES (?1, ?2, ?3, 1, ?4, ?5) \
                   ON CONFLICT (conversation_id, agent_id, mode) DO UPDATE SET \
                   version = version + 1, text = excluded.text, saved_at = excluded.saved_at RETURNING version";
const DELETE: &str = "DELETE FROM drafts WHERE conversation_id = ?1 AND agent_id = ?2 AND mode = ?3 RETURNING 1";
const DELETE_ALL: &str = "DELETE FROM drafts WHERE conversation_id = ?1";
const ERASE: &str = "DELETE FROM drafts WHERE conversation_id IN (SELECT id FROM conversations WHERE customer_id = ?1)";
const WITH_ONE: &str = "SELECT DISTINCT conversation_id FROM drafts INDEXED BY drafts_agent WHERE agent_id = ?1";

fn read(r: &Row) -> Result<Draft, StoreError> {
    Ok(Draft {
        conversation: r.made(0, ConversationId::from_bytes(r.blob(0)?))?,
        agent: r.made(1, AgentId::from_bytes(r.blob(1)?))?,
        mode: DraftMode::parse(r.text(2)?).ok_or(StoreError::Shape(2))?,
        version: r.int(3)?,
        text: r.blob(4)?.to_vec(),
        saved_at: r.time(5)?,
    })
}

/// An agent's draft.
pub fn get(db: &dyn Db, id: ConversationId, agent: AgentId, mode: DraftMode) -> Result<Option<Draft>, StoreError> {
    let params = [id.as_bytes().into(), agent.as_bytes().into(), mode.as_str().into()];
    db.first(GET, &params)?.as_ref().map(read).transpose()
}

/// All drafts in a conversation.
pub fn of_conversation(db: &dyn Db, id: ConversationId) -> Result<Vec<Draft>, StoreError> {
    db.execute(OF_CONVERSATION, &[id.as_bytes().into()])?.iter().map(read).collect()
}

/// Drafts in the conversations of a customer.
pub fn of_customer(db: &dyn Db, customer: CustomerId, limit: i64) -> Result<Vec<Draft>, StoreError> {
    db.execute(OF_CUSTOMER, &[customer.as_bytes().into(), limit.into()])?.iter().map(read).collect()
}

/// Stores an agent's draft over the one before. Returns its version.
pub fn put(
    db: &dyn Db,
    id: ConversationId,
    agent: AgentId,
    mode: DraftMode,
    text: &[u8],
    now: Timestamp,
) -> Result<i64, StoreError> {
    let params = [id.as_bytes().into(), agent.as_bytes().into(), mode.as_str().into(), text.into(), now.into()];
    db.first(PUT, &params)?.ok_or(StoreError::Missing("draft"))?.int(0)
}

/// Removes an agent's draft. Returns false if there was none.
pub fn delete(db: &dyn Db, id: ConversationId, agent: AgentId, mode: DraftMode) -> Result<bool, StoreError> {
    let params = [id.as_bytes().into(), agent.as_bytes().into(), mode.as_str().into()];
    Ok(db.first(DELETE, &params)?.is_some())
}

/// Removes all drafts in a conversation.
pub fn delete_all(db: &dyn Db, id: ConversationId) -> Result<(), StoreError> {
    db.execute(DELETE_ALL, &[id.as_bytes().into()])?;
    Ok(())
}

/// Removes all drafts in the conversations of a customer.
pub fn erase(db: &dyn Db, customer: CustomerId) -> Result<(), StoreError> {
    db.execute(ERASE, &[customer.as_bytes().into()])?;
    Ok(())
}

/// The conversations in which an agent has a draft.
pub fn with_one(db: &dyn Db, agent: AgentId) -> Result<Vec<ConversationId>, StoreError> {
    let rows = db.execute(WITH_ONE, &[agent.as_bytes().into()])?;
    rows.iter().map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?))).collect()
}
