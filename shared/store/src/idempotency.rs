//! Answers kept for retries: a repeated `Idempotency-Key` gets the same answer, and the effect happens once. The row is
//! written in the transaction of the effect.

use crate::db::{Db, StoreError};
use warmline_model::Timestamp;

/// A kept answer.
pub struct Kept {
    /// The hash of the answered request. The same key with another request is an error of the caller.
    pub request: Vec<u8>,
    /// Status.
    pub status: i64,
    /// Body, sealed.
    pub response: Vec<u8>,
}

const GET: &str = "SELECT request, status, response FROM idempotency WHERE actor = ?1 AND key = ?2";
const PUT: &str =
    "INSERT INTO idempotency (actor, key, request, status, response, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const PRUNE: &str = "DELETE FROM idempotency WHERE (actor, key) IN \
                     (SELECT actor, key FROM idempotency WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)";

/// Finds a kept answer.
pub fn get(db: &dyn Db, actor: &[u8], key: &str) -> Result<Option<Kept>, StoreError> {
    let Some(row) = db.first(GET, &[actor.into(), key.into()])? else { return Ok(None) };
    Ok(Some(Kept { request: row.blob(0)?.to_vec(), status: row.int(1)?, response: row.blob(2)?.to_vec() }))
}

/// Keeps an answer.
pub fn put(db: &dyn Db, actor: &[u8], key: &str, kept: &Kept, now: Timestamp) -> Result<(), StoreError> {
    let params = [
        actor.into(),
        key.into(),
        kept.request.as_slice().into(),
        kept.status.into(),
        kept.response.as_slice().into(),
        now.into(),
    ];
    db.execute(PUT, &params)?;
    Ok(())
}

/// Removes answers older than an instant, at most `limit` of them.
pub fn prune(db: &dyn Db, before: Timestamp, limit: i64) -> Result<(), StoreError> {
    db.execute(PRUNE, &[before.into(), limit.into()])?;
    Ok(())
}
