//! Changes of a conversation's row in worklists that are no events. A stream reads them beside the events, and the two together
//! tell it every conversation that looks different now. They are kept for some minutes.

use crate::db::{Db, StoreError};
use warmline_model::{ConversationId, CustomerId, Timestamp};

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The row: a tag, a name, a draft, a read mark, a deadline.
    Row,
    /// Somebody began or stopped looking at the conversation, or writing in it.
    Presence,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Presence => "presence",
        }
    }
}

/// A change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its position.
    pub seq: i64,
    /// The conversation.
    pub conversation: ConversationId,
    /// What has changed.
    pub what: What,
}

const NOTE: &str = "INSERT INTO worklist_changes (at, conversation_id, what) VALUES (?1, ?2, ?3)";
const OF_PERSON: &str = "INSERT INTO worklist_changes (at, conversation_id, what) \
                         SELECT ?2, v.id, 'row' FROM customers c \
                         CROSS JOIN identities i ON i.customer_id = c.id \
                         CROSS JOIN conversations v ON v.identity_id = i.id AND v.state <> 'closed' WHERE c.person = ?1";
const AFTER: &str = "SELECT seq, conversation_id, what FROM worklist_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const BOUNDS: &str = "SELECT coalesce((SELECT min(seq) FROM worklist_changes), 0), \
                             coalesce((SELECT max(seq) FROM worklist_changes), 0)";
const POSITIONS: &str = "SELECT coalesce((SELECT max(seq) FROM events), 0), \
                                coalesce((SELECT max(seq) FROM worklist_changes), 0)";
const FORGET: &str = "DELETE FROM worklist_changes WHERE seq < (SELECT max(seq) FROM worklist_changes) AND seq IN \
                      (SELECT seq FROM worklist_changes INDEXED BY worklist_changes_at WHERE at < ?1 ORDER BY at LIMIT ?2) \
                      RETURNING 1";

/// Notes a change of a conversation.
pub fn note(db: &dyn Db, now: Timestamp, conversation: ConversationId, what: What) -> Result<(), StoreError> {
    db.execute(NOTE, &[now.into(), conversation.as_bytes().into(), what.as_str().into()])?;
    Ok(())
}

/// Notes that the rows of a person's open conversations have changed.
pub fn note_person(db: &dyn Db, now: Timestamp, person: CustomerId) -> Result<(), StoreError> {
    db.execute(OF_PERSON, &[person.as_bytes().into(), now.into()])?;
    Ok(())
}

/// The changes after a position, in order.
pub fn after(db: &dyn Db, seq: i64, limit: i64) -> Result<Vec<Change>, StoreError> {
    let rows = db.execute(AFTER, &[seq.into(), limit.into()])?;
    let read = |r: &crate::Row| {
        let what = match r.text(2)? {
            "presence" => What::Presence,
            _ => What::Row,
        };
        Ok(Change { seq: r.int(0)?, conversation: r.made(1, ConversationId::from_bytes(r.blob(1)?))?, what })
    };
    rows.iter().map(read).collect()
}

/// The positions of the oldest and the newest change that are kept; both 0 before the first.
pub fn bounds(db: &dyn Db) -> Result<(i64, i64), StoreError> {
    db.first(BOUNDS, &[])?.map_or(Ok((0, 0)), |r| Ok((r.int(0)?, r.int(1)?)))
}

/// The positions of the newest event and of the newest change; 0 before the first.
pub fn positions(db: &dyn Db) -> Result<(i64, i64), StoreError> {
    db.first(POSITIONS, &[])?.map_or(Ok((0, 0)), |r| Ok((r.int(0)?, r.int(1)?)))
}

/// Forgets changes before an instant, oldest first. Returns how many. The newest stays, so that positions only rise.
pub fn forget(db: &dyn Db, before: Timestamp, limit: i64) -> Result<usize, StoreError> {
    Ok(db.execute(FORGET, &[before.into(), limit.into()])?.len())
}
