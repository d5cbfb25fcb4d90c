//! The data of staffing: contacts and work by group and quarter of an hour, and seats with the groups that they serve first.

use warmline_model::{AgentId, GroupId, Timestamp, Units};
use warmline_store::{Db, Row, StoreError};

const ADD: &str = "INSERT INTO work (group_id, quarter, came, handled, unit_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (group_id, quarter) DO UPDATE SET \
                   came = came + ?3, handled = handled + ?4, unit_ms = unit_ms + ?5";
const SINCE: &str =
    "SELECT quarter, came, handled, unit_ms FROM work WHERE group_id = ?1 AND quarter >= ?2 ORDER BY quarter";
const FORGET: &str = "DELETE FROM work WHERE group_id IN (SELECT id FROM groups) AND quarter < ?1";
const AT_WORK: &str = "SELECT a.id, a.capacity, a.moved_at, g.group_id, g.weight FROM agents a INDEXED BY agents_seen \
                       JOIN agent_groups g ON g.agent_id = a.id \
                       WHERE a.state <> 'offline' AND a.ai = 0 AND a.state <> 'break' AND a.vip = 0";
const MOVED: &str = "SELECT agent_id FROM agent_groups INDEXED BY agent_groups_moved WHERE weight > 0 LIMIT ?1";
const MARK: &str = "UPDATE agents SET moved_at = ?2 WHERE id = ?1 AND removed_at IS NULL RETURNING 1";

/// A group's contacts and work in a quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Quarters of an hour since 1970.
    pub quarter: i64,
    /// Contacts that came.
    pub came: i64,
    /// Contacts that human agents finished.
    pub handled: i64,
    /// The work for these contacts, in units of capacity times milliseconds.
    pub unit_ms: i64,
}

/// Adds to a group's quarter.
pub fn add(db: &dyn Db, group: &GroupId, work: &Work) -> Result<(), StoreError> {
    let Work { quarter, came, handled, unit_ms } = *work;
    db.execute(ADD, &[group.as_str().into(), quarter.into(), came.into(), handled.into(), unit_ms.into()])?;
    Ok(())
}

/// Removes the work before a quarter.
pub fn forget(db: &dyn Db, before: i64) -> Result<(), StoreError> {
    db.execute(FORGET, &[before.into()])?;
    Ok(())
}

/// A group's work since a quarter.
pub fn since(db: &dyn Db, group: &GroupId, quarter: i64) -> Result<Vec<Work>, StoreError> {
    db.execute(SINCE, &[group.as_str().into(), quarter.into()])?
        .iter()
        .map(|r| Ok(Work { quarter: r.int(0)?, came: r.int(1)?, handled: r.int(2)?, unit_ms: r.int(3)? }))
        .collect()
}

/// A human agent at work, in one of the groups that the agent serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The agent.
    pub agent: AgentId,
    /// Capacity.
    pub capacity: Units,
    /// The time at which staffing last moved the agent.
    pub moved_at: Timestamp,
    /// The group.
    pub group: GroupId,
    /// Minutes by which its contacts come earlier for the agent.
    pub weight: i64,
}

/// Human agents at work (not in a break, and not only for dedicated customers), by agent and group.
pub fn at_work(db: &dyn Db) -> Result<Vec<Post>, StoreError> {
    let read = |r: &Row| {
        Ok(Post {
            agent: r.made(0, AgentId::from_bytes(r.blob(0)?))?,
            capacity: Units::from_hundredths(r.int(1)?),
            moved_at: r.time(2)?,
            group: r.made(3, GroupId::new(r.text(3)?))?,
            weight: r.int(4)?,
        })
    };
    let mut posts = db.execute(AT_WORK, &[])?.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
    posts.sort_by(|a, b| (a.agent, &a.group).cmp(&(b.agent, &b.group)));
    Ok(posts)
}

/// Agents that staffing moved and has not taken back, at work or not.
pub fn moved(db: &dyn Db, limit: i64) -> Result<Vec<AgentId>, StoreError> {
    db.execute(MOVED, &[limit.into()])?.iter().map(|r| r.made(0, AgentId::from_bytes(r.blob(0)?))).collect()
}

/// Notes when an agent was moved. Returns false if the agent no longer exists.
pub fn mark(db: &dyn Db, agent: AgentId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(MARK, &[agent.as_bytes().into(), now.into()])?.is_some())
}
