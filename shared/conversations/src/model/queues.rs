//! Queues.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::GroupId;

/// A group's queue.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct QueueView {
    /// The group.
    pub group: GroupId,
    /// The number of waiting contacts.
    pub waiting: i64,
    /// The time for which the first in line has waited, in milliseconds.
    pub oldest_ms: Option<i64>,
    /// The smoothed time between two contacts that leave it for a seat, in milliseconds.
    pub gap_ms: Option<i64>,
    /// The estimated wait of a contact that comes now, in milliseconds; `null` while the pace is unknown.
    pub estimate_ms: Option<i64>,
    /// The mean error of the estimates so far, in milliseconds.
    pub estimate_error_ms: Option<i64>,
    /// The number of estimates in that mean.
    pub estimates: i64,
}

/// The place of a contact in a queue, and its estimated wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// Its place, from 1.
    pub position: i64,
    /// Whether there may be more ahead of it than were counted.
    pub or_more: bool,
    /// The estimated wait from now on, in milliseconds; `None` while the queue's pace is unknown.
    pub estimate_ms: Option<i64>,
}
