//! Bearer tokens of staff: only their hashes.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AgentId, Role, Timestamp, TokenId};

const INSERT: &str = "INSERT INTO tokens (hash, agent_id, role, created_at, id, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const FIND: &str = "SELECT t.agent_id, t.role, a.seen_at, a.state <> 'offline', t.expires_at FROM tokens t \
                    JOIN agents a ON a.id = t.agent_id WHERE t.hash = ?1 AND t.revoked_at IS NULL";
const OF: &str =
    "SELECT id, created_at, expires_at FROM tokens WHERE agent_id = ?1 AND revoked_at IS NULL ORDER BY created_at";
const REVOKE: &str = "UPDATE tokens SET revoked_at = ?3 WHERE agent_id = ?1 AND id = ?2 AND revoked_at IS NULL RETURNING 1";
const END_BY: &str = "UPDATE tokens SET expires_at = ?2 WHERE agent_id = ?1 AND revoked_at IS NULL \
                      AND (expires_at IS NULL OR expires_at > ?2)";

/// A token, without its secret.
pub struct Token {
    /// Id.
    pub id: TokenId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// Adds a token.
///
/// # Errors
/// See [`StoreError`].
pub fn insert(db: &dyn Db, hash: &[u8; 32], agent: AgentId, role: Role, token: &Token) -> Result<(), StoreError> {
    let params = [
        hash.into(),
        agent.as_bytes().into(),
        role.as_str().into(),
        token.created_at.into(),
        token.id.as_bytes().into(),
        token.expires_at.into(),
    ];
    db.execute(INSERT, &params)?;
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
    /// When the token ends.
    pub expires_at: Option<Timestamp>,
}

/// Whose token it is and what it allows; none where it was revoked.
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
        expires_at: row.opt_time(4)?,
    }))
}

/// The tokens of a member of staff that were not revoked, oldest first.
///
/// # Errors
/// See [`StoreError`].
pub fn of(db: &dyn Db, agent: AgentId) -> Result<Vec<Token>, StoreError> {
    let read = |r: &Row| {
        Ok(Token { id: r.made(0, TokenId::from_bytes(r.blob(0)?))?, created_at: r.time(1)?, expires_at: r.opt_time(2)? })
    };
    db.execute(OF, &[agent.as_bytes().into()])?.iter().map(read).collect()
}

/// Revokes a token; false when the member of staff has no such token.
///
/// # Errors
/// See [`StoreError`].
pub fn revoke(db: &dyn Db, agent: AgentId, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(REVOKE, &[agent.as_bytes().into(), id.as_bytes().into(), now.into()])?.is_some())
}

/// All tokens of a member of staff end at an instant, or sooner where they would.
///
/// # Errors
/// See [`StoreError`].
pub fn end_by(db: &dyn Db, agent: AgentId, at: Timestamp) -> Result<(), StoreError> {
    db.execute(END_BY, &[agent.as_bytes().into(), at.into()])?;
    Ok(())
}
