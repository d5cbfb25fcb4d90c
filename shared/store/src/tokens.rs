//! Bearer tokens of staff: only their hashes.

use crate::db::{Db, StoreError};
use warmline_model::{AgentId, Role, Timestamp};

const INSERT: &str = "INSERT INTO tokens (hash, agent_id, role, created_at) VALUES (?1, ?2, ?3, ?4)";
const FIND: &str = "SELECT agent_id, role FROM tokens WHERE hash = ?1 AND revoked_at IS NULL";

/// Adds a token.
///
/// # Errors
/// See [`StoreError`].
pub fn insert(db: &dyn Db, hash: &[u8; 32], agent: AgentId, role: Role, now: Timestamp) -> Result<(), StoreError> {
    db.execute(INSERT, &[hash.into(), agent.as_bytes().into(), role.as_str().into(), now.into()])?;
    Ok(())
}

/// Whose token it is and what it allows.
///
/// # Errors
/// See [`StoreError`].
pub fn find(db: &dyn Db, hash: &[u8; 32]) -> Result<Option<(AgentId, Role)>, StoreError> {
    let Some(row) = db.first(FIND, &[hash.into()])? else { return Ok(None) };
    let agent = row.made(0, AgentId::from_bytes(row.blob(0)?))?;
    Ok(Some((agent, Role::parse(row.text(1)?).ok_or(StoreError::Shape(1))?)))
}
