//! Staff, their presence and their capacity. A claim of capacity and the check that it is free are one statement.

use crate::db::{Db, Row, StoreError, Value};
use crate::dialect::{entries, under_key, with_key, with_key_or_not};
use std::collections::BTreeMap;
use warmline_model::{AgentId, AgentState, Channel, GroupId, Role, Timestamp, Units};

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
    /// The reason of the present state, if one was given.
    pub state_reason: Option<String>,
    /// The time since which the agent is in that state.
    pub state_since: Timestamp,
    /// Whether the agent serves VIP customers only.
    pub vip: bool,
    /// Whether it is an AI seat.
    pub ai: bool,
    /// Capacity.
    pub capacity: Units,
    /// Capacity in use.
    pub load: Units,
    /// The time of the last assignment; 0 if there was none.
    pub last_assigned_at: Timestamp,
    /// The time at which the last contact ended; 0 if none did.
    pub freed_at: Timestamp,
    /// Skills and limits.
    pub can: Can,
    /// When the agent was added.
    pub created_at: Timestamp,
    /// When the agent was removed.
    pub removed_at: Option<Timestamp>,
    /// The contacts that the agent holds, by channel.
    pub held: Held,
}

/// An agent's abilities and limits, besides the groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Can {
    /// Skills and levels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// The most contacts at once, by channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub caps: BTreeMap<Channel, i64>,
}

impl Can {
    fn read(row: &Row, i: usize) -> Result<Self, StoreError> {
        match row.text(i)? {
            "{}" => Ok(Self::default()),
            text => row.made(i, serde_json::from_slice(text.as_bytes())),
        }
    }

    fn text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|_| StoreError::Shape(0))
    }
}

/// The number of contacts that an agent holds, by channel.
pub type Held = BTreeMap<Channel, i64>;

fn held(row: &Row, i: usize) -> Result<Held, StoreError> {
    match row.text(i)? {
        "{}" => Ok(Held::new()),
        text => row.made(i, serde_json::from_slice(text.as_bytes())),
    }
}

/// An agent's group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupId,
    /// The agent's level in it.
    pub level: u8,
    /// Minutes by which its contacts come earlier for the agent.
    pub weight: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.name, a.role, a.state, a.state_reason, a.state_since, a.vip, a.capacity, a.load, \
             a.last_assigned_at, a.created_at, a.ai, a.freed_at, a.profile, a.removed_at, a.held FROM ",
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
        capacity: Units::from_hundredths(row.int(7)?),
        load: Units::from_hundredths(row.int(8)?),
        last_assigned_at: row.time(9)?,
        created_at: row.time(10)?,
        ai: row.flag(11)?,
        freed_at: row.time(12)?,
        can: Can::read(row, 13)?,
        removed_at: row.opt_time(14)?,
        held: held(row, 15)?,
    })
}

const INSERT: &str = "INSERT INTO agents (id, name, role, state, state_since, vip, capacity, created_at, ai, profile) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5, ?8, ?9)";
const UPDATE: &str = "UPDATE agents SET name = ?2, vip = ?3, capacity = ?4, profile = ?5 \
                      WHERE id = ?1 AND removed_at IS NULL RETURNING 1";
const REMOVE: &str = "UPDATE agents SET removed_at = ?2, state = 'offline' WHERE id = ?1 AND removed_at IS NULL RETURNING 1";
const REVOKE: &str = "UPDATE tokens SET revoked_at = ?2 WHERE agent_id = ?1 AND revoked_at IS NULL";
const JOIN: &str = "INSERT INTO agent_groups (group_id, agent_id, level) VALUES (?1, ?2, ?3) \
                    ON CONFLICT (group_id, agent_id) DO UPDATE SET level = ?3";
const LEAVE: &str =
    concat!("DELETE FROM agent_groups WHERE agent_id = ?1 AND group_id NOT IN (SELECT value FROM ", entries!("?2"), ")");
