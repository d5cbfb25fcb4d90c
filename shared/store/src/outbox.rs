//! The outbox: messages on their way to customers.
//!
//! A row is `pending`, then `sending` while a deliverer holds its lease, then `sent` or `dead`. `next_at` is the time at
//! which a pending row may be tried, or at which a sending row's lease ends. Only the oldest open row of a conversation can
//! be claimed, which keeps replies in order. Rows are claimed by account, so that no account waits for another one's
//! platform.

use crate::db::{Db, Row, StoreError, Value};
use crate::outages;
use warmline_model::{AccountId, Channel, ConversationId, IdentityId, MessageId, Timestamp};

/// A message to add to the outbox.
pub struct NewRow<'a> {
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its number there.
    pub n: i64,
    /// The recipient: the identity of the conversation.
    pub identity: IdentityId,
    /// The channel.
    pub channel: &'a Channel,
    /// The account.
    pub account: &'a AccountId,
    /// The time at which it was written.
    pub at: Timestamp,
    /// The earliest time at which the platform's API may be used.
    pub not_before: Timestamp,
    /// The time from which on it is no longer sent.
    pub give_up_at: Timestamp,
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
    /// The recipient.
    pub identity: IdentityId,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountId,
    /// Tries made, including this one.
    pub attempts: i64,
    /// Whether the last try was cut off: the platform may have the message.
    pub in_doubt: bool,
    /// The time at which it was added to the outbox.
    pub created_at: Timestamp,
    /// The time from which on it is no longer sent; `None` in rows from the release before this column.
    pub give_up_at: Option<Timestamp>,
    /// Tries so far with an unknown outcome.
    pub doubts: i64,
}

/// The number of messages under way.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Messages of the channel that are being sent now.
    pub channel: i64,
    /// Messages of the account that are being sent now.
    pub account: i64,
    /// The account's failures in a row; 0 if its platform works.
    pub failures: i64,
}

/// A waiting message, and the reason for waiting.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its number in the conversation.
    pub n: i64,
    /// The time of the next try.
    pub next_at: Timestamp,
    /// The reason of the account's outage, if it is in one.
    pub outage: Option<String>,
}

/// A message that was given up.
#[derive(Clone, Debug)]
pub struct Dead {
    /// Position.
    pub seq: i64,
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its number in the conversation.
    pub n: i64,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountId,
    /// The reason, as a stable code.
    pub reason: String,
    /// The number of tries made.
    pub attempts: i64,
    /// The time at which it was added to the outbox.
    pub created_at: Timestamp,
    /// The time at which it was given up.
    pub dead_at: Timestamp,
}

/// Selects among messages that were given up.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this channel.
    pub channel: Option<&'a str>,
    /// Only of this account.
    pub account: Option<&'a str>,
    /// Only with this reason.
    pub reason: Option<&'a str>,
    /// Not with this reason.
    pub but: Option<&'a str>,
    /// Only those given up at this instant or later.
    pub since: Option<Timestamp>,
    /// Only those given up before this instant.
    pub until: Option<Timestamp>,
}

impl Filter<'_> {
    fn params(&self) -> Vec<Value> {
        let Self { channel, account, reason, but, since, until } = *self;
        vec![channel.into(), account.into(), reason.into(), but.into(), since.into(), until.into()]
    }
}

const ENQUEUE: &str = "INSERT INTO outbox \
                       (message_id, conversation_id, n, identity_id, channel, account, state, next_at, created_at, \
                        give_up_at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?8, ?7, ?9)";
// `in_doubt` and `doubts` read the state before this claim: `sending` means that the lease ran out while the row was being
// sent.
const CLAIM: &str = "UPDATE outbox SET in_doubt = (state = 'sending'), doubts = doubts + (state = 'sending'), \
                     state = 'sending', attempts = attempts + 1, lease_owner = ?3, next_at = ?4 WHERE seq IN ( \
                       SELECT o.seq FROM outbox o INDEXED BY outbox_account \
                       WHERE o.channel = ?1 AND o.account = ?2 AND o.state IN ('pending', 'sending') AND o.next_at <= ?5 \
                         AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.conversation_id = o.conversation_id \
                                         AND p.seq < o.seq AND p.state IN ('pending', 'sending')) \
                       ORDER BY o.next_at LIMIT ?6) \
                     RETURNING seq, message_id, conversation_id, n, identity_id, channel, account, attempts, in_doubt, \
                               created_at, give_up_at, doubts";
