//! Deadlines.

use crate::clock::{Deadline, Metric, Source, State};
use crate::store::promises;
use warmline_model::{AgentId, ConversationId, CustomerId, GroupId, MessageId, Timestamp};
use warmline_store::dialect::ids;
use warmline_store::{Db, Row, StoreError, Value};

/// A deadline as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its number in the conversation.
    pub k: i64,
    /// The deadline.
    pub deadline: Deadline,
    /// The conversation's agent when it last changed.
    pub agent: Option<AgentId>,
    /// The conversation's group when it last changed.
    pub group: Option<GroupId>,
    /// When to look at it again.
    pub look_at: Option<Timestamp>,
    /// The set of the looks that are done.
    pub done: i64,
}

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT d.conversation_id, d.k, d.message_id, d.metric, d.source, d.rule, d.version, d.calendar, d.starts_at, d.due_at, \
             d.target_ms, d.used_ms, d.runs_from, d.paused_at, d.paused_ms, d.pause_left_ms, d.human_only, d.state, d.answered_at, \
             d.ended_at, d.reason, d.consequence, d.agent_id, d.group_id, d.look_at, d.done FROM ",
            $rest
        )
    };
}

const OPEN: &str = concat!(
    "WITH RECURSIVE ",
    ids!("part", "?1"),
    " ",
    select!("part CROSS JOIN deadlines d INDEXED BY deadlines_open ON d.conversation_id = part.id AND d.ended_at IS NULL")
);
const OF: &str = select!("deadlines d WHERE d.conversation_id = ?1 AND d.k > ?2 ORDER BY d.k LIMIT ?3");
const LOOK: &str = "SELECT conversation_id, look_at FROM deadlines INDEXED BY deadlines_look WHERE look_at <= ?1 \
                    ORDER BY look_at LIMIT ?2";
const BY_STATE: &str = select!(
    "deadlines d INDEXED BY deadlines_state WHERE d.state = ?1 AND (d.due_at, d.conversation_id, d.k) > (?2, ?3, ?4) \
     AND (?5 IS NULL OR d.source = ?5) AND (?6 IS NULL OR d.group_id = ?6) ORDER BY d.due_at, d.conversation_id, d.k LIMIT ?7"
);
const BY_AGENT: &str = select!(
    "deadlines d INDEXED BY deadlines_agent WHERE d.agent_id = ?8 AND d.state = ?1 \
     AND (d.due_at, d.conversation_id, d.k) > (?2, ?3, ?4) \
     AND (?5 IS NULL OR d.source = ?5) AND (?6 IS NULL OR d.group_id = ?6) ORDER BY d.due_at, d.conversation_id, d.k LIMIT ?7"
);
const PUT: &str = "INSERT INTO deadlines (conversation_id, k, message_id, metric, source, rule, version, calendar, starts_at, due_at, \
                   target_ms, used_ms, runs_from, paused_at, paused_ms, pause_left_ms, human_only, state, answered_at, ended_at, \
                   reason, consequence, agent_id, group_id, look_at, done) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
                           ?23, ?24, ?25, ?26) \
                   ON CONFLICT (conversation_id, k) DO UPDATE SET due_at = ?10, used_ms = ?12, runs_from = ?13, paused_at = ?14, \
                   paused_ms = ?15, pause_left_ms = ?16, state = ?18, answered_at = ?19, ended_at = ?20, reason = ?21, \
                   agent_id = ?23, group_id = ?24, look_at = ?25, done = ?26";
const OLD: &str = "DELETE FROM deadlines WHERE (conversation_id, k) IN (SELECT conversation_id, k FROM deadlines \
                   INDEXED BY deadlines_old WHERE ended_at <= ?1 ORDER BY ended_at LIMIT ?2) RETURNING conversation_id, k";
const ERASE: &str = "DELETE FROM deadlines WHERE conversation_id IN (SELECT id FROM conversations WHERE customer_id = ?1)";
const FORGET: &str =
    "DELETE FROM deadline_tracks WHERE conversation_id IN (SELECT id FROM conversations WHERE customer_id = ?1)";
const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM deadlines INDEXED BY deadlines_state WHERE state = ?1 LIMIT ?2)";

fn reason(code: &str) -> Option<&'static str> {
    ["closed", "merged", "erased", "dropped"].into_iter().find(|known| *known == code)
}

fn read(r: &Row) -> Result<Stored, StoreError> {
    let subject = r.made(0, ConversationId::from_bytes(r.blob(0)?))?;
    let due = r.time(9)?;
    Ok(Stored {
        k: r.int(1)?,
        deadline: Deadline {
            subject,
            message: r.opt_blob(2)?.map(|b| r.made(2, MessageId::from_bytes(b))).transpose()?,
            metric: Metric::parse(r.text(3)?).ok_or(StoreError::Shape(3))?,
            source: Source::parse(r.text(4)?).ok_or(StoreError::Shape(4))?,
            rule: r.text(5)?.to_owned(),
            version: r.int(6)?,
            calendar: r.opt_text(7)?.map(str::to_owned),
            starts_at: r.time(8)?,
            due_at: (due.millis() < i64::MAX).then_some(due),
            target_ms: r.int(10)?,
            used_ms: r.int(11)?,
            runs_from: r.time(12)?,
            paused_at: r.opt_time(13)?,
            paused_ms: r.int(14)?,
            pause_left_ms: r.int(15)?,
            human_only: r.flag(16)?,
            state: State::parse(r.text(17)?).ok_or(StoreError::Shape(17))?,
            answered_at: r.opt_time(18)?,
            ended_at: r.opt_time(19)?,
            reason: r.opt_text(20)?.and_then(reason),
            consequence: r.opt_text(21)?.map(str::to_owned),
        },
        agent: r.opt_blob(22)?.map(|b| r.made(22, AgentId::from_bytes(b))).transpose()?,
        group: r.opt_text(23)?.map(|t| r.made(23, GroupId::new(t))).transpose()?,
        look_at: r.opt_time(24)?,
        done: r.int(25)?,
    })
}

