//! Conversations as deadlines see them.

use crate::clock::Track;
use crate::policy::Facts;
use warmline_model::{AccountId, AgentId, Channel, ConversationId, ConversationState, GroupId, Lane, Timestamp};
use warmline_store::dialect::ids;
use warmline_store::{Db, Row, StoreError, Value};

/// A conversation.
pub struct Subject {
    /// The conversation.
    pub id: ConversationId,
    /// What policies look at.
    pub facts: Facts,
    /// Its agent.
    pub agent: Option<AgentId>,
    /// When its agent accepted it.
    pub accepted_at: Option<Timestamp>,
    /// The nearest deadline in its row.
    pub due: Option<(Timestamp, String, String)>,
    /// Whether it is closed.
    pub closed: bool,
    /// What the fold knows of it, without deadlines, and the number of its next deadline. `None` before its first.
    pub track: Option<(Track, i64)>,
    /// Whether a person had replied when it was read.
    pub human_replied: bool,
}

const READ: &str = concat!(
    "WITH RECURSIVE ",
    ids!("part", "?1"),
    " SELECT v.id, v.channel, v.account, v.group_id, v.agent_id, v.vip, v.lane, v.state, v.accepted_at, v.first_response_at, \
     v.due_at, v.due_metric, v.due_source, \
     (SELECT p.person_tags FROM customers c CROSS JOIN customers p ON p.id = c.person WHERE c.id = v.customer_id), \
     t.human_replied, t.replied, t.ai, t.accepted, t.closed, t.next_k \
     FROM part CROSS JOIN conversations v ON v.id = part.id LEFT JOIN deadline_tracks t ON t.conversation_id = v.id"
);
const PUT: &str = "INSERT INTO deadline_tracks (conversation_id, human_replied, replied, ai, accepted, closed, next_k) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (conversation_id) DO UPDATE SET \
                   human_replied = ?2, replied = ?3, ai = ?4, accepted = ?5, closed = ?6, next_k = ?7";
const REMOVE: &str = "DELETE FROM deadline_tracks WHERE conversation_id = ?1";
const NEAREST: &str = "UPDATE conversations SET due_at = ?2, due_metric = ?3, due_source = ?4 WHERE id = ?1 RETURNING 1";

fn read(r: &Row) -> Result<Subject, StoreError> {
    let id = r.made(0, ConversationId::from_bytes(r.blob(0)?))?;
    let group = r.opt_text(3)?.map(|t| r.made(3, GroupId::new(t))).transpose()?;
    let lane = r.opt_text(6)?.and_then(Lane::parse);
    let state = ConversationState::parse(r.text(7)?).ok_or(StoreError::Shape(7))?;
    let due = match (r.opt_time(10)?, r.opt_text(11)?, r.opt_text(12)?) {
        (Some(at), Some(metric), Some(source)) => Some((at, metric.to_owned(), source.to_owned())),
        _ => None,
    };
    let track = match r.opt_int(19)? {
        Some(next) => {
            let mut track = Track::new(id);
            track.human_replied = r.flag(14)?;
            track.replied = r.flag(15)?;
            track.ai = r.flag(16)?;
            track.accepted = r.flag(17)?;
            track.closed = r.flag(18)?;
            Some((track, next))
        }
        None => None,
    };
    Ok(Subject {
        id,
        facts: Facts {
            group,
            channel: Some(r.made(1, Channel::new(r.text(1)?))?),
            account: Some(r.made(2, AccountId::new(r.text(2)?))?),
            tags: r.opt_text(13)?.map(|t| r.made(13, serde_json::from_str(t))).transpose()?.unwrap_or_default(),
            vip: r.flag(5)?,
            priority: lane.map_or(0, |lane| lane.priority_minutes),
            kind: None,
        },
        agent: r.opt_blob(4)?.map(|b| r.made(4, AgentId::from_bytes(b))).transpose()?,
        accepted_at: r.opt_time(8)?,
        due,
        closed: state == ConversationState::Closed,
        track,
        human_replied: r.opt_time(9)?.is_some(),
    })
}

/// Some conversations.
pub fn some(db: &dyn Db, ids: &[ConversationId]) -> Result<Vec<Subject>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let blob: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
    db.execute(READ, &[blob.into()])?.iter().map(read).collect()
}

/// Stores what the fold knows of a conversation.
pub fn put(db: &dyn Db, track: &Track, next: i64) -> Result<(), StoreError> {
    let params: [Value; 7] = [
        track.subject.as_bytes().into(),
        track.human_replied.into(),
        track.replied.into(),
        track.ai.into(),
        track.accepted.into(),
        track.closed.into(),
        next.into(),
    ];
    db.execute(PUT, &params)?;
    Ok(())
}

/// Forgets a conversation.
pub fn remove(db: &dyn Db, id: ConversationId) -> Result<(), StoreError> {
    db.execute(REMOVE, &[id.as_bytes().into()])?;
    Ok(())
}

/// Stores the nearest deadline of a conversation in its row.
pub fn set_nearest(
    db: &dyn Db,
    id: ConversationId,
    due: Option<(Timestamp, &'static str, &'static str)>,
) -> Result<(), StoreError> {
    let params: [Value; 4] = [
        id.as_bytes().into(),
        due.map(|(at, ..)| at).into(),
        due.map(|(_, metric, _)| metric).into(),
        due.map(|(.., source)| source).into(),
    ];
    db.execute(NEAREST, &params)?;
    Ok(())
}
