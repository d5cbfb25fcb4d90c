//! Messages: sealed content, numbered from 1 within their conversation.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AgentId, ConversationId, CustomerId, DeliveryState, MessageId, Origin, Timestamp};

/// A message as stored.
pub struct Message {
    /// The conversation.
    pub conversation: ConversationId,
    /// Number in it.
    pub n: i64,
    /// Id.
    pub id: MessageId,
    /// The author.
    pub origin: Origin,
    /// The agent, if one wrote it.
    pub agent: Option<AgentId>,
    /// Content, sealed under the customer's key and bound to conversation and id.
    pub content: Vec<u8>,
    /// The time at which the webhook with it was received, or at which it was written to the customer.
    pub at: Timestamp,
    /// The state of its delivery; `None` for the customer's own messages and for notes.
    pub delivery: Option<DeliveryState>,
    /// The reason of that state, as a stable code.
    pub reason: Option<String>,
}

const INSERT: &str = "INSERT INTO messages (conversation_id, n, id, origin, agent_id, content, at, delivery) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const LIST: &str = "SELECT conversation_id, n, id, origin, agent_id, content, at, delivery, reason FROM messages \
                    WHERE conversation_id = ?1 AND n > ?2 ORDER BY n LIMIT ?3";
const BEFORE: &str = "SELECT conversation_id, n, id, origin, agent_id, content, at, delivery, reason FROM messages \
                      WHERE conversation_id = ?1 AND n < ?2 ORDER BY n DESC LIMIT ?3";
const GET: &str = "SELECT conversation_id, n, id, origin, agent_id, content, at, delivery, reason FROM messages \
                   WHERE conversation_id = ?1 AND n = ?2";
const WITH_CUSTOMER: &str = "SELECT m.conversation_id, m.n, m.id, m.origin, m.agent_id, m.content, m.at, m.delivery, m.reason, \
                             c.customer_id FROM messages m JOIN conversations c ON c.id = m.conversation_id \
                             WHERE m.conversation_id = ?1 AND m.n = ?2";
const REMOVE: &str = "DELETE FROM messages WHERE conversation_id = ?1 AND n <= ?2";
const SET_DELIVERY: &str =
    "UPDATE messages SET delivery = ?3, reason = ?4 WHERE conversation_id = ?1 AND n = ?2 RETURNING 1";
const TO_CUSTOMER: &str = "SELECT conversation_id, n, id, origin, agent_id, content, at, delivery, reason FROM messages \
                           WHERE conversation_id = ?1 AND n > ?2 AND delivery IS NOT NULL ORDER BY n LIMIT ?3";
const TO_CUSTOMER_BEFORE: &str = "SELECT n FROM messages WHERE conversation_id = ?1 AND n < ?2 AND delivery IS NOT NULL \
                                  ORDER BY n DESC LIMIT 1";
const SINCE_SPOKEN: &str = "SELECT m.at, (SELECT count(*) FROM messages r WHERE r.conversation_id = ?1 AND r.n > m.n \
                                              AND r.delivery IN ('pending', 'sent', 'failed')) \
                            FROM messages m WHERE m.conversation_id = ?1 AND m.origin = 'customer' \
                            ORDER BY m.n DESC LIMIT 1";

fn read(r: &Row) -> Result<Message, StoreError> {
    Ok(Message {
        conversation: r.made(0, ConversationId::from_bytes(r.blob(0)?))?,
        n: r.int(1)?,
        id: r.made(2, MessageId::from_bytes(r.blob(2)?))?,
        origin: Origin::parse(r.text(3)?).ok_or(StoreError::Shape(3))?,
        agent: r.opt_blob(4)?.map(|b| r.made(4, AgentId::from_bytes(b))).transpose()?,
        content: r.blob(5)?.to_vec(),
        at: r.time(6)?,
        delivery: r.opt_text(7)?.map(|t| DeliveryState::parse(t).ok_or(StoreError::Shape(7))).transpose()?,
        reason: r.opt_text(8)?.map(str::to_owned),
    })
}

/// Adds a message.
pub fn insert(db: &dyn Db, m: &Message) -> Result<(), StoreError> {
    let params = [
        m.conversation.as_bytes().into(),
        m.n.into(),
        m.id.as_bytes().into(),
        m.origin.as_str().into(),
        m.agent.map(|a| a.as_bytes().to_vec()).into(),
        m.content.as_slice().into(),
        m.at.into(),
        m.delivery.map(DeliveryState::as_str).into(),
    ];
    db.execute(INSERT, &params)?;
    Ok(())
}

/// Messages of a conversation after a number.
pub fn list(db: &dyn Db, id: ConversationId, after: i64, limit: i64) -> Result<Vec<Message>, StoreError> {
    db.execute(LIST, &[id.as_bytes().into(), after.into(), limit.into()])?.iter().map(read).collect()
}

/// Messages of a conversation before a number, newest first.
pub fn before(db: &dyn Db, id: ConversationId, n: i64, limit: i64) -> Result<Vec<Message>, StoreError> {
    db.execute(BEFORE, &[id.as_bytes().into(), n.into(), limit.into()])?.iter().map(read).collect()
}

/// The time at which the customer last wrote in a conversation, and the number of messages sent to them since, without
/// those given up. `None` if the customer never wrote.
pub fn since_spoken(db: &dyn Db, id: ConversationId) -> Result<Option<(Timestamp, i64)>, StoreError> {
    db.first(SINCE_SPOKEN, &[id.as_bytes().into()])?.map(|r| Ok((r.time(0)?, r.int(1)?))).transpose()
}

/// One message.
pub fn get(db: &dyn Db, id: ConversationId, n: i64) -> Result<Option<Message>, StoreError> {
    db.first(GET, &[id.as_bytes().into(), n.into()])?.as_ref().map(read).transpose()
}

/// A message, and the customer whose key seals it.
pub fn with_customer(db: &dyn Db, id: ConversationId, n: i64) -> Result<Option<(Message, CustomerId)>, StoreError> {
    let Some(row) = db.first(WITH_CUSTOMER, &[id.as_bytes().into(), n.into()])? else { return Ok(None) };
    Ok(Some((read(&row)?, row.made(9, CustomerId::from_bytes(row.blob(9)?))?)))
}

/// Removes a conversation's messages up to a number.
pub fn remove(db: &dyn Db, id: ConversationId, to: i64) -> Result<(), StoreError> {
    db.execute(REMOVE, &[id.as_bytes().into(), to.into()])?;
    Ok(())
}

/// Sets the state of a message's delivery. Returns false if the row does not exist any more.
pub fn set_delivery(
    db: &dyn Db,
    id: ConversationId,
    n: i64,
    delivery: DeliveryState,
    reason: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(db.first(SET_DELIVERY, &[id.as_bytes().into(), n.into(), delivery.as_str().into(), reason.into()])?.is_some())
}

/// The messages to the customer in a conversation after a number, without notes between colleagues.
pub fn to_customer(db: &dyn Db, id: ConversationId, after: i64, limit: i64) -> Result<Vec<Message>, StoreError> {
    db.execute(TO_CUSTOMER, &[id.as_bytes().into(), after.into(), limit.into()])?.iter().map(read).collect()
}

/// The number of the last message to the customer before a message; 0 if there is none.
pub fn to_customer_before(db: &dyn Db, id: ConversationId, n: i64) -> Result<i64, StoreError> {
    db.first(TO_CUSTOMER_BEFORE, &[id.as_bytes().into(), n.into()])?.map_or(Ok(0), |r| r.int(0))
}
