//! Accounts whose platform fails. After [`OPEN_AFTER`] messages in a row have failed, the account's messages wait, and one
//! of them at a time probes whether the platform is back.

use crate::db::{Db, StoreError};
use warmline_model::{AccountId, Channel, Timestamp};

/// This many failures in a row are an outage.
pub const OPEN_AFTER: i64 = 3;

/// An account in an outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The channel.
    pub channel: String,
    /// The account.
    pub account: String,
    /// The reason why the last message failed.
    pub reason: String,
    /// The time since which the outage lasts.
    pub since: Timestamp,
    /// The time of the next probe.
    pub probe_at: Timestamp,
}

/// A failed try of a message.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The message's position in the outbox.
    pub seq: i64,
    /// The reason.
    pub reason: &'a str,
    /// Whether it was sent as the probe of an outage.
    pub probe: bool,
    /// The least number of failures in a row that this one counts as.
    pub least: i64,
}

// If one message fails again and again, the message may be the problem; an outage takes several messages. Messages that were
// under way when an outage began prove nothing new, so during an outage only probes count.
const FAILED: &str = "INSERT INTO outages (channel, account, reason, failures, last, since, probe_at) \
                      VALUES (?1, ?2, ?3, max(1, ?6), ?4, ?7, ?7) \
                      ON CONFLICT (channel, account) DO UPDATE SET reason = ?3, last = ?4, failures = max(?6, failures + \
                        CASE WHEN failures >= ?8 THEN ?5 WHEN last <> ?4 THEN 1 ELSE 0 END) \
                      RETURNING failures";
const HOLD: &str = "UPDATE outages SET probe_at = CASE WHEN ?4 THEN ?3 ELSE max(probe_at, ?3) END \
                    WHERE channel = ?1 AND account = ?2";
const PROBE: &str = "UPDATE outages SET probe_at = ?4 WHERE channel = ?1 AND account = ?2 AND probe_at <= ?3 RETURNING 1";
const CLEAR: &str = "DELETE FROM outages WHERE channel = ?1 AND account = ?2";
const DOWN: &str =
    "SELECT channel, account, reason, since, probe_at FROM outages WHERE failures >= ?1 ORDER BY channel, account";

/// Notes that a message failed. Returns the number of failures in a row.
pub fn failed(
    db: &dyn Db,
    channel: &Channel,
    account: &AccountId,
    failure: Failure<'_>,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let params = [
        channel.as_str().into(),
        account.as_str().into(),
        failure.reason.into(),
        failure.seq.into(),
        failure.probe.into(),
        failure.least.into(),
        now.into(),
        OPEN_AFTER.into(),
    ];
    db.first(FAILED, &params)?.ok_or(StoreError::Missing("outage"))?.int(0)
}

/// Sets when the account's platform may be probed next. Only a probe may move this forward: messages that were under way
/// when the outage began know less.
pub fn hold(
    db: &dyn Db,
    channel: &Channel,
    account: &AccountId,
    probe_at: Timestamp,
    probe: bool,
) -> Result<(), StoreError> {
    db.execute(HOLD, &[channel.as_str().into(), account.as_str().into(), probe_at.into(), probe.into()])?;
    Ok(())
}

/// Takes the right to probe the account's platform until `until`. Returns false if it is too early, or if another deliverer
/// probes.
pub fn probe(
    db: &dyn Db,
    channel: &Channel,
    account: &AccountId,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let params = [channel.as_str().into(), account.as_str().into(), now.into(), until.into()];
    Ok(db.first(PROBE, &params)?.is_some())
}

/// Notes that the account's platform works, which ends an outage.
pub fn clear(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<(), StoreError> {
    db.execute(CLEAR, &[channel.as_str().into(), account.as_str().into()])?;
    Ok(())
}

/// The accounts in an outage.
pub fn down(db: &dyn Db) -> Result<Vec<Outage>, StoreError> {
    let rows = db.execute(DOWN, &[OPEN_AFTER.into()])?;
    rows.iter()
        .map(|r| {
            Ok(Outage {
                channel: r.text(0)?.to_owned(),
                account: r.text(1)?.to_owned(),
                reason: r.text(2)?.to_owned(),
                since: r.time(3)?,
                probe_at: r.time(4)?,
            })
        })
        .collect()
}
