//! The event log. Needs positions in commit order, which SQLite gives because it admits one writer at a time: no reader ever
//! misses an event. Old events are in [packs](crate::event_packs), which no reader notices.

use crate::db::{Db, Row, StoreError};
use crate::dialect::at_path;
use crate::event_packs;
use serde::Serialize;
use warmline_model::event::{EVENT_VERSION, to_columns};
use warmline_model::{ConversationId, Event, EventBody, MessageId, Timestamp};

const APPEND: &str = "INSERT INTO events (at, v, type, conversation_id, data) VALUES (?1, ?2, ?3, ?4, ?5)";
/// The rows of events from a position on (`>=` or `>` parameter 1), in the order of the inner statement: parameter 2 of them at
/// most, and no more once they have as many characters as parameter 3.
macro_rules! some_events {
    ($from:literal) => {
        concat!(
            "(SELECT *, sum(length(data)) OVER (ROWS UNBOUNDED PRECEDING) - length(data) AS before FROM \
             (SELECT seq, at, v, type, conversation_id, data FROM events WHERE seq ",
            $from,
            " ?1 ORDER BY seq LIMIT ?2)) AS some WHERE before < ?3"
        )
    };
}
pub(crate) use some_events as some;

/// Characters of events after which a reader gets no more at once. Most events have some hundreds, a plan up to a million.
const READ_SIZE: i64 = 4 * 1024 * 1024;

const AFTER: &str = concat!("SELECT seq, at, v, type, conversation_id, data FROM ", some!(">"));
const DECISIONS: &str = "SELECT seq, at, v, type, conversation_id, data FROM events INDEXED BY events_decisions \
                         WHERE conversation_id = ?1 AND type = 'routing.decided' ORDER BY seq DESC LIMIT ?2";
const FINDINGS: &str = concat!(
    "SELECT seq, at, v, type, conversation_id, data FROM events INDEXED BY events_findings WHERE ",
    at_path!("data", "$.message"),
    " = ?1 AND type = 'quality.alert' ORDER BY seq"
);
const MESSAGES: &str = concat!(
    "SELECT seq, at, v, type, conversation_id, CASE WHEN type IN ('message.received', 'message.sent') THEN data END FROM ",
    some!(">")
);
/// Packs in which findings about one message are looked for.
const MOST_PACKS: i64 = 16;
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

/// Events after a position, in order: `limit` of them at most, and fewer if they are large. If there are none, it was the end.
pub fn after(db: &dyn Db, seq: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
    let (mut events, rows) = page(db, AFTER, seq, limit)?;
    for row in &rows {
        events.push(read(row)?);
    }
    Ok(events)
}

/// The next `limit` events: first those from packs, and then the rows of `sql`.
fn page(db: &dyn Db, sql: &'static str, mut seq: i64, limit: i64) -> Result<(Vec<Event>, Vec<Row>), StoreError> {
    let most = usize::try_from(limit).unwrap_or(0);
    let (mut events, mut size, mut surprised) = (Vec::new(), 0, true);
    loop {
        let left = limit - i64::try_from(events.len()).unwrap_or(limit);
        let rows = db.execute(sql, &[seq.into(), left.into(), READ_SIZE.into()])?;
        // The newest event is always a row. If none comes after a position, no packed event does either.
        match rows.first().map(|row| row.int(0)).transpose()? {
            Some(first) if first > seq + 1 => {}
            _ => return Ok((events, rows)),
        }
        let packed = events.len();
        while events.len() < most
            && size < READ_SIZE
            && let Some((next, more)) = event_packs::after(db, seq)?
        {
            size += more;
            events.extend(next);
            events.truncate(most);
            seq = events.last().map_or(seq, |last| last.seq);
        }
        if events.len() == most || size >= READ_SIZE {
            return Ok((events, Vec::new()));
        }
        if events.len() == packed {
            // No pack has the positions before the rows. A copy of the store that lags behind can answer like that, once. If they
            // are still missing, they are lost, and nobody waits for them.
            if std::mem::take(&mut surprised) {
                continue;
            }
            return Ok((events, rows));
        }
    }
}

/// The events after a position: those about messages in full, and only the position of the others.
pub struct Followed {
    /// The position of the last of them; `None` if there are none.
    pub last: Option<i64>,
    /// The events about messages, in order.
    pub messages: Vec<Event>,
}

/// The events about messages among the next `limit` events.
pub fn messages_after(db: &dyn Db, seq: i64, limit: i64) -> Result<Followed, StoreError> {
    let (packed, rows) = page(db, MESSAGES, seq, limit)?;
    let last = rows.last().map(|row| row.int(0)).transpose()?.or(packed.last().map(|event| event.seq));
    let about_messages =
        |body: &EventBody| matches!(body, EventBody::MessageReceived { .. } | EventBody::MessageSent { .. });
    let mut messages: Vec<Event> = packed.into_iter().filter(|event| about_messages(&event.body)).collect();
    for row in &rows {
        if row.opt_text(5)?.is_some() {
            messages.push(read(row)?);
        }
    }
    Ok(Followed { last, messages })
}

/// The newest decisions on a conversation, newest first.
pub fn decisions(db: &dyn Db, conversation: ConversationId, limit: i64) -> Result<Vec<Event>, StoreError> {
    let rows = db.execute(DECISIONS, &[conversation.as_bytes().into(), limit.into()])?;
    let mut found: Vec<Event> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let most = usize::try_from(limit).unwrap_or(0);
    if found.len() < most {
        // An event that was a row above may be packed meanwhile. It counts once.
        let until = found.last().map_or(i64::MAX, |event| event.seq);
        let packed = event_packs::about(db, conversation.as_bytes(), limit)?;
        found.extend(packed.into_iter().filter(|event| event.seq < until));
        found.truncate(most);
    }
    Ok(found)
}

/// The quality alerts about a message, oldest first.
pub fn findings(db: &dyn Db, message: MessageId) -> Result<Vec<Event>, StoreError> {
    let rows = db.execute(FINDINGS, &[message.to_string().into()])?;
    let mut found: Vec<Event> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let until = found.first().map_or(i64::MAX, |event| event.seq);
    let packed = event_packs::about(db, message.as_bytes(), MOST_PACKS)?;
    found.extend(packed.into_iter().filter(|event| event.seq < until));
    found.sort_by_key(|event| event.seq);
    Ok(found)
}

/// The position of the newest event; 0 if there is none.
pub fn last(db: &dyn Db) -> Result<i64, StoreError> {
    db.first(LAST, &[])?.ok_or(StoreError::Missing("events"))?.int(0)
}
