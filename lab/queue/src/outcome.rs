//! The results of a day with each policy.

use super::policy::Policy;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use warmline_model::Channel;
use warmline_replay::figures::Waits;
use warmline_replay::history::History;
use warmline_replay::play::Fate;

/// The limit for a prompt answer: 80/20 is the field's usual promise.
pub const WITHIN_MS: i64 = 20_000;

/// A channel's day.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChannelDay {
    /// Contacts that came.
    pub offered: usize,
    /// The share of all contacts that were answered within 20 s.
    pub service_level: f64,
    /// Customers who left.
    pub left: usize,
    /// Waits of the customers who were answered.
    pub waits: Waits,
}

/// One policy's day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyDay {
    /// The policy.
    pub policy: Policy,
    /// The seed.
    pub seed: u64,
    /// Contacts that came.
    pub offered: usize,
    /// The share of all contacts that were answered within 20 s. A customer who left counts as not answered in time,
    /// however soon they left.
    pub service_level: f64,
    /// Waits of the customers who were answered.
    pub waits: Waits,
    /// The same share for customers who wait on the line: channels whose customers have a patience, not e-mail.
    pub live_service_level: f64,
    /// The mean wait of the answered ones among them.
    pub live_mean_ms: i64,
    /// The largest 95th percentile of a channel's waits.
    pub worst_p95_ms: i64,
    /// The channel that has it.
    pub worst: Option<Channel>,
    /// Customers who left.
    pub left: usize,
    /// Contacts that no seat had served at the end.
    pub waiting: usize,
    /// By channel.
    pub channels: BTreeMap<Channel, ChannelDay>,
    /// Contacts in all queues, every [`super::EVERY_MS`] from midnight on.
    #[serde(skip)]
    pub queues: Vec<usize>,
}

impl PolicyDay {
    /// Counts the fates of contacts.
    pub fn of(policy: Policy, seed: u64, history: &History, fates: &[Fate], queues: Vec<usize>) -> Self {
        let mut channels: BTreeMap<Channel, (ChannelDay, Vec<i64>)> = BTreeMap::new();
        let mut all = Vec::with_capacity(fates.len());
        let (mut live, mut on_line) = (0, Vec::new());
        for (came, fate) in history.came.iter().zip(fates) {
            let (of, waits) = channels.entry(came.facts.channel.clone()).or_default();
            of.offered += 1;
            of.left += usize::from(fate.left);
            waits.extend(fate.waited_ms);
            all.extend(fate.waited_ms);
            if came.patience_ms.is_some() {
                live += 1;
                on_line.extend(fate.waited_ms);
            }
        }
        let channels: BTreeMap<Channel, ChannelDay> = channels
            .into_iter()
            .map(|(channel, (of, waits))| {
                let service_level = level(&waits, of.offered);
                (channel, ChannelDay { service_level, waits: Waits::of(waits), ..of })
            })
            .collect();
        let worst = channels.iter().max_by_key(|(_, c)| c.waits.p95_ms);
        Self {
            policy,
            seed,
            offered: fates.len(),
            service_level: level(&all, fates.len()),
            live_service_level: level(&on_line, live),
            live_mean_ms: Waits::of(on_line).mean_ms,
            worst_p95_ms: worst.map_or(0, |(_, c)| c.waits.p95_ms),
            worst: worst.map(|(channel, _)| channel.clone()),
            left: fates.iter().filter(|f| f.left).count(),
            waiting: fates.iter().filter(|f| !f.left && f.waited_ms.is_none()).count(),
            waits: Waits::of(all),
            channels,
            queues,
        }
    }

    /// Whether it is better in each of the three figures.
    pub fn beats(&self, other: &Self) -> bool {
        self.service_level > other.service_level
            && self.waits.mean_ms < other.waits.mean_ms
            && self.worst_p95_ms < other.worst_p95_ms
    }
}

#[expect(clippy::cast_precision_loss, reason = "contacts are far below 2^53")]
fn level(waits: &[i64], offered: usize) -> f64 {
    let met = waits.iter().filter(|ms| **ms <= WITHIN_MS).count();
    if offered == 0 { 0.0 } else { met as f64 / offered as f64 }
}

