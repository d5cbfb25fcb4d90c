//! Conversations. State, agent and claimed capacity change together, in one transaction of the caller.

use crate::db::{Db, Row, StoreError, Value};
use warmline_model::case::OrderKey;
use warmline_model::{
    AccountId, AgentId, CaseId, Channel, ConversationId, ConversationState, CustomerId, GroupId, IdentityId, Timestamp,
    Units,
};

/// A conversation as stored.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Id.
    pub id: ConversationId,
    /// The identity that it is held with. Every reply goes to it.
    pub identity: IdentityId,
    /// The customer. Its messages are sealed under the customer's key.
    pub customer: CustomerId,
    /// The channel.
    pub channel: Channel,
    /// The brand's account.
    pub account: AccountId,
    /// State.
    pub state: ConversationState,
    /// Skill group.
    pub group: Option<GroupId>,
    /// The agent who holds or held it.
    pub agent: Option<AgentId>,
    /// Whether the customer was a VIP when it was opened.
    pub vip: bool,
    /// The time at which it was opened.
    pub opened_at: Timestamp,
    /// The time at which the last message of either side was stored.
    pub last_message_at: Timestamp,
    /// The time at which it entered its present or last queue.
    pub queued_at: Option<Timestamp>,
    /// The time of the assignment to the present agent.
    pub assigned_at: Option<Timestamp>,
    /// The time at which the present agent accepted it.
    pub accepted_at: Option<Timestamp>,
    /// The time of the customer's first message that no human has answered yet.
    pub round_started_at: Option<Timestamp>,
    /// The time of the customer's first message.
    pub first_inbound_at: Option<Timestamp>,
    /// The time of the first human reply.
    pub first_response_at: Option<Timestamp>,
    /// The time at which it was closed.
    pub closed_at: Option<Timestamp>,
    /// The way in which it ended.
    pub disposition: Option<String>,
    /// The milliseconds for which earlier agents held it.
    pub handle_ms: i64,
    /// Number of messages.
    pub messages: i64,
    /// The reason for its place: the rule and the choice.
    pub why: Option<String>,
    /// The time until which a webhook's own answer can still carry a reply. The platform's API is not used before.
    pub answer_until: Option<Timestamp>,
    /// The lane that it stands or stood in, with its demands on a seat (`warmline_model::Lane`, as text).
    pub lane: Option<String>,
    /// The units that it takes of its agent's capacity.
    pub units: Units,
    /// The estimate of its wait that was noted, in milliseconds.
    pub estimate_ms: Option<i64>,
    /// Whether its present or last seat is an AI seat.
    pub ai: bool,
    /// The number of turns in a row in which an AI seat found no answer.
    pub ai_failed: i64,
    /// The customer's person; merges change it.
    pub person: CustomerId,
    /// The case that it belongs to.
    pub case: CaseId,
    /// Who put it off, and until when; only while it is put off.
    pub snooze: Option<Snooze>,
}

/// A conversation that was put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snooze {
    /// The agent.
    pub agent: AgentId,
    /// The instant at which it wakes; `None`: when the customer writes.
    pub until: Option<Timestamp>,
    /// Whether an event of an order wakes it, too.
    pub orders: bool,
}

/// The columns that [`read`] reads, of the table `conversations` under the name `v`.
#[macro_export]
macro_rules! conversation_columns {
    () => {
        "v.id, v.identity_id, v.customer_id, v.channel, v.account, v.state, v.group_id, v.agent_id, v.vip, \
         v.opened_at, v.last_message_at, v.queued_at, v.assigned_at, v.accepted_at, v.round_started_at, \
         v.first_inbound_at, v.first_response_at, v.closed_at, v.disposition, v.handle_ms, v.messages, v.why, \
         v.answer_until, v.lane, v.units, v.estimate_ms, v.ai, v.ai_failed, \
         (SELECT person FROM customers WHERE id = v.customer_id), v.case_id, v.snoozed_by, v.snoozed_until, v.snooze_orders"
    };
}
pub use conversation_columns as columns;

/// The number of columns in [`columns!`].
pub const COLUMNS: usize = 33;

