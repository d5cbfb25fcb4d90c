//! The place of the messages of closed conversations: in rows, in packs, or gone. Packs hold the first messages of a
//! conversation. Messages that are not packed yet are in rows.

use crate::conversations::{self, Conversation, columns};
use crate::db::{Db, StoreError};
use warmline_model::{ConversationId, Timestamp};

/// The place of a conversation's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In rows.
    Rows,
    /// In packs.
    Packs,
    /// Gone.
    Gone,
}

impl Stage {
    const fn number(self) -> i64 {
        match self {
            Self::Rows => 0,
            Self::Packs => 1,
            Self::Gone => 2,
        }
    }
}

/// Packed messages.
pub struct Pack {
    /// The number of its first message.
    pub first: i64,
    /// The number of its last message.
    pub last: i64,
    /// The messages, sealed.
    pub content: Vec<u8>,
}

const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_aging WHERE v.state = 'closed' AND v.archived < 2 AND v.archived = ?1 \
     AND coalesce(v.aged_from, v.last_message_at) <= ?2 ORDER BY coalesce(v.aged_from, v.last_message_at) LIMIT ?3"
);
const STAGE: &str = "SELECT archived FROM conversations WHERE id = ?1";
const MOVE: &str = "UPDATE conversations SET archived = ?2, aged_from = NULL, reply_to = NULL WHERE id = ?1 RETURNING 1";
const POSTPONE: &str = "UPDATE conversations SET aged_from = ?2 WHERE id = ?1 RETURNING 1";
const INSERT: &str = "INSERT INTO packs (conversation_id, last, first, content) VALUES (?1, ?2, ?3, ?4)";
const HOLDING: &str =
    "SELECT first, last, content FROM packs WHERE conversation_id = ?1 AND last >= ?2 ORDER BY last LIMIT 1";
const REMOVE: &str = "DELETE FROM packs WHERE conversation_id = ?1 AND last IN \
                      (SELECT last FROM packs WHERE conversation_id = ?1 ORDER BY last LIMIT ?2) RETURNING 1";

/// Closed conversations of a stage whose last message is not after `until`, oldest first.
pub fn due(db: &dyn Db, stage: Stage, until: Timestamp, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(DUE, &[stage.number().into(), until.into(), limit.into()])?.iter().map(conversations::read).collect()
}

/// The place of a conversation's messages.
///
/// # Errors
/// There is no such conversation.
pub fn stage(db: &dyn Db, id: ConversationId) -> Result<Stage, StoreError> {
    let number = db.first(STAGE, &[id.as_bytes().into()])?.ok_or(StoreError::Missing("conversation"))?.int(0)?;
    [Stage::Rows, Stage::Packs, Stage::Gone].into_iter().find(|s| s.number() == number).ok_or(StoreError::Shape(0))
}

/// Moves a conversation to a stage. The address for replies is removed, since nobody replies any more.
///
/// # Errors
/// There is no such conversation.
pub fn advance(db: &dyn Db, id: ConversationId, to: Stage) -> Result<(), StoreError> {
    let params = [id.as_bytes().into(), to.number().into()];
    db.first(MOVE, &params)?.map(|_| ()).ok_or(StoreError::Missing("conversation"))
}

/// Postpones a conversation: it counts as if its last message were from that instant.
///
/// # Errors
/// There is no such conversation.
pub fn count_from(db: &dyn Db, id: ConversationId, from: Timestamp) -> Result<(), StoreError> {
    let params = [id.as_bytes().into(), from.into()];
    db.first(POSTPONE, &params)?.map(|_| ()).ok_or(StoreError::Missing("conversation"))
}

/// Adds a pack.
pub fn insert(db: &dyn Db, id: ConversationId, pack: &Pack) -> Result<(), StoreError> {
    let params = [id.as_bytes().into(), pack.last.into(), pack.first.into(), pack.content.as_slice().into()];
    db.execute(INSERT, &params)?;
    Ok(())
}

/// The pack that holds a message, or the next pack after it.
pub fn holding(db: &dyn Db, id: ConversationId, n: i64) -> Result<Option<Pack>, StoreError> {
    let Some(r) = db.first(HOLDING, &[id.as_bytes().into(), n.into()])? else { return Ok(None) };
    Ok(Some(Pack { first: r.int(0)?, last: r.int(1)?, content: r.blob(2)?.to_vec() }))
}

/// Removes a conversation's oldest packs, at most `limit`. Returns how many it removed.
pub fn remove(db: &dyn Db, id: ConversationId, limit: i64) -> Result<usize, StoreError> {
    Ok(db.execute(REMOVE, &[id.as_bytes().into(), limit.into()])?.len())
}
