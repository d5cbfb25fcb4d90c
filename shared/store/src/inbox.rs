//! The inbox: messages that a channel has acknowledged and the router has yet to handle.
//!
//! Rows are sharded by sender. One drainer at a time works on a shard, under a lease. The messages of one sender are
//! therefore handled in the order in which they were committed, and shards are handled concurrently.
//!
//! A row that was handled leaves its key in `inbox_seen`, later in `inbox_kept`, and goes: a trigger moves it, and [`tidy`] those
//! that were the newest row when they were handled. The newest row stays, so that no position is used twice.

use crate::db::{Db, Row, StoreError, immediate};
use crate::followers;
use warmline_model::{AccountId, Channel, Timestamp};

/// The number of shards. No more drainers than this run at once, and SQLite lets one of them write at a time.
pub const SHARDS: i64 = 4;

/// The name of a shard's lease.
pub fn lease_name(shard: i64) -> String {
    format!("inbox/{shard}")
}

/// A row to add.
pub struct NewRow<'a> {
    /// Keyed hash of channel, account and the platform's message key. It makes a retry harmless.
    pub dedup: &'a [u8; 16],
    /// The shard, derived from the sender.
    pub shard: i64,
    /// The channel.
    pub channel: &'a Channel,
    /// The account.
    pub account: &'a AccountId,
    /// The blind index of the sender.
    pub sender: &'a [u8; 16],
    /// The sealed message.
    pub payload: &'a [u8],
    /// The generation of the key that seals it.
    pub sealed_by: i64,
    /// The time at which the webhook came.
    pub received_at: Timestamp,
    /// The `dedup` that the previous release computed from the same message, and an instant. A row with that `dedup` since
    /// that instant is the same message.
    pub earlier: Option<(&'a [u8; 16], Timestamp)>,
}

/// A row for an item that could not be read. It is set aside at once.
pub struct NewOdd<'a> {
    /// Keyed hash of channel, account and the item's bytes.
    pub dedup: &'a [u8; 16],
    /// The channel.
    pub channel: &'a Channel,
    /// The account.
    pub account: &'a AccountId,
    /// The sealed item.
    pub payload: &'a [u8],
    /// The generation of the key that seals it.
    pub sealed_by: i64,
    /// The time at which it came.
    pub received_at: Timestamp,
}

/// The result of storing such a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredOdd {
    /// It is new.
    New,
    /// The platform sent it before.
    Known,
    /// The key that seals it is about to be destroyed: seal it under a newer one.
    Stale,
}

/// The result of storing a row.
pub enum Stored {
    /// It is new.
    New {
        /// Its position.
        seq: i64,
        /// The time until which a drainer holds the shard. If it is past, no drainer does, and the caller has to wake one.
        drained_until: Timestamp,
    },
    /// The platform sent it before.
    Duplicate {
        /// Its position; 0 if it came long ago.
        seq: i64,
    },
    /// The key that seals it is about to be destroyed: seal it under a newer one.
    Stale,
}

/// The columns that [`row`] reads, of the table `inbox` under the name `x`.
macro_rules! inbox_columns {
    () => {
        "x.seq, x.channel, x.account, x.dedup, x.payload, x.received_at, x.sealed_by"
    };
}
pub(crate) use inbox_columns as columns;

/// The number of columns in `columns!`.
pub(crate) const COLUMNS: usize = 7;

// The lease is read under the same write lock as the insert. A drainer releases its lease only in a statement that sees no
// pending row. Either the drainer still sees this row, or this statement sees that the lease is free: no wake-up is lost.
// The same lock covers two more checks: whether the key may still be used, and whether the previous release stored this
// message. One sender's messages are in one shard, so a row of another shard is another sender's.
const INSERT: &str = "INSERT INTO inbox (dedup, shard, channel, account, payload, received_at, sealed_by, sender) \
                      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?8, ?11 \
                      WHERE ?8 >= coalesce((SELECT seq FROM followers WHERE name = 'inbox keys'), 0) \
                      AND NOT EXISTS (SELECT 1 FROM inbox_seen WHERE dedup = ?1) \
                      AND NOT EXISTS (SELECT 1 FROM inbox_kept WHERE dedup = ?1) \
                      AND NOT EXISTS (SELECT 1 FROM inbox WHERE dedup = ?9 AND shard = ?2 AND received_at >= ?10) \
                      AND NOT EXISTS (SELECT 1 FROM inbox_seen WHERE dedup = ?9 AND shard = ?2 AND received_at >= ?10) \
                      ON CONFLICT (dedup) DO NOTHING \
                      RETURNING seq, coalesce((SELECT until FROM leases WHERE name = ?7), 0)";