/// Reads [`columns!`].
///
/// # Errors
/// A column holds an unexpected value.
pub fn read(r: &Row) -> Result<Conversation, StoreError> {
    let state = ConversationState::parse(r.text(5)?).ok_or(StoreError::Shape(5))?;
    // A release that does not know of it may have placed it since.
    let snooze = match r.opt_blob(30)?.filter(|_| state == ConversationState::Open) {
        Some(agent) => {
            Some(Snooze { agent: r.made(30, AgentId::from_bytes(agent))?, until: r.opt_time(31)?, orders: r.flag(32)? })
        }
        None => None,
    };
    Ok(Conversation {
        id: r.made(0, ConversationId::from_bytes(r.blob(0)?))?,
        identity: r.made(1, IdentityId::from_bytes(r.blob(1)?))?,
        customer: r.made(2, CustomerId::from_bytes(r.blob(2)?))?,
        channel: r.made(3, Channel::new(r.text(3)?))?,
        account: r.made(4, AccountId::new(r.text(4)?))?,
        state,
        group: r.opt_text(6)?.map(|t| r.made(6, GroupId::new(t))).transpose()?,
        agent: r.opt_blob(7)?.map(|b| r.made(7, AgentId::from_bytes(b))).transpose()?,
        vip: r.flag(8)?,
        opened_at: r.time(9)?,
        last_message_at: r.time(10)?,
        queued_at: r.opt_time(11)?,
        assigned_at: r.opt_time(12)?,
        accepted_at: r.opt_time(13)?,
        round_started_at: r.opt_time(14)?,
        first_inbound_at: r.opt_time(15)?,
        first_response_at: r.opt_time(16)?,
        closed_at: r.opt_time(17)?,
        disposition: r.opt_text(18)?.map(str::to_owned),
        handle_ms: r.int(19)?,
        messages: r.int(20)?,
        why: r.opt_text(21)?.map(str::to_owned),
        answer_until: r.opt_time(22)?,
        lane: r.opt_text(23)?.map(str::to_owned),
        units: Units::from_hundredths(r.int(24)?),
        estimate_ms: r.opt_int(25)?,
        ai: r.flag(26)?,
        ai_failed: r.int(27)?,
        person: r.made(28, CustomerId::from_bytes(r.blob(28)?))?,
        case: r.made(29, CaseId::from_bytes(r.blob(29)?))?,
        snooze,
    })
}

const OPEN: &str = "INSERT INTO conversations \
                    (id, identity_id, customer_id, channel, account, state, vip, opened_at, last_message_at, case_id, orders) \
                    VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, ?7, ?7, ?8, ?9)";
const GET: &str = concat!("SELECT ", columns!(), " FROM conversations v WHERE v.id = ?1");
const LAST_OF_CUSTOMER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v WHERE v.customer_id = ?1 AND v.id < ?2 ORDER BY v.id DESC LIMIT 1"
);
const LIST: &str = concat!("SELECT ", columns!(), " FROM conversations v WHERE v.id > ?1 ORDER BY v.id LIMIT ?2");
const LIST_STATE: &str =
    concat!("SELECT ", columns!(), " FROM conversations v WHERE v.id > ?1 AND v.state = ?3 ORDER BY v.id LIMIT ?2");
const LIST_AGENT: &str =
    concat!("SELECT ", columns!(), " FROM conversations v WHERE v.id > ?1 AND v.agent_id = ?3 ORDER BY v.id LIMIT ?2");
const LIST_BOTH: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v WHERE v.id > ?1 AND v.agent_id = ?3 AND v.state = ?4 ORDER BY v.id LIMIT ?2"
);
const LIST_QUEUES: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v WHERE v.state = 'queued' AND v.id > ?1 \
      AND v.group_id IN (SELECT group_id FROM agent_groups WHERE agent_id = ?3) ORDER BY v.id LIMIT ?2"
);
const REPLY_TO: &str = "SELECT reply_to FROM conversations WHERE id = ?1";
const OUTBOUND: &str = "UPDATE conversations SET messages = messages + 1, last_message_at = ?2 \
                        WHERE id = ?1 RETURNING messages";
const ANSWERED: &str = "UPDATE conversations SET state = ?3, round_started_at = NULL, accept_by = NULL, wrap_until = NULL, \
                        accepted_at = coalesce(accepted_at, ?2), first_response_at = coalesce(first_response_at, ?2) \
                        WHERE id = ?1 RETURNING 1";
const ACCEPT: &str = "UPDATE conversations SET accepted_at = ?2, accept_by = NULL, rings_until = NULL WHERE id = ?1 AND accepted_at IS NULL RETURNING 1";
const WRAP_UP: &str = "UPDATE conversations SET state = 'wrap_up', wrap_until = ?2, disposition = ?3, accept_by = NULL, \
                       round_started_at = NULL WHERE id = ?1 AND state <> 'closed' RETURNING 1";
const CLOSE: &str = "UPDATE conversations SET state = 'closed', closed_at = ?2, disposition = coalesce(?3, disposition), \
                     rank = NULL, accept_by = NULL, wrap_until = NULL, round_started_at = NULL, handle_ms = ?4, \
                     overflow_at = NULL, lost_at = NULL, ai_due = NULL, rings_until = NULL, \
                     snoozed_by = NULL, snoozed_until = NULL \
                     WHERE id = ?1 AND state <> 'closed' RETURNING 1";
