//! The position of each follower of the event log (quality, metrics). A follower moves its position in the transaction of
//! the effect, so that every event counts exactly once. Two more rows are positions in the inbox: `inbox keys`, `inbox seen`.

use crate::db::{Db, StoreError};

const GET: &str = "SELECT seq FROM followers WHERE name = ?1";
const SET: &str = "INSERT INTO followers (name, seq) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET seq = ?2";

/// The last position that the follower has handled; 0 at first.
pub fn position(db: &dyn Db, name: &str) -> Result<i64, StoreError> {
    db.first(GET, &[name.into()])?.map_or(Ok(0), |r| r.int(0))
}

/// Moves the follower's position.
pub fn advance(db: &dyn Db, name: &str, seq: i64) -> Result<(), StoreError> {
    db.execute(SET, &[name.into(), seq.into()])?;
    Ok(())
}
