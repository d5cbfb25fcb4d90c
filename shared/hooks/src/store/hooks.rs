//! The table of hooks.

use warmline_model::{HookId, Timestamp};
use warmline_store::{Db, Row, StoreError};

/// A hook, as stored.
pub struct Hook {
    /// Id.
    pub id: HookId,
    /// Where the events go.
    pub url: String,
    /// The types of events.
    pub types: Vec<String>,
    /// What it is for.
    pub description: String,
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// The secret before, sealed, and until when it signs.
    pub previous: Option<(Vec<u8>, Timestamp)>,
    /// Events after this position are sent.
    pub after: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When and why it was disabled.
    pub disabled: Option<(Timestamp, String)>,
    /// Since when no try was a success.
    pub failing_since: Option<Timestamp>,
}

const INSERT: &str = "INSERT INTO hooks (id, url, types, description, secret, after_seq, created_at, disabled_at, \
                      disabled_reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const GET: &str = "SELECT id, url, types, description, secret, previous, previous_until, after_seq, created_at, \
                   disabled_at, disabled_reason, failing_since FROM hooks WHERE id = ?1 AND deleted_at IS NULL";
const LIST: &str = "SELECT id, url, types, description, secret, previous, previous_until, after_seq, created_at, \
                    disabled_at, disabled_reason, failing_since FROM hooks WHERE deleted_at IS NULL ORDER BY id";
const LISTENING: &str =
    "SELECT id, types, after_seq FROM hooks WHERE deleted_at IS NULL AND disabled_at IS NULL ORDER BY id";
const COUNT: &str = "SELECT count(*) FROM hooks WHERE deleted_at IS NULL";
const CHANGE: &str = "UPDATE hooks SET url = ?2, types = ?3, description = ?4, not_before = 0, \
                      failing_since = CASE WHEN url = ?2 THEN failing_since END WHERE id = ?1";
const ENABLE: &str = "UPDATE hooks SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL, not_before = 0, \
                      after_seq = ?2 WHERE id = ?1";
const DISABLE: &str = "UPDATE hooks SET disabled_at = ?2, disabled_reason = ?3 \
                       WHERE id = ?1 AND disabled_at IS NULL AND deleted_at IS NULL RETURNING 1";
const ROTATE: &str = "UPDATE hooks SET previous = secret, previous_until = ?3, secret = ?2 WHERE id = ?1";
const DELETE: &str = "UPDATE hooks SET deleted_at = ?2, disabled_at = coalesce(disabled_at, ?2), secret = x'', \
                      previous = NULL WHERE id = ?1 AND deleted_at IS NULL RETURNING 1";
const DELETED: &str = "SELECT id FROM hooks INDEXED BY hooks_deleted WHERE deleted_at > 0 ORDER BY deleted_at LIMIT 1";
const REMOVE: &str = "DELETE FROM hooks WHERE id = ?1 AND deleted_at IS NOT NULL";
const DUE: &str = "SELECT id FROM hooks WHERE deleted_at IS NULL AND disabled_at IS NULL AND not_before <= ?1 \
                   AND lease_until <= ?1 AND EXISTS (SELECT 1 FROM hook_deliveries INDEXED BY hook_deliveries_due \
                   WHERE hook_id = hooks.id AND due_at <= ?1) ORDER BY lease_until, id LIMIT ?2";
const LEASE: &str = "UPDATE hooks SET lease_owner = ?2, lease_until = ?4 WHERE id = ?1 AND lease_until <= ?3 \
                     AND disabled_at IS NULL AND deleted_at IS NULL RETURNING 1";
const RELEASE: &str = "UPDATE hooks SET lease_owner = NULL, lease_until = ?3 WHERE id = ?1 AND lease_owner = ?2";
const FAILED: &str = "UPDATE hooks SET failing_since = coalesce(failing_since, ?2), not_before = max(not_before, ?3) \
                      WHERE id = ?1 RETURNING failing_since";
const SUCCEEDED: &str = "UPDATE hooks SET failing_since = NULL WHERE id = ?1 AND failing_since IS NOT NULL";

fn types(row: &Row, i: usize) -> Result<Vec<String>, StoreError> {
    row.made(i, serde_json::from_str(row.text(i)?))
}

fn id(row: &Row) -> Result<HookId, StoreError> {
    row.made(0, HookId::from_bytes(row.blob(0)?))
}

fn read(row: &Row) -> Result<Hook, StoreError> {
    let disabled = row.opt_time(9)?.map(|at| Ok((at, row.opt_text(10)?.unwrap_or_default().to_owned()))).transpose()?;
    Ok(Hook {
        id: id(row)?,
        url: row.text(1)?.to_owned(),
        types: types(row, 2)?,
        description: row.text(3)?.to_owned(),
        secret: row.blob(4)?.to_vec(),
        previous: row.opt_blob(5)?.map(<[u8]>::to_vec).zip(row.opt_time(6)?),
        after: row.int(7)?,
        created_at: row.time(8)?,
        disabled,
        failing_since: row.opt_time(11)?,
    })
}

