//! The place of a conversation, in a queue or with a seat, and the deadlines there.

use warmline_model::{AgentId, ConversationId, CustomerId, GroupId, Timestamp, Units};
use warmline_store::conversations::{Conversation, columns, hit, id_param, read};
use warmline_store::{Db, StoreError};

const QUEUE: &str = "UPDATE conversations SET state = 'queued', group_id = ?2, agent_id = NULL, rank = ?3, queued_at = ?4, \
                     assigned_at = NULL, accepted_at = NULL, accept_by = NULL, wrap_until = NULL, handle_ms = ?5, why = ?6, \
                     lane = ?7, units = 0, overflow_at = ?8, estimate_ms = ?9, left_message = ?10, lost_at = NULL, ai_due = NULL, ai = 0, \
                     snoozed_by = NULL, snoozed_until = NULL \
                     WHERE id = ?1 AND state <> 'closed' RETURNING 1";
const ASSIGN: &str = "UPDATE conversations SET state = 'assigned', group_id = ?2, agent_id = ?3, assigned_at = ?4, \
                      accept_by = ?5, accepted_at = ?6, rank = NULL, wrap_until = NULL, handle_ms = ?7, why = ?8, \
                      lane = ?9, units = ?10, overflow_at = NULL, lost_at = NULL, ai_due = ?11, ai = ?12, ai_failed = 0, \
                      snoozed_by = NULL, snoozed_until = NULL \
                      WHERE id = ?1 AND state <> 'closed' RETURNING 1";
const DETACH: &str = "UPDATE conversations SET agent_id = NULL, units = 0 WHERE id = ?1 AND closed_at IS NULL RETURNING 1";
const LAST: &str = "SELECT l.agent_id, l.closed_at FROM conversations l WHERE l.id = (SELECT max((\
                      SELECT v.id FROM conversations v INDEXED BY conversations_by_customer JOIN agents a ON a.id = v.agent_id \
                      WHERE v.customer_id = c.id AND v.closed_at IS NOT NULL AND a.ai = 0 AND a.removed_at IS NULL \
                      ORDER BY v.id DESC LIMIT 1)) FROM customers c WHERE c.person = ?1)";
const OVERDUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_overflow \
     WHERE v.overflow_at <= ?1 ORDER BY v.overflow_at LIMIT ?2"
);
const STAYS: &str = "UPDATE conversations SET overflow_at = NULL WHERE id = ?1 AND state = 'queued' RETURNING 1";
const LOSE: &str = "UPDATE conversations SET lost_at = ?2 WHERE agent_id = ?1 AND closed_at IS NULL AND state <> 'wrap_up'";
const FOUND: &str =
    "UPDATE conversations SET lost_at = NULL WHERE agent_id = ?1 AND closed_at IS NULL AND lost_at IS NOT NULL";
const LOST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_lost WHERE v.lost_at <= ?1 ORDER BY v.lost_at LIMIT ?2"
);
const RINGS: &str = "UPDATE conversations SET rings_until = ?2 WHERE id = ?1 RETURNING 1";
const RINGING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_ringing WHERE v.rings_until <= ?1 ORDER BY v.rings_until LIMIT ?2"
);
const AI_TURN: &str = "UPDATE conversations SET ai_due = ?2 WHERE id = ?1 RETURNING 1";
const AI_ANSWERED: &str = "UPDATE conversations SET ai_due = NULL, ai_failed = ?2 WHERE id = ?1 RETURNING 1";
const AI_WAITING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_ai WHERE v.ai_due IS NOT NULL AND v.ai_due <= ?1 ORDER BY v.ai_due LIMIT ?2"
);
const UNPLACED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_unplaced \
     WHERE v.state = 'open' AND v.round_started_at IS NOT NULL AND v.snoozed_by IS NULL ORDER BY v.round_started_at LIMIT ?1"
);

/// The entry of a conversation into a queue.
pub struct Queued<'a> {
    /// The group.
    pub group: &'a GroupId,
    /// The place in the queue: the instant of entry in milliseconds less the head start. The smallest rank is served first.
    /// Ageing therefore costs nothing, and nobody starves.
    pub rank: i64,
    /// The time of entry.
    pub queued_at: Timestamp,
    /// For how many milliseconds agents have held it so far.
    pub handle_ms: i64,
    /// The rule that chose the group.
    pub why: &'a str,
    /// The lane's text.
    pub lane: &'a str,
    /// The time at which it has waited too long.
    pub overflow_at: Option<Timestamp>,
    /// The estimate of its wait, in milliseconds.
    pub estimate_ms: Option<i64>,
    /// Whether the customer left a message.
    pub left_message: bool,
}

/// Puts a conversation into a queue.
///
/// # Errors
/// The conversation is closed.
pub fn queue(db: &dyn Db, id: ConversationId, q: &Queued<'_>) -> Result<(), StoreError> {
    let params = [
        id_param(id),
        q.group.as_str().into(),
        q.rank.into(),
        q.queued_at.into(),
        q.handle_ms.into(),
        q.why.into(),
        q.lane.into(),
        q.overflow_at.into(),
        q.estimate_ms.into(),
        q.left_message.into(),
    ];
    hit(db.first(QUEUE, &params)?)
}

