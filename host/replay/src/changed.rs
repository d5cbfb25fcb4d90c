//! The effect of another plan: the same contacts and seats are played with the plans of the log and with the other one,
//! side by side.

use super::figures::{AgentFigures, Figures, GroupFigures, unknown_words};
use super::history::History;
use super::play::{Fate, play};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use warmline_routing::Plan;

/// The agents that are shown. The JSON has all of them.
const SHOWN: usize = 40;

/// Both played logs, and their differences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// With the plans of the log.
    pub before: Figures,
    /// With the other plan.
    pub after: Figures,
    /// Contacts that another group served.
    pub other_group: usize,
    /// Contacts that another agent served.
    pub other_agent: usize,
    /// Contacts that waited at least a second more.
    pub later: usize,
    /// Contacts that waited at least a second less.
    pub sooner: usize,
    /// Words of the new plan that the log was not searched for.
    pub unknown_words: Vec<String>,
    /// Contacts that these words could have led elsewhere.
    pub unknown_decisions: usize,
    /// The assumptions of the comparison.
    pub assumptions: Vec<String>,
}

impl Changed {
    /// Plays the log with both.
    pub fn of(history: &History, new: &Plan) -> Self {
        let (before, after) = (play(history, None), play(history, Some(new)));
        let count = |differs: fn(&Fate, &Fate) -> bool| before.iter().zip(&after).filter(|(a, b)| differs(a, b)).count();
        let (unknown_words, unknown_decisions) = unknown_words(history, new);
        Self {
            other_group: count(|a, b| a.group != b.group),
            other_agent: count(|a, b| a.agent != b.agent),
            later: count(|a, b| matches!((a.waited_ms, b.waited_ms), (Some(x), Some(y)) if y - x >= 1_000)),
            sooner: count(|a, b| matches!((a.waited_ms, b.waited_ms), (Some(x), Some(y)) if x - y >= 1_000)),
            before: Figures::of(&before, new),
            after: Figures::of(&after, new),
            unknown_words,
            unknown_decisions,
            assumptions: assumptions(history),
        }
    }
}

fn assumptions(history: &History) -> Vec<String> {
    let mut all = vec![
        "both sides are played, from the same contacts and seats; the left one with the plans of the log, not copied from it".to_owned(),
        "a contact takes as long as it took in the log, with any agent; if the log does not tell its time, it takes the mean".to_owned(),
        "a customer who left the queue leaves after the same time again; one who did not leave waits for as long as it takes".to_owned(),
        "agents are present, and moved between groups, as in the log; what they have in hand they finish".to_owned(),
        "contacts offered to an agent who let them pass are not offered in vain again".to_owned(),
        "service levels are measured on both sides by what the new plan promises: served in time, of those served or gone".to_owned(),
    ];
    if history.by_hand > 0 {
        all.push(format!("{} contacts that people gave to a seat themselves are left to the router", history.by_hand));
    }
    if history.unfinished > 0 {
        all.push(format!("{} contacts were not over when the log ended", history.unfinished));
    }
    all
}

fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

fn hours(ms: i64) -> String {
    format!("{}:{:02} h", ms / 3_600_000, ms / 60_000 % 60)
}

struct Table<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Table<'_, '_> {
    fn row(&mut self, what: &str, before: impl fmt::Display, after: impl fmt::Display) -> fmt::Result {
        let (before, after) = (before.to_string(), after.to_string());
        let mark = if before == after { "" } else { "  *" };
        writeln!(self.0, "  {what:<40} {before:>14} {after:>14}{mark}")
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (b, a) = (&self.before, &self.after);
        writeln!(f, "  {:<40} {:>14} {:>14}", "", "plans of log", "new plan")?;
        let mut table = Table(f);
        table.row("contacts", b.contacts, a.contacts)?;
        table.row("served", b.waits.served, a.waits.served)?;
        table.row("left the queue", b.left, a.left)?;
        table.row("left a message", b.messages, a.messages)?;
        table.row("nobody had them at the end", b.waiting, a.waiting)?;
        table.row("mean wait", seconds(b.waits.mean_ms), seconds(a.waits.mean_ms))?;
        table.row("wait of 50 in 100", seconds(b.waits.p50_ms), seconds(a.waits.p50_ms))?;
        table.row("wait of 95 in 100", seconds(b.waits.p95_ms), seconds(a.waits.p95_ms))?;
        table.row("longest wait", seconds(b.waits.worst_ms), seconds(a.waits.worst_ms))?;
        let none = GroupFigures::default();
        for group in b.groups.keys().chain(a.groups.keys()).collect::<BTreeSet<_>>() {
            let (x, y) = (b.groups.get(group).unwrap_or(&none), a.groups.get(group).unwrap_or(&none));
            table.row(&format!("{group}: contacts"), x.contacts, y.contacts)?;
            table.row(&format!("{group}: service level"), share(x.service_level), share(y.service_level))?;
            table.row(&format!("{group}: mean wait"), seconds(x.waits.mean_ms), seconds(y.waits.mean_ms))?;
            table.row(&format!("{group}: wait of 95 in 100"), seconds(x.waits.p95_ms), seconds(y.waits.p95_ms))?;
        }
        let agents: BTreeSet<_> = b.agents.keys().chain(a.agents.keys()).collect();
        let none = AgentFigures::default();
        for agent in agents.iter().take(SHOWN) {
            let (x, y) = (b.agents.get(agent).unwrap_or(&none), a.agents.get(agent).unwrap_or(&none));
            let load = |of: &AgentFigures| format!("{} {}", of.contacts, hours(of.held_ms));
            table.row(&agent.to_string(), load(x), load(y))?;
        }
        if let Some(more) = agents.len().checked_sub(SHOWN).filter(|n| *n > 0) {
            writeln!(f, "  and {more} agents more (see --json)")?;
        }
        writeln!(
            f,
            "\nOf {} contacts, {} went to another group and {} to another agent; {} waited longer and {} less long.",
            b.contacts, self.other_group, self.other_agent, self.later, self.sooner
        )?;
        if !self.unknown_words.is_empty() {
            writeln!(
                f,
                "The log was not searched for these words of the new plan: {}. They could have led {} contacts elsewhere.",
                self.unknown_words.join(", "),
                self.unknown_decisions
            )?;
        }
        writeln!(f, "\nThis rests on:")?;
        self.assumptions.iter().try_for_each(|a| writeln!(f, "- {a}"))
    }
}