const WEIGH: &str = "UPDATE agent_groups SET weight = ?3 WHERE agent_id = ?1 AND group_id = ?2 RETURNING 1";
const GET: &str = select!("agents a WHERE a.id = ?1");
const LIST: &str = select!("agents a WHERE a.id > ?1 AND a.removed_at IS NULL ORDER BY a.id LIMIT ?2");
const GROUPS: &str = "SELECT group_id, level, weight FROM agent_groups WHERE agent_id = ?1 ORDER BY group_id";
const MEMBER: &str = "SELECT 1 FROM agent_groups WHERE agent_id = ?1 AND group_id = ?2";
macro_rules! select_seats {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.ai, a.state, a.vip, a.capacity, a.load, a.last_assigned_at, a.freed_at, a.profile, \
             g.level, g.weight, (SELECT count(*) FROM agent_groups n WHERE n.agent_id = a.id), a.held \
             FROM agent_groups g JOIN agents a ON a.id = g.agent_id WHERE g.group_id = ?1 ",
            $rest
        )
    };
}

const SEATS: &str = select_seats!("ORDER BY g.agent_id");
const SEAT: &str = select_seats!("AND g.agent_id = ?2");
const SET_STATE: &str = "UPDATE agents SET state = ?2, state_reason = ?3, state_since = ?4, seen_at = max(seen_at, ?4) \
                         WHERE id = ?1 AND removed_at IS NULL RETURNING 1";
const TOUCH: &str = "UPDATE agents SET seen_at = ?2 WHERE id = ?1 AND seen_at < ?2";
const SEEN: &str = "SELECT seen_at FROM agents WHERE id = ?1";
const UNSEEN: &str = "SELECT id FROM agents INDEXED BY agents_seen \
                      WHERE seen_at < ?1 AND state <> 'offline' AND ai = 0 ORDER BY seen_at LIMIT ?2";
// The claim and the check that it fits are this one statement. It checks presence, units and the channel's limit. For a
// contact that takes all remaining capacity, it also checks that the agent holds no contact that it may not interrupt.
const CLAIM: &str = concat!(
    "UPDATE agents SET load = load + ?3, last_assigned_at = ?2, held = ",
    with_key!("held", "?5", "coalesce(", under_key!("held", "$", "?5"), ", 0) + 1"),
    " WHERE id = ?1 AND (state = 'available' OR (?4 AND state <> 'offline')) AND ?3 > 0 AND load + ?3 <= capacity \
      AND (profile = '{}' OR coalesce(",
    under_key!("profile", "$.caps", "?5"),
    ", 1000000) > coalesce(",
    under_key!("held", "$", "?5"),
    ", 0)) AND (?6 IS NULL OR NOT EXISTS (SELECT 1 FROM ",
    entries!("held"),
    " WHERE key NOT IN (SELECT value FROM ",
    entries!("?6"),
    "))) RETURNING load, capacity"
);
// A channel with no contact left is removed from `held`.
const RELEASE: &str = concat!(
    "UPDATE agents SET load = load - ?2, freed_at = ?3, held = ",
    with_key_or_not!("held", "?4", "nullif(", under_key!("held", "$", "?4"), " - 1, 0)"),
    " WHERE id = ?1 AND load >= ?2 AND ",
    under_key!("held", "$", "?4"),
    " > 0 RETURNING load"
);

/// Adds an agent, offline, with its groups.
pub fn insert(db: &dyn Db, agent: &Agent, groups: &BTreeMap<GroupId, u8>) -> Result<(), StoreError> {
    db.execute(
        INSERT,
        &[
            agent.id.as_bytes().into(),
            agent.name.as_slice().into(),
            agent.role.as_str().into(),
            agent.state.as_str().into(),
            agent.created_at.into(),
            agent.vip.into(),
            agent.capacity.hundredths().into(),
            agent.ai.into(),
            agent.can.text()?.into(),
        ],
    )?;
    join(db, agent.id, groups)
}

fn join(db: &dyn Db, id: AgentId, groups: &BTreeMap<GroupId, u8>) -> Result<(), StoreError> {
    for (group, level) in groups {
        db.execute(JOIN, &[group.as_str().into(), id.as_bytes().into(), i64::from(*level).into()])?;
    }
    Ok(())
}

