//! Bearer tokens of staff: only their hashes.

use crate::db::{Db, StoreError};
use warmline_model::{AgentId, Role, Timestamp};

const INSERT: &str = "INSERT INTO tokens (hash, agent_id, role, created_at) VALUES (?1, ?2, ?3, ?4)";
const FIND: &str = "SELECT t.agent_id, t.role, a.seen_at, a.state <> 'offline' FROM tokens t \
                    JOIN agents a ON a.id = t.agent_id WHERE t.hash = ?1 AND t.revoked_at IS NULL";

/// Adds a token.
///
/// # Errors
/// See [`StoreError`].
pub fn insert(db: &dyn Db, hash: &[u8; 32], agent: AgentId, role: Role, now: Timestamp) -> Result<(), StoreError> {
    db.execute(INSERT, &[hash.into(), agent.as_bytes().into(), role.as_str().into(), now.into()])?;
    Ok(())
}

/// Whose token it is.
pub struct Found {
    /// The member of staff.
    pub agent: AgentId,
    /// What the token allows.
    pub role: Role,
    /// The last sign of life.
    pub seen_at: Timestamp,
    /// Whether the agent is at work.
    pub at_work: bool,
}

/// Whose token it is and what it allows.
///
/// # Errors
/// See [`StoreError`].
pub fn find(db: &dyn Db, hash: &[u8; 32]) -> Result<Option<Found>, StoreError> {
    let Some(row) = db.first(FIND, &[hash.into()])? else { return Ok(None) };
    Ok(Some(Found {
        agent: row.made(0, AgentId::from_bytes(row.blob(0)?))?,
        role: Role::parse(row.text(1)?).ok_or(StoreError::Shape(1))?,
        seen_at: row.time(2)?,
        at_work: row.flag(3)?,
    }))
}
