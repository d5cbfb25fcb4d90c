//! How many tokens were refused in the present minute. A fixed number of rows: whoever tries tokens makes none.

use crate::db::{Db, StoreError};
use warmline_model::Timestamp;

/// The row that counts all.
pub const ALL: i64 = -1;

const ADD: &str = "INSERT INTO failures (slot, minute, n) VALUES (?1, ?2, ?3), (-1, ?2, ?3) ON CONFLICT (slot) DO UPDATE \
                   SET n = ?3 + CASE WHEN minute = ?2 THEN n ELSE 0 END, minute = ?2";
const COUNT: &str = "SELECT n FROM failures WHERE slot = ?1 AND minute = ?2";

fn minute(now: Timestamp) -> i64 {
    now.secs().div_euclid(60)
}

/// Adds to the present minute of a row and of all.
pub fn add(db: &dyn Db, slot: i64, n: i64, now: Timestamp) -> Result<(), StoreError> {
    db.execute(ADD, &[slot.into(), minute(now).into(), n.into()])?;
    Ok(())
}

/// A row's present minute.
pub fn count(db: &dyn Db, slot: i64, now: Timestamp) -> Result<i64, StoreError> {
    db.first(COUNT, &[slot.into(), minute(now).into()])?.map_or(Ok(0), |r| r.int(0))
}
