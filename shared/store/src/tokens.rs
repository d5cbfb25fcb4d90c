//! Bearer tokens of staff. Only their hashes are stored.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AgentId, Role, Scope, Timestamp, TokenId};

const INSERT: &str = "INSERT INTO tokens (hash, agent_id, role, created_at, id, expires_at, scopes) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const FIND: &str = "SELECT t.agent_id, t.role, a.seen_at, a.state <> 'offline', t.expires_at, t.scopes, t.paced_to, a.ai, \
                    (SELECT value FROM config WHERE name = 'limits'), \
                    (SELECT CAST(value AS INTEGER) FROM config WHERE name = 'heartbeat') FROM tokens t \
                    JOIN agents a ON a.id = t.agent_id WHERE t.hash = ?1 AND t.revoked_at IS NULL";
const OF: &str =
    "SELECT id, created_at, expires_at, scopes FROM tokens WHERE agent_id = ?1 AND revoked_at IS NULL ORDER BY created_at";
const REVOKE: &str = "UPDATE tokens SET revoked_at = ?3 WHERE agent_id = ?1 AND id = ?2 AND revoked_at IS NULL RETURNING 1";
const PACE: &str = "UPDATE tokens SET paced_to = max(paced_to, ?2) + ?3 WHERE hash = ?1";
const END_BY: &str = "UPDATE tokens SET expires_at = ?2 WHERE agent_id = ?1 AND revoked_at IS NULL \
                      AND (expires_at IS NULL OR expires_at > ?2)";

/// The name of the document with the seconds without a sign of life after which an agent is lost.
pub const HEARTBEAT: &str = "heartbeat";

/// A token, without its secret.
pub struct Token {
    /// Id.
    pub id: TokenId,
    /// The time at which it was made.
    pub created_at: Timestamp,
    /// The time at which it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The scopes that it is narrowed to; `None`: it is not narrowed.
    pub scopes: Option<Vec<Scope>>,
}

fn scopes(r: &Row, i: usize) -> Result<Option<Vec<Scope>>, StoreError> {
    let read = |text: &str| text.split(',').map(|word| Scope::parse(word).ok_or(StoreError::Shape(i))).collect();
    r.opt_text(i)?.map(read).transpose()
}

/// Adds a token.
pub fn insert(db: &dyn Db, hash: &[u8; 32], agent: AgentId, role: Role, token: &Token) -> Result<(), StoreError> {
    let params = [
        hash.into(),
        agent.as_bytes().into(),
        role.as_str().into(),
        token.created_at.into(),
        token.id.as_bytes().into(),
        token.expires_at.into(),
        token.scopes.as_ref().map(|all| all.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(",")).into(),
    ];
    db.execute(INSERT, &params)?;
    Ok(())
}

/// A token's owner and limits.
pub struct Found {
    /// The member of staff.
    pub agent: AgentId,
    /// The role that the token has.
    pub role: Role,
    /// The last sign of life.
    pub seen_at: Timestamp,
    /// Whether the agent is at work.
    pub at_work: bool,
    /// The time at which the token ends.
    pub expires_at: Option<Timestamp>,
    /// The scopes that it is narrowed to; `None`: it is not narrowed.
    pub scopes: Option<Vec<Scope>>,
    /// The instant up to which its requests have used its rate.
    pub paced_to: Timestamp,
    /// Whether it belongs to an AI seat.
    pub ai: bool,
    /// The document with the rate limits, if there is one.
    pub limits: Option<String>,
    /// The seconds without a sign of life after which the agent is lost, if stored; 0: never.
    pub heartbeat_secs: Option<i64>,
}

/// A token's owner and limits; `None` if it is unknown or was revoked.
pub fn find(db: &dyn Db, hash: &[u8; 32]) -> Result<Option<Found>, StoreError> {
    let Some(row) = db.first(FIND, &[hash.into()])? else { return Ok(None) };
    Ok(Some(Found {
        agent: row.made(0, AgentId::from_bytes(row.blob(0)?))?,
        role: Role::parse(row.text(1)?).ok_or(StoreError::Shape(1))?,
        seen_at: row.time(2)?,
        at_work: row.flag(3)?,
        expires_at: row.opt_time(4)?,
        scopes: scopes(&row, 5)?,
        paced_to: row.time(6)?,
        ai: row.flag(7)?,
        limits: row.opt_text(8)?.map(str::to_owned),
        heartbeat_secs: row.opt_int(9)?,
    }))
}

/// The tokens of a member of staff that were not revoked, oldest first.
pub fn of(db: &dyn Db, agent: AgentId) -> Result<Vec<Token>, StoreError> {
    let read = |r: &Row| {
        Ok(Token {
            id: r.made(0, TokenId::from_bytes(r.blob(0)?))?,
            created_at: r.time(1)?,
            expires_at: r.opt_time(2)?,
            scopes: scopes(r, 3)?,
        })
    };
    db.execute(OF, &[agent.as_bytes().into()])?.iter().map(read).collect()
}

/// Uses `ms` milliseconds of a token's rate, from now or from the instant up to which it is used.
pub fn pace(db: &dyn Db, hash: &[u8; 32], now: Timestamp, ms: i64) -> Result<(), StoreError> {
    db.execute(PACE, &[hash.into(), now.into(), ms.into()])?;
    Ok(())
}

/// Revokes a token. Returns false if the member of staff has no such token.
pub fn revoke(db: &dyn Db, agent: AgentId, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(REVOKE, &[agent.as_bytes().into(), id.as_bytes().into(), now.into()])?.is_some())
}

/// Ends all tokens of a member of staff at an instant, unless they end sooner.
pub fn end_by(db: &dyn Db, agent: AgentId, at: Timestamp) -> Result<(), StoreError> {
    db.execute(END_BY, &[agent.as_bytes().into(), at.into()])?;
    Ok(())
}