const IS_LATE: &str = "SELECT 1 FROM outbox INDEXED BY outbox_late \
                       WHERE channel = ?1 AND state = 'pending' AND give_up_at <= ?2 LIMIT 1";
const CLAIM_LATE: &str = "UPDATE outbox SET in_doubt = 0, state = 'sending', lease_owner = ?2, next_at = ?3 WHERE seq IN ( \
                            SELECT seq FROM outbox INDEXED BY outbox_late \
                            WHERE channel = ?1 AND state = 'pending' AND give_up_at <= ?4 ORDER BY give_up_at LIMIT ?5) \
                          RETURNING seq, message_id, conversation_id, n, identity_id, channel, account, attempts, in_doubt, \
                                    created_at, give_up_at, doubts";
const CLAIM_ANSWER: &str = "UPDATE outbox SET in_doubt = 0, state = 'sending', attempts = attempts + 1, lease_owner = ?2, \
                            next_at = ?3, answers = ?4 WHERE seq = ( \
                              SELECT o.seq FROM outbox o WHERE o.conversation_id = ?1 AND o.state IN ('pending', 'sending') \
                              ORDER BY o.seq LIMIT 1) \
                            AND state = 'pending' AND attempts = 0 \
                            RETURNING seq, message_id, conversation_id, n, identity_id, channel, account, attempts, \
                                      in_doubt, created_at, give_up_at, doubts";
const ANSWER_OF: &str = "SELECT seq, message_id, conversation_id, n, identity_id, channel, account, attempts, in_doubt, \
                         created_at, give_up_at, doubts FROM outbox WHERE answers = ?1";
// This applies whoever holds the row now: a message that the platform has accepted must not be sent again.
const SENT: &str =
    "UPDATE outbox SET state = 'sent', lease_owner = NULL WHERE seq = ?1 AND state IN ('pending', 'sending') RETURNING 1";
const LATER: &str = "UPDATE outbox SET state = 'pending', lease_owner = NULL, next_at = ?3, doubts = ?4, \
                     reason = coalesce(?5, reason) \
                     WHERE seq = ?1 AND state = 'sending' AND lease_owner = ?2 RETURNING 1";
// A parked row is due at the end of time. If the account was enabled meanwhile, the row is not parked.
const PARK: &str = "UPDATE outbox SET state = 'pending', lease_owner = NULL, attempts = attempts - 1, next_at = ?3 \
                    WHERE seq = ?1 AND state = 'sending' AND lease_owner = ?2 AND EXISTS (SELECT 1 FROM accounts a \
                    WHERE a.channel = outbox.channel AND a.account = outbox.account AND a.disabled_at IS NOT NULL) RETURNING 1";
const UNPARK: &str = "UPDATE outbox SET next_at = ?3 \
                      WHERE channel = ?1 AND account = ?2 AND state IN ('pending', 'sending') AND next_at = ?4";
const WAITING_OF: &str = "SELECT count(*) FROM outbox INDEXED BY outbox_account \
                          WHERE channel = ?1 AND account = ?2 AND state IN ('pending', 'sending')";
const GIVEN_UP_OF: &str = "SELECT count(*) FROM outbox INDEXED BY outbox_given_up \
                           WHERE channel = ?1 AND account = ?2 AND state = 'dead'";
const DEAD: &str = "UPDATE outbox SET state = 'dead', lease_owner = NULL, reason = ?3, dead_at = ?4 \
                    WHERE seq = ?1 AND state = 'sending' AND lease_owner = ?2 RETURNING 1";
const HOLDS: &str = "SELECT 1 FROM outbox WHERE seq = ?1 AND state = 'sending' AND lease_owner = ?2";
const EXTEND: &str = "UPDATE outbox SET give_up_at = ?2 WHERE seq = ?1";
const COUNT_DEAD: &str = "INSERT INTO given_up (channel, account, reason, n) VALUES (?1, ?2, ?3, 1) \
                          ON CONFLICT (channel, account, reason) DO UPDATE SET n = n + 1";
