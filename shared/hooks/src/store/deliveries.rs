//! The table of deliveries.

use crate::model::{DeliveryView, State};
use warmline_model::{HookDeliveryId, HookId, Timestamp};
use warmline_store::{Db, Row, StoreError};

/// A delivery to be made.
pub struct New<'a> {
    /// Its id.
    pub id: HookDeliveryId,
    /// The hook.
    pub hook: HookId,
    /// The event's position; `None` for a test.
    pub seq: Option<i64>,
    /// The event's type.
    pub kind: &'a str,
    /// What is sent.
    pub body: &'a str,
    /// Now.
    pub at: Timestamp,
}

/// A delivery that was claimed.
pub struct Job {
    /// Its id.
    pub id: HookDeliveryId,
    /// What is sent.
    pub body: String,
    /// Tries made, this one included. With the id it names this try.
    pub tries: i64,
}

const INSERT: &str = "INSERT INTO hook_deliveries (id, hook_id, seq, type, body, state, due_at, created_at, changed_at) \
                      VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?6, ?6, ?6) ON CONFLICT (hook_id, seq) DO NOTHING";
const OVERFULL: &str = "SELECT 1 FROM hook_deliveries INDEXED BY hook_deliveries_due \
                        WHERE hook_id = ?1 AND due_at IS NOT NULL LIMIT 1 OFFSET ?2";
const CLAIM: &str = "UPDATE hook_deliveries SET due_at = ?4, tries = tries + 1, tried_at = ?3 WHERE id IN \
                     (SELECT id FROM hook_deliveries INDEXED BY hook_deliveries_due \
                     WHERE hook_id = ?1 AND due_at <= ?3 ORDER BY due_at LIMIT ?5) \
                     AND EXISTS (SELECT 1 FROM hooks WHERE id = ?1 AND lease_owner = ?2 AND lease_until > ?3 \
                     AND not_before <= ?3 AND disabled_at IS NULL AND deleted_at IS NULL) RETURNING id, body, tries";
const DELIVERED: &str = "UPDATE hook_deliveries SET state = 'delivered', due_at = NULL, status = ?3, reason = NULL, \
                         changed_at = ?4 WHERE id = ?1 AND tries = ?2 AND state = 'waiting' RETURNING 1";
const LATER: &str = "UPDATE hook_deliveries SET due_at = ?5, status = ?3, reason = ?4 \
                     WHERE id = ?1 AND tries = ?2 AND state = 'waiting' RETURNING 1";
const DEAD: &str = "UPDATE hook_deliveries SET state = 'dead', due_at = NULL, status = ?3, reason = ?4, changed_at = ?5 \
                    WHERE id = ?1 AND tries = ?2 AND state = 'waiting' RETURNING 1";
const REVIVE: &str = "UPDATE hook_deliveries SET state = 'waiting', due_at = ?2, tries = 0, changed_at = ?2 \
                      WHERE id = ?1 AND state = 'dead' RETURNING 1";
const GET: &str = "SELECT id, hook_id, seq, type, state, tries, status, reason, created_at, tried_at, due_at \
                   FROM hook_deliveries WHERE id = ?1";
const LIST: &str = "SELECT id, hook_id, seq, type, state, tries, status, reason, created_at, tried_at, due_at \
                    FROM hook_deliveries INDEXED BY hook_deliveries_of WHERE hook_id = ?1 AND id < ?2 \
                    ORDER BY id DESC LIMIT ?3";
const LIST_IN: &str = "SELECT id, hook_id, seq, type, state, tries, status, reason, created_at, tried_at, due_at \
                       FROM hook_deliveries INDEXED BY hook_deliveries_in WHERE hook_id = ?1 AND state = ?4 AND id < ?2 \
                       ORDER BY id DESC LIMIT ?3";
const REMOVE_OF: &str = "DELETE FROM hook_deliveries WHERE id IN (SELECT id FROM hook_deliveries \
                         INDEXED BY hook_deliveries_of WHERE hook_id = ?1 LIMIT ?2) RETURNING 1";
const IS_OLD: &str =
    "SELECT 1 FROM hook_deliveries INDEXED BY hook_deliveries_old WHERE state = ?1 AND changed_at <= ?2 LIMIT 1";
const REMOVE_OLD: &str = "DELETE FROM hook_deliveries WHERE id IN (SELECT id FROM hook_deliveries \
                          INDEXED BY hook_deliveries_old WHERE state = ?1 AND changed_at <= ?2 LIMIT ?3) RETURNING 1";
const IN_STATE: &str = "SELECT count(*) FROM (SELECT 1 FROM hook_deliveries INDEXED BY hook_deliveries_old \
                        WHERE state = ?1 LIMIT ?2) AS some";
const OLDEST: &str = "SELECT min(changed_at) FROM hook_deliveries INDEXED BY hook_deliveries_old WHERE state = ?1";

