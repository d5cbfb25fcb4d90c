//! The figures of a played log: waits, service levels, load.

use super::history::History;
use super::play::Fate;
use serde::Serialize;
use std::collections::BTreeMap;
use warmline_model::{AgentId, GroupId};
use warmline_routing::Plan;

/// Waits, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// Contacts that a seat had.
    pub served: usize,
    /// The mean.
    pub mean_ms: i64,
    /// The median.
    pub p50_ms: i64,
    /// 95 in 100 waited no longer.
    pub p95_ms: i64,
    /// The longest.
    pub worst_ms: i64,
}

impl Waits {
    /// Counts waits.
    pub fn of(mut ms: Vec<i64>) -> Self {
        ms.sort_unstable();
        let n = ms.len();
        // The smallest wait that at least this percentage did not exceed.
        let rank = |percent: usize| ms.get((n * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0);
        let count = i64::try_from(n).unwrap_or(i64::MAX);
        let mean_ms = ms.iter().sum::<i64>().checked_div(count).unwrap_or(0);
        Self { served: n, mean_ms, p50_ms: rank(50), p95_ms: rank(95), worst_ms: ms.last().copied().unwrap_or(0) }
    }
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GroupFigures {
    /// Contacts that came to it or were served by it.
    pub contacts: usize,
    /// Waits.
    pub waits: Waits,
    /// The share of contacts served within the promised seconds, of those that were served or left; `None` if there were
    /// none.
    pub service_level: Option<f64>,
    /// Customers who left.
    pub left: usize,
}

/// A seat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AgentFigures {
    /// Contacts that it was the last to serve.
    pub contacts: usize,
    /// The milliseconds for which it held them.
    pub held_ms: i64,
}

/// A played log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Contacts.
    pub contacts: usize,
    /// Waits.
    pub waits: Waits,
    /// Customers who left.
    pub left: usize,
    /// Customers who left a message.
    pub messages: usize,
    /// Contacts that no seat had served at the end.
    pub waiting: usize,
    /// By group.
    pub groups: BTreeMap<GroupId, GroupFigures>,
    /// By agent.
    pub agents: BTreeMap<AgentId, AgentFigures>,
}

impl Figures {
    /// Counts the fates of contacts. `promise` is the plan with the service levels to use.
    pub fn of(fates: &[Fate], promise: &Plan) -> Self {
        let mut figures = Self { contacts: fates.len(), ..Self::default() };
        let (mut all, mut by_group) = (Vec::new(), BTreeMap::<GroupId, Vec<i64>>::new());
        for fate in fates {
            figures.left += usize::from(fate.left);
            figures.messages += usize::from(fate.message);
            figures.waiting += usize::from(!fate.left && fate.waited_ms.is_none());
            // A customer who left a message does not wait for a seat.
            let waited = fate.waited_ms.filter(|_| !fate.message);
            all.extend(waited);
            if let Some(group) = &fate.group {
                let of = figures.groups.entry(group.clone()).or_default();
                of.contacts += 1;
                of.left += usize::from(fate.left);
                by_group.entry(group.clone()).or_default().extend(waited);
            }
            if let Some(agent) = fate.agent {
                let of = figures.agents.entry(agent).or_default();
                of.contacts += 1;
                of.held_ms += fate.held_ms;
            }
        }
        figures.waits = Waits::of(all);
        for (group, waits) in by_group {
            let within = promise.settings(&group).service_level.within_secs.saturating_mul(1000);
            let met = waits.iter().filter(|ms| **ms <= within).count();
            let Some(of) = figures.groups.get_mut(&group) else { continue };
            of.waits = Waits::of(waits);
            #[expect(clippy::cast_precision_loss, reason = "contacts are far below 2^53")]
            let share = met as f64 / (of.waits.served + of.left) as f64;
            of.service_level = share.is_finite().then_some(share);
        }
        figures
    }
}

/// Decisions that the new plan's own words could have changed. The log holds only words that the plan of its day looked
/// for.
pub fn unknown_words(history: &History, new: &Plan) -> (Vec<String>, usize) {
    use super::history::Change;
    let (mut could, mut told) = (0, std::collections::BTreeSet::new());
    let wanted = new.words();
    let mut changes = history.changes.iter().filter_map(|(at, c)| match c {
        Change::Plan(_, plan) => Some((*at, plan.words())),
        _ => None,
    });
    let (mut known, mut coming) = (std::collections::BTreeSet::new(), changes.next());
    for came in &history.came {
        while let Some((_, words)) = coming.take_if(|(at, _)| *at <= came.at) {
            (known, coming) = (words, changes.next());
        }
        let unknown: Vec<&str> = wanted.difference(&known).copied().collect();
        if unknown.is_empty() {
            continue;
        }
        told.extend(unknown.iter().copied());
        let mut facts = came.facts.clone();
        let begins = |facts: &warmline_routing::Facts| {
            let placement = new.place(facts, came.at);
            let policy = placement.as_ref().map(|p| new.settings(&p.group).hand_over);
            let people = policy.and_then(|p| p.before(facts.vip(), &facts.terms)).is_some();
            (placement, people)
        };
        let before = begins(&facts);
        facts.terms.extend(unknown.into_iter().map(str::to_owned));
        could += usize::from(begins(&facts) != before);
    }
    (told.into_iter().map(str::to_owned).collect(), could)
}