fn json(types: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(types).map_err(|_| StoreError::Shape(2))
}

/// Adds a hook.
pub fn insert(db: &dyn Db, hook: &Hook) -> Result<(), StoreError> {
    let (at, reason) = hook.disabled.clone().unzip();
    db.execute(
        INSERT,
        &[
            hook.id.as_bytes().into(),
            hook.url.as_str().into(),
            json(&hook.types)?.into(),
            hook.description.as_str().into(),
            hook.secret.as_slice().into(),
            hook.after.into(),
            hook.created_at.into(),
            at.into(),
            reason.into(),
        ],
    )?;
    Ok(())
}

/// Finds a hook that is not deleted.
pub fn get(db: &dyn Db, id: HookId) -> Result<Option<Hook>, StoreError> {
    db.first(GET, &[id.as_bytes().into()])?.as_ref().map(read).transpose()
}

/// All hooks that are not deleted, oldest first.
pub fn list(db: &dyn Db) -> Result<Vec<Hook>, StoreError> {
    db.execute(LIST, &[])?.iter().map(read).collect()
}

/// The number of hooks that are not deleted.
pub fn count(db: &dyn Db) -> Result<i64, StoreError> {
    db.first(COUNT, &[])?.ok_or(StoreError::Missing("hooks"))?.int(0)
}

/// What the follower needs of an enabled hook.
pub struct Listening {
    /// Id.
    pub id: HookId,
    /// The types that it wants.
    pub types: Vec<String>,
    /// Events after this position are sent.
    pub after: i64,
}

/// The enabled hooks.
pub fn listening(db: &dyn Db) -> Result<Vec<Listening>, StoreError> {
    let row = |row: &Row| Ok(Listening { id: id(row)?, types: types(row, 1)?, after: row.int(2)? });
    db.execute(LISTENING, &[])?.iter().map(row).collect()
}

/// Replaces a hook's address, types and description.
pub fn change(db: &dyn Db, id: HookId, url: &str, types: &[String], description: &str) -> Result<(), StoreError> {
    db.execute(CHANGE, &[id.as_bytes().into(), url.into(), json(types)?.into(), description.into()])?;
    Ok(())
}

/// Enables a hook: events after this position are sent.
pub fn enable(db: &dyn Db, id: HookId, after: i64) -> Result<(), StoreError> {
    db.execute(ENABLE, &[id.as_bytes().into(), after.into()])?;
    Ok(())
}

/// Disables a hook. Returns false if it is disabled already.
pub fn disable(db: &dyn Db, id: HookId, at: Timestamp, reason: &str) -> Result<bool, StoreError> {
    Ok(db.first(DISABLE, &[id.as_bytes().into(), at.into(), reason.into()])?.is_some())
}

/// Gives a hook another secret. The present one signs as well until then.
pub fn rotate(db: &dyn Db, id: HookId, secret: Vec<u8>, until: Timestamp) -> Result<(), StoreError> {
    db.execute(ROTATE, &[id.as_bytes().into(), secret.into(), until.into()])?;
    Ok(())
}

/// Deletes a hook: its secrets go at once, and nobody sees it any more. Returns false if there is none.
pub fn delete(db: &dyn Db, id: HookId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(DELETE, &[id.as_bytes().into(), at.into()])?.is_some())
}

/// A hook that is deleted, and may have deliveries.
pub fn deleted(db: &dyn Db) -> Result<Option<HookId>, StoreError> {
    db.first(DELETED, &[])?.as_ref().map(id).transpose()
}

/// Removes the row of a deleted hook.
pub fn remove(db: &dyn Db, id: HookId) -> Result<(), StoreError> {
    db.execute(REMOVE, &[id.as_bytes().into()])?;
    Ok(())
}

/// Hooks with a delivery that is due and which nobody sends now, those that waited longest first.
pub fn due(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<HookId>, StoreError> {
    db.execute(DUE, &[now.into(), limit.into()])?.iter().map(id).collect()
}

/// Takes the right to send a hook's deliveries. Returns false if somebody has it, or the hook is disabled.
pub fn lease(db: &dyn Db, id: HookId, owner: &[u8; 16], now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(LEASE, &[id.as_bytes().into(), owner.into(), now.into(), until.into()])?.is_some())
}

/// Gives the right back.
pub fn release(db: &dyn Db, id: HookId, owner: &[u8; 16], now: Timestamp) -> Result<(), StoreError> {
    db.execute(RELEASE, &[id.as_bytes().into(), owner.into(), now.into()])?;
    Ok(())
}

/// Notes a failed try, and a pause that the receiver asked for. Returns since when the hook fails.
pub fn failed(db: &dyn Db, id: HookId, now: Timestamp, not_before: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    db.first(FAILED, &[id.as_bytes().into(), now.into(), not_before.into()])?.map(|row| row.time(0)).transpose()
}

/// Notes a try that was a success.
pub fn succeeded(db: &dyn Db, id: HookId) -> Result<(), StoreError> {
    db.execute(SUCCEEDED, &[id.as_bytes().into()])?;
    Ok(())
}
