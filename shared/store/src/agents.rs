//! Staff, their presence and their capacity. The claim of a unit of capacity and the check that it is free are one statement.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AgentId, AgentState, GroupId, Role, Timestamp};

/// A member of staff as stored.
pub struct Agent {
    /// Id.
    pub id: AgentId,
    /// Name, sealed.
    pub name: Vec<u8>,
    /// Role.
    pub role: Role,
    /// Presence.
    pub state: AgentState,
    /// Why the agent is in that state, where a reason was given.
    pub state_reason: Option<String>,
    /// Since when.
    pub state_since: Timestamp,
    /// Serves VIP customers only.
    pub vip: bool,
    /// Conversations at once.
    pub capacity: i64,
    /// Conversations now.
    pub load: i64,
    /// When the last one was assigned; 0 when none was.
    pub last_assigned_at: Timestamp,
    /// When the agent was added.
    pub created_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.name, a.role, a.state, a.state_reason, a.state_since, a.vip, a.capacity, a.load, \
             a.last_assigned_at, a.created_at FROM ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<Agent, StoreError> {
    Ok(Agent {
        id: row.made(0, AgentId::from_bytes(row.blob(0)?))?,
        name: row.blob(1)?.to_vec(),
        role: Role::parse(row.text(2)?).ok_or(StoreError::Shape(2))?,
        state: AgentState::parse(row.text(3)?).ok_or(StoreError::Shape(3))?,
        state_reason: row.opt_text(4)?.map(str::to_owned),
        state_since: row.time(5)?,
        vip: row.flag(6)?,
        capacity: row.int(7)?,
        load: row.int(8)?,
        last_assigned_at: row.time(9)?,
        created_at: row.time(10)?,
    })
}

const INSERT: &str = "INSERT INTO agents (id, name, role, state, state_since, vip, capacity, created_at) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5)";
const JOIN: &str = "INSERT INTO agent_groups (group_id, agent_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const GET: &str = select!("agents a WHERE a.id = ?1");
const LIST: &str = select!("agents a WHERE a.id > ?1 ORDER BY a.id LIMIT ?2");
const GROUPS: &str = "SELECT group_id FROM agent_groups WHERE agent_id = ?1 ORDER BY group_id";
const MEMBER: &str = "SELECT 1 FROM agent_groups WHERE agent_id = ?1 AND group_id = ?2";
const FREE: &str = "SELECT a.id, a.vip, a.load, a.capacity, a.last_assigned_at \
                    FROM agent_groups g JOIN agents a ON a.id = g.agent_id \
                    WHERE g.group_id = ?1 AND a.state = 'available' AND a.load < a.capacity AND a.vip <= ?2";
const SET_STATE: &str = "UPDATE agents SET state = ?2, state_reason = ?3, state_since = ?4 WHERE id = ?1 RETURNING 1";
const CLAIM: &str = "UPDATE agents SET load = load + 1, last_assigned_at = ?2 \
                     WHERE id = ?1 AND state = 'available' AND load < capacity RETURNING load, capacity";
const CLAIM_ANY_STATE: &str = "UPDATE agents SET load = load + 1, last_assigned_at = ?2 \
                               WHERE id = ?1 AND state <> 'offline' AND load < capacity RETURNING load, capacity";
const RELEASE: &str = "UPDATE agents SET load = load - 1 WHERE id = ?1 AND load > 0 RETURNING load";

/// Adds an agent, offline, with its groups.
///
/// # Errors
/// See [`StoreError`].
pub fn insert(db: &dyn Db, agent: &Agent, groups: &[GroupId]) -> Result<(), StoreError> {
    db.execute(
        INSERT,
        &[
            agent.id.as_bytes().into(),
            agent.name.as_slice().into(),
            agent.role.as_str().into(),
            agent.state.as_str().into(),
            agent.created_at.into(),
            agent.vip.into(),
            agent.capacity.into(),
        ],
    )?;
    for group in groups {
        db.execute(JOIN, &[group.as_str().into(), agent.id.as_bytes().into()])?;
    }
    Ok(())
}

/// Finds an agent.
///
/// # Errors
/// See [`StoreError`].
pub fn get(db: &dyn Db, id: AgentId) -> Result<Option<Agent>, StoreError> {
    db.first(GET, &[id.as_bytes().into()])?.as_ref().map(read).transpose()
}

/// Agents after an id, in the order in which they were added.
///
/// # Errors
/// See [`StoreError`].
pub fn list(db: &dyn Db, after: Option<AgentId>, limit: i64) -> Result<Vec<Agent>, StoreError> {
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    db.execute(LIST, &[after.into(), limit.into()])?.iter().map(read).collect()
}

/// The groups an agent serves.
///
/// # Errors
/// See [`StoreError`].
pub fn groups_of(db: &dyn Db, id: AgentId) -> Result<Vec<GroupId>, StoreError> {
    db.execute(GROUPS, &[id.as_bytes().into()])?.iter().map(|r| r.made(0, GroupId::new(r.text(0)?))).collect()
}

/// Whether an agent serves a group.
///
/// # Errors
/// See [`StoreError`].
pub fn serves(db: &dyn Db, id: AgentId, group: &GroupId) -> Result<bool, StoreError> {
    Ok(db.first(MEMBER, &[id.as_bytes().into(), group.as_str().into()])?.is_some())
}

/// An available agent with capacity left.
pub struct Free {
    /// Id.
    pub id: AgentId,
    /// Serves VIP customers only.
    pub vip: bool,
    /// Conversations now.
    pub load: i64,
    /// Conversations at once.
    pub capacity: i64,
    /// When the last one was assigned.
    pub last_assigned_at: Timestamp,
}

/// The available agents of a group with capacity left: VIP-dedicated ones only for a VIP customer.
///
/// # Errors
/// See [`StoreError`].
pub fn free_in(db: &dyn Db, group: &GroupId, vip: bool) -> Result<Vec<Free>, StoreError> {
    db.execute(FREE, &[group.as_str().into(), vip.into()])?
        .iter()
        .map(|r| {
            Ok(Free {
                id: r.made(0, AgentId::from_bytes(r.blob(0)?))?,
                vip: r.flag(1)?,
                load: r.int(2)?,
                capacity: r.int(3)?,
                last_assigned_at: r.time(4)?,
            })
        })
        .collect()
}

/// Sets an agent's presence.
///
/// # Errors
/// There is no such agent, or see [`StoreError`].
pub fn set_state(
    db: &dyn Db,
    id: AgentId,
    state: AgentState,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    db.first(SET_STATE, &[id.as_bytes().into(), state.as_str().into(), reason.into(), now.into()])?
        .map(|_| ())
        .ok_or(StoreError::Missing("agent"))
}

/// An agent's load and capacity after a claim.
pub struct Claimed {
    /// Conversations now.
    pub load: i64,
    /// Conversations at once.
    pub capacity: i64,
}

fn claimed(row: Option<Row>) -> Result<Option<Claimed>, StoreError> {
    row.map(|r| Ok(Claimed { load: r.int(0)?, capacity: r.int(1)? })).transpose()
}

/// Claims one unit of an available agent's capacity; `None` when none is left or the agent is not available.
///
/// # Errors
/// See [`StoreError`].
pub fn claim(db: &dyn Db, id: AgentId, now: Timestamp) -> Result<Option<Claimed>, StoreError> {
    claimed(db.first(CLAIM, &[id.as_bytes().into(), now.into()])?)
}

/// Claims one unit for a conversation handed over by a person: the agent need not be available, but must be at work.
///
/// # Errors
/// See [`StoreError`].
pub fn claim_directly(db: &dyn Db, id: AgentId, now: Timestamp) -> Result<Option<Claimed>, StoreError> {
    claimed(db.first(CLAIM_ANY_STATE, &[id.as_bytes().into(), now.into()])?)
}

/// Gives one unit of capacity back; returns the load left.
///
/// # Errors
/// The agent has none claimed, or see [`StoreError`].
pub fn release(db: &dyn Db, id: AgentId) -> Result<i64, StoreError> {
    db.first(RELEASE, &[id.as_bytes().into()])?.ok_or(StoreError::Missing("claimed capacity"))?.int(0)
}
