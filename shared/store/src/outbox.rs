//! The outbox: messages on their way to customers.
//!
//! A row is `pending`, then `sending` while a deliverer holds its lease, then `sent` or `dead`. `next_at` is when a pending row
//! may be tried, and when a sending row's lease ends. Only the oldest open row of a conversation can be claimed, which keeps
//! replies in order.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AccountId, Channel, ConversationId, IdentityId, MessageId, Timestamp};

/// A message to be handed over.
pub struct NewRow<'a> {
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its number there.
    pub n: i64,
    /// Whom it goes to: the identity of the conversation.
    pub identity: IdentityId,
    /// The channel.
    pub channel: &'a Channel,
    /// The account.
    pub account: &'a AccountId,
    /// When it was written.
    pub at: Timestamp,
    /// When the platform's API may be used.
    pub not_before: Timestamp,
}

/// A claimed row.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Position.
    pub seq: i64,
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its number there.
    pub n: i64,
    /// Whom it goes to.
    pub identity: IdentityId,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountId,
    /// Tries made, this one included.
    pub attempts: i64,
    /// The last try was cut off: the platform may have the message.
    pub in_doubt: bool,
    /// When it was handed over.
    pub created_at: Timestamp,
}

const ENQUEUE: &str = "INSERT INTO outbox \
                       (message_id, conversation_id, n, identity_id, channel, account, state, next_at, created_at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?8, ?7)";
// `in_doubt` reads the state from before this claim: a row whose lease ran out while it was being sent.
const CLAIM: &str = "UPDATE outbox SET in_doubt = (state = 'sending'), state = 'sending', attempts = attempts + 1, \
                     lease_owner = ?2, next_at = ?3 WHERE seq IN ( \
                       SELECT o.seq FROM outbox o \
                       WHERE o.channel = ?1 AND o.state IN ('pending', 'sending') AND o.next_at <= ?4 \
                         AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.conversation_id = o.conversation_id \
                                         AND p.seq < o.seq AND p.state IN ('pending', 'sending')) \
                       ORDER BY o.next_at LIMIT ?5) \
                     RETURNING seq, message_id, conversation_id, n, identity_id, channel, account, attempts, in_doubt, created_at";
const CLAIM_ANSWER: &str = "UPDATE outbox SET in_doubt = 0, state = 'sending', attempts = attempts + 1, lease_owner = ?2, \
                            next_at = ?3, answers = ?4 WHERE seq = ( \
                              SELECT o.seq FROM outbox o WHERE o.conversation_id = ?1 AND o.state IN ('pending', 'sending') \
                              ORDER BY o.seq LIMIT 1) \
                            AND state = 'pending' AND attempts = 0 \
                            RETURNING seq, message_id, conversation_id, n, identity_id, channel, account, attempts, in_doubt, created_at";
const ANSWER_OF: &str = "SELECT seq, message_id, conversation_id, n, identity_id, channel, account, attempts, in_doubt, created_at \
                         FROM outbox WHERE answers = ?1";
const SENT: &str = "UPDATE outbox SET state = 'sent', lease_owner = NULL WHERE seq = ?1 AND state = 'sending' AND lease_owner = ?2 RETURNING 1";
const LATER: &str = "UPDATE outbox SET state = 'pending', lease_owner = NULL, next_at = ?3 \
                     WHERE seq = ?1 AND state = 'sending' AND lease_owner = ?2 RETURNING 1";
const DEAD: &str = "UPDATE outbox SET state = 'dead', lease_owner = NULL WHERE seq = ?1 AND state = 'sending' AND lease_owner = ?2 RETURNING 1";
const REVIVE: &str = "UPDATE outbox SET state = 'pending', attempts = 0, next_at = ?2, in_doubt = 0 \
                      WHERE message_id = ?1 AND state = 'dead' RETURNING conversation_id, n, channel";
const FIND: &str = "SELECT state, conversation_id, n FROM outbox WHERE message_id = ?1";
const OPEN: &str =
    "SELECT 1 FROM outbox INDEXED BY outbox_order WHERE conversation_id = ?1 AND state IN ('pending', 'sending') LIMIT 1";
const WAITING: &str = "SELECT channel, count(*) FROM outbox WHERE state IN ('pending', 'sending') GROUP BY channel";
const SENDING: &str = "SELECT count(*) FROM outbox INDEXED BY outbox_sending WHERE channel = ?1 AND state = 'sending'";
const DUE: &str = "SELECT DISTINCT channel FROM outbox WHERE state IN ('pending', 'sending') AND next_at <= ?1";

fn read(r: &Row) -> Result<Claimed, StoreError> {
    Ok(Claimed {
        seq: r.int(0)?,
        message: r.made(1, MessageId::from_bytes(r.blob(1)?))?,
        conversation: r.made(2, ConversationId::from_bytes(r.blob(2)?))?,
        n: r.int(3)?,
        identity: r.made(4, IdentityId::from_bytes(r.blob(4)?))?,
        channel: r.made(5, Channel::new(r.text(5)?))?,
        account: r.made(6, AccountId::new(r.text(6)?))?,
        attempts: r.int(7)?,
        in_doubt: r.flag(8)?,
        created_at: r.time(9)?,
    })
}

