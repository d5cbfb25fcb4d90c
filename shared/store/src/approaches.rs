//! Messages that answer nobody: to whom, when and for what.

use crate::db::{Db, Row, StoreError};
use warmline_model::{Channel, ConversationId, CustomerId, MessageId, Timestamp};

/// A message that answers nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// When it was sent.
    pub at: Timestamp,
    /// The message; of several parts the first.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The channel.
    pub channel: Channel,
    /// Its purpose.
    pub purpose: String,
}

const NOTE: &str = "INSERT INTO approaches (customer_id, at, message_id, conversation_id, channel, purpose) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const OF_PERSON: &str = "SELECT a.at, a.message_id, a.conversation_id, a.channel, a.purpose \
                         FROM customers m CROSS JOIN approaches a ON a.customer_id = m.id \
                         WHERE m.person = ?1 AND m.erasure IS NULL AND a.at > ?2 LIMIT ?3";
const FORGET: &str = "DELETE FROM approaches WHERE (customer_id, at, message_id) IN \
                      (SELECT customer_id, at, message_id FROM approaches INDEXED BY approaches_old \
                       WHERE at <= ?1 ORDER BY at LIMIT ?2) RETURNING 1";
const ERASE: &str = "DELETE FROM approaches WHERE customer_id = ?1";

fn read(row: &Row) -> Result<Made, StoreError> {
    Ok(Made {
        at: row.time(0)?,
        message: row.made(1, MessageId::from_bytes(row.blob(1)?))?,
        conversation: row.made(2, ConversationId::from_bytes(row.blob(2)?))?,
        channel: row.made(3, Channel::new(row.text(3)?))?,
        purpose: row.text(4)?.to_owned(),
    })
}

/// Notes a message to a customer.
pub fn note(db: &dyn Db, customer: CustomerId, made: &Made) -> Result<(), StoreError> {
    let Made { at, message, conversation, channel, purpose } = made;
    let params = [
        customer.as_bytes().into(),
        (*at).into(),
        message.as_bytes().into(),
        conversation.as_bytes().into(),
        channel.as_str().into(),
        purpose.as_str().into(),
    ];
    db.execute(NOTE, &params)?;
    Ok(())
}

/// The messages to a person after an instant.
pub fn of_person(db: &dyn Db, person: CustomerId, since: Timestamp, limit: i64) -> Result<Vec<Made>, StoreError> {
    db.execute(OF_PERSON, &[person.as_bytes().into(), since.into(), limit.into()])?.iter().map(read).collect()
}

/// Forgets messages up to an instant, oldest first. Returns how many.
pub fn forget(db: &dyn Db, until: Timestamp, limit: i64) -> Result<i64, StoreError> {
    let gone = db.execute(FORGET, &[until.into(), limit.into()])?;
    Ok(i64::try_from(gone.len()).unwrap_or(limit))
}

/// Forgets all messages to a customer.
pub fn erase(db: &dyn Db, customer: CustomerId) -> Result<(), StoreError> {
    db.execute(ERASE, &[customer.as_bytes().into()])?;
    Ok(())
}