// The row is in no shard: its sender is unknown, and no drainer must handle it.
const INSERT_ODD: &str = "INSERT INTO inbox (dedup, shard, channel, account, state, payload, received_at, sealed_by) \
                          SELECT ?1, -1, ?2, ?3, 2, ?4, ?5, ?6 \
                          WHERE ?6 >= coalesce((SELECT seq FROM followers WHERE name = 'inbox keys'), 0) \
                          AND NOT EXISTS (SELECT 1 FROM inbox_seen WHERE dedup = ?1) \
                          AND NOT EXISTS (SELECT 1 FROM inbox_kept WHERE dedup = ?1) \
                          ON CONFLICT (dedup) DO NOTHING RETURNING 1";
const EMPTY_ODD: &str = "UPDATE inbox SET state = 1, payload = NULL WHERE seq IN \
                         (SELECT seq FROM inbox INDEXED BY inbox_parked WHERE state = 2 AND received_at <= ?1 AND shard = -1 LIMIT ?2) \
                         RETURNING 1";
const LEAST: &str = "INSERT INTO followers (name, seq) VALUES ('inbox keys', ?1) \
                     ON CONFLICT (name) DO UPDATE SET seq = max(seq, excluded.seq)";
const WAITS_ON: &str = "SELECT 1 FROM inbox INDEXED BY inbox_pending WHERE state = 0 AND sealed_by < ?1 LIMIT 1";
const PARKED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM inbox x INDEXED BY inbox_set_aside \
     WHERE x.state = 2 AND x.sealed_by < ?1 AND x.seq > ?2 ORDER BY x.seq LIMIT ?3"
);
const RESEAL: &str = "UPDATE inbox SET payload = ?2, sealed_by = ?3 WHERE seq = ?1 AND state = 2";
const DROP: &str = "UPDATE inbox SET state = 1, payload = NULL WHERE seq = ?1 AND state = 2";
const BY_DEDUP: &str = "SELECT seq FROM inbox WHERE dedup = ?1 UNION ALL SELECT seq FROM inbox_seen WHERE dedup = ?1 \
                        UNION ALL SELECT 0 FROM inbox_kept WHERE dedup = ?1";
const BY_EARLIER: &str = "SELECT seq FROM inbox WHERE dedup = ?1 AND shard = ?2 AND received_at >= ?3 \
                          UNION ALL SELECT seq FROM inbox_seen WHERE dedup = ?1 AND shard = ?2 AND received_at >= ?3";
const PENDING: &str =
    concat!("SELECT ", columns!(), " FROM inbox x WHERE x.shard = ?1 AND x.state = 0 ORDER BY x.seq LIMIT ?2");
const DONE: &str = "UPDATE inbox SET state = 1, payload = NULL, sender = NULL WHERE seq = ?1 AND state = 0 RETURNING 1";
const PARK: &str = "UPDATE inbox SET state = 2, sender = NULL WHERE seq = ?1 AND state = 0 RETURNING 1";
const EMPTY_PARKED: &str = "UPDATE inbox SET state = 1, payload = NULL WHERE seq IN \
                            (SELECT seq FROM inbox INDEXED BY inbox_parked WHERE state = 2 AND received_at <= ?1 LIMIT ?2)";
// The first row that is not tidied away, unless it waits or is the newest; and the time of the oldest key.
const UNTIDY: &str = "SELECT (SELECT state <> 0 AND seq < (SELECT max(seq) FROM inbox) FROM inbox \
                      WHERE seq > coalesce((SELECT seq FROM followers WHERE name = 'inbox seen'), 0) ORDER BY seq LIMIT 1), \
                      (SELECT received_at FROM inbox_seen WHERE seq = (SELECT min(seq) FROM inbox_seen))";
const NEXT: &str = "SELECT seq, state FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const SEE: &str = "INSERT INTO inbox_seen (seq, dedup, shard, received_at) \
                   SELECT seq, dedup, shard, received_at FROM inbox WHERE seq > ?1 AND seq <= ?2 AND state = 1";
const REMOVE: &str = "DELETE FROM inbox WHERE seq > ?1 AND seq <= ?2 AND state = 1";
/// The old ones among the first keys of `inbox_seen`. A key that came in the future is one of a clock that was wrong: it is as
/// old as those around it.
macro_rules! old_keys {
    () => {
        " FROM inbox_seen WHERE seq IN (SELECT seq FROM inbox_seen WHERE seq > 0 ORDER BY seq LIMIT ?2) \
         AND (received_at <= ?1 OR received_at > ?3)"
    };
}
const KEEP: &str = concat!("INSERT INTO inbox_kept (dedup) SELECT dedup", old_keys!(), " ON CONFLICT (dedup) DO NOTHING");
const LET_FALL: &str = concat!("DELETE", old_keys!());
/// The follower whose position is that of the last row that [`tidy`] looked at.
const TIDIED: &str = "inbox seen";
const WAITING: &str = "SELECT DISTINCT shard FROM inbox WHERE state = 0";
const LET_GO: &str = "UPDATE leases SET until = 0 WHERE name = ?1 AND owner = ?2 \
                      AND NOT EXISTS (SELECT 1 FROM inbox WHERE shard = ?3 AND state = 0) RETURNING 1";