/// Changes an agent's duties. The agent leaves the groups that are not named.
///
/// # Errors
/// There is no such agent.
pub fn update(db: &dyn Db, agent: &Agent, groups: &BTreeMap<GroupId, u8>) -> Result<(), StoreError> {
    let params = [
        agent.id.as_bytes().into(),
        agent.name.as_slice().into(),
        agent.vip.into(),
        agent.capacity.hundredths().into(),
        agent.can.text()?.into(),
    ];
    db.first(UPDATE, &params)?.ok_or(StoreError::Missing("agent"))?;
    let keep: Vec<&str> = groups.keys().map(GroupId::as_str).collect();
    db.execute(LEAVE, &[agent.id.as_bytes().into(), serde_json::json!(keep).to_string().into()])?;
    join(db, agent.id, groups)
}

/// Removes an agent: offline, in no group, without a token. The row stays for the history.
///
/// # Errors
/// There is no such agent.
pub fn remove(db: &dyn Db, id: AgentId, now: Timestamp) -> Result<(), StoreError> {
    db.first(REMOVE, &[id.as_bytes().into(), now.into()])?.ok_or(StoreError::Missing("agent"))?;
    db.execute(LEAVE, &[id.as_bytes().into(), "[]".into()])?;
    db.execute(REVOKE, &[id.as_bytes().into(), now.into()])?;
    Ok(())
}

/// Sets the minutes that staffing gives an agent for a group. Returns false if the agent does not serve it.
pub fn weigh(db: &dyn Db, id: AgentId, group: &GroupId, minutes: i64) -> Result<bool, StoreError> {
    Ok(db.first(WEIGH, &[id.as_bytes().into(), group.as_str().into(), minutes.into()])?.is_some())
}

/// Finds an agent.
pub fn get(db: &dyn Db, id: AgentId) -> Result<Option<Agent>, StoreError> {
    db.first(GET, &[id.as_bytes().into()])?.as_ref().map(read).transpose()
}

/// Agents after an id, in the order in which they were added.
pub fn list(db: &dyn Db, after: Option<AgentId>, limit: i64) -> Result<Vec<Agent>, StoreError> {
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    db.execute(LIST, &[after.into(), limit.into()])?.iter().map(read).collect()
}

/// The groups that an agent serves, by id.
pub fn groups_of(db: &dyn Db, id: AgentId) -> Result<Vec<Membership>, StoreError> {
    db.execute(GROUPS, &[id.as_bytes().into()])?
        .iter()
        .map(|r| Ok(Membership { group: r.made(0, GroupId::new(r.text(0)?))?, level: level(r, 1)?, weight: r.int(2)? }))
        .collect()
}

fn level(row: &Row, i: usize) -> Result<u8, StoreError> {
    row.made(i, u8::try_from(row.int(i)?))
}

/// Whether an agent serves a group.
pub fn serves(db: &dyn Db, id: AgentId, group: &GroupId) -> Result<bool, StoreError> {
    Ok(db.first(MEMBER, &[id.as_bytes().into(), group.as_str().into()])?.is_some())
}

/// An agent of a group, as decisions see it.
pub struct Seat {
    /// Id.
    pub id: AgentId,
    /// Whether it is an AI seat.
    pub ai: bool,
    /// Presence.
    pub state: AgentState,
    /// Whether the agent serves VIP customers only.
    pub vip: bool,
    /// Capacity.
    pub capacity: Units,
    /// Capacity in use.
    pub load: Units,
    /// The time of the last assignment.
    pub last_assigned_at: Timestamp,
    /// The time at which the last contact ended.
    pub freed_at: Timestamp,
    /// Skills and limits.
    pub can: Can,
    /// Level in the group.
    pub level: u8,
    /// The minutes that staffing gave the agent for the group.
    pub weight: i64,
    /// The number of groups that the agent serves.
    pub groups: i64,
    /// The contacts that the agent holds, by channel.
    pub held: Held,
}

/// The agents of a group, in any state, by id.
pub fn seats(db: &dyn Db, group: &GroupId) -> Result<Vec<Seat>, StoreError> {
    db.execute(SEATS, &[group.as_str().into()])?.iter().map(read_seat).collect()
}

