//! The ledger of promises.

use warmline_model::{AgentId, ConversationId, CustomerId, MessageId, PromiseId, Timestamp};
use warmline_store::dialect::ids;
use warmline_store::{Db, Row, StoreError, Value};

/// A promise as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: PromiseId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The number of its deadline.
    pub k: i64,
    /// Who made it; `None`: the administrator.
    pub agent: Option<AgentId>,
    /// The message in which it was found.
    pub message: Option<MessageId>,
    /// The sentence, sealed.
    pub text: Vec<u8>,
    /// Whether a member of staff has confirmed it.
    pub confirmed: bool,
    /// When it was made.
    pub made_at: Timestamp,
}

macro_rules! select {
    ($rest:expr) => {
        concat!("SELECT p.id, p.conversation_id, p.k, p.agent_id, p.message_id, p.text, p.confirmed, p.made_at FROM ", $rest)
    };
}

const GET: &str = select!("promises p WHERE p.id = ?1");
const OF: &str = concat!(
    "WITH RECURSIVE ",
    ids!("part", "?1"),
    " ",
    select!("part CROSS JOIN promises p INDEXED BY promises_deadline ON p.conversation_id = part.id")
);
const INSERT: &str = "INSERT INTO promises (id, conversation_id, k, agent_id, message_id, text, confirmed, made_at) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const CONFIRM: &str = "UPDATE promises SET confirmed = 1 WHERE id = ?1 RETURNING 1";
const REMOVE: &str = "DELETE FROM promises WHERE conversation_id = ?1 AND k = ?2";
const ERASE: &str = "DELETE FROM promises WHERE conversation_id IN (SELECT id FROM conversations WHERE customer_id = ?1)";

fn read(r: &Row) -> Result<Stored, StoreError> {
    Ok(Stored {
        id: r.made(0, PromiseId::from_bytes(r.blob(0)?))?,
        conversation: r.made(1, ConversationId::from_bytes(r.blob(1)?))?,
        k: r.int(2)?,
        agent: r.opt_blob(3)?.map(|b| r.made(3, AgentId::from_bytes(b))).transpose()?,
        message: r.opt_blob(4)?.map(|b| r.made(4, MessageId::from_bytes(b))).transpose()?,
        text: r.blob(5)?.to_vec(),
        confirmed: r.flag(6)?,
        made_at: r.time(7)?,
    })
}

/// A promise.
pub fn get(db: &dyn Db, id: PromiseId) -> Result<Option<Stored>, StoreError> {
    db.first(GET, &[id.as_bytes().into()])?.as_ref().map(read).transpose()
}

/// All promises in some conversations.
pub fn of(db: &dyn Db, ids: &[ConversationId]) -> Result<Vec<Stored>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let blob: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
    db.execute(OF, &[blob.into()])?.iter().map(read).collect()
}

/// Stores a promise.
pub fn insert(db: &dyn Db, promise: &Stored) -> Result<(), StoreError> {
    let params: [Value; 8] = [
        promise.id.as_bytes().into(),
        promise.conversation.as_bytes().into(),
        promise.k.into(),
        promise.agent.map(|id| id.as_bytes().to_vec()).into(),
        promise.message.map(|id| id.as_bytes().to_vec()).into(),
        promise.text.as_slice().into(),
        promise.confirmed.into(),
        promise.made_at.into(),
    ];
    db.execute(INSERT, &params)?;
    Ok(())
}

/// Notes that a member of staff has confirmed a promise.
pub fn confirm(db: &dyn Db, id: PromiseId) -> Result<(), StoreError> {
    db.first(CONFIRM, &[id.as_bytes().into()])?.map(drop).ok_or(StoreError::Missing("promise"))
}

/// Removes the promise of a deadline.
pub fn remove(db: &dyn Db, conversation: ConversationId, k: i64) -> Result<(), StoreError> {
    db.execute(REMOVE, &[conversation.as_bytes().into(), k.into()])?;
    Ok(())
}

/// Removes all promises to a customer.
pub fn erase(db: &dyn Db, customer: CustomerId) -> Result<(), StoreError> {
    db.execute(ERASE, &[customer.as_bytes().into()])?;
    Ok(())
}
