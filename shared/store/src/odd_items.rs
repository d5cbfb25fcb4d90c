//! Counts of items that could not be read. The items themselves are sealed in the inbox ([`crate::inbox::insert_odd`]).

use crate::db::{Db, StoreError};
use warmline_model::{AccountId, Channel, Timestamp};

/// An account's unreadable items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddItems {
    /// The number of items.
    pub count: i64,
    /// The time at which the last of them was received.
    pub last_at: Timestamp,
    /// The fault of the last item, as a code.
    pub last_reason: String,
}

const COUNT: &str = "INSERT INTO odd_items (channel, account, reason, n, last_at) VALUES (?1, ?2, ?3, 1, ?4) \
                     ON CONFLICT (channel, account, reason) DO UPDATE SET n = n + 1, last_at = max(last_at, excluded.last_at)";
const TOTALS: &str = "SELECT channel, reason, sum(n) FROM odd_items GROUP BY channel, reason ORDER BY channel, reason";
const OF_ACCOUNT: &str = "SELECT n, last_at, reason FROM odd_items WHERE channel = ?1 AND account = ?2";

/// Counts one item. It runs in the transaction that stores the item.
pub fn count(db: &dyn Db, channel: &Channel, account: &AccountId, reason: &str, now: Timestamp) -> Result<(), StoreError> {
    db.execute(COUNT, &[channel.as_str().into(), account.as_str().into(), reason.into(), now.into()])?;
    Ok(())
}

/// All items: channel, reason, count.
pub fn totals(db: &dyn Db) -> Result<Vec<(String, String, i64)>, StoreError> {
    db.execute(TOTALS, &[])?.iter().map(|r| Ok((r.text(0)?.to_owned(), r.text(1)?.to_owned(), r.int(2)?))).collect()
}

/// The unreadable items of an account; `None` if there are none.
pub fn of_account(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<Option<OddItems>, StoreError> {
    let mut all: Option<OddItems> = None;
    for row in db.execute(OF_ACCOUNT, &[channel.as_str().into(), account.as_str().into()])? {
        let (count, last_at) = (row.int(0)?, row.time(1)?);
        let before = all.as_ref().map_or(0, |all| all.count);
        match &mut all {
            Some(all) if all.last_at > last_at => all.count += count,
            _ => all = Some(OddItems { count: before + count, last_at, last_reason: row.text(2)?.to_owned() }),
        }
    }
    Ok(all)
}

#[cfg(all(test, feature = "native"))]
mod tests {
    use super::*;
    use crate::native::NativeDb;

    #[test]
    fn an_account_has_its_count_and_its_last_reason() {
        let db = NativeDb::memory().unwrap();
        crate::migrate(&db).unwrap();
        let (sms, main) = (Channel::new("sms").unwrap(), AccountId::new("main").unwrap());
        assert_eq!(of_account(&db, &sms, &main), Ok(None));
        for (reason, at) in [("not_json", 5), ("phone_number", 9), ("not_json", 7)] {
            count(&db, &sms, &main, reason, Timestamp::from_millis(at)).unwrap();
        }
        count(&db, &sms, &AccountId::new("other").unwrap(), "not_json", Timestamp::from_millis(99)).unwrap();
        let last_at = Timestamp::from_millis(9);
        let expected = OddItems { count: 3, last_at, last_reason: "phone_number".to_owned() };
        assert_eq!(of_account(&db, &sms, &main), Ok(Some(expected)));
        let totals = totals(&db).unwrap();
        assert_eq!(totals[0], ("sms".to_owned(), "not_json".to_owned(), 3));
        assert_eq!(totals[1], ("sms".to_owned(), "phone_number".to_owned(), 1));
    }
}
