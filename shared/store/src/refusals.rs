//! Counts of refused webhooks. Nothing of a refused webhook is stored, only that there was one.

use crate::db::{Db, StoreError};
use warmline_model::Timestamp;

const COUNT: &str = "INSERT INTO refusals (channel, account, reason, hour, n) VALUES (?1, ?2, ?3, ?4, 1) \
                     ON CONFLICT (channel, account, reason, hour) DO UPDATE SET n = n + 1";
const TOTALS: &str = "SELECT channel, reason, sum(n) FROM refusals GROUP BY channel, reason ORDER BY channel, reason";

/// Counts one refusal.
///
/// # Errors
/// See [`StoreError`].
pub fn count(db: &dyn Db, channel: &str, account: &str, reason: &str, now: Timestamp) -> Result<(), StoreError> {
    let hour = now.secs().div_euclid(3600);
    db.execute(COUNT, &[channel.into(), account.into(), reason.into(), hour.into()])?;
    Ok(())
}

/// All refusals: channel, reason, count.
///
/// # Errors
/// See [`StoreError`].
pub fn totals(db: &dyn Db) -> Result<Vec<(String, String, i64)>, StoreError> {
    db.execute(TOTALS, &[])?.iter().map(|r| Ok((r.text(0)?.to_owned(), r.text(1)?.to_owned(), r.int(2)?))).collect()
}
