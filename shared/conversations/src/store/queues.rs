//! Queues: their length, their first contacts, and the pace at which they are served. Triggers on conversations keep the
//! lengths, so that nobody has to count and no code path can forget to.

use warmline_model::{AgentId, ConversationId, GroupId, Timestamp};
use warmline_store::{Db, Row, StoreError};

// Skips through the index from lane to lane: as many steps as there are lanes, however many contacts wait.
const HEADS: &str = "WITH RECURSIVE lanes (lane) AS ( \
                       SELECT min(lane) FROM conversations INDEXED BY conversations_queue \
                         WHERE group_id = ?1 AND state = 'queued' \
                       UNION ALL \
                       SELECT (SELECT min(n.lane) FROM conversations n INDEXED BY conversations_queue \
                               WHERE n.group_id = ?1 AND n.state = 'queued' AND n.lane > lanes.lane) \
                         FROM lanes WHERE lanes.lane IS NOT NULL) \
                     SELECT l.lane, c.id, c.rank, c.queued_at FROM lanes l JOIN conversations c ON c.id = ( \
                       SELECT h.id FROM conversations h INDEXED BY conversations_queue \
                       WHERE h.group_id = ?1 AND h.state = 'queued' AND h.lane = l.lane ORDER BY h.rank, h.id LIMIT 1) \
                     WHERE l.lane IS NOT NULL";
const AHEAD: &str = "SELECT count(*) FROM (SELECT 1 FROM conversations INDEXED BY conversations_order \
                     WHERE group_id = ?1 AND state = 'queued' AND (rank, id) < (?2, ?3) LIMIT ?4)";
const GET: &str = "SELECT group_id, waiting, left_at, gap_ms, estimates, error_ms FROM queues WHERE group_id = ?1";
const LIST: &str = "SELECT group_id, waiting, left_at, gap_ms, estimates, error_ms FROM queues ORDER BY group_id";
const OLDEST: &str = "SELECT min(queued_at) FROM (SELECT queued_at FROM conversations INDEXED BY conversations_order \
                      WHERE group_id = ?1 AND state = 'queued' ORDER BY rank, id LIMIT 1)";
const LEFT: &str = "INSERT INTO queues (group_id, left_at, gap_ms, estimates, error_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
                    ON CONFLICT (group_id) DO UPDATE SET left_at = ?2, gap_ms = ?3, \
                    estimates = estimates + ?4, error_ms = error_ms + ?5";
const FREE: &str = "SELECT DISTINCT a.id FROM queues q JOIN agent_groups g ON g.group_id = q.group_id \
                    JOIN agents a ON a.id = g.agent_id \
                    WHERE q.waiting > 0 AND a.state = 'available' AND a.ai = 0 AND a.load < a.capacity LIMIT ?1";

/// The first contact of a lane.
pub struct Head {
    /// The lane's text.
    pub lane: String,
    /// The conversation.
    pub conversation: ConversationId,
    /// Place in the queue.
    pub rank: i64,
    /// When it entered.
    pub entered: Timestamp,
}

/// The first contact of each lane of a group's queue, by the lane's text.
pub fn heads(db: &dyn Db, group: &GroupId) -> Result<Vec<Head>, StoreError> {
    let read = |r: &Row| {
        Ok(Head {
            lane: r.text(0)?.to_owned(),
            conversation: r.made(1, ConversationId::from_bytes(r.blob(1)?))?,
            rank: r.int(2)?,
            entered: r.time(3)?,
        })
    };
    let mut heads: Vec<Head> = db.execute(HEADS, &[group.as_str().into()])?.iter().map(read).collect::<Result<_, _>>()?;
    heads.sort_by(|a, b| a.lane.cmp(&b.lane));
    Ok(heads)
}

/// The number of contacts before a place in a group's queue, counted up to `most`.
pub fn ahead(db: &dyn Db, group: &GroupId, rank: i64, id: ConversationId, most: i64) -> Result<i64, StoreError> {
    let params = [group.as_str().into(), rank.into(), id.as_bytes().into(), most.into()];
    db.first(AHEAD, &params)?.ok_or(StoreError::Missing("queue"))?.int(0)
}

/// A stored queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The group.
    pub group: GroupId,
    /// The number of waiting contacts.
    pub waiting: i64,
    /// The time at which the last contact left it for a seat.
    pub left_at: Option<Timestamp>,
    /// The smoothed time between two contacts that leave for a seat, in milliseconds.
    pub gap_ms: Option<i64>,
    /// The number of contacts that got an estimate and have been assigned since.
    pub estimates: i64,
    /// The sum of the errors of those estimates, in milliseconds.
    pub error_ms: i64,
}

fn read(r: &Row) -> Result<Queue, StoreError> {
    Ok(Queue {
        group: r.made(0, GroupId::new(r.text(0)?))?,
        waiting: r.int(1)?,
        left_at: r.opt_time(2)?,
        gap_ms: r.opt_int(3)?,
        estimates: r.int(4)?,
        error_ms: r.int(5)?,
    })
}

/// A group's queue; `None` if nobody has ever waited.
pub fn get(db: &dyn Db, group: &GroupId) -> Result<Option<Queue>, StoreError> {
    db.first(GET, &[group.as_str().into()])?.as_ref().map(read).transpose()
}

/// All queues in which somebody has ever waited.
pub fn list(db: &dyn Db) -> Result<Vec<Queue>, StoreError> {
    db.execute(LIST, &[])?.iter().map(read).collect()
}

/// The time at which the first in line entered.
pub fn oldest(db: &dyn Db, group: &GroupId) -> Result<Option<Timestamp>, StoreError> {
    db.first(OLDEST, &[group.as_str().into()])?.ok_or(StoreError::Missing("queue"))?.opt_time(0)
}

/// Notes that a contact left the queue for a seat: the new pace, and the error of its estimate if it had one.
pub fn left(
    db: &dyn Db,
    group: &GroupId,
    at: Timestamp,
    gap_ms: Option<i64>,
    error_ms: Option<i64>,
) -> Result<(), StoreError> {
    let told = i64::from(error_ms.is_some());
    db.execute(LEFT, &[group.as_str().into(), at.into(), gap_ms.into(), told.into(), error_ms.unwrap_or(0).into()])?;
    Ok(())
}

/// Available human agents with free capacity and with waiting contacts in their groups.
pub fn free_beside(db: &dyn Db, limit: i64) -> Result<Vec<AgentId>, StoreError> {
    db.execute(FREE, &[limit.into()])?.iter().map(|r| r.made(0, AgentId::from_bytes(r.blob(0)?))).collect()
}
