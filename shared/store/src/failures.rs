//! Counts refused tokens in the present minute. The set of rows is fixed, so guessing tokens cannot grow the table.

use crate::db::{Db, StoreError};
use warmline_model::Timestamp;

/// The slot that counts all failures.
pub const ALL: i64 = -1;

const ADD: &str = "INSERT INTO failures (slot, minute, n) VALUES (?1, ?2, ?3), (-1, ?2, ?3) ON CONFLICT (slot) DO UPDATE \
                   SET n = ?3 + CASE WHEN minute = ?2 THEN n ELSE 0 END, minute = ?2";
const COUNT: &str = "SELECT n FROM failures WHERE slot = ?1 AND minute = ?2";

fn minute(now: Timestamp) -> i64 {
    now.secs().div_euclid(60)
}

/// Adds to the present minute's count of a slot and of all.
pub fn add(db: &dyn Db, slot: i64, n: i64, now: Timestamp) -> Result<(), StoreError> {
    db.execute(ADD, &[slot.into(), minute(now).into(), n.into()])?;
    Ok(())
}

/// The present minute's count of a slot.
pub fn count(db: &dyn Db, slot: i64, now: Timestamp) -> Result<i64, StoreError> {
    db.first(COUNT, &[slot.into(), minute(now).into()])?.map_or(Ok(0), |r| r.int(0))
}