/// One agent of a group.
pub fn seat(db: &dyn Db, group: &GroupId, agent: AgentId) -> Result<Option<Seat>, StoreError> {
    db.first(SEAT, &[group.as_str().into(), agent.as_bytes().into()])?.as_ref().map(read_seat).transpose()
}

fn read_seat(r: &Row) -> Result<Seat, StoreError> {
    Ok(Seat {
        id: r.made(0, AgentId::from_bytes(r.blob(0)?))?,
        ai: r.flag(1)?,
        state: AgentState::parse(r.text(2)?).ok_or(StoreError::Shape(2))?,
        vip: r.flag(3)?,
        capacity: Units::from_hundredths(r.int(4)?),
        load: Units::from_hundredths(r.int(5)?),
        last_assigned_at: r.time(6)?,
        freed_at: r.time(7)?,
        can: Can::read(r, 8)?,
        level: level(r, 9)?,
        weight: r.int(10)?,
        groups: r.int(11)?,
        held: held(r, 12)?,
    })
}

/// Notes a sign of life.
pub fn touch(db: &dyn Db, id: AgentId, now: Timestamp) -> Result<(), StoreError> {
    db.execute(TOUCH, &[id.as_bytes().into(), now.into()])?;
    Ok(())
}

/// The time of the last sign of life.
pub fn seen(db: &dyn Db, id: AgentId) -> Result<Option<Timestamp>, StoreError> {
    db.first(SEEN, &[id.as_bytes().into()])?.map(|r| r.time(0)).transpose()
}

/// Agents at work without a sign of life since an instant.
pub fn unseen(db: &dyn Db, since: Timestamp, limit: i64) -> Result<Vec<AgentId>, StoreError> {
    db.execute(UNSEEN, &[since.into(), limit.into()])?.iter().map(|r| r.made(0, AgentId::from_bytes(r.blob(0)?))).collect()
}

/// Sets an agent's presence.
///
/// # Errors
/// There is no such agent.
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

/// A claim on an agent's capacity.
pub struct Claim<'a> {
    /// The agent.
    pub agent: AgentId,
    /// The time of the claim.
    pub at: Timestamp,
    /// The units to claim.
    pub units: Units,
    /// The channel of the contact.
    pub channel: &'a Channel,
    /// The only channels whose contacts the agent may hold besides; `None` for any.
    pub only_beside: Option<&'a [Channel]>,
    /// Whether a person decided. The agent then has to be at work, but need not be available.
    pub by_person: bool,
}

/// An agent's load and capacity after a claim.
pub struct Claimed {
    /// Capacity in use.
    pub load: Units,
    /// Capacity.
    pub capacity: Units,
}

/// Claims capacity; `None` if it does not fit, or if the agent may not get contacts now.
pub fn claim(db: &dyn Db, claim: &Claim<'_>) -> Result<Option<Claimed>, StoreError> {
    let beside = claim.only_beside.map(|channels| serde_json::json!(channels).to_string());
    let params: [Value; 6] = [
        claim.agent.as_bytes().into(),
        claim.at.into(),
        claim.units.hundredths().into(),
        claim.by_person.into(),
        claim.channel.as_str().into(),
        beside.into(),
    ];
    let Some(row) = db.first(CLAIM, &params)? else { return Ok(None) };
    Ok(Some(Claimed { load: Units::from_hundredths(row.int(0)?), capacity: Units::from_hundredths(row.int(1)?) }))
}

/// Gives back the capacity that a contact of a channel took. Returns the remaining load.
///
/// # Errors
/// The agent does not have that much claimed.
pub fn release(db: &dyn Db, id: AgentId, units: Units, channel: &Channel, now: Timestamp) -> Result<Units, StoreError> {
    let params = [id.as_bytes().into(), units.hundredths().into(), now.into(), channel.as_str().into()];
    let row = db.first(RELEASE, &params)?.ok_or(StoreError::Missing("claimed capacity"))?;
    Ok(Units::from_hundredths(row.int(0)?))
}
