//! The event log. SQLite admits one writer at a time, so positions are assigned in commit order and no reader ever misses
//! one.

use crate::db::{Db, Row, StoreError};
use serde::Serialize;
use warmline_model::event::{EVENT_VERSION, to_columns};
use warmline_model::{ConversationId, Event, EventBody, MessageId, Timestamp};

const APPEND: &str = "INSERT INTO events (at, v, type, conversation_id, data) VALUES (?1, ?2, ?3, ?4, ?5)";
const AFTER: &str = "SELECT seq, at, v, type, conversation_id, data FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const DECISIONS: &str = "SELECT seq, at, v, type, conversation_id, data FROM events INDEXED BY events_decisions \
                         WHERE conversation_id = ?1 AND type = 'routing.decided' ORDER BY seq DESC LIMIT ?2";
const FINDINGS: &str = "SELECT seq, at, v, type, conversation_id, data FROM events INDEXED BY events_findings \
                        WHERE json_extract(data, '$.message') = ?1 AND type = 'quality.alert' ORDER BY seq";
const MESSAGES: &str = "SELECT seq, at, v, type, conversation_id, iif(type IN ('message.received', 'message.sent'), data, NULL) \
                        FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const LAST: &str = "SELECT coalesce(max(seq), 0) FROM events";

/// Appends an event: an [`EventBody`] or a part of it.
pub fn append<B: Serialize>(
    db: &dyn Db,
    at: Timestamp,
    conversation: Option<ConversationId>,
    body: &B,
) -> Result<(), StoreError> {
    let (kind, data) = to_columns(body).map_err(|_| StoreError::Shape(5))?;
    let conversation = conversation.map(|c| c.as_bytes().to_vec());
    db.execute(APPEND, &[at.into(), EVENT_VERSION.into(), kind.into(), conversation.into(), data.into()])?;
    Ok(())
}

fn read(row: &Row) -> Result<Event, StoreError> {
    let conversation = match row.opt_blob(4)? {
        Some(id) => Some(row.made(4, ConversationId::from_bytes(id))?),
        None => None,
    };
    Ok(Event {
        seq: row.int(0)?,
        at: row.time(1)?,
        v: row.int(2)?,
        conversation,
        body: row.made(5, EventBody::from_columns(row.text(3)?, row.text(5)?))?,
    })
}

/// Events after a position, in order.
pub fn after(db: &dyn Db, seq: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
    db.execute(AFTER, &[seq.into(), limit.into()])?.iter().map(read).collect()
}

/// The events after a position: those about messages in full, and only the position of the others.
pub struct Followed {
    /// The position of the last of them; `None` if there are none.
    pub last: Option<i64>,
    /// Whether there may be more.
    pub more: bool,
    /// The events about messages, in order.
    pub messages: Vec<Event>,
}

/// The events about messages among the next `limit` events.
pub fn messages_after(db: &dyn Db, seq: i64, limit: i64) -> Result<Followed, StoreError> {
    let rows = db.execute(MESSAGES, &[seq.into(), limit.into()])?;
    let mut messages = Vec::new();
    for row in &rows {
        if row.opt_text(5)?.is_some() {
            messages.push(read(row)?);
        }
    }
    Ok(Followed {
        last: rows.last().map(|r| r.int(0)).transpose()?,
        more: i64::try_from(rows.len()).is_ok_and(|n| n >= limit),
        messages,
    })
}

/// The newest decisions on a conversation, newest first.
pub fn decisions(db: &dyn Db, conversation: ConversationId, limit: i64) -> Result<Vec<Event>, StoreError> {
    db.execute(DECISIONS, &[conversation.as_bytes().into(), limit.into()])?.iter().map(read).collect()
}

/// The quality alerts about a message.
pub fn findings(db: &dyn Db, message: MessageId) -> Result<Vec<Event>, StoreError> {
    db.execute(FINDINGS, &[message.to_string().into()])?.iter().map(read).collect()
}

/// The position of the newest event; 0 if there is none.
pub fn last(db: &dyn Db) -> Result<i64, StoreError> {
    db.first(LAST, &[])?.ok_or(StoreError::Missing("events"))?.int(0)
}
