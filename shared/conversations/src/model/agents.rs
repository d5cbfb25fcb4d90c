//! Agents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warmline_model::{AgentId, AgentState, Channel, GroupId, Role, Timestamp, Units};

/// A member of staff.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct AgentView {
    /// Id.
    pub id: AgentId,
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Presence.
    pub state: AgentState,
    /// The reason of that state.
    pub state_reason: Option<String>,
    /// The time since which the agent is in that state.
    pub state_since: Timestamp,
    /// Groups.
    pub groups: Vec<GroupId>,
    /// The agent's level in each group.
    pub levels: BTreeMap<GroupId, u8>,
    /// Minutes by which a group's contacts come earlier for the agent, if staffing moved it.
    pub weights: BTreeMap<GroupId, i64>,
    /// Whether it is an AI seat.
    pub ai: bool,
    /// Whether the agent serves VIP customers only.
    pub vip: bool,
    /// Capacity, in units.
    pub capacity: Units,
    /// Capacity in use.
    pub load: Units,
    /// Skills and levels.
    pub skills: BTreeMap<String, u8>,
    /// The most conversations at once, by channel.
    pub caps: BTreeMap<Channel, i64>,
}

/// Groups: their ids, or each with the agent's level in it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GroupList {
    /// Level 1 in each.
    Ids(Vec<GroupId>),
    /// With levels, 1 to 100.
    Levels(BTreeMap<GroupId, u8>),
}

/// A new member of staff.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRequest {
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Whether it is an AI seat.
    #[serde(default)]
    pub ai: bool,
    /// The groups that they serve; none where it is left out.
    #[serde(default)]
    pub groups: Option<GroupList>,
    /// Capacity in units; a chat costs one unless the plan says otherwise.
    #[serde(default = "default_capacity")]
    pub capacity: Units,
    /// Whether the agent serves VIP customers only.
    #[serde(default)]
    pub vip: bool,
    /// Skills and levels, 1 to 100.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// The most conversations at once, by channel.
    #[serde(default)]
    pub caps: BTreeMap<Channel, i64>,
}

/// The changes to an agent. Fields that are left out keep their values.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentChange {
    /// Name.
    #[serde(default)]
    pub name: Option<String>,
    /// All groups that they serve from now on.
    #[serde(default)]
    pub groups: Option<GroupList>,
    /// If it is less than the present load, it takes effect as conversations end.
    #[serde(default)]
    pub capacity: Option<Units>,
    /// Whether they serve VIP customers only.
    #[serde(default)]
    pub vip: Option<bool>,
    /// All skills and levels, 1 to 100.
    #[serde(default)]
    pub skills: Option<BTreeMap<String, u8>>,
    /// The most conversations at once, by channel.
    #[serde(default)]
    pub caps: Option<BTreeMap<Channel, i64>>,
}

/// A member of staff just added.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CreatedAgent {
    /// The agent.
    #[serde(flatten)]
    pub agent: AgentView,
    /// The bearer token. It is shown this once and cannot be read again.
    pub token: String,
}

/// A new presence.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateChange {
    /// The presence.
    pub state: AgentState,
    /// The reason, as a code of the brand's own list: `lunch`, `training`, …
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub reason: Option<String>,
}

fn default_capacity() -> Units {
    Units::whole(5)
}