const GIVEN_UP: &str = "SELECT channel, account, reason, n FROM given_up ORDER BY channel, account, reason";
const TAKE_BACK: &str = "UPDATE outbox SET state = 'dead', reason = ?2, dead_at = ?3 WHERE seq IN ( \
                           SELECT o.seq FROM outbox o INDEXED BY outbox_order \
                           CROSS JOIN messages m ON m.conversation_id = o.conversation_id AND m.n = o.n \
                           WHERE o.conversation_id = ?1 AND o.state IN ('pending', 'sending') AND o.state = 'pending' \
                             AND m.origin IN ('system', 'bot')) \
                         RETURNING message_id, n, channel, attempts";
const TAKE_BACK_ONE: &str = "UPDATE outbox SET state = 'dead', reason = ?2, dead_at = ?3 WHERE message_id = ?1 AND state = 'pending' \
                             RETURNING message_id, n, channel, attempts";
const REVIVE: &str = "UPDATE outbox SET state = 'pending', attempts = 0, next_at = ?2, give_up_at = ?3, \
                      in_doubt = 0, doubts = 0, reason = NULL, dead_at = NULL WHERE message_id = ?1 AND state = 'dead' \
                        AND EXISTS (SELECT 1 FROM messages m \
                                    WHERE m.conversation_id = outbox.conversation_id AND m.n = outbox.n) \
                      RETURNING conversation_id, n";
const FIND: &str = "SELECT state, conversation_id, n, channel FROM outbox WHERE message_id = ?1";
/// What both the list and the count select: the first six parameters are [`Filter::params`].
macro_rules! dead {
    () => {
        "FROM outbox INDEXED BY outbox_dead WHERE state = 'dead' \
           AND (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR account = ?2) \
           AND (?3 IS NULL OR coalesce(reason, 'unknown') = ?3) AND (?4 IS NULL OR coalesce(reason, 'unknown') <> ?4) \
           AND (?5 IS NULL OR coalesce(dead_at, created_at) >= ?5) AND (?6 IS NULL OR coalesce(dead_at, created_at) < ?6)"
    };
}
// The previous release writes neither `reason` nor `dead_at`. A row may lack them if that release gave it up after the
// migration.
const LIST_DEAD: &str = concat!(
    "SELECT seq, message_id, conversation_id, n, channel, account, coalesce(reason, 'unknown'), attempts, created_at, \
            coalesce(dead_at, created_at) ",
    dead!(),
    " AND seq > ?7 ORDER BY seq LIMIT ?8"
);
const COUNT_LISTED: &str = concat!("SELECT count(*) FROM (SELECT 1 ", dead!(), " LIMIT ?7)");
const OPEN: &str =
    "SELECT 1 FROM outbox INDEXED BY outbox_order WHERE conversation_id = ?1 AND state IN ('pending', 'sending') LIMIT 1";
const STANDING: &str = "SELECT o.n, max(o.next_at, coalesce(x.probe_at, 0)), x.reason FROM outbox o INDEXED BY outbox_order \
                        LEFT JOIN outages x ON x.channel = o.channel AND x.account = o.account AND x.failures >= ?2 \
                        WHERE o.conversation_id = ?1 AND o.state IN ('pending', 'sending') AND o.lease_owner IS NULL";
const WAITING: &str = "SELECT channel, count(*), min(created_at) FROM outbox INDEXED BY outbox_account \
                       WHERE state IN ('pending', 'sending') GROUP BY channel";
// A row whose lease ran out is not under way: it can be claimed, and does not count against the limit.
const LOAD: &str = "SELECT (SELECT count(*) FROM outbox INDEXED BY outbox_sending \
                            WHERE channel = ?1 AND state = 'sending' AND next_at > ?3), \
                           (SELECT count(*) FROM outbox INDEXED BY outbox_sending WHERE channel = ?1 AND state = 'sending' \
                                                                                   AND account = ?2 AND next_at > ?3), \
                           coalesce((SELECT failures FROM outages WHERE channel = ?1 AND account = ?2), 0)";
