//! Old events, in packs: many in one compressed blob. A pack is never changed or removed.
//!
//! Packs are made in order, beginning with the first event. The newest event always stays a row. So a position after which
//! there is no row has no pack either, and the next position is always one more than the last row's.

use crate::db::{Db, StoreError, immediate};
use crate::events;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use warmline_model::{ConversationId, Event, EventBody, Timestamp};

/// The most events in a pack. The work of making one keeps other writers waiting for milliseconds only.
pub const PACK_EVENTS: i64 = 1_000;
/// Characters of events after which a pack takes no more.
const PACK_SIZE: i64 = 1024 * 1024;
/// The most bytes of an unpacked pack: [`PACK_SIZE`] and one more event, the largest of which are plans of a mebibyte.
const OPENED_LIMIT: usize = 64 * 1024 * 1024;
/// Higher levels save 2% of the space in twice the time.
const LEVEL: u8 = 6;

// An event in the future is one of a clock that was wrong. It is as old as those around it.
const DUE: &str = "SELECT seq - ?1 FROM events WHERE seq = (SELECT min(seq) FROM events) + ?1 AND (at <= ?2 OR at > ?3)";
const ROWS: &str = concat!("SELECT seq, at, v, type, conversation_id, data FROM ", events::some!(">="));
const INSERT: &str = "INSERT INTO event_packs (last, first, content) VALUES (?1, ?2, ?3)";
// The subjects come as one blob of ids of 16 bytes each.
const NOTE: &str = "WITH RECURSIVE part (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM part WHERE i + 1 < length(?1) / 16) \
                    INSERT INTO event_subjects (subject, pack) SELECT substr(?1, 16 * i + 1, 16), ?2 FROM part";
const REMOVE: &str = "DELETE FROM events WHERE seq <= ?1";
const NEXT: &str = "SELECT content FROM event_packs WHERE last > ?1 ORDER BY last LIMIT 1";
const ABOUT: &str = "SELECT p.content FROM event_subjects s JOIN event_packs p ON p.last = s.pack \
                     WHERE s.subject = ?1 ORDER BY s.pack DESC LIMIT ?2";

/// An event as its row held it: position, time in milliseconds, version, kind, conversation and data.
#[derive(Serialize, Deserialize)]
struct Packed(i64, i64, i64, String, Option<ConversationId>, String);

impl Packed {
    fn event(self) -> Result<Event, StoreError> {
        let Self(seq, at, v, kind, conversation, data) = self;
        let body = EventBody::from_columns(&kind, &data).map_err(|_| StoreError::Shape(5))?;
        Ok(Event { seq, at: Timestamp::from_millis(at), v, conversation, body })
    }

