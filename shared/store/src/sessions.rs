//! The number of sessions that strangers began in the present minute, by account. One row for each account bounds the table.

use crate::db::{Db, StoreError};
use warmline_model::{AccountId, Channel, Timestamp};

const BEGIN: &str = "INSERT INTO session_starts (channel, account, minute, n) VALUES (?1, ?2, ?3, 1) \
                     ON CONFLICT (channel, account) DO UPDATE SET n = CASE WHEN minute = ?3 THEN n ELSE 0 END + 1, minute = ?3 \
                     RETURNING n";
const BEGUN: &str = "SELECT n FROM session_starts WHERE channel = ?1 AND account = ?2 AND minute = ?3";

fn key(channel: &Channel, account: &AccountId, now: Timestamp) -> [crate::db::Value; 3] {
    [channel.as_str().into(), account.as_str().into(), now.secs().div_euclid(60).into()]
}

/// Counts one more session. Returns the new count.
pub fn begin(db: &dyn Db, channel: &Channel, account: &AccountId, now: Timestamp) -> Result<i64, StoreError> {
    db.first(BEGIN, &key(channel, account, now))?.ok_or(StoreError::Missing("session"))?.int(0)
}

/// The present count.
pub fn begun(db: &dyn Db, channel: &Channel, account: &AccountId, now: Timestamp) -> Result<i64, StoreError> {
    db.first(BEGUN, &key(channel, account, now))?.map_or(Ok(0), |row| row.int(0))
}
