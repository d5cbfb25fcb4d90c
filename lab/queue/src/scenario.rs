//! A day as data: the contacts by channel and hour, their intents, durations and patience; the agents at work; and the
//! routing plan. A scenario is checked as a whole before anything is played.

use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;
use warmline_model::{Channel, GroupId, Units};
use warmline_routing::Plan;
use warmline_routing::locate::line_of;

/// The brand's day, which is played if no other scenario is named.
const BRAND: &str = include_str!("brand.json");

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The days that can be played, by name.
    pub days: BTreeMap<String, DayOf>,
    /// The contacts, by channel.
    pub channels: Vec<Stream>,
    /// The customers' intents, each with its share of every channel's contacts. A channel may have its own.
    pub intents: BTreeMap<String, f64>,
    /// The agents, in teams.
    pub teams: Vec<Team>,
    /// The routing plan.
    pub plan: Plan,
}

/// A kind of day.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayOf {
    /// The number of contacts, as a multiple of the channels' own numbers.
    pub times: f64,
    /// The share of each hour, from midnight. Only their proportions count.
    pub hours: Vec<f64>,
}

/// A channel's contacts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The channel.
    pub channel: Channel,
    /// Expected contacts a day.
    pub contacts: f64,
    /// The duration of one, with its after-contact work.
    pub handle: Handle,
    /// Mean patience in seconds, exponential; `null`: they wait for ever.
    #[serde(default)]
    pub patience_secs: Option<f64>,
    /// The intents of its customers, if they differ.
    #[serde(default)]
    pub intents: Option<BTreeMap<String, f64>>,
}

/// Handle time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handle {
    /// The mean, in seconds.
    pub mean_secs: f64,
    /// Standard deviation over mean of a log-normal distribution; `null`: exponential.
    #[serde(default)]
    pub variation: Option<f64>,
}

/// Agents with the same profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// The number of agents in each shift.
    pub shifts: Vec<Shift>,
    /// Units of capacity.
    pub capacity: Units,
    /// The most contacts at once, by channel.
    #[serde(default)]
    pub caps: BTreeMap<Channel, i64>,
    /// Groups, with the level in each.
    pub groups: BTreeMap<GroupId, u8>,
    /// Skills, with their levels.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
}

/// The working time of agents. An agent who holds a contact at the end finishes it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// The number of agents.
    pub agents: u16,
    /// The beginning, in minutes after midnight.
    pub from: u32,
    /// The end, in minutes after midnight.
    pub to: u32,
    /// The time of the first agent's break (小休), in minutes after midnight. The next goes when that one is back. `null`: no
    /// break.
    #[serde(default)]
    pub break_at: Option<u32>,
    /// The length of a break, in minutes.
    #[serde(default)]
    pub break_minutes: u32,
    /// The number of them who are away at once.
    #[serde(default = "one")]
    pub away: u16,
}

const fn one() -> u16 {
    1
}

/// Minutes of a day.
pub const DAY: u32 = 24 * 60;

/// The most contacts and agents that a scenario may have.
const MOST: f64 = 5_000_000.0;
const MOST_AGENTS: u32 = 10_000;

/// The fault of a scenario.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The text is not the JSON of a scenario.
    #[error("is no scenario")]
    Json(#[from] serde_json::Error),
    /// A value is impossible.
    #[error("line {line}: {path}: {detail}")]
    Value {
        /// The line.
        line: usize,
        /// The path of the value, such as `channels[3].contacts`.
        path: String,
        /// The fault.
        detail: String,
    },
}

type Fault = (String, String);

