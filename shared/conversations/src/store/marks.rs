//! How far an agent has read a conversation, and whether the agent looks at it or writes in it now; and the notes that name
//! colleagues who have not read them.

use crate::model::Doing;
use warmline_model::{AgentId, ConversationId, Timestamp};
use warmline_store::{Db, Row, StoreError};

/// An agent's mark in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The agent.
    pub agent: AgentId,
    /// The number of the newest message that the agent has seen.
    pub seen: i64,
    /// What the agent does there, and until when that counts.
    pub doing: Option<(Doing, Timestamp)>,
}

const OF_CONVERSATION: &str =
    "SELECT agent_id, seen, doing, until FROM read_marks WHERE conversation_id = ?1 ORDER BY agent_id";
const GET: &str = "SELECT agent_id, seen, doing, until FROM read_marks WHERE conversation_id = ?1 AND agent_id = ?2";
const PUT: &str = "INSERT INTO read_marks (conversation_id, agent_id, seen, doing, until) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (conversation_id, agent_id) DO UPDATE SET \
                   seen = excluded.seen, doing = excluded.doing, until = excluded.until";
const DELETE_ALL: &str = "DELETE FROM read_marks WHERE conversation_id = ?1";
const MENTION: &str =
    "INSERT INTO mentions (agent_id, conversation_id, n, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
const MENTIONED: &str = "SELECT DISTINCT conversation_id FROM mentions WHERE agent_id = ?1";
const READ: &str = "DELETE FROM mentions WHERE agent_id = ?1 AND conversation_id = ?2 AND n <= ?3 RETURNING 1";
const FORGET: &str = "DELETE FROM mentions WHERE conversation_id = ?1";

fn read(r: &Row) -> Result<Mark, StoreError> {
    let doing = match (r.opt_text(2)?, r.opt_time(3)?) {
        (Some(word), Some(until)) => Some((Doing::parse(word).ok_or(StoreError::Shape(2))?, until)),
        _ => None,
    };
    Ok(Mark { agent: r.made(0, AgentId::from_bytes(r.blob(0)?))?, seen: r.int(1)?, doing })
}

/// All marks in a conversation.
pub fn of_conversation(db: &dyn Db, id: ConversationId) -> Result<Vec<Mark>, StoreError> {
    db.execute(OF_CONVERSATION, &[id.as_bytes().into()])?.iter().map(read).collect()
}

/// An agent's mark.
pub fn get(db: &dyn Db, id: ConversationId, agent: AgentId) -> Result<Option<Mark>, StoreError> {
    db.first(GET, &[id.as_bytes().into(), agent.as_bytes().into()])?.as_ref().map(read).transpose()
}

/// Stores an agent's mark over the one before.
pub fn put(db: &dyn Db, id: ConversationId, mark: &Mark) -> Result<(), StoreError> {
    let (doing, until) = mark.doing.unzip();
    let params = [
        id.as_bytes().into(),
        mark.agent.as_bytes().into(),
        mark.seen.into(),
        doing.map(Doing::as_str).into(),
        until.into(),
    ];
    db.execute(PUT, &params)?;
    Ok(())
}

/// Removes all marks and mentions of a conversation.
pub fn delete_all(db: &dyn Db, id: ConversationId) -> Result<(), StoreError> {
    db.execute(DELETE_ALL, &[id.as_bytes().into()])?;
    db.execute(FORGET, &[id.as_bytes().into()])?;
    Ok(())
}

/// Notes that a note names an agent.
pub fn mention(db: &dyn Db, agent: AgentId, id: ConversationId, n: i64, now: Timestamp) -> Result<(), StoreError> {
    db.execute(MENTION, &[agent.as_bytes().into(), id.as_bytes().into(), n.into(), now.into()])?;
    Ok(())
}

/// The conversations with a note that names an agent who has not read it.
pub fn mentioned(db: &dyn Db, agent: AgentId) -> Result<Vec<ConversationId>, StoreError> {
    let rows = db.execute(MENTIONED, &[agent.as_bytes().into()])?;
    rows.iter().map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?))).collect()
}

/// Notes that an agent has read the notes up to a number. Returns whether one of them names the agent.
pub fn read_to(db: &dyn Db, agent: AgentId, id: ConversationId, seen: i64) -> Result<bool, StoreError> {
    Ok(!db.execute(READ, &[agent.as_bytes().into(), id.as_bytes().into(), seen.into()])?.is_empty())
}
