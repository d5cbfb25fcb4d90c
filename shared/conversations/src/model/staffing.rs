//! Staffing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{GroupId, Timestamp};
use warmline_routing::plan::Staffing as Mode;
use warmline_routing::staffing::Move;

/// Staffing, as it looks now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Staffing {
    /// When it was reckoned.
    pub at: Timestamp,
    /// Whether seats move by themselves (`auto`) or people are only told (`recommend`).
    pub mode: Mode,
    /// Groups, in the plan's order.
    pub groups: Vec<GroupStaffing>,
    /// Who should serve which group first.
    pub moves: Vec<Move>,
}

/// A group's staffing. A slot is one unit of capacity: a chat's worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupStaffing {
    /// The group.
    pub group: GroupId,
    /// Contacts that wait for its people now.
    pub waiting: i64,
    /// Seconds of one slot that a contact takes, on average over four weeks; 300 where none is known.
    pub slot_secs: f64,
    /// How many contacts that is the average of.
    pub handled: i64,
    /// What is expected, from the present quarter of an hour on.
    pub quarters: Vec<Quarter>,
    /// Slots needed now for the group's service level, and to be through with the queue within a quarter of an hour.
    pub needed: f64,
    /// Slots that work for it now, seats of several groups in proportion to the groups' needs.
    pub working: f64,
}

/// A quarter of an hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quarter {
    /// When it begins.
    pub from: Timestamp,
    /// Contacts expected.
    pub contacts: f64,
    /// Slots needed for the group's service level (Erlang-C).
    pub slots: f64,
}