impl Scenario {
    /// The built-in scenario.
    ///
    /// # Errors
    /// There are none, as its test shows.
    pub fn brand() -> Result<Self, ScenarioError> {
        Self::parse(BRAND)
    }

    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// The scenario has a fault. The error names its place and its kind.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_json::from_str(text)?;
        scenario.check().map_err(|(path, detail)| ScenarioError::Value { line: line_of(text, &path), path, detail })?;
        Ok(scenario)
    }

    /// Puts another plan into force.
    ///
    /// # Errors
    /// The agents are in a group that the plan does not have.
    pub fn ruled_by(&mut self, plan: Plan) -> anyhow::Result<()> {
        let before = std::mem::replace(&mut self.plan, plan);
        self.check().map_err(|(path, detail)| {
            self.plan = before;
            anyhow::anyhow!("does not fit the scenario: {path}: {detail}")
        })
    }

    /// The number of agents.
    pub fn agents(&self) -> u32 {
        self.teams.iter().flat_map(|t| &t.shifts).map(|s| u32::from(s.agents)).sum()
    }

    fn check(&self) -> Result<(), Fault> {
        self.plan.check().map_err(|f| (format!("plan.{}", f.path), f.detail))?;
        let most = self.days.values().map(|d| d.times).fold(0.0, f64::max);
        for (name, day) in &self.days {
            let at = |field: &str| format!("days.{name}.{field}");
            within(&at("times"), day.times, 0.0, 1_000.0)?;
            if day.hours.len() != 24 {
                return Err((at("hours"), format!("a day has 24 hours, not {}", day.hours.len())));
            }
            shares(&at("hours"), day.hours.iter())?;
        }
        if self.days.is_empty() {
            return Err(("days".into(), "name at least one day".into()));
        }
        shares("intents", self.intents.values())?;
        for (i, stream) in self.channels.iter().enumerate() {
            let at = |field: &str| format!("channels[{i}].{field}");
            within(&at("contacts"), stream.contacts, 0.0, MOST)?;
            within(&at("handle.mean_secs"), stream.handle.mean_secs, 0.001, 86_400.0)?;
            if let Some(v) = stream.handle.variation {
                within(&at("handle.variation"), v, 0.0, 10.0)?;
            }
            if let Some(p) = stream.patience_secs {
                within(&at("patience_secs"), p, 0.001, 1e9)?;
            }
            if let Some(intents) = &stream.intents {
                shares(&at("intents"), intents.values())?;
            }
            if self.channels.iter().take(i).any(|s| s.channel == stream.channel) {
                return Err((at("channel"), "there is this channel already".into()));
            }
        }
        let contacts: f64 = self.channels.iter().map(|s| s.contacts).sum();
        within("channels", contacts * most, 0.0, MOST)
            .map_err(|_| ("channels".to_owned(), format!("a day has at most {MOST} contacts")))?;
        self.check_teams()
    }

    fn check_teams(&self) -> Result<(), Fault> {
        for (i, team) in self.teams.iter().enumerate() {
            let at = |field: &str| format!("teams[{i}].{field}");
            if team.capacity <= Units::ZERO || team.capacity > Units::whole(1_000) {
                return Err((at("capacity"), "is above 0 and at most 1000 units".into()));
            }
            if let Some(unknown) = team.groups.keys().find(|g| self.plan.group(g).is_none()) {
                return Err((at(&format!("groups.{unknown}")), "names no group of the plan".into()));
            }
            if team.groups.is_empty() {
                return Err((at("groups"), "name at least one group".into()));
            }
            for (n, shift) in team.shifts.iter().enumerate() {
                let at = |field: &str| at(&format!("shifts[{n}].{field}"));
                if shift.from >= shift.to || shift.to > DAY {
                    return Err((at("to"), format!("a shift ends after it begins, and at {DAY} at the latest")));
                }
                if shift.away == 0 {
                    return Err((at("away"), "at least one goes for a break at a time".into()));
                }
                if let Some(first) = shift.break_at {
                    let rounds = u32::from(shift.agents.div_ceil(shift.away));
                    let last = u64::from(first) + u64::from(rounds) * u64::from(shift.break_minutes);
                    if first < shift.from || last > u64::from(shift.to) {
                        return Err((at("break_at"), "not all breaks are within the shift".into()));
                    }
                }
            }
        }
        match self.agents() {
            0 => Err(("teams".into(), "nobody is at work".into())),
            n if n > MOST_AGENTS => Err(("teams".into(), format!("at most {MOST_AGENTS} agents"))),
            _ => Ok(()),
        }
    }
}

fn within(path: &str, value: f64, min: f64, max: f64) -> Result<(), Fault> {
    // A comparison with NaN is false.
    if value >= min && value <= max { Ok(()) } else { Err((path.to_owned(), format!("is a number from {min} to {max}"))) }
}

/// Checks that shares are not negative and not all 0.
fn shares<'a>(path: &str, values: impl Iterator<Item = &'a f64>) -> Result<(), Fault> {
    let mut sum = 0.0;
    for value in values {
        within(path, *value, 0.0, 1e9).map_err(|(path, detail)| (path, format!("each share {detail}")))?;
        sum += value;
    }
    if sum > 0.0 { Ok(()) } else { Err((path.to_owned(), "the shares are all 0".into())) }
}
