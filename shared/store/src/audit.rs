//! The audit log: append-only, which the database enforces, and chained, which `warmline-privacy` checks.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AgentId, AuditEntry, ConversationId, CustomerId};

/// An entry as stored.
pub struct Stored {
    /// The entry.
    pub entry: AuditEntry,
    /// Its hash.
    pub hash: Vec<u8>,
}

const APPEND: &str = "INSERT INTO audit (seq, at, actor, role, action, customer_id, conversation_id, reason, hash, customers) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const AFTER: &str = "SELECT seq, at, actor, role, action, customer_id, conversation_id, reason, hash, customers FROM audit \
                     WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const HASH: &str = "SELECT hash FROM audit WHERE seq = ?1";
const HEAD: &str = "SELECT value FROM meta WHERE name = 'audit_head'";
const SET_HEAD: &str =
    "INSERT INTO meta (name, value) VALUES ('audit_head', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Appends an entry.
pub fn append(db: &dyn Db, entry: &AuditEntry, hash: &[u8; 32]) -> Result<(), StoreError> {
    let params = [
        entry.seq.into(),
        entry.at.into(),
        entry.actor.map(|a| a.as_bytes().to_vec()).into(),
        entry.role.as_str().into(),
        entry.action.as_str().into(),
        entry.customer.map(|c| c.as_bytes().to_vec()).into(),
        entry.conversation.map(|c| c.as_bytes().to_vec()).into(),
        entry.reason.as_deref().into(),
        hash.into(),
        (!entry.customers.is_empty())
            .then(|| entry.customers.iter().flat_map(|c| *c.as_bytes()).collect::<Vec<u8>>())
            .into(),
    ];
    db.execute(APPEND, &params)?;
    Ok(())
}

/// Reads customer ids that are stored one after the other.
fn customers(r: &Row, i: usize) -> Result<Vec<CustomerId>, StoreError> {
    let ids = r.opt_blob(i)?.unwrap_or_default().chunks(16);
    ids.map(|id| r.made(i, CustomerId::from_bytes(id))).collect()
}

/// Entries after a number, in order.
pub fn after(db: &dyn Db, seq: i64, limit: i64) -> Result<Vec<Stored>, StoreError> {
    let read = |r: &Row| {
        let entry = AuditEntry {
            seq: r.int(0)?,
            at: r.time(1)?,
            actor: r.opt_blob(2)?.map(|b| r.made(2, AgentId::from_bytes(b))).transpose()?,
            role: r.text(3)?.to_owned(),
            action: r.text(4)?.to_owned(),
            customer: r.opt_blob(5)?.map(|b| r.made(5, CustomerId::from_bytes(b))).transpose()?,
            customers: customers(r, 9)?,
            conversation: r.opt_blob(6)?.map(|b| r.made(6, ConversationId::from_bytes(b))).transpose()?,
            reason: r.opt_text(7)?.map(str::to_owned),
        };
        Ok(Stored { entry, hash: r.blob(8)?.to_vec() })
    };
    db.execute(AFTER, &[seq.into(), limit.into()])?.iter().map(read).collect()
}

/// The hash of an entry.
pub fn hash(db: &dyn Db, seq: i64) -> Result<Option<Vec<u8>>, StoreError> {
    db.first(HASH, &[seq.into()])?.map(|r| r.blob(0).map(<[u8]>::to_vec)).transpose()
}

/// The note about the newest entry; `None` before the first.
pub fn head(db: &dyn Db) -> Result<Option<Vec<u8>>, StoreError> {
    db.first(HEAD, &[])?.map(|r| r.blob(0).map(<[u8]>::to_vec)).transpose()
}

/// Replaces the note about the newest entry.
pub fn set_head(db: &dyn Db, note: &[u8]) -> Result<(), StoreError> {
    db.execute(SET_HEAD, &[note.into()])?;
    Ok(())
}
