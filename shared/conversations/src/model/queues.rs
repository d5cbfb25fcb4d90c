//! Queues.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::GroupId;

/// A group's queue.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct QueueView {
    /// The group.
    pub group: GroupId,
    /// How many wait.
    pub waiting: i64,
    /// How long the first in line has waited, in milliseconds.
    pub oldest_ms: Option<i64>,
    /// The smoothed time between two that leave it for a seat, in milliseconds.
    pub gap_ms: Option<i64>,
    /// How long one who came now would wait, in milliseconds; none while the pace is unknown.
    pub estimate_ms: Option<i64>,
    /// What estimates were off by so far, on average, in milliseconds.
    pub estimate_error_ms: Option<i64>,
    /// How many estimates that is the average of.
    pub estimates: i64,
}

/// Where a contact stands in a queue, and how long it will wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// Its place, from 1.
    pub position: i64,
    /// Whether there may be more ahead of it than were counted.
    pub or_more: bool,
    /// The estimated wait from now on, in milliseconds; none while the queue's pace is unknown.
    pub estimate_ms: Option<i64>,
}
