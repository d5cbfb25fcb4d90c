//! The counts that a capability makes from its own events, and its present gauges.

use crate::Event;
use schemars::JsonSchema;
use serde::Serialize;

/// A count of events. The metrics add it up by hour and channel, from the event's own time.
#[derive(Clone, Copy)]
pub struct Figure {
    /// Formula id. The number after the last dot rises when the meaning changes.
    pub id: &'static str,
    /// The meaning of the count.
    pub meaning: &'static str,
    /// The channel for which an event counts, empty if the figure has none; `None` if the event does not count.
    pub counts: fn(&Event) -> Option<String>,
}

/// A number that is true now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Gauge {
    /// The name, with the unit at its end, as OpenMetrics spells it (`warmline_erasures_running`).
    pub name: &'static str,
    /// The meaning of the number.
    pub meaning: &'static str,
    /// The part of the whole that the number is of, if the gauge has several. Their gauges follow each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// The number.
    pub value: i64,
}

impl Gauge {
    /// A gauge of one number.
    pub const fn new(name: &'static str, meaning: &'static str, value: i64) -> Self {
        Self { name, meaning, kind: None, value }
    }
}