fn length(rows: &[Row]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// Adds a delivery that is due at once. It adds nothing if the hook has one for this event.
pub fn insert(db: &dyn Db, new: &New<'_>) -> Result<(), StoreError> {
    db.execute(
        INSERT,
        &[
            new.id.as_bytes().into(),
            new.hook.as_bytes().into(),
            new.seq.into(),
            new.kind.into(),
            new.body.into(),
            new.at.into(),
        ],
    )?;
    Ok(())
}

/// Whether more than so many deliveries wait for a hook.
pub fn is_overfull(db: &dyn Db, hook: HookId, most: i64) -> Result<bool, StoreError> {
    Ok(db.first(OVERFULL, &[hook.as_bytes().into(), most.into()])?.is_some())
}

/// Claims deliveries of a hook that are due, for a try that ends before `until`. It claims nothing if the owner no longer
/// has the right to send, or the hook is disabled or wants a pause.
pub fn claim(
    db: &dyn Db,
    hook: HookId,
    owner: &[u8; 16],
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    let rows = db.execute(CLAIM, &[hook.as_bytes().into(), owner.into(), now.into(), until.into(), limit.into()])?;
    let job = |row: &Row| {
        let id = row.made(0, HookDeliveryId::from_bytes(row.blob(0)?))?;
        Ok(Job { id, body: row.text(1)?.to_owned(), tries: row.int(2)? })
    };
    rows.iter().map(job).collect()
}

/// Notes that the receiver took a delivery. Returns false if this try is not the last one any more.
pub fn delivered(db: &dyn Db, job: &Job, status: u16, now: Timestamp) -> Result<bool, StoreError> {
    let params = [job.id.as_bytes().into(), job.tries.into(), i64::from(status).into(), now.into()];
    Ok(db.first(DELIVERED, &params)?.is_some())
}

/// The result of a failed try.
pub struct Failed<'a> {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The reason, as a stable code.
    pub reason: &'a str,
}

/// Notes a failed try, and the time of the next one. Returns false if this try is not the last one any more.
pub fn later(db: &dyn Db, job: &Job, why: &Failed<'_>, next: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(LATER, &failed(job, why, next))?.is_some())
}

/// Gives a delivery up. Returns false if this try is not the last one any more.
pub fn dead(db: &dyn Db, job: &Job, why: &Failed<'_>, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(DEAD, &failed(job, why, now))?.is_some())
}

fn failed(job: &Job, why: &Failed<'_>, at: Timestamp) -> [warmline_store::Value; 5] {
    let status = why.status.map(i64::from);
    [job.id.as_bytes().into(), job.tries.into(), status.into(), why.reason.into(), at.into()]
}

/// Makes a dead delivery due again. Returns false if it is not dead.
pub fn revive(db: &dyn Db, id: HookDeliveryId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(REVIVE, &[id.as_bytes().into(), now.into()])?.is_some())
}

fn read(row: &Row) -> Result<DeliveryView, StoreError> {
    Ok(DeliveryView {
        id: row.made(0, HookDeliveryId::from_bytes(row.blob(0)?))?,
        hook: row.made(1, HookId::from_bytes(row.blob(1)?))?,
        seq: row.opt_int(2)?,
        r#type: row.text(3)?.to_owned(),
        state: row.made(4, State::parse(row.text(4)?).ok_or(()))?,
        tries: row.int(5)?,
        status: row.opt_int(6)?,
        reason: row.opt_text(7)?.map(str::to_owned),
        created_at: row.time(8)?,
        tried_at: row.opt_time(9)?,
        next_try: row.opt_time(10)?,
    })
}

/// Finds a delivery.
pub fn get(db: &dyn Db, id: HookDeliveryId) -> Result<Option<DeliveryView>, StoreError> {
    db.first(GET, &[id.as_bytes().into()])?.as_ref().map(read).transpose()
}

/// The deliveries of a hook before one of them, newest first.
pub fn list(
    db: &dyn Db,
    hook: HookId,
    state: Option<State>,
    before: Option<HookDeliveryId>,
    limit: i64,
) -> Result<Vec<DeliveryView>, StoreError> {
    let before = before.unwrap_or_else(|| HookDeliveryId::last_of(Timestamp::from_millis(i64::MAX)));
    let [hook, before] = [hook.as_bytes().into(), before.as_bytes().into()];
    let rows = match state {
        None => db.execute(LIST, &[hook, before, limit.into()])?,
        Some(state) => db.execute(LIST_IN, &[hook, before, limit.into(), state.as_str().into()])?,
    };
    rows.iter().map(read).collect()
}

/// Removes deliveries of a hook. Returns how many.
pub fn remove_of(db: &dyn Db, hook: HookId, limit: i64) -> Result<i64, StoreError> {
    Ok(length(&db.execute(REMOVE_OF, &[hook.as_bytes().into(), limit.into()])?))
}

/// Removes deliveries that came into their state until then. Returns how many. Mostly there are none, and nothing is locked.
pub fn remove_old(db: &dyn Db, state: State, until: Timestamp, limit: i64) -> Result<i64, StoreError> {
    if db.first(IS_OLD, &[state.as_str().into(), until.into()])?.is_none() {
        return Ok(0);
    }
    Ok(length(&db.execute(REMOVE_OLD, &[state.as_str().into(), until.into(), limit.into()])?))
}

/// The number of deliveries in a state, counted up to `most`.
pub fn in_state(db: &dyn Db, state: State, most: i64) -> Result<i64, StoreError> {
    db.first(IN_STATE, &[state.as_str().into(), most.into()])?.ok_or(StoreError::Missing("hook_deliveries"))?.int(0)
}

/// Since when the oldest delivery has been in a state.
pub fn oldest(db: &dyn Db, state: State) -> Result<Option<Timestamp>, StoreError> {
    db.first(OLDEST, &[state.as_str().into()])?.map_or(Ok(None), |row| row.opt_time(0))
}