const SNOOZE: &str = "UPDATE conversations SET state = 'open', agent_id = NULL, units = 0, assigned_at = NULL, accepted_at = NULL, \
                      accept_by = NULL, lost_at = NULL, handle_ms = ?2, snoozed_by = ?3, snoozed_until = ?4, snooze_orders = ?5 \
                      WHERE id = ?1 AND state IN ('assigned', 'waiting_on_customer') RETURNING 1";
const WAKING: &str = "SELECT id FROM conversations INDEXED BY conversations_wake WHERE snoozed_until <= ?1 AND state = 'open' \
                      ORDER BY snoozed_until LIMIT ?2";
const SNOOZED_FOR_ORDERS: &str = "SELECT v.id FROM customers c CROSS JOIN identities i ON i.customer_id = c.id \
                                  CROSS JOIN conversations v ON v.identity_id = i.id AND v.state <> 'closed' \
                                  WHERE c.person = ?1 AND v.state = 'open' AND v.snoozed_by IS NOT NULL AND v.snooze_orders <> 0";
const IDLE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_by_state WHERE v.state = 'open' AND v.snoozed_by IS NULL \
     AND v.round_started_at IS NULL AND v.last_message_at < ?1 ORDER BY v.id LIMIT ?2"
);
const NOT_ACCEPTED: &str =
    concat!("SELECT ", columns!(), " FROM conversations v WHERE v.accept_by <= ?1 ORDER BY v.accept_by LIMIT ?2");
const WRAP_OVER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_wrap \
     WHERE v.wrap_until <= ?1 AND v.state = 'wrap_up' ORDER BY v.wrap_until LIMIT ?2"
);
const OF_IDENTITY: &str = "SELECT id FROM conversations WHERE identity_id = ?1 AND id >= ?2 ORDER BY id";
const LATEST: &str = "SELECT id FROM conversations WHERE identity_id = ?1 ORDER BY id DESC LIMIT 1";
const STATES: &str = "SELECT state, count(*) FROM conversations \
                      WHERE state IN ('open', 'queued', 'assigned', 'waiting_on_customer', 'wrap_up') GROUP BY state";

/// An id as a parameter.
pub fn id_param(id: ConversationId) -> Value {
    id.as_bytes().into()
}

/// Fails unless a statement that must change a row returned one.
pub fn hit(row: Option<Row>) -> Result<(), StoreError> {
    row.map(|_| ()).ok_or(StoreError::Missing("open conversation"))
}

/// Opens a conversation in which these orders were named.
pub fn open(db: &dyn Db, c: &Conversation, orders: &[OrderKey]) -> Result<(), StoreError> {
    let params = [
        id_param(c.id),
        c.identity.as_bytes().into(),
        c.customer.as_bytes().into(),
        c.channel.as_str().into(),
        c.account.as_str().into(),
        c.vip.into(),
        c.opened_at.into(),
        c.case.as_bytes().into(),
        orders.concat().into(),
    ];
    db.execute(OPEN, &params)?;
    Ok(())
}

/// Finds a conversation.
pub fn get(db: &dyn Db, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
    db.first(GET, &[id_param(id)])?.as_ref().map(read).transpose()
}

/// The last conversation of a customer before an id.
pub fn last_of_customer(
    db: &dyn Db,
    customer: CustomerId,
    before: ConversationId,
) -> Result<Option<Conversation>, StoreError> {
    let params = [customer.as_bytes().into(), id_param(before)];
    db.first(LAST_OF_CUSTOMER, &params)?.as_ref().map(read).transpose()
}

/// Conversations after an id, oldest first; only those of a state and an agent, if given.
pub fn list(
    db: &dyn Db,
    after: Option<ConversationId>,
    limit: i64,
    state: Option<ConversationState>,
    agent: Option<AgentId>,
) -> Result<Vec<Conversation>, StoreError> {
    let mut params: Vec<Value> = vec![after.map_or_else(Vec::new, |id| id.as_bytes().to_vec()).into(), limit.into()];
    let sql = match (state, agent) {
        (None, None) => LIST,
        (Some(_), None) => LIST_STATE,
        (None, Some(_)) => LIST_AGENT,
        (Some(_), Some(_)) => LIST_BOTH,
    };
    params.extend(agent.map(|a| a.as_bytes().into()));
    params.extend(state.map(|s| s.as_str().into()));
    db.execute(sql, &params)?.iter().map(read).collect()
}