const COUNT: &str = "SELECT count(*) FROM inbox WHERE state = 0";
const COUNT_OF: &str =
    "SELECT count(*) FROM inbox INDEXED BY inbox_pending WHERE state = 0 AND channel = ?1 AND account = ?2";

/// Adds a row, or finds the one stored before. Needs one writer: see the comment at the statement.
pub fn insert(db: &dyn Db, row: &NewRow<'_>) -> Result<Stored, StoreError> {
    let params = [
        row.dedup.into(),
        row.shard.into(),
        row.channel.as_str().into(),
        row.account.as_str().into(),
        row.payload.into(),
        row.received_at.into(),
        lease_name(row.shard).into(),
        row.sealed_by.into(),
        row.earlier.map(|(dedup, _)| dedup.as_slice()).into(),
        row.earlier.map(|(_, since)| since).into(),
        row.sender.into(),
    ];
    if let Some(found) = db.first(INSERT, &params)? {
        return Ok(Stored::New { seq: found.int(0)?, drained_until: found.time(1)? });
    }
    let known = match (find(db, row.dedup)?, row.earlier) {
        (None, Some((dedup, since))) => {
            let found = db.first(BY_EARLIER, &[dedup.into(), row.shard.into(), since.into()])?;
            found.map(|r| r.int(0)).transpose()?
        }
        (known, _) => known,
    };
    Ok(known.map_or(Stored::Stale, |seq| Stored::Duplicate { seq }))
}

/// Adds an item that could not be read, or finds the one stored before.
pub fn insert_odd(db: &dyn Db, row: &NewOdd<'_>) -> Result<StoredOdd, StoreError> {
    let params = [
        row.dedup.into(),
        row.channel.as_str().into(),
        row.account.as_str().into(),
        row.payload.into(),
        row.received_at.into(),
        row.sealed_by.into(),
    ];
    if db.first(INSERT_ODD, &params)?.is_some() {
        return Ok(StoredOdd::New);
    }
    Ok(if find(db, row.dedup)?.is_some() { StoredOdd::Known } else { StoredOdd::Stale })
}

/// Removes the payloads of unreadable items received up to an instant. Returns how many it emptied. Their keys
/// stay (`inbox_seen`), so that repeats are recognised.
pub fn empty_odd(db: &dyn Db, until: Timestamp, limit: i64) -> Result<usize, StoreError> {
    Ok(db.execute(EMPTY_ODD, &[until.into(), limit.into()])?.len())
}

/// From now on, refuses rows whose key is of an earlier generation.
pub fn retire(db: &dyn Db, before: i64) -> Result<(), StoreError> {
    db.execute(LEAST, &[before.into()])?;
    Ok(())
}

/// Whether a waiting row uses a key of an earlier generation.
pub fn waits_on(db: &dyn Db, before: i64) -> Result<bool, StoreError> {
    Ok(db.first(WAITS_ON, &[before.into()])?.is_some())
}

/// Rows set aside after a position that use a key of an earlier generation.
pub fn parked(db: &dyn Db, before: i64, after: i64, limit: i64) -> Result<Vec<Pending>, StoreError> {
    db.execute(PARKED, &[before.into(), after.into(), limit.into()])?.iter().map(|r| row(r, 0)).collect()
}

/// Replaces the payload of a row that was set aside by one sealed under another key.
pub fn reseal(db: &dyn Db, seq: i64, payload: &[u8], sealed_by: i64) -> Result<(), StoreError> {
    db.execute(RESEAL, &[seq.into(), payload.into(), sealed_by.into()])?;
    Ok(())
}

/// Ends a row that was set aside: its payload goes, and a trigger leaves only its key.
pub fn drop_parked(db: &dyn Db, seq: i64) -> Result<(), StoreError> {
    db.execute(DROP, &[seq.into()])?;
    Ok(())
}

/// The position of the row with that hash.
fn find(db: &dyn Db, dedup: &[u8; 16]) -> Result<Option<i64>, StoreError> {
    db.first(BY_DEDUP, &[dedup.into()])?.map(|r| r.int(0)).transpose()
}

/// A row to handle.
pub struct Pending {
    /// Position.
    pub seq: i64,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountId,
    /// The value that the payload is bound to.
    pub dedup: Vec<u8>,
    /// The sealed message.
    pub payload: Vec<u8>,
    /// The generation of the key that seals it.
    pub sealed_by: i64,
    /// The time at which the webhook came.
    pub received_at: Timestamp,
}