/// Hands a message over.
///
/// # Errors
/// See [`StoreError`].
pub fn enqueue(db: &dyn Db, row: &NewRow<'_>) -> Result<(), StoreError> {
    let params = [
        row.message.as_bytes().into(),
        row.conversation.as_bytes().into(),
        row.n.into(),
        row.identity.as_bytes().into(),
        row.channel.as_str().into(),
        row.account.as_str().into(),
        row.at.into(),
        row.not_before.into(),
    ];
    db.execute(ENQUEUE, &params)?;
    Ok(())
}

/// Claims rows of a channel that are due, at most one a conversation, in the order in which they became due.
///
/// # Errors
/// See [`StoreError`].
pub fn claim(
    db: &dyn Db,
    channel: &Channel,
    owner: &[u8; 16],
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<Claimed>, StoreError> {
    let params = [channel.as_str().into(), owner.into(), lease_until.into(), now.into(), limit.into()];
    db.execute(CLAIM, &params)?.iter().map(read).collect()
}

/// Claims the next reply of a conversation as the answer to the webhook in that inbox row, if one is ready and was never tried.
///
/// # Errors
/// See [`StoreError`].
pub fn claim_answer(
    db: &dyn Db,
    conversation: ConversationId,
    owner: &[u8; 16],
    lease_until: Timestamp,
    inbox: i64,
) -> Result<Option<Claimed>, StoreError> {
    let params = [conversation.as_bytes().into(), owner.into(), lease_until.into(), inbox.into()];
    db.first(CLAIM_ANSWER, &params)?.as_ref().map(read).transpose()
}

/// The reply that was given as the answer to a webhook.
///
/// # Errors
/// See [`StoreError`].
pub fn answer_of(db: &dyn Db, inbox: i64) -> Result<Option<Claimed>, StoreError> {
    db.first(ANSWER_OF, &[inbox.into()])?.as_ref().map(read).transpose()
}

/// Marks a claimed row as sent; false when the lease was lost.
///
/// # Errors
/// See [`StoreError`].
pub fn sent(db: &dyn Db, seq: i64, owner: &[u8; 16]) -> Result<bool, StoreError> {
    Ok(db.first(SENT, &[seq.into(), owner.into()])?.is_some())
}

/// Puts a claimed row back for later; false when the lease was lost.
///
/// # Errors
/// See [`StoreError`].
pub fn later(db: &dyn Db, seq: i64, owner: &[u8; 16], next_at: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(LATER, &[seq.into(), owner.into(), next_at.into()])?.is_some())
}

/// Gives a claimed row up; false when the lease was lost.
///
/// # Errors
/// See [`StoreError`].
pub fn dead(db: &dyn Db, seq: i64, owner: &[u8; 16]) -> Result<bool, StoreError> {
    Ok(db.first(DEAD, &[seq.into(), owner.into()])?.is_some())
}

/// Where a message stands in the outbox: state, conversation, number.
///
/// # Errors
/// See [`StoreError`].
pub fn find(db: &dyn Db, message: MessageId) -> Result<Option<(String, ConversationId, i64)>, StoreError> {
    let Some(r) = db.first(FIND, &[message.as_bytes().into()])? else { return Ok(None) };
    Ok(Some((r.text(0)?.to_owned(), r.made(1, ConversationId::from_bytes(r.blob(1)?))?, r.int(2)?)))
}

/// Makes a dead row pending again; `None` when it is not dead.
///
/// # Errors
/// See [`StoreError`].
pub fn revive(
    db: &dyn Db,
    message: MessageId,
    now: Timestamp,
) -> Result<Option<(ConversationId, i64, Channel)>, StoreError> {
    let Some(r) = db.first(REVIVE, &[message.as_bytes().into(), now.into()])? else { return Ok(None) };
    Ok(Some((r.made(0, ConversationId::from_bytes(r.blob(0)?))?, r.int(1)?, r.made(2, Channel::new(r.text(2)?))?)))
}

/// Whether a message of a conversation is on its way.
///
/// # Errors
/// See [`StoreError`].
pub fn is_open(db: &dyn Db, conversation: ConversationId) -> Result<bool, StoreError> {
    Ok(db.first(OPEN, &[conversation.as_bytes().into()])?.is_some())
}

/// How many messages wait, by channel.
///
/// # Errors
/// See [`StoreError`].
pub fn waiting(db: &dyn Db) -> Result<Vec<(String, i64)>, StoreError> {
    db.execute(WAITING, &[])?.iter().map(|r| Ok((r.text(0)?.to_owned(), r.int(1)?))).collect()
}

/// How many messages of a channel are being sent.
///
/// # Errors
/// See [`StoreError`].
pub fn sending(db: &dyn Db, channel: &Channel) -> Result<i64, StoreError> {
    db.first(SENDING, &[channel.as_str().into()])?.ok_or(StoreError::Missing("outbox"))?.int(0)
}

/// The channels with messages that are due.
///
/// # Errors
/// See [`StoreError`].
pub fn due_channels(db: &dyn Db, now: Timestamp) -> Result<Vec<Channel>, StoreError> {
    db.execute(DUE, &[now.into()])?.iter().map(|r| r.made(0, Channel::new(r.text(0)?))).collect()
}