    /// The id under which [`about`] finds the event, if it does.
    fn subject(&self) -> Option<[u8; 16]> {
        let Self(_, _, _, kind, conversation, data) = self;
        match kind.as_str() {
            "routing.decided" => conversation.map(|id| *id.as_bytes()),
            "quality.alert" => match EventBody::from_columns(kind, data) {
                Ok(EventBody::QualityAlert { message, .. }) => Some(*message.as_bytes()),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Moves the oldest events into a pack, if a whole pack of them is not younger than `until`. Returns how many it moved.
/// Mostly nothing is due, which costs a read.
///
/// # Errors
/// The store fails. Nothing is moved then.
pub fn pack(db: &dyn Db, until: Timestamp, now: Timestamp) -> Result<i64, StoreError> {
    let Some(first) = first_due(db, until, now)? else { return Ok(0) };
    // Events do not change, so they are read and compressed before the transaction, which then holds the write lock only for
    // the writes.
    let packed = oldest(db, first)?;
    let last = packed.last().ok_or(StoreError::Missing("events"))?.0;
    let text = serde_json::to_vec(&packed).map_err(|_| StoreError::Shape(5))?;
    let content = compress_to_vec(&text, LEVEL);
    let subjects: BTreeSet<_> = packed.iter().filter_map(Packed::subject).collect();
    immediate(db, || {
        // Another run may have been quicker.
        if first_due(db, until, now)? != Some(first) {
            return Ok(0);
        }
        db.execute(INSERT, &[last.into(), first.into(), content.into()])?;
        if !subjects.is_empty() {
            db.execute(NOTE, &[subjects.into_iter().flatten().collect::<Vec<u8>>().into(), last.into()])?;
        }
        db.execute(REMOVE, &[last.into()])?;
        Ok(i64::try_from(packed.len()).unwrap_or(i64::MAX))
    })
}

/// The events from a position on that go into one pack.
fn oldest(db: &dyn Db, from: i64) -> Result<Vec<Packed>, StoreError> {
    let rows = db.execute(ROWS, &[from.into(), PACK_EVENTS.into(), PACK_SIZE.into()])?;
    let packed = rows.iter().map(|row| {
        let conversation = row.opt_blob(4)?.map(|id| row.made(4, ConversationId::from_bytes(id))).transpose()?;
        Ok(Packed(row.int(0)?, row.int(1)?, row.int(2)?, row.text(3)?.to_owned(), conversation, row.text(5)?.to_owned()))
    });
    packed.collect()
}

/// The first event that is a row, if a pack that begins with it is due and an event follows.
fn first_due(db: &dyn Db, until: Timestamp, now: Timestamp) -> Result<Option<i64>, StoreError> {
    db.first(DUE, &[PACK_EVENTS.into(), until.into(), now.into()])?.map(|row| row.int(0)).transpose()
}

fn open(content: &[u8]) -> Result<Vec<Packed>, StoreError> {
    let text = decompress_to_vec_with_limit(content, OPENED_LIMIT).map_err(|_| StoreError::Shape(0))?;
    serde_json::from_slice(&text).map_err(|_| StoreError::Shape(0))
}

/// The events after a position in the pack that holds the next one, in order, and the size of their data in bytes; `None` if
/// that event is not in a pack.
pub(crate) fn after(db: &dyn Db, seq: i64) -> Result<Option<(Vec<Event>, i64)>, StoreError> {
    let Some(pack) = db.first(NEXT, &[seq.into()])? else { return Ok(None) };
    let (mut events, mut size) = (Vec::new(), 0);
    for packed in open(pack.blob(0)?)?.into_iter().filter(|p| p.0 > seq) {
        size += i64::try_from(packed.5.len()).unwrap_or(i64::MAX);
        events.push(packed.event()?);
    }
    Ok(Some((events, size)))
}

/// The packed decisions on a conversation, or findings about a message: those of the newest `packs` packs, newest first.
pub(crate) fn about(db: &dyn Db, subject: &[u8; 16], packs: i64) -> Result<Vec<Event>, StoreError> {
    let mut found = Vec::new();
    for pack in db.execute(ABOUT, &[subject.into(), packs.into()])? {
        let packed = open(pack.blob(0)?)?.into_iter().rev().filter(|p| p.subject().as_ref() == Some(subject));
        for event in packed {
            found.push(event.event()?);
        }
    }
    Ok(found)
}

#[cfg(all(test, feature = "native"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::migrate::migrate;
    use crate::native::NativeDb;
    use warmline_model::{Channel, MessageId, Origin, Rng};

    /// Later than all events here.
    const NOW: Timestamp = Timestamp::from_millis(8_000_000_000_000);

    struct Count(std::cell::Cell<u8>);

    impl Rng for Count {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                self.0.set(self.0.get().wrapping_mul(5).wrapping_add(7));
                *byte = self.0.get();
            }
        }
    }

    fn at(i: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + i)
    }

