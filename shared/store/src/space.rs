//! The space that the store takes: what it is used for, and giving back what is free.

use crate::db::{Db, StoreError};
use crate::dialect;

/// Bytes of an event's row beside its texts: position, time, version, and lengths.
const BESIDE_TEXTS: i64 = 15;
/// Bytes of a handled message's key, with its index (docs/SCALE.md).
const KEY: i64 = 64;
/// Bytes of the bare key of one that was handled long ago (docs/SCALE.md).
const KEPT: i64 = 24;

// Positions have next to no gaps, so the first and the last one tell the number of rows without counting them. The newest rows
// stand for all.
const KINDS: &str = "SELECT (SELECT coalesce(min(seq), 1) FROM events), (SELECT coalesce(max(seq), 0) FROM events), \
                       (SELECT sum(length(data) + length(type) + coalesce(length(conversation_id), 0)) / count(*) FROM events \
                         WHERE seq > (SELECT max(seq) FROM events) - 200), \
                       (SELECT 100 * sum(length(content)) / sum(last - first + 1) FROM event_packs \
                         WHERE last > (SELECT max(last) FROM event_packs) - 10000), \
                       coalesce((SELECT min(seq) FROM inbox_seen), (SELECT max(seq) FROM inbox), 1), \
                       (SELECT coalesce(max(seq), 0) FROM inbox_seen)";

/// Free pages below which nothing is given back: the inbox and the events need them again at once.
const SPARE: i64 = 8_192;

/// The pages of the file, those of them that are free, and the bytes of one; `None` if the engine does not say.
fn pages(db: &dyn Db) -> Option<(i64, i64, i64)> {
    let row = db.first(dialect::PAGES, &[]).ok()??;
    Some((row.int(0).ok()?, row.int(1).ok()?, row.int(2).ok()?))
}

/// The bytes that each kind of data takes, about. Kinds that grow with the log are estimated from their newest rows; `other` is
/// the rest of the file but for its free pages.
pub fn kinds(db: &dyn Db) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let row = db.first(KINDS, &[])?.ok_or(StoreError::Missing("events"))?;
    let rows = |first: i64, last: i64| (last - first + 1).max(0);
    let (first, last) = (row.int(0)?, row.int(1)?);
    // A twentieth of a page is empty.
    let events = rows(first, last) * (row.opt_int(2)?.unwrap_or(0) + BESIDE_TEXTS) * 21 / 20;
    let packs = row.opt_int(3)?.map_or(0, |hundred| (first - 1) * hundred / 100);
    let (first, last) = (row.int(4)?, row.int(5)?);
    let keys = rows(first, last) * KEY + (first - 1) * KEPT;
    let mut kinds = vec![("events", events), ("event_packs", packs), ("keys", keys)];
    if let Some((all, free, bytes)) = pages(db) {
        kinds.extend([("other", ((all - free) * bytes - events - packs - keys).max(0)), ("free", free * bytes)]);
    }
    Ok(kinds)
}