/// One kind of day, with every policy and seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// The scenario.
    pub scenario: String,
    /// The day.
    pub day: String,
    /// Agents.
    pub agents: u32,
    /// For each seed, every policy's day.
    pub seeds: Vec<Vec<PolicyDay>>,
}

impl Simulated {
    /// The mean of a policy's figure over the seeds.
    #[expect(clippy::cast_precision_loss, reason = "a few seeds")]
    fn mean(&self, policy: Policy, figure: impl Fn(&PolicyDay) -> f64) -> f64 {
        let days = self.seeds.iter().flatten().filter(|d| d.policy == policy);
        days.map(figure).sum::<f64>() / self.seeds.len().max(1) as f64
    }

    /// Whether ours is better in each of the three figures, by their means over the seeds.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a day")]
    pub fn ahead(&self, of: Policy) -> bool {
        let less = |figure: fn(&PolicyDay) -> f64| self.mean(Policy::Warmline, figure) < self.mean(of, figure);
        less(|d| -d.service_level) && less(|d| d.waits.mean_ms as f64) && less(|d| d.worst_p95_ms as f64)
    }

    /// The number of seeds with which ours is better in each of the three figures.
    pub fn better(&self, than: Policy) -> usize {
        let find = |days: &[PolicyDay], p| days.iter().find(|d| d.policy == p).cloned();
        let beats = |days: &&Vec<PolicyDay>| {
            find(days, Policy::Warmline).zip(find(days, than)).is_some_and(|(ours, other)| ours.beats(&other))
        };
        self.seeds.iter().filter(beats).count()
    }
}

#[expect(clippy::cast_precision_loss, reason = "contacts and milliseconds are far below 2^53")]
impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, day, agents, seeds } = self;
        let of: Vec<String> = seeds.iter().filter_map(|d| d.first()).map(|d| d.seed.to_string()).collect();
        let offered = self.mean(Policy::Warmline, |d| d.offered as f64);
        writeln!(f, "{scenario}, {day}: {offered:.0} contacts, {agents} agents; means over the seeds {}", of.join(", "))?;
        writeln!(
            f,
            "\n{:<14}{:>9}{:>12}{:>14}{:>9}{:>10}{:>14}{:>12}{:>10}",
            "", "in 20 s", "mean wait", "worst p95", "left", "answered", "live in 20 s", "live wait", "better"
        )?;
        for policy in Policy::ALL {
            let share = |n: fn(&PolicyDay) -> usize| self.mean(policy, |d| n(d) as f64 / d.offered.max(1) as f64) * 100.0;
            let better = match policy {
                Policy::Warmline => String::new(),
                other => format!("{} of {}", self.better(other), seeds.len()),
            };
            writeln!(
                f,
                "{policy:<14}{:>8.1}%{:>10.1} s{:>12.1} s{:>8.1}%{:>9.1}%{:>13.1}%{:>10.1} s{better:>10}",
                self.mean(policy, |d| d.service_level) * 100.0,
                self.mean(policy, |d| d.waits.mean_ms as f64) / 1_000.0,
                self.mean(policy, |d| d.worst_p95_ms as f64) / 1_000.0,
                share(|d| d.left),
                share(|d| d.waits.served),
                self.mean(policy, |d| d.live_service_level) * 100.0,
                self.mean(policy, |d| d.live_mean_ms as f64) / 1_000.0,
            )?;
        }
        writeln!(f, "\np95 wait of a channel, in seconds:\n")?;
        let channels: Vec<&Channel> = seeds.iter().flatten().next().map(|d| d.channels.keys().collect()).unwrap_or_default();
        write!(f, "{:<14}", "")?;
        for policy in Policy::ALL {
            write!(f, "{policy:>14}")?;
        }
        writeln!(f)?;
        for channel in channels {
            write!(f, "{:<14}", channel.as_str())?;
            for policy in Policy::ALL {
                let p95 = |d: &PolicyDay| d.channels.get(channel).map_or(0.0, |c| c.waits.p95_ms as f64);
                write!(f, "{:>14.1}", self.mean(policy, p95) / 1_000.0)?;
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "\nin 20 s: answered within 20 s, of all that came. Waits are of those who were answered. live: without the channels whose \
            customers wait for ever (e-mail).\nbetter: seeds on which warmline is ahead on all of the first three."
        )
    }
}