/// The open deadlines of some conversations.
pub fn open(db: &dyn Db, ids: &[ConversationId]) -> Result<Vec<Stored>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let blob: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
    db.execute(OPEN, &[blob.into()])?.iter().map(read).collect()
}

/// The deadlines of a conversation after a number.
pub fn of(db: &dyn Db, id: ConversationId, after: i64, limit: i64) -> Result<Vec<Stored>, StoreError> {
    db.execute(OF, &[id.as_bytes().into(), after.into(), limit.into()])?.iter().map(read).collect()
}

/// The conversations with a deadline to look at, those that came first at first.
pub fn to_look_at(db: &dyn Db, now: Timestamp, limit: i64) -> Result<Vec<ConversationId>, StoreError> {
    let rows = db.execute(LOOK, &[now.into(), limit.into()])?;
    rows.iter().map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?))).collect()
}

/// A place in the list.
pub type Place = (i64, Vec<u8>, i64);

/// A question to the list.
pub struct Ask<'a> {
    /// The state.
    pub state: State,
    /// The source.
    pub source: Option<Source>,
    /// The agent.
    pub agent: Option<AgentId>,
    /// The group.
    pub group: Option<&'a GroupId>,
    /// The place after which it goes on.
    pub after: Place,
    /// The most deadlines.
    pub limit: i64,
}

/// Deadlines of a state by their due instants.
pub fn list(db: &dyn Db, ask: &Ask<'_>) -> Result<Vec<Stored>, StoreError> {
    let (due, subject, k) = &ask.after;
    let mut params: Vec<Value> = vec![
        ask.state.as_str().into(),
        (*due).into(),
        subject.as_slice().into(),
        (*k).into(),
        ask.source.map(Source::as_str).into(),
        ask.group.map(GroupId::as_str).into(),
        ask.limit.into(),
    ];
    params.extend(ask.agent.map(|agent| agent.as_bytes().into()));
    let sql = if ask.agent.is_some() { BY_AGENT } else { BY_STATE };
    db.execute(sql, &params)?.iter().map(read).collect()
}

/// Stores a deadline.
pub fn put(db: &dyn Db, stored: &Stored) -> Result<(), StoreError> {
    let Stored { k, deadline: d, agent, group, look_at, done } = stored;
    let params: [Value; 26] = [
        d.subject.as_bytes().into(),
        (*k).into(),
        d.message.map(|id| id.as_bytes().to_vec()).into(),
        d.metric.as_str().into(),
        d.source.as_str().into(),
        d.rule.as_str().into(),
        d.version.into(),
        d.calendar.as_deref().into(),
        d.starts_at.into(),
        d.due_at.map_or(i64::MAX, Timestamp::millis).into(),
        d.target_ms.into(),
        d.used_ms.into(),
        d.runs_from.into(),
        d.paused_at.into(),
        d.paused_ms.into(),
        d.pause_left_ms.into(),
        d.human_only.into(),
        d.state.as_str().into(),
        d.answered_at.into(),
        d.ended_at.into(),
        d.reason.into(),
        d.consequence.as_deref().into(),
        agent.map(|id| id.as_bytes().to_vec()).into(),
        group.as_ref().map(GroupId::as_str).into(),
        (*look_at).into(),
        (*done).into(),
    ];
    db.execute(PUT, &params)?;
    Ok(())
}

/// Removes deadlines that ended until an instant, oldest first, and the promises among them. Returns how many. Runs in the caller's
/// transaction.
pub fn remove_old(db: &dyn Db, until: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let gone = db.execute(OLD, &[until.into(), limit.into()])?;
    for row in &gone {
        promises::remove(db, row.made(0, ConversationId::from_bytes(row.blob(0)?))?, row.int(1)?)?;
    }
    Ok(gone.len())
}

/// Removes all deadlines of a customer.
pub fn erase(db: &dyn Db, customer: CustomerId) -> Result<(), StoreError> {
    promises::erase(db, customer)?;
    for sql in [ERASE, FORGET] {
        db.execute(sql, &[customer.as_bytes().into()])?;
    }
    Ok(())
}

/// The number of deadlines in a state, counted up to `most`.
pub fn in_state(db: &dyn Db, state: State, most: i64) -> Result<i64, StoreError> {
    db.first(COUNT, &[state.as_str().into(), most.into()])?.ok_or(StoreError::Missing("deadlines"))?.int(0)
}