/// The oldest waiting rows of a shard. Needs positions in commit order, so that a sender's messages keep theirs.
pub fn pending(db: &dyn Db, shard: i64, limit: i64) -> Result<Vec<Pending>, StoreError> {
    db.execute(PENDING, &[shard.into(), limit.into()])?.iter().map(|r| row(r, 0)).collect()
}

/// Reads `columns!`, which begin at `i`.
pub(crate) fn row(r: &Row, i: usize) -> Result<Pending, StoreError> {
    Ok(Pending {
        seq: r.int(i)?,
        channel: r.made(i + 1, Channel::new(r.text(i + 1)?))?,
        account: r.made(i + 2, AccountId::new(r.text(i + 2)?))?,
        dedup: r.blob(i + 3)?.to_vec(),
        payload: r.blob(i + 4)?.to_vec(),
        received_at: r.time(i + 5)?,
        sealed_by: r.int(i + 6)?,
    })
}

/// Marks a row as handled: its payload goes, and a trigger leaves only its key.
///
/// # Errors
/// It was handled before.
pub fn done(db: &dyn Db, seq: i64) -> Result<(), StoreError> {
    db.first(DONE, &[seq.into()])?.map(|_| ()).ok_or(StoreError::Missing("inbox row"))
}

/// Sets aside a row that cannot be handled; it keeps its sealed payload.
///
/// # Errors
/// It was handled before.
pub fn park(db: &dyn Db, seq: i64) -> Result<(), StoreError> {
    db.first(PARK, &[seq.into()])?.map(|_| ()).ok_or(StoreError::Missing("inbox row"))
}

/// Removes the payloads of rows that were set aside, received up to an instant. Their keys stay (`inbox_seen`),
/// so that repeats are recognised.
pub fn empty_parked(db: &dyn Db, until: Timestamp, limit: i64) -> Result<(), StoreError> {
    db.execute(EMPTY_PARKED, &[until.into(), limit.into()])?;
    Ok(())
}

/// Moves at most `limit` handled rows to `inbox_seen`, and from there at most `limit` keys that came up to an instant to
/// `inbox_kept`. Returns whether more is due.
///
/// # Errors
/// The store fails. Nothing is half done.
pub fn tidy(db: &dyn Db, until: Timestamp, now: Timestamp, limit: i64) -> Result<bool, StoreError> {
    // Mostly nothing is due: a read without the write lock.
    let due = db.first(UNTIDY, &[])?.ok_or(StoreError::Missing("inbox"))?;
    let is_old = |received_at: i64| received_at <= until.millis() || received_at > now.millis();
    let (untidy, old) = (due.opt_int(0)? == Some(1), due.opt_int(1)?.is_some_and(is_old));
    if !untidy && !old {
        return Ok(false);
    }
    immediate(db, || {
        if old {
            let old = [until.into(), limit.into(), now.into()];
            db.execute(KEEP, &old)?;
            db.execute(LET_FALL, &old)?;
        }
        let from = followers::position(db, TIDIED)?;
        let rows = db.execute(NEXT, &[from.into(), (limit + 1).into()])?;
        // The last one read waits for the next run: it may be the newest.
        let rows = rows.split_last().map_or(&[][..], |(_, rows)| rows);
        let mut to = from;
        for row in rows {
            if row.int(1)? == 0 {
                break;
            }
            to = row.int(0)?;
        }
        if to > from {
            db.execute(SEE, &[from.into(), to.into()])?;
            db.execute(REMOVE, &[from.into(), to.into()])?;
            followers::advance(db, TIDIED, to)?;
        }
        Ok(true)
    })
}

/// The shards with waiting rows.
pub fn waiting_shards(db: &dyn Db) -> Result<Vec<i64>, StoreError> {
    db.execute(WAITING, &[])?.iter().map(|r| r.int(0)).collect()
}

/// Releases a shard's lease if no row waits in it. Returns false if one does. Needs one writer, as [`insert`] does.
pub fn let_go(db: &dyn Db, shard: i64, owner: &[u8; 16]) -> Result<bool, StoreError> {
    Ok(db.first(LET_GO, &[lease_name(shard).into(), owner.into(), shard.into()])?.is_some())
}

/// The number of waiting rows.
pub fn waiting(db: &dyn Db) -> Result<i64, StoreError> {
    db.first(COUNT, &[])?.ok_or(StoreError::Missing("inbox"))?.int(0)
}

/// The number of an account's waiting rows.
pub fn waiting_of(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<i64, StoreError> {
    db.first(COUNT_OF, &[channel.as_str().into(), account.as_str().into()])?.ok_or(StoreError::Missing("inbox"))?.int(0)
}
