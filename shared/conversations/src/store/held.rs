//! Messages to customers that were written and wait. A row is `waiting` until the message is sent, taken back, declined or
//! refused. The first two delete it.

use warmline_model::{AgentId, ConversationId, CustomerId, MessageId, Timestamp};
use warmline_store::{Db, Row, StoreError};

/// The reason why a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The writer can take it back for some seconds.
    Undo,
    /// The writer wants it to go later.
    Later,
    /// It answers nobody, and nobody is approached at this hour.
    Quiet,
    /// A supervisor has to approve it.
    Approval,
}

impl Why {
    const ALL: [Self; 4] = [Self::Undo, Self::Later, Self::Quiet, Self::Approval];

    /// The word in the store, in events and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::Later => "later",
            Self::Quiet => "quiet",
            Self::Approval => "approval",
        }
    }
}

/// The state of a held message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits.
    Waiting,
    /// A supervisor has declined it.
    Declined,
    /// The gate refused it when its time had come.
    Refused,
}

impl State {
    const ALL: [Self; 3] = [Self::Waiting, Self::Declined, Self::Refused];

    /// The word in the store and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Declined => "declined",
            Self::Refused => "refused",
        }
    }
}

/// A held message.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its id. The first message that is sent of it has the same.
    pub id: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The writer; `None` for supervisors who are no agents.
    pub agent: Option<AgentId>,
    /// Its contents, sealed.
    pub contents: Vec<u8>,
    /// Its purpose, if it answers nobody.
    pub purpose: Option<String>,
    /// The reason why it waits.
    pub why: Why,
    /// Its state.
    pub state: State,
    /// Whether a supervisor has approved it.
    pub approved: bool,
    /// The time at which it was written.
    pub held_at: Timestamp,
    /// The instant before which the writer does not want it to go.
    pub not_before: Option<Timestamp>,
    /// The instant at which the gate looks at it again; `None` while a supervisor has to decide.
    pub release_at: Option<Timestamp>,
    /// The stable code of the reason why it is not sent.
    pub reason: Option<String>,
    /// The supervisor who declined it; `None`: the administrator.
    pub decided_by: Option<AgentId>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, conversation_id, agent_id, contents, why, state, approved, held_at, not_before, release_at, reason, \
                    decided_by, purpose \
             FROM held_messages ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO held_messages \
                      (id, conversation_id, agent_id, contents, why, state, approved, held_at, not_before, release_at, purpose) \
                      VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?6, ?7, ?8, ?9, ?10)";
const GET: &str = select!("WHERE id = ?1");
const DUE: &str = "SELECT id FROM held_messages INDEXED BY held_messages_due \
                   WHERE state = 'waiting' AND release_at <= ?1 ORDER BY release_at LIMIT ?2";
const OF_CONVERSATION: &str =
    select!("INDEXED BY held_messages_conversation WHERE conversation_id = ?1 ORDER BY id LIMIT ?2");
