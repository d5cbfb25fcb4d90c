//! The audit log: append-only, which the database enforces, and chained, which `warmline-privacy` checks.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AgentId, ConversationId, CustomerId, Timestamp};

/// An entry as stored.
pub struct Stored {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Option<AgentId>,
    /// In which role.
    pub role: String,
    /// What was done.
    pub action: String,
    /// Of whom.
    pub customer: Option<CustomerId>,
    /// Of which conversation.
    pub conversation: Option<ConversationId>,
    /// Why.
    pub reason: Option<String>,
    /// Its hash.
    pub hash: Vec<u8>,
}

const APPEND: &str = "INSERT INTO audit (seq, at, actor, role, action, customer_id, conversation_id, reason, hash) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const AFTER: &str = "SELECT seq, at, actor, role, action, customer_id, conversation_id, reason, hash FROM audit \
                     WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const HASH: &str = "SELECT hash FROM audit WHERE seq = ?1";
const HEAD: &str = "SELECT value FROM meta WHERE name = 'audit_head'";
const SET_HEAD: &str =
    "INSERT INTO meta (name, value) VALUES ('audit_head', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Appends an entry.
///
/// # Errors
/// See [`StoreError`].
pub fn append(db: &dyn Db, new: &Stored) -> Result<(), StoreError> {
    let params = [
        new.seq.into(),
        new.at.into(),
        new.actor.map(|a| a.as_bytes().to_vec()).into(),
        new.role.as_str().into(),
        new.action.as_str().into(),
        new.customer.map(|c| c.as_bytes().to_vec()).into(),
        new.conversation.map(|c| c.as_bytes().to_vec()).into(),
        new.reason.as_deref().into(),
        new.hash.as_slice().into(),
    ];
    db.execute(APPEND, &params)?;
    Ok(())
}

/// Entries after a number, in order.
///
/// # Errors
/// See [`StoreError`].
pub fn after(db: &dyn Db, seq: i64, limit: i64) -> Result<Vec<Stored>, StoreError> {
    let read = |r: &Row| {
        Ok(Stored {
            seq: r.int(0)?,
            at: r.time(1)?,
            actor: r.opt_blob(2)?.map(|b| r.made(2, AgentId::from_bytes(b))).transpose()?,
            role: r.text(3)?.to_owned(),
            action: r.text(4)?.to_owned(),
            customer: r.opt_blob(5)?.map(|b| r.made(5, CustomerId::from_bytes(b))).transpose()?,
            conversation: r.opt_blob(6)?.map(|b| r.made(6, ConversationId::from_bytes(b))).transpose()?,
            reason: r.opt_text(7)?.map(str::to_owned),
            hash: r.blob(8)?.to_vec(),
        })
    };
    db.execute(AFTER, &[seq.into(), limit.into()])?.iter().map(read).collect()
}

/// The hash of an entry.
///
/// # Errors
/// See [`StoreError`].
pub fn hash(db: &dyn Db, seq: i64) -> Result<Option<Vec<u8>>, StoreError> {
    db.first(HASH, &[seq.into()])?.map(|r| r.blob(0).map(<[u8]>::to_vec)).transpose()
}

/// The note of the newest entry; none before the first.
///
/// # Errors
/// See [`StoreError`].
pub fn head(db: &dyn Db) -> Result<Option<Vec<u8>>, StoreError> {
    db.first(HEAD, &[])?.map(|r| r.blob(0).map(<[u8]>::to_vec)).transpose()
}

/// Replaces it.
///
/// # Errors
/// See [`StoreError`].
pub fn set_head(db: &dyn Db, note: &[u8]) -> Result<(), StoreError> {
    db.execute(SET_HEAD, &[note.into()])?;
    Ok(())
}