/// Gives free pages at the end of the file back to the disk, if more than a tenth of the file is free: at most 256, so that
/// other writers wait for milliseconds only. A store of an earlier release does not shrink until `auto_vacuum` is set and `VACUUM` has
/// copied it (docs/SCALE.md).
pub fn give_back(db: &dyn Db) -> Result<(), StoreError> {
    if pages(db).is_none_or(|(all, free, _)| free <= SPARE || free <= all / 10) {
        return Ok(());
    }
    match db.execute(dialect::GIVE_BACK, &[]) {
        // A server that keeps its own file, such as libSQL's, does not take this statement.
        Ok(_) | Err(StoreError::Other(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(all(test, feature = "native"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::native::NativeDb;
    use crate::{events, immediate, migrate};
    use warmline_model::{AgentId, EventBody, Timestamp};

    /// libSQL's server keeps its file itself.
    struct Libsql<'a>(&'a NativeDb);

    impl Db for Libsql<'_> {
        fn execute(&self, sql: &'static str, params: &[crate::Value]) -> Result<Vec<crate::Row>, StoreError> {
            if sql == dialect::GIVE_BACK {
                return Err(StoreError::from_message("unsupported statement"));
            }
            self.0.execute(sql, params)
        }
    }

    #[test]
    fn a_server_that_does_not_shrink_its_file_is_left_alone() {
        let db = large();
        db.execute("DELETE FROM large", &[]).unwrap();
        assert!(pages(&db).unwrap().1 > SPARE);
        assert_eq!(give_back(&Libsql(&db)), Ok(()));
    }

    fn made(rows: i64) -> NativeDb {
        let db = NativeDb::memory().unwrap();
        migrate(&db).unwrap();
        let body = EventBody::AgentRemoved { agent: AgentId::from_bytes(&[7; 16]).unwrap() };
        immediate(&db, || {
            (0..rows).try_for_each(|at| events::append(&db, Timestamp::from_millis(at), None, &body).map(drop))
        })
        .unwrap();
        db
    }

    /// A store most of which is the table `large`.
    fn large() -> NativeDb {
        let db = made(1);
        db.execute("CREATE TABLE large (content BLOB)", &[]).unwrap();
        for _ in 0..30 {
            db.execute("INSERT INTO large VALUES (zeroblob(2000000))", &[]).unwrap();
        }
        db
    }

    fn kind(db: &NativeDb, name: &str) -> i64 {
        kinds(db).unwrap().into_iter().find(|kind| kind.0 == name).unwrap().1
    }

    #[test]
    fn the_kinds_are_about_what_they_take_and_make_up_the_file() {
        let db = made(20_000);
        let taken = db.first("SELECT sum(pgsize) FROM dbstat WHERE name = 'events'", &[]).unwrap().unwrap().int(0).unwrap();
        let told = kind(&db, "events");
        assert!((taken * 9 / 10..taken * 11 / 10).contains(&told), "{told} {taken}");
        let (all, _, bytes) = pages(&db).unwrap();
        assert_eq!(kinds(&db).unwrap().iter().map(|kind| kind.1).sum::<i64>(), all * bytes);
        // An empty store says so.
        let empty = NativeDb::memory().unwrap();
        migrate(&empty).unwrap();
        assert_eq!((kind(&empty, "events"), kind(&empty, "event_packs"), kind(&empty, "keys")), (0, 0, 0));
    }

    #[test]
    fn bare_keys_are_counted_after_the_last_full_one_is_gone() {
        let db = made(1);
        let run = |sql| db.execute(sql, &[]).unwrap();
        run("INSERT INTO inbox (seq, dedup, shard, channel, account, state, received_at) \
             VALUES (1001, zeroblob(16), 0, 'wechat', 'a', 1, 0)");
        assert_eq!(kind(&db, "keys"), 1_000 * KEPT);
        run("INSERT INTO inbox_seen (seq, dedup, shard, received_at) VALUES (1000, zeroblob(15), 0, 0)");
        assert_eq!(kind(&db, "keys"), 999 * KEPT + KEY);
    }

    #[test]
    fn a_file_that_is_mostly_free_shrinks_in_steps_and_keeps_some_spare() {
        let db = large();
        let (full, _, _) = pages(&db).unwrap();
        give_back(&db).unwrap();
        assert_eq!(pages(&db).unwrap().0, full, "nothing is free");
        db.execute("DELETE FROM large", &[]).unwrap();
        let mut before = full;
        loop {
            give_back(&db).unwrap();
            let (all, free, _) = pages(&db).unwrap();
            if all == before {
                assert!((SPARE - 300..=SPARE).contains(&free), "{free}");
                break;
            }
            assert!(before - all <= 260, "{}", before - all);
            before = all;
        }
        assert_eq!(events::after(&db, 0, 10).unwrap().len(), 1);
    }
}