/// The conversations after an id that wait for an agent's groups, oldest first.
pub fn list_queues_of(
    db: &dyn Db,
    agent: AgentId,
    after: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<Conversation>, StoreError> {
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    db.execute(LIST_QUEUES, &[after.into(), limit.into(), agent.as_bytes().into()])?.iter().map(read).collect()
}

/// The sealed place for replies that the customer's newest message named.
pub fn reply_to(db: &dyn Db, id: ConversationId) -> Result<Option<Vec<u8>>, StoreError> {
    match db.first(REPLY_TO, &[id_param(id)])? {
        Some(row) => Ok(row.opt_blob(0)?.map(<[u8]>::to_vec)),
        None => Ok(None),
    }
}

/// Counts a message to the customer. Returns its number.
pub fn outbound(db: &dyn Db, id: ConversationId, now: Timestamp) -> Result<i64, StoreError> {
    db.first(OUTBOUND, &[id_param(id), now.into()])?.ok_or(StoreError::Missing("conversation"))?.int(0)
}

/// Notes that a human has answered: the round is over, and the conversation is accepted.
pub fn answered(db: &dyn Db, id: ConversationId, now: Timestamp, state: ConversationState) -> Result<(), StoreError> {
    hit(db.first(ANSWERED, &[id_param(id), now.into(), state.as_str().into()])?)
}

/// Notes the agent's acceptance. Returns false if it was accepted before.
pub fn accept(db: &dyn Db, id: ConversationId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(ACCEPT, &[id_param(id), now.into()])?.is_some())
}

/// Starts the wrap-up.
///
/// # Errors
/// It is closed.
pub fn wrap_up(db: &dyn Db, id: ConversationId, until: Timestamp, disposition: Option<&str>) -> Result<(), StoreError> {
    hit(db.first(WRAP_UP, &[id_param(id), until.into(), disposition.into()])?)
}

/// Closes a conversation.
///
/// # Errors
/// It is closed.
pub fn close(
    db: &dyn Db,
    id: ConversationId,
    now: Timestamp,
    disposition: Option<&str>,
    handle_ms: i64,
) -> Result<(), StoreError> {
    hit(db.first(CLOSE, &[id_param(id), now.into(), disposition.into(), handle_ms.into()])?)
}

/// The number of open conversations in each state.
pub fn open_by_state(db: &dyn Db) -> Result<Vec<(String, i64)>, StoreError> {
    db.execute(STATES, &[])?.iter().map(|r| Ok((r.text(0)?.to_owned(), r.int(1)?))).collect()
}

/// Assigned conversations whose agent should have accepted by now.
pub fn not_accepted(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(NOT_ACCEPTED, &[now.into(), limit.into()])?.iter().map(read).collect()
}

/// Puts a conversation off, which leaves its agent's hands.
///
/// # Errors
/// Nobody holds it.
pub fn snooze(db: &dyn Db, id: ConversationId, snooze: &Snooze, handle_ms: i64) -> Result<(), StoreError> {
    let params = [id_param(id), handle_ms.into(), snooze.agent.as_bytes().into(), snooze.until.into(), snooze.orders.into()];
    hit(db.first(SNOOZE, &params)?)
}

/// Conversations that were put off until now.
pub fn waking(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<ConversationId>, StoreError> {
    db.execute(WAKING, &[now.into(), limit.into()])?
        .iter()
        .map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?)))
        .collect()
}

/// A person's conversations that were put off until something happens to an order.
pub fn snoozed_for_orders(db: &dyn Db, person: CustomerId) -> Result<Vec<ConversationId>, StoreError> {
    db.execute(SNOOZED_FOR_ORDERS, &[person.as_bytes().into()])?
        .iter()
        .map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?)))
        .collect()
}

/// Open conversations in which nobody has spoken since an instant, oldest first.
pub fn idle(db: &dyn Db, before: Timestamp, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(IDLE, &[before.into(), limit.into()])?.iter().map(read).collect()
}

/// Conversations whose wrap-up should be over by now.
pub fn wrap_over(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<Conversation>, StoreError> {
    db.execute(WRAP_OVER, &[now.into(), limit.into()])?.iter().map(read).collect()
}

/// The conversations of an identity from one on, oldest first.
pub fn of_identity(db: &dyn Db, identity: IdentityId, from: ConversationId) -> Result<Vec<ConversationId>, StoreError> {
    db.execute(OF_IDENTITY, &[identity.as_bytes().into(), id_param(from)])?
        .iter()
        .map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?)))
        .collect()
}

/// The newest conversation of an identity.
pub fn latest(db: &dyn Db, identity: IdentityId) -> Result<Option<ConversationId>, StoreError> {
    db.first(LATEST, &[identity.as_bytes().into()])?.map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?))).transpose()
}
