//! Skill groups (技能组): the ids that exist, for the agents that serve them. Names and settings of groups are in the routing
//! plan.

use warmline_model::{GroupId, Timestamp};
use warmline_store::{Db, StoreError};

const INSERT: &str = "INSERT INTO groups (id, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const GET: &str = "SELECT created_at FROM groups WHERE id = ?1";
const LIST: &str = "SELECT id, created_at FROM groups ORDER BY created_at, id";
const IN_USE: &str = "SELECT EXISTS (SELECT 1 FROM agent_groups WHERE group_id = ?1) \
                      OR EXISTS (SELECT 1 FROM queues WHERE group_id = ?1 AND waiting > 0)";

/// Notes that a group exists.
pub fn insert(db: &dyn Db, id: &GroupId, now: Timestamp) -> Result<(), StoreError> {
    db.execute(INSERT, &[id.as_str().into(), now.into()])?;
    Ok(())
}

/// When a group was made; `None` if it does not exist.
pub fn get(db: &dyn Db, id: &GroupId) -> Result<Option<Timestamp>, StoreError> {
    db.first(GET, &[id.as_str().into()])?.map(|r| r.time(0)).transpose()
}

/// All groups and when they were made, oldest first. A brand has tens of them.
pub fn list(db: &dyn Db) -> Result<Vec<(GroupId, Timestamp)>, StoreError> {
    db.execute(LIST, &[])?.iter().map(|r| Ok((r.made(0, GroupId::new(r.text(0)?))?, r.time(1)?))).collect()
}

/// Whether agents serve a group or contacts wait in its queue.
pub fn in_use(db: &dyn Db, id: &GroupId) -> Result<bool, StoreError> {
    db.first(IN_USE, &[id.as_str().into()])?.ok_or(StoreError::Missing("group"))?.flag(0)
}
