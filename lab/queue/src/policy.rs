//! Our policy, and the three references. All four play the same day with the same agents, by the same rules of skill and
//! capacity. A group's contacts go to agents of the group. A call needs an agent without a chat, and a seat is kept for it
//! when it is the first in the queue. The references serve first come, first served, over all groups that an agent serves.
//! They differ in the choice of the agent.

use super::day::Hired;
use super::scenario::Scenario;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use warmline_model::{GroupId, Units};
use warmline_routing::Plan;
use warmline_routing::group::Strategy;
use warmline_routing::seat::Amount;

/// The way in which contacts are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The unchanged plan.
    Warmline,
    /// Every agent serves one group all day. Seats are divided by the expected work.
    Static,
    /// The agent whose last contact was assigned the longest ago.
    RoundRobin,
    /// The agent who has been without a new contact for the longest time.
    LongestIdle,
}

impl Policy {
    /// All policies, ours first.
    pub const ALL: [Self; 4] = [Self::Warmline, Self::Static, Self::RoundRobin, Self::LongestIdle];

    /// The plan of the policy.
    pub fn plan(self, ours: &Plan) -> Plan {
        let strategy = match self {
            Self::Warmline => return ours.clone(),
            Self::Static => Strategy::LeastLoaded,
            Self::RoundRobin => Strategy::RoundRobin,
            Self::LongestIdle => Strategy::MostIdle,
        };
        let mut plan = ours.clone();
        for group in &mut plan.groups {
            group.settings.strategy = strategy;
            group.settings.vip_priority_minutes = 0;
        }
        for rule in &mut plan.rules {
            rule.priority_minutes = 0;
        }
        plan.customers.clear();
        plan
    }

    /// The agents of the policy.
    pub fn agents(self, hired: &[Hired], scenario: &Scenario) -> Vec<Hired> {
        let mut hired = hired.to_vec();
        if self == Self::Static {
            split(&mut hired, &scenario_work(scenario));
        }
        hired
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Warmline => "warmline",
            Self::Static => "static split",
            Self::RoundRobin => "round-robin",
            Self::LongestIdle => "longest idle",
        })
    }
}

/// The expected work of each group, in unit seconds: the part that needs no skill, and the part that does.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    plain: f64,
    skilled: f64,
}

impl Work {
    fn of(self, skilled: bool) -> f64 {
        if skilled { self.skilled } else { self.plain }
    }
}

fn scenario_work(scenario: &Scenario) -> BTreeMap<GroupId, Work> {
    let whole = scenario.teams.iter().map(|t| t.capacity).max().unwrap_or(Units::ONE);
    let mut work: BTreeMap<GroupId, Work> = BTreeMap::new();
    for stream in &scenario.channels {
        let intents = stream.intents.as_ref().unwrap_or(&scenario.intents);
        let all: f64 = intents.values().sum();
        let units = match scenario.plan.cost(&stream.channel).units {
            Amount::Units(units) => units,
            Amount::All(_) => whole,
        };
        #[expect(clippy::cast_precision_loss, reason = "hundredths of a few units")]
        let each = stream.handle.mean_secs * units.hundredths() as f64;
        for (intent, share) in intents {
            let facts = super::day::facts(&stream.channel, intent);
            let placed = facts.and_then(|f| scenario.plan.place(&f, super::day::midnight(scenario.plan.zone_minutes)));
            let Some(placed) = placed else { continue };
            let of = work.entry(placed.group).or_default();
            let amount = stream.contacts * share / all * each;
            match placed.skills.is_empty() {
                true => of.plain += amount,
                false => of.skilled += amount,
            }
        }
    }
    work
}

/// Gives each agent one of its groups, so that in every shift the seats of a group are in proportion to its work
/// (Sainte-Laguë). Agents with a skill are divided by the work that needs one. The others are divided by the rest, or by
/// all of it if there is no rest. Agents with the least choice go first.
fn split(hired: &mut [Hired], work: &BTreeMap<GroupId, Work>) {
    let mut order: Vec<usize> = (0..hired.len()).collect();
    order.sort_by_key(|i| hired[*i].profile.groups.len());
    let mut given: BTreeMap<(u32, bool, GroupId), u32> = BTreeMap::new();
    for i in order {
        let Hired { profile, shift, .. } = &mut hired[i];
        let skilled = !profile.skills.is_empty();
        let of = |group: &GroupId| work.get(group).copied().unwrap_or_default();
        let suits = profile.groups.keys().any(|g| of(g).of(skilled) > 0.0);
        let next = |group: &GroupId| {
            let seats = given.get(&(shift.from, skilled, group.clone())).copied().unwrap_or(0);
            let amount = if suits { of(group).of(skilled) } else { of(group).plain + of(group).skilled };
            amount / f64::from(2 * seats + 1)
        };
        let Some(group) = profile.groups.keys().max_by(|a, b| next(a).total_cmp(&next(b))).cloned() else { continue };
        *given.entry((shift.from, skilled, group.clone())).or_default() += 1;
        profile.groups.retain(|g, _| *g == group);
    }
}