// Steps from account to account through the index, however many messages each has.
const DUE_ACCOUNTS: &str = "WITH RECURSIVE places (account) AS ( \
                              SELECT min(account) FROM outbox WHERE channel = ?1 AND state IN ('pending', 'sending') \
                              UNION ALL SELECT (SELECT min(o.account) FROM outbox o WHERE o.channel = ?1 \
                                                AND o.account > places.account AND o.state IN ('pending', 'sending')) \
                              FROM places WHERE places.account IS NOT NULL) \
                            SELECT account FROM places WHERE account IS NOT NULL \
                              AND (SELECT min(o.next_at) FROM outbox o WHERE o.channel = ?1 AND o.account = places.account \
                                   AND o.state IN ('pending', 'sending')) <= ?2 \
                              AND NOT EXISTS (SELECT 1 FROM outages x WHERE x.channel = ?1 AND x.account = places.account \
                                              AND x.failures >= ?3 AND x.probe_at > ?2)";
const CHANNELS: &str = "WITH RECURSIVE places (channel) AS ( \
                          SELECT min(channel) FROM outbox WHERE state IN ('pending', 'sending') \
                          UNION ALL SELECT (SELECT min(o.channel) FROM outbox o WHERE o.channel > places.channel \
                                            AND o.state IN ('pending', 'sending')) \
                          FROM places WHERE places.channel IS NOT NULL) \
                        SELECT channel FROM places WHERE channel IS NOT NULL";

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
        give_up_at: r.opt_time(10)?,
        doubts: r.int(11)?,
    })
}

/// Adds a message to the outbox.
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
        row.give_up_at.into(),
    ];
    db.execute(ENQUEUE, &params)?;
    Ok(())
}

/// Claims due rows of an account, at most one in each conversation, in the order in which they became due.
pub fn claim(
    db: &dyn Db,
    (channel, account): (&Channel, &AccountId),
    owner: &[u8; 16],
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<Claimed>, StoreError> {
    let (channel, account) = (channel.as_str().into(), account.as_str().into());
    let params = [channel, account, owner.into(), lease_until.into(), now.into(), limit.into()];
    db.execute(CLAIM, &params)?.iter().map(read).collect()
}

/// Whether a waiting row of a channel is overdue. Ask this before [`claim_late`], since a read does not wait for writers.
pub fn is_late(db: &dyn Db, channel: &Channel, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(IS_LATE, &[channel.as_str().into(), now.into()])?.is_some())
}

