//! The number of times that a request met damaged pages. It is counted for the metrics, and logged once a minute.

use crate::db::{Db, StoreError};
use crate::refusals::{self, Refused};
use warmline_model::Timestamp;

/// The channel and account under which the count is stored. No channel has this name.
const STORE: &str = "store";
const REASON: &str = "store_damaged";

/// Counts one case. Returns true for the first in its minute.
///
/// # Errors
/// The pages that the count needs may be damaged themselves.
pub fn count(db: &dyn Db, now: Timestamp) -> Result<bool, StoreError> {
    let damage = Refused { channel: STORE, account: STORE, reason: REASON, ahead_secs: None };
    Ok(refusals::count(db, &damage, 1, now)?.in_minute == 1)
}

/// Whether a case was counted in this minute or the one before.
pub fn is_fresh(db: &dyn Db, now: Timestamp) -> Result<bool, StoreError> {
    let damage = Refused { channel: STORE, account: STORE, reason: REASON, ahead_secs: None };
    for minute in [now, now.plus_millis(-60_000)] {
        if refusals::in_minute(db, &damage, minute)? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a count of refusals is in fact the count of damage. The arguments are a channel and a reason from
/// [`refusals::totals`].
pub fn is_damage(channel: &str, reason: &str) -> bool {
    (channel, reason) == (STORE, REASON)
}

#[cfg(all(test, feature = "native"))]
mod tests {
    use super::*;
    use crate::migrate;
    use crate::native::NativeDb;

    #[test]
    fn l7_damage_is_counted_and_told_of_once_a_minute() {
        let db = NativeDb::memory().unwrap();
        migrate(&db).unwrap();
        let at = |secs| count(&db, Timestamp::from_secs(secs)).unwrap();
        assert_eq!([at(60), at(61), at(119), at(120), at(121)], [true, false, false, true, false]);
        let fresh = |secs| is_fresh(&db, Timestamp::from_secs(secs)).unwrap();
        assert_eq!([fresh(0), fresh(121), fresh(179), fresh(239), fresh(240)], [false, true, true, true, false]);
        let totals = refusals::totals(&db).unwrap();
        assert_eq!(totals.len(), 1);
        let (channel, reason, n) = &totals[0];
        assert!(is_damage(channel, reason) && *n == 5);
        assert!(!is_damage("wechat", reason));
    }
}
