//! `warmline replay`: replays a log through the router's own decisions ([`warmline_routing::decide`]), with seats and
//! queues in memory ([`warmline_routing::Memory`]).
//!
//! * [`same`]: with the plan of the log, each decision is made again and comes out the same to the byte;
//! * [`changed`]: the effect of another plan;
//! * [`check`](mod@check): the invariants of every log.

pub mod changed;
pub mod check;
pub mod figures;
pub mod fold;
pub mod history;
pub mod log;
pub mod play;
pub mod same;

pub use changed::Changed;
pub use check::{Checker, Report, check};

use anyhow::{Context, Result, anyhow, bail};
use history::Historian;
use log::Events;
use same::{Replayer, Same};
use serde::Serialize;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use warmline_routing::Plan;
use warmline_routing::locate::line_of;

/// Make the decisions of an event log again: with the plan they were made with, or with another one.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "EVENTS holds the log from its beginning, by rising seq: on each line an event, or a page of events, as \
    GET /api/events shows them.\n\nExit code: 0 where all decisions came out the same (and, with --check, all held), 1 where one did not \
    or something else went wrong, 2 where the command line is wrong."
)]
pub struct ReplayArgs {
    /// The log; `-`: standard input.
    #[arg(value_name = "EVENTS")]
    pub events: PathBuf,
    /// Another routing plan, as JSON: shows what it would have changed.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Checks the log itself: no seat above its capacity, every conversation in one place, every load the sum of its units.
    #[arg(long)]
    pub check: bool,
    /// Writes the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// The decisions, made again.
    #[serde(flatten)]
    pub same: Same,
    /// The result of checking the log, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Report>,
    /// The effect of another plan, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

/// Replays a log.
///
/// # Errors
/// A line cannot be read.
pub fn replay(lines: impl BufRead, rules: Option<&Plan>, checked: bool) -> Result<Replay> {
    let (mut replayer, mut historian) = (Replayer::default(), rules.map(|_| Historian::default()));
    let mut checker = checked.then(Checker::default);
    for event in Events::new(lines) {
        let event = event?;
        replayer.see(&event);
        if let Some(checker) = &mut checker {
            checker.see(&event);
        }
        if let Some(historian) = &mut historian {
            historian.see(&event).map_err(|problem| anyhow!("event {}: {problem}", event.seq))?;
        }
    }
    let changed = historian.zip(rules).map(|(historian, new)| Changed::of(&historian.finish(), new));
    Ok(Replay { same: replayer.finish(), check: checker.map(Checker::finish), changed })
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read, the plan has a fault, a decision came out differently, or the log does not hold together.
pub fn run(args: &ReplayArgs) -> Result<()> {
    let rules = args.rules.as_deref().map(read_rules).transpose()?;
    let done = if args.events == Path::new("-") {
        replay(std::io::stdin().lock(), rules.as_ref(), args.check).context("standard input")?
    } else {
        let name = args.events.display();
        let file = std::fs::File::open(&args.events).with_context(|| format!("cannot open {name}"))?;
        replay(std::io::BufReader::new(file), rules.as_ref(), args.check).with_context(|| name.to_string())?
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&done)?);
    } else {
        print!("{}", done.same);
        if let Some(report) = &done.check {
            print!("\n{report}");
        }
        if let Some(changed) = &done.changed {
            print!("\n{changed}");
        }
    }
    if !done.same.all() {
        let (all, same) = (done.same.decisions, done.same.identical);
        bail!("{} of {all} decisions could not be made again as they are recorded", all - same);
    }
    if let Some(report) = done.check.filter(|r| !r.is_clean()) {
        bail!("the log does not hold together; violations: {}", report.violated);
    }
    Ok(())
}

/// Reads a plan's file and checks it.
///
/// # Errors
/// The file cannot be read, or the plan has a fault. The text names its place and the remedy.
pub fn read_rules(path: &Path) -> Result<Plan> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    parse_rules(&text).with_context(|| name.to_string())
}

/// Reads and checks a plan.
///
/// # Errors
/// The plan has a fault. The text names its place and the remedy.
fn parse_rules(text: &str) -> Result<Plan> {
    let plan: Plan = serde_json::from_str(text).context("is no routing plan")?;
    plan.check().map_err(|f| anyhow!("line {}: {}: {} ({})", line_of(text, &f.path), f.path, f.detail, f.code))?;
    Ok(plan)
}

#[cfg(test)]
mod tests;
