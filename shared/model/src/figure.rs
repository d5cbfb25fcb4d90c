//! What a capability counts from its own events, and what is true of it now.

use crate::Event;
use schemars::JsonSchema;
use serde::Serialize;

/// A count of events. The metrics add it up by hour and channel, from the event's own time.
#[derive(Clone, Copy)]
pub struct Figure {
    /// Formula id. The number after the last dot rises when the meaning changes.
    pub id: &'static str,
    /// What is counted.
    pub meaning: &'static str,
    /// The channel to count an event for, which is empty where the figure has none; `None` if the event does not count.
    pub counts: fn(&Event) -> Option<String>,
}

/// A number that is true now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Gauge {
    /// The name, with the unit at its end, as OpenMetrics spells it (`warmline_erasures_running`).
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// The number.
    pub value: i64,
}