    /// A log of so many events, with the ids of their conversations and messages.
    fn log(events: i64) -> (NativeDb, Vec<(ConversationId, MessageId)>) {
        let (db, rng) = (NativeDb::memory().unwrap(), Count(1.into()));
        migrate(&db).unwrap();
        let mut ids = Vec::new();
        let first = events::last(&db).unwrap();
        immediate(&db, || {
            for i in first..events {
                if i % 5 == 0 || ids.is_empty() {
                    ids.push((ConversationId::new(at(i), &rng), MessageId::new(at(i), &rng)));
                }
                let (conversation, message) = *ids.last().unwrap();
                let body = match i % 5 {
                    0 => EventBody::RoutingDecided(serde_json::json!({"cause": "arrival", "plan": i})),
                    1 => EventBody::QualityAlert {
                        message,
                        from: Origin::Customer,
                        words: vec!["\u{2028}\"词".into()],
                        severity: 2,
                    },
                    2 => EventBody::InboxParked { inbox: i, channel: Channel::new("wechat").unwrap(), reason: "odd".into() },
                    _ => EventBody::MessageReceived {
                        message,
                        n: i,
                        channel: Channel::new("wechat").unwrap(),
                        kind: "text".into(),
                        received_at: at(i),
                    },
                };
                events::append(&db, at(i), (i % 5 != 2).then_some(conversation), &body)?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
        (db, ids)
    }

    /// Everything that a reader can see: pages from many places, decisions and findings.
    fn seen(db: &NativeDb, ids: &[(ConversationId, MessageId)], last: i64) -> Vec<Vec<Event>> {
        let mut all = Vec::new();
        let places = [0, 1, 500, 998, 999, 1_000, 1_001, 1_999, 2_000, 2_001, 3_000, last - 1, last];
        for (seq, limit) in places.into_iter().flat_map(|seq| [1, 7, 1_000, 2_500].map(|limit| (seq, limit))) {
            all.push(events::after(db, seq, limit).unwrap());
            let followed = events::messages_after(db, seq, limit).unwrap();
            let rest = followed.last.map_or_else(Vec::new, |last| events::after(db, last, 1).unwrap());
            all.extend([followed.messages, rest]);
        }
        for (conversation, message) in ids.iter().step_by(19) {
            all.push(events::decisions(db, *conversation, 50).unwrap());
            all.push(events::findings(db, *message).unwrap());
        }
        all
    }

    #[test]
    fn a_packed_log_reads_as_before() {
        let (db, ids) = log(3_500);
        let last = events::last(&db).unwrap();
        let before = seen(&db, &ids, last);
        assert!(before.iter().any(|page| page.len() > 2_000));
        for round in 1..=3 {
            assert_eq!(pack(&db, at(i64::from(u16::MAX)), NOW), Ok(PACK_EVENTS));
            assert_eq!(events::last(&db), Ok(last));
            assert_eq!(db.execute("SELECT seq FROM events LIMIT 1", &[]).unwrap()[0].int(0), Ok(round * PACK_EVENTS + 1));
            assert!(seen(&db, &ids, last) == before, "after {round} packs");
        }
        assert_eq!(pack(&db, at(i64::from(u16::MAX)), NOW), Ok(0), "too few are left");
    }

    #[test]
    fn only_what_is_old_enough_is_packed_and_the_newest_event_stays_a_row() {
        let (db, _) = log(PACK_EVENTS);
        assert_eq!(pack(&db, at(9_999), NOW), Ok(0), "the next position would be lost");
        let (db, _) = log(PACK_EVENTS + 1);
        assert_eq!(pack(&db, at(PACK_EVENTS - 1), NOW), Ok(0));
        assert_eq!(pack(&db, at(PACK_EVENTS), NOW), Ok(PACK_EVENTS));
        events::append(
            &db,
            at(5_000),
            None,
            &EventBody::InboxParked { inbox: 1, channel: Channel::new("sms").unwrap(), reason: "odd".into() },
        )
        .unwrap();
        assert_eq!(events::last(&db), Ok(PACK_EVENTS + 2));
    }

    #[test]
    fn large_events_make_small_packs() {
        let (db, _) = log(1);
        for i in 0..PACK_EVENTS + 10 {
            let plan = serde_json::json!({"cause": "x".repeat(4_096), "plan": i});
            events::append(&db, at(i), None, &EventBody::RoutingDecided(plan)).unwrap();
        }
        let before = events::after(&db, 0, 5_000).unwrap();
        let packed = pack(&db, at(9_999), NOW).unwrap();
        assert!((200..=300).contains(&packed), "{packed}");
        assert_eq!(events::after(&db, 0, 5_000).unwrap(), before);
    }

    #[test]
    fn a_pack_is_bounded_by_its_size_and_so_is_what_is_read_at_once() {
        let (db, _) = log(1);
        for i in 0..PACK_EVENTS + 10 {
            let plan = serde_json::json!({ "x": "x".repeat(if i < 90 { 900_000 } else { 10 }) });
            events::append(&db, at(i), None, &EventBody::RoutingPlan { version: i, plan }).unwrap();
        }
        let pages = || {
            let (mut seq, mut lengths) = (0, Vec::new());
            loop {
                let page = events::after(&db, seq, 1_000).unwrap();
                let Some(last) = page.last() else { return lengths };
                assert!(page.iter().map(|event| event.seq).eq(seq + 1..=last.seq));
                lengths.push(page.len());
                seq = last.seq;
            }
        };
        let rows = pages();
        assert!(rows.len() > 15 && rows.iter().sum::<usize>() == 1_011, "{rows:?}");
        for _ in 0..5 {
            assert!((1..=3).contains(&pack(&db, at(9_999), NOW).unwrap()));
        }
        let packed = pages();
        // A page can be half of packs and half of rows.
        let (_, large) = packed.split_last().unwrap();
        assert!(large.iter().all(|n| *n <= 10) && packed.iter().sum::<usize>() == 1_011, "{packed:?}");
    }

    #[test]
    fn an_event_of_a_clock_that_was_ahead_stops_no_pack() {
        let (db, _) = log(PACK_EVENTS + 10);
        db.execute("UPDATE events SET at = 9000000000000 WHERE seq = 1001", &[]).unwrap();
        assert_eq!(pack(&db, at(9_999), NOW), Ok(PACK_EVENTS));
    }

    #[test]
    fn a_pack_that_cannot_be_written_takes_nothing_away() {
        let (db, ids) = log(1_500);
        let last = events::last(&db).unwrap();
        let before = seen(&db, &ids, last);
        db.execute("CREATE TRIGGER stop BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'database is full'); END", &[])
            .unwrap();
        assert_eq!(pack(&db, at(9_999), NOW), Err(StoreError::Full));
        assert!(seen(&db, &ids, last) == before);
    }
}