/// Claims overdue rows of a channel, whether or not they are due. This does not count as a try.
pub fn claim_late(
    db: &dyn Db,
    channel: &Channel,
    owner: &[u8; 16],
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<Claimed>, StoreError> {
    let params = [channel.as_str().into(), owner.into(), lease_until.into(), now.into(), limit.into()];
    db.execute(CLAIM_LATE, &params)?.iter().map(read).collect()
}

/// Claims the next reply of a conversation as the answer to the webhook of that inbox row, if one is ready and has never
/// been tried.
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
pub fn answer_of(db: &dyn Db, inbox: i64) -> Result<Option<Claimed>, StoreError> {
    db.first(ANSWER_OF, &[inbox.into()])?.as_ref().map(read).transpose()
}

/// Marks a row as sent, even if its lease has run out. Returns false if it was already sent or given up.
pub fn sent(db: &dyn Db, seq: i64) -> Result<bool, StoreError> {
    Ok(db.first(SENT, &[seq.into()])?.is_some())
}

/// Puts a claimed row back for later. Returns false if the lease was lost. Without a new reason the last one stays.
pub fn later(
    db: &dyn Db,
    seq: i64,
    owner: &[u8; 16],
    next_at: Timestamp,
    doubts: i64,
    reason: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(db.first(LATER, &[seq.into(), owner.into(), next_at.into(), doubts.into(), reason.into()])?.is_some())
}

/// The end of time, at which a parked message is due.
const PARKED: Timestamp = Timestamp::from_millis(253_402_300_799_000);

/// Parks a claimed row, without a try, until its account is enabled. Returns false if the account is not disabled, or if
/// the lease was lost.
pub fn park(db: &dyn Db, seq: i64, owner: &[u8; 16]) -> Result<bool, StoreError> {
    Ok(db.first(PARK, &[seq.into(), owner.into(), PARKED.into()])?.is_some())
}

/// Makes an account's parked rows due.
pub fn unpark(db: &dyn Db, channel: &Channel, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
    db.execute(UNPARK, &[channel.as_str().into(), account.as_str().into(), now.into(), PARKED.into()])?;
    Ok(())
}

/// The number of an account's waiting messages, and the number of those that were given up.
pub fn of_account(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<(i64, i64), StoreError> {
    let key = [channel.as_str().into(), account.as_str().into()];
    let count = |sql| db.first(sql, &key)?.ok_or(StoreError::Missing("outbox"))?.int(0);
    Ok((count(WAITING_OF)?, count(GIVEN_UP_OF)?))
}

/// Whether a claimed row still belongs to its claimer.
pub fn holds(db: &dyn Db, seq: i64, owner: &[u8; 16]) -> Result<bool, StoreError> {
    Ok(db.first(HOLDS, &[seq.into(), owner.into()])?.is_some())
}

/// A message that was taken back before it was sent.
pub struct TakenBack {
    /// The message.
    pub message: MessageId,
    /// Its number in its conversation.
    pub n: i64,
    /// The channel.
    pub channel: Channel,
    /// Tries made.
    pub attempts: i64,
}

/// Takes back the messages of the system and of AI seats in a conversation that no deliverer has begun to send.
pub fn take_back(
    db: &dyn Db,
    conversation: ConversationId,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<TakenBack>, StoreError> {
    db.execute(TAKE_BACK, &[conversation.as_bytes().into(), reason.into(), now.into()])?.iter().map(taken).collect()
}

fn taken(r: &Row) -> Result<TakenBack, StoreError> {
    Ok(TakenBack {
        message: r.made(0, MessageId::from_bytes(r.blob(0)?))?,
        n: r.int(1)?,
        channel: r.made(2, Channel::new(r.text(2)?))?,
        attempts: r.int(3)?,
    })
}

/// Takes back one message that no deliverer has begun to send; `None` if it is not waiting.
pub fn take_back_one(
    db: &dyn Db,
    message: MessageId,
    reason: &str,
    now: Timestamp,
) -> Result<Option<TakenBack>, StoreError> {
    db.first(TAKE_BACK_ONE, &[message.as_bytes().into(), reason.into(), now.into()])?.as_ref().map(taken).transpose()
}

/// Gives up a claimed row and counts it. Returns false if the lease was lost. It runs in the caller's transaction.
pub fn dead(db: &dyn Db, row: &Claimed, owner: &[u8; 16], reason: &str, now: Timestamp) -> Result<bool, StoreError> {
    if db.first(DEAD, &[row.seq.into(), owner.into(), reason.into(), now.into()])?.is_none() {
        return Ok(false);
    }
    db.execute(COUNT_DEAD, &[row.channel.as_str().into(), row.account.as_str().into(), reason.into()])?;
    Ok(true)
}

/// Sets the time from which on a row is no longer sent.
pub fn extend(db: &dyn Db, seq: i64, give_up_at: Timestamp) -> Result<(), StoreError> {
    db.execute(EXTEND, &[seq.into(), give_up_at.into()])?;
    Ok(())
}

/// A message's row in the outbox: state, conversation, number, channel.
pub fn find(db: &dyn Db, message: MessageId) -> Result<Option<(String, ConversationId, i64, Channel)>, StoreError> {
    let Some(r) = db.first(FIND, &[message.as_bytes().into()])? else { return Ok(None) };
    let conversation = r.made(1, ConversationId::from_bytes(r.blob(1)?))?;
    Ok(Some((r.text(0)?.to_owned(), conversation, r.int(2)?, r.made(3, Channel::new(r.text(3)?))?)))
}

/// Makes a dead row pending again, as if it had never been tried; `None` if it is not dead, or if its message is no longer
/// in a row.
pub fn revive(
    db: &dyn Db,
    message: MessageId,
    now: Timestamp,
    give_up_at: Timestamp,
) -> Result<Option<(ConversationId, i64)>, StoreError> {
    let Some(r) = db.first(REVIVE, &[message.as_bytes().into(), now.into(), give_up_at.into()])? else {
        return Ok(None);
    };
    Ok(Some((r.made(0, ConversationId::from_bytes(r.blob(0)?))?, r.int(1)?)))
}

/// Messages that were given up, after a position, in the order in which they were written.
pub fn list_dead(db: &dyn Db, filter: &Filter<'_>, after: i64, limit: i64) -> Result<Vec<Dead>, StoreError> {
    let mut params = filter.params();
    params.extend([after.into(), limit.into()]);
    let rows = db.execute(LIST_DEAD, &params)?;
    rows.iter()
        .map(|r| {
            Ok(Dead {
                seq: r.int(0)?,
                message: r.made(1, MessageId::from_bytes(r.blob(1)?))?,
                conversation: r.made(2, ConversationId::from_bytes(r.blob(2)?))?,
                n: r.int(3)?,
                channel: r.made(4, Channel::new(r.text(4)?))?,
                account: r.made(5, AccountId::new(r.text(5)?))?,
                reason: r.text(6)?.to_owned(),
                attempts: r.int(7)?,
                created_at: r.time(8)?,
                dead_at: r.time(9)?,
            })
        })
        .collect()
}

/// The number of messages that were given up and match a filter, at most `most`.
pub fn count_dead(db: &dyn Db, filter: &Filter<'_>, most: i64) -> Result<i64, StoreError> {
    let mut params = filter.params();
    params.push(most.into());
    db.first(COUNT_LISTED, &params)?.ok_or(StoreError::Missing("outbox"))?.int(0)
}

/// The number of messages given up since counting began: channel, account, reason, count.
pub fn given_up(db: &dyn Db) -> Result<Vec<(String, String, String, i64)>, StoreError> {
    let rows = db.execute(GIVEN_UP, &[])?;
    rows.iter().map(|r| Ok((r.text(0)?.to_owned(), r.text(1)?.to_owned(), r.text(2)?.to_owned(), r.int(3)?))).collect()
}

/// Whether a message of a conversation is still in delivery.
pub fn is_open(db: &dyn Db, conversation: ConversationId) -> Result<bool, StoreError> {
    Ok(db.first(OPEN, &[conversation.as_bytes().into()])?.is_some())
}

/// The messages of a conversation that wait for their next try.
pub fn standing(db: &dyn Db, conversation: ConversationId) -> Result<Vec<Standing>, StoreError> {
    let rows = db.execute(STANDING, &[conversation.as_bytes().into(), outages::OPEN_AFTER.into()])?;
    rows.iter()
        .map(|r| Ok(Standing { n: r.int(0)?, next_at: r.time(1)?, outage: r.opt_text(2)?.map(str::to_owned) }))
        .collect()
}

/// The number of waiting messages by channel, and when the oldest of them was written.
pub fn waiting(db: &dyn Db) -> Result<Vec<(String, i64, Timestamp)>, StoreError> {
    db.execute(WAITING, &[])?.iter().map(|r| Ok((r.text(0)?.to_owned(), r.int(1)?, r.time(2)?))).collect()
}

/// The number of messages under way in a channel and in one of its accounts.
pub fn load(db: &dyn Db, channel: &Channel, account: &AccountId, now: Timestamp) -> Result<Load, StoreError> {
    let r = db
        .first(LOAD, &[channel.as_str().into(), account.as_str().into(), now.into()])?
        .ok_or(StoreError::Missing("outbox"))?;
    Ok(Load { channel: r.int(0)?, account: r.int(1)?, failures: r.int(2)? })
}

/// The accounts of a channel with due messages, except those whose platform is down and need not be probed yet.
pub fn due_accounts(db: &dyn Db, channel: &Channel, now: Timestamp) -> Result<Vec<AccountId>, StoreError> {
    let rows = db.execute(DUE_ACCOUNTS, &[channel.as_str().into(), now.into(), outages::OPEN_AFTER.into()])?;
    rows.iter().map(|r| r.made(0, AccountId::new(r.text(0)?))).collect()
}

/// The channels with such accounts.
pub fn due_channels(db: &dyn Db, now: Timestamp) -> Result<Vec<Channel>, StoreError> {
    let mut due = Vec::new();
    for row in db.execute(CHANNELS, &[])? {
        let channel = row.made(0, Channel::new(row.text(0)?))?;
        if !due_accounts(db, &channel, now)?.is_empty() {
            due.push(channel);
        }
    }
    Ok(due)
}