/// An assignment of a conversation to an agent.
pub struct Assigned<'a> {
    /// The group for which it is served.
    pub group: &'a GroupId,
    /// The agent.
    pub agent: AgentId,
    /// The time of the assignment.
    pub at: Timestamp,
    /// The time until which the agent must accept; `None` if it counts as accepted.
    pub accept_by: Option<Timestamp>,
    /// For how many milliseconds earlier agents held it.
    pub handle_ms: i64,
    /// The reason for this agent.
    pub why: &'a str,
    /// The lane's text: its demands on a seat, if it needs another one later.
    pub lane: &'a str,
    /// The units that it takes of the agent's capacity.
    pub units: Units,
    /// For an AI seat, the deadline of its answer.
    pub ai_due: Option<Timestamp>,
    /// Whether it is an AI seat.
    pub ai: bool,
}

/// Gives a conversation to an agent whose capacity was claimed.
///
/// # Errors
/// The conversation is closed.
pub fn assign(db: &dyn Db, id: ConversationId, a: &Assigned<'_>) -> Result<(), StoreError> {
    let accepted = if a.accept_by.is_none() { Some(a.at) } else { None };
    let params = [
        id_param(id),
        a.group.as_str().into(),
        a.agent.as_bytes().into(),
        a.at.into(),
        a.accept_by.into(),
        accepted.into(),
        a.handle_ms.into(),
        a.why.into(),
        a.lane.into(),
        a.units.hundredths().into(),
        a.ai_due.into(),
        a.ai.into(),
    ];
    hit(db.first(ASSIGN, &params)?)
}

/// Open conversations in which a customer spoke and that have no group: no group existed, or too many of the account's
/// conversations waited.
pub fn unplaced(db: &dyn Db, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(UNPLACED, &[limit.into()])?.iter().map(read).collect()
}

/// Takes a conversation from its agent. It has to be placed again in the same transaction.
///
/// # Errors
/// The conversation is closed.
pub fn detach(db: &dyn Db, id: ConversationId) -> Result<(), StoreError> {
    hit(db.first(DETACH, &[id_param(id)])?)
}

/// The last human agent of a person, and when that conversation was closed.
pub fn last_agent(db: &dyn Db, person: CustomerId) -> Result<Option<(AgentId, Timestamp)>, StoreError> {
    let Some(row) = db.first(LAST, &[person.as_bytes().into()])? else { return Ok(None) };
    Ok(Some((row.made(0, AgentId::from_bytes(row.blob(0)?))?, row.time(1)?)))
}

/// Contacts that have waited too long in their queue.
pub fn overdue(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(OVERDUE, &[now.into(), limit.into()])?.iter().map(read).collect()
}

/// Leaves a contact that waited too long in its queue, because no other place was found.
///
/// # Errors
/// The conversation is not queued.
pub fn stays(db: &dyn Db, id: ConversationId) -> Result<(), StoreError> {
    hit(db.first(STAYS, &[id_param(id)])?)
}

/// Keeps a lost agent's conversations for the agent until an instant.
pub fn keep_until(db: &dyn Db, agent: AgentId, until: Timestamp) -> Result<(), StoreError> {
    db.execute(LOSE, &[agent.as_bytes().into(), until.into()])?;
    Ok(())
}

/// Ends the keeping, because the agent is back.
pub fn keep(db: &dyn Db, agent: AgentId) -> Result<(), StoreError> {
    db.execute(FOUND, &[agent.as_bytes().into()])?;
    Ok(())
}

/// Conversations of lost agents who did not come back in time.
pub fn lost(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(LOST, &[now.into(), limit.into()])?.iter().map(read).collect()
}

/// Notes that the customer has spoken to an AI seat, which must answer by `due`.
pub fn ai_turn(db: &dyn Db, id: ConversationId, due: Timestamp) -> Result<(), StoreError> {
    hit(db.first(AI_TURN, &[id_param(id), due.into()])?)
}

/// Notes that an AI seat has answered, and that it has found no answer in `failed` turns in a row.
pub fn ai_answered(db: &dyn Db, id: ConversationId, failed: i64) -> Result<(), StoreError> {
    hit(db.first(AI_ANSWERED, &[id_param(id), failed.into()])?)
}

/// Conversations in which an AI seat's answer is due by an instant.
pub fn ai_waiting(db: &dyn Db, by: Timestamp, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(AI_WAITING, &[by.into(), limit.into()])?.iter().map(read).collect()
}

/// Sets the time until which a call counts as ringing; `None`: it no longer rings.
///
/// # Errors
/// There is no such conversation.
pub fn rings(db: &dyn Db, id: ConversationId, until: Option<Timestamp>) -> Result<(), StoreError> {
    hit(db.first(RINGS, &[id_param(id), until.into()])?)
}

/// Calls that have rung long enough without a further event.
pub fn ringing(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(RINGING, &[now.into(), limit.into()])?.iter().map(read).collect()
}