const OF_AGENT: &str = select!("INDEXED BY held_messages_agent WHERE agent_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
const APPROVALS: &str = select!(
    "INDEXED BY held_messages_approvals WHERE state = 'waiting' AND why = 'approval' AND id > ?1 ORDER BY id LIMIT ?2"
);
const ALL: &str = select!("WHERE id > ?1 ORDER BY id LIMIT ?2");
const DELETE: &str = "DELETE FROM held_messages WHERE id = ?1 RETURNING 1";
const WAIT: &str = "UPDATE held_messages SET why = ?2, approved = ?3, release_at = ?4 WHERE id = ?1 AND state = 'waiting' \
                    RETURNING 1";
const END: &str = "UPDATE held_messages SET state = ?2, reason = ?3, decided_by = ?4, counts_from = ?5, release_at = NULL \
                   WHERE id = ?1 AND state = 'waiting' RETURNING 1";
const ERASE: &str = "DELETE FROM held_messages WHERE conversation_id IN \
                     (SELECT id FROM conversations WHERE customer_id = ?1)";
const OF_CUSTOMER: &str = "SELECT h.id, h.conversation_id, h.agent_id, h.contents, h.why, h.state, h.approved, h.held_at, \
                                  h.not_before, h.release_at, h.reason, h.decided_by, h.purpose \
                           FROM conversations v CROSS JOIN held_messages h ON h.conversation_id = v.id \
                           WHERE v.customer_id = ?1 LIMIT ?2";
const OLD: &str = select!("INDEXED BY held_messages_old WHERE counts_from <= ?1 ORDER BY counts_from LIMIT ?2");
const COUNT_FROM: &str = "UPDATE held_messages SET counts_from = ?2 WHERE id = ?1";

fn read(row: &Row) -> Result<Held, StoreError> {
    let word = |n: usize| row.text(n);
    let (why, state) = (word(4)?, word(5)?);
    let agent = |n: usize| row.opt_blob(n)?.map(|id| row.made(n, AgentId::from_bytes(id))).transpose();
    Ok(Held {
        id: row.made(0, MessageId::from_bytes(row.blob(0)?))?,
        conversation: row.made(1, ConversationId::from_bytes(row.blob(1)?))?,
        agent: agent(2)?,
        contents: row.blob(3)?.to_vec(),
        why: Why::ALL.into_iter().find(|w| w.as_str() == why).ok_or(StoreError::Shape(4))?,
        state: State::ALL.into_iter().find(|s| s.as_str() == state).ok_or(StoreError::Shape(5))?,
        approved: row.flag(6)?,
        held_at: row.time(7)?,
        not_before: row.opt_time(8)?,
        release_at: row.opt_time(9)?,
        reason: row.opt_text(10)?.map(str::to_owned),
        decided_by: agent(11)?,
        purpose: row.opt_text(12)?.map(str::to_owned),
    })
}

fn listed(db: &dyn Db, sql: &'static str, params: &[warmline_store::Value]) -> Result<Vec<Held>, StoreError> {
    db.execute(sql, params)?.iter().map(read).collect()
}

fn id_of(agent: Option<AgentId>) -> Option<Vec<u8>> {
    agent.map(|agent| agent.as_bytes().to_vec())
}

/// Stores a message that waits.
pub fn insert(db: &dyn Db, held: &Held) -> Result<(), StoreError> {
    let params = [
        held.id.as_bytes().into(),
        held.conversation.as_bytes().into(),
        id_of(held.agent).into(),
        held.contents.as_slice().into(),
        held.why.as_str().into(),
        held.approved.into(),
        held.held_at.into(),
        held.not_before.into(),
        held.release_at.into(),
        held.purpose.as_deref().into(),
    ];
    db.execute(INSERT, &params)?;
    Ok(())
}

/// A held message.
pub fn get(db: &dyn Db, id: MessageId) -> Result<Option<Held>, StoreError> {
    db.first(GET, &[id.as_bytes().into()])?.as_ref().map(read).transpose()
}

/// The messages at which the gate has to look again, those that wait longest first.
pub fn due(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<MessageId>, StoreError> {
    let rows = db.execute(DUE, &[now.into(), limit.into()])?;
    rows.iter().map(|row| row.made(0, MessageId::from_bytes(row.blob(0)?))).collect()
}

/// The held messages of a conversation, in the order in which they were written.
pub fn of_conversation(db: &dyn Db, id: ConversationId, limit: i64) -> Result<Vec<Held>, StoreError> {
    listed(db, OF_CONVERSATION, &[id.as_bytes().into(), limit.into()])
}

/// The held messages that an agent wrote, after a position.
pub fn of_agent(db: &dyn Db, agent: AgentId, after: &[u8], limit: i64) -> Result<Vec<Held>, StoreError> {
    listed(db, OF_AGENT, &[agent.as_bytes().into(), after.into(), limit.into()])
}

/// The messages that wait for a supervisor, after a position.
pub fn approvals(db: &dyn Db, after: &[u8], limit: i64) -> Result<Vec<Held>, StoreError> {
    listed(db, APPROVALS, &[after.into(), limit.into()])
}

/// All held messages, after a position.
pub fn all(db: &dyn Db, after: &[u8], limit: i64) -> Result<Vec<Held>, StoreError> {
    listed(db, ALL, &[after.into(), limit.into()])
}

/// Deletes a held message. Returns false if it is gone already.
pub fn delete(db: &dyn Db, id: MessageId) -> Result<bool, StoreError> {
    Ok(db.first(DELETE, &[id.as_bytes().into()])?.is_some())
}

/// Lets a waiting message wait for something else. Returns false if it does not wait.
pub fn wait(
    db: &dyn Db,
    id: MessageId,
    why: Why,
    approved: bool,
    release_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let params = [id.as_bytes().into(), why.as_str().into(), approved.into(), release_at.into()];
    Ok(db.first(WAIT, &params)?.is_some())
}

/// Notes that a waiting message is not sent. Returns false if it does not wait.
pub fn end(
    db: &dyn Db,
    id: MessageId,
    state: State,
    reason: &str,
    by: Option<AgentId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [id.as_bytes().into(), state.as_str().into(), reason.into(), id_of(by).into(), now.into()];
    Ok(db.first(END, &params)?.is_some())
}

/// Deletes the held messages to a customer.
pub fn erase(db: &dyn Db, customer: CustomerId) -> Result<(), StoreError> {
    db.execute(ERASE, &[customer.as_bytes().into()])?;
    Ok(())
}

/// The held messages to a customer.
pub fn of_customer(db: &dyn Db, customer: CustomerId, limit: i64) -> Result<Vec<Held>, StoreError> {
    listed(db, OF_CUSTOMER, &[customer.as_bytes().into(), limit.into()])
}

/// Messages that were not sent, and whose days are over, oldest first.
pub fn old(db: &dyn Db, until: Timestamp, limit: i64) -> Result<Vec<Held>, StoreError> {
    listed(db, OLD, &[until.into(), limit.into()])
}

/// Sets from when the days of a message count that was not sent.
pub fn count_from(db: &dyn Db, id: MessageId, at: Timestamp) -> Result<(), StoreError> {
    db.execute(COUNT_FROM, &[id.as_bytes().into(), at.into()])?;
    Ok(())
}
