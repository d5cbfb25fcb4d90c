//! Refused webhooks, counted by account, reason and hour. A refused webhook leaves nothing in the store but a count and its
//! clock error. The number of rows in a minute is bounded, whatever is sent.

use crate::db::{Db, StoreError};
use warmline_model::Timestamp;

/// The name under which accounts that are not connected are counted, because strangers can choose those names.
pub const UNKNOWN: &str = "";

const COUNT: &str = "INSERT INTO refusals (channel, account, reason, hour, n, last_at, ahead_secs, minute, in_minute) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?5) \
                     ON CONFLICT (channel, account, reason, hour) DO UPDATE SET n = n + ?5, last_at = ?6, ahead_secs = ?7, \
                     earlier = CASE WHEN minute = ?8 THEN earlier ELSE in_minute END, \
                     in_minute = CASE WHEN minute = ?8 THEN in_minute ELSE 0 END + ?5, minute = ?8 RETURNING in_minute, earlier";
const IN_MINUTE: &str = "SELECT in_minute FROM refusals \
                         WHERE channel = ?1 AND account = ?2 AND reason = ?3 AND hour = ?4 AND minute = ?5";
const TOTALS: &str = "SELECT channel, reason, sum(n) FROM refusals WHERE account <> '' \
                      GROUP BY channel, reason ORDER BY channel, reason";
// With max(), the other columns come from the same row.
const OF_ACCOUNT: &str = "SELECT reason, sum(n), max(coalesce(last_at, hour * 3600000)), ahead_secs FROM refusals \
                          WHERE channel = ?1 AND account = ?2 GROUP BY reason ORDER BY 3 DESC";

/// A refusal to count.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The account, or [`UNKNOWN`].
    pub account: &'a str,
    /// The reason, as a stable code.
    pub reason: &'a str,
    /// The seconds by which the signed time is ahead of ours, if that is the reason.
    pub ahead_secs: Option<i64>,
}

/// The counts of a kind of refusal after one was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The count of this minute, including this one.
    pub in_minute: i64,
    /// The count of the last earlier minute with such refusals, in the same hour.
    pub earlier: i64,
}

/// Counts `n` refusals.
pub fn count(db: &dyn Db, refused: &Refused<'_>, n: i64, now: Timestamp) -> Result<Counted, StoreError> {
    let Refused { channel, account, reason, ahead_secs } = *refused;
    let (hour, minute) = (now.secs().div_euclid(3600), now.secs().div_euclid(60));
    let params =
        [channel.into(), account.into(), reason.into(), hour.into(), n.into(), now.into(), ahead_secs.into(), minute.into()];
    let row = db.first(COUNT, &params)?.ok_or(StoreError::Missing("refusal"))?;
    Ok(Counted { in_minute: row.int(0)?, earlier: row.int(1)? })
}

/// The count of this minute.
pub fn in_minute(db: &dyn Db, refused: &Refused<'_>, now: Timestamp) -> Result<i64, StoreError> {
    let Refused { channel, account, reason, .. } = *refused;
    let (hour, minute) = (now.secs().div_euclid(3600), now.secs().div_euclid(60));
    let params = [channel.into(), account.into(), reason.into(), hour.into(), minute.into()];
    db.first(IN_MINUTE, &params)?.map_or(Ok(0), |row| row.int(0))
}

/// All refusals by connected accounts: channel, reason, count.
pub fn totals(db: &dyn Db) -> Result<Vec<(String, String, i64)>, StoreError> {
    db.execute(TOTALS, &[])?.iter().map(|r| Ok((r.text(0)?.to_owned(), r.text(1)?.to_owned(), r.int(2)?))).collect()
}

/// Refusals of one account for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The reason, as a stable code.
    pub reason: String,
    /// The number of refusals.
    pub count: i64,
    /// The time of the last one.
    pub last_at: Timestamp,
    /// The seconds by which the clock of the last one was ahead of ours, if that was the reason.
    pub ahead_secs: Option<i64>,
}

/// An account's refusals by reason, the latest first.
pub fn of_account(db: &dyn Db, channel: &str, account: &str) -> Result<Vec<Reason>, StoreError> {
    let rows = db.execute(OF_ACCOUNT, &[channel.into(), account.into()])?;
    let reason = |r: &crate::db::Row| {
        Ok(Reason { reason: r.text(0)?.to_owned(), count: r.int(1)?, last_at: r.time(2)?, ahead_secs: r.opt_int(3)? })
    };
    rows.iter().map(reason).collect()
}
