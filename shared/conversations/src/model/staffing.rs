//! Staffing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{GroupId, Timestamp};
use warmline_routing::plan::Staffing as Mode;
use warmline_routing::staffing::Move;

/// The present staffing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Staffing {
    /// The time at which it was computed.
    pub at: Timestamp,
    /// Whether seats move by themselves (`auto`) or people only get a recommendation (`recommend`).
    pub mode: Mode,
    /// The groups, in the plan's order.
    pub groups: Vec<GroupStaffing>,
    /// The agents that should serve a group first.
    pub moves: Vec<Move>,
}

/// A group's staffing. A slot is one unit of capacity: a chat's worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupStaffing {
    /// The group.
    pub group: GroupId,
    /// Contacts that wait for the group's people now.
    pub waiting: i64,
    /// Seconds of one slot that a contact takes, on average over four weeks; 300 if none is known.
    pub slot_secs: f64,
    /// The number of contacts in that average.
    pub handled: i64,
    /// The forecast, from the present quarter of an hour on.
    pub quarters: Vec<Quarter>,
    /// Slots needed now for the group's service level, and to clear the queue within a quarter of an hour.
    pub needed: f64,
    /// Slots that work for it now. Seats of several groups count in proportion to the groups' needs.
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
