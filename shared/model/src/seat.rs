//! Seats (坐席) and lanes, as the log records them: the data of a decision besides presence and load.

use crate::channel::{Channel, GroupId};
use crate::ids::AgentId;
use crate::units::Units;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An agent's profile. It is logged when the agent is added and whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// The agent.
    pub agent: AgentId,
    /// Whether it is an AI seat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ai: bool,
    /// Whether the agent serves dedicated customers only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dedicated: bool,
    /// Capacity.
    pub capacity: Units,
    /// The most contacts at once, by channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub caps: BTreeMap<Channel, i64>,
    /// Skills and levels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// Groups, with the level in each.
    pub groups: BTreeMap<GroupId, u8>,
}

/// The common properties of the contacts in one lane of a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// The channel. It determines the contact's cost.
    pub channel: Channel,
    /// Head start in the queue, in minutes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority_minutes: i64,
    /// Whether dedicated agents serve it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dedicated: bool,
    /// Required skills and their least levels, before any ring.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Lane {
    /// The text by which the store knows it. Equal lanes always have the same text.
    pub fn key(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the text.
    pub fn parse(key: &str) -> Option<Self> {
        serde_json::from_str(key).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_has_one_name() {
        let plain =
            Lane { channel: Channel::new("app").unwrap(), priority_minutes: 0, dedicated: false, skills: BTreeMap::new() };
        assert_eq!(plain.key(), r#"{"channel":"app"}"#);
        let full = Lane { priority_minutes: 30, dedicated: true, skills: [("order".to_owned(), 2)].into(), ..plain };
        assert_eq!(full.key(), r#"{"channel":"app","priority_minutes":30,"dedicated":true,"skills":{"order":2}}"#);
        assert_eq!(Lane::parse(&full.key()), Some(full));
        assert_eq!(Lane::parse("{}"), None);
    }
}
