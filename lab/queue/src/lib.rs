//! `warmline-lab simulate-queue`: simulates a day, event by event, on the router's own decisions. Three references play the
//! same day beside ours.
//!
//! * [`scenario`]: the day as data;
//! * [`day`]: a day drawn from it, the same for the same seed;
//! * [`policy`]: ours and the references;
//! * [`auto`]: seats that move by themselves;
//! * [`outcome`]: the result;
//! * [`svg`]: a picture of the queues.
//!
//! The day is played by [`warmline_replay::play`], like a recorded one.

pub mod auto;
pub mod day;
#[cfg(test)]
mod erlang;
pub mod outcome;
pub mod policy;
pub mod scenario;
pub mod svg;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
use outcome::{PolicyDay, Simulated};
use policy::Policy;
use scenario::Scenario;
use std::path::PathBuf;
use warmline_model::Timestamp;
use warmline_replay::play::{Watch, watched};
use warmline_replay::read_rules;
use warmline_routing::{Memory, Ready};

/// Play a day of contacts through the router's decisions, beside three other ways to share them out.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Without --scenario it is the brand's day: 60 agents, 10 channels. The same seed gives the same day.\n\nExit code: 0, or \
    1 where something is wrong with a file, 2 with the command line."
)]
pub struct QueueArgs {
    /// A day as JSON: the contacts, the agents and the plan (docs/ROUTING.md).
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Another routing plan than that of the scenario, as JSON.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// The day of the scenario; the built-in scenario has `normal` and `promotion`.
    #[arg(long, value_name = "NAME", default_value = "normal")]
    pub day: String,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The number of seeds, from the first on.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub seeds: u64,
    /// Writes the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Draws the length of the queues over the day, as the mean of the seeds.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read or written, or the scenario or the plan has a fault.
pub fn run(args: &QueueArgs) -> Result<()> {
    let mut scenario = match &args.scenario {
        None => Scenario::brand()?,
        Some(path) => {
            let name = path.display();
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            Scenario::parse(&text).with_context(|| name.to_string())?
        }
    };
    if let Some(path) = &args.rules {
        scenario.ruled_by(read_rules(path)?).with_context(|| path.display().to_string())?;
    }
    let done = simulate(&scenario, &args.day, (0..args.seeds).map(|n| args.seed.saturating_add(n)))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&done)?);
    } else {
        print!("{done}");
    }
    if let Some(path) = &args.svg {
        std::fs::write(path, svg::draw(&done)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The time between two looks at the queues for the picture.
pub const EVERY_MS: i64 = 5 * 60_000;

/// Notes the length of the queues.
#[derive(Default)]
struct Lengths(Vec<usize>);

impl Watch for Lengths {
    fn every_ms(&self) -> i64 {
        EVERY_MS
    }

    fn look(&mut self, _: &Ready, floor: &mut Memory, _: Timestamp) {
        self.0.push(floor.in_queues());
    }
}

/// Plays a day with every policy, once for each seed.
///
/// # Errors
/// The scenario has no such day.
pub fn simulate(scenario: &Scenario, day: &str, seeds: impl Iterator<Item = u64>) -> Result<Simulated> {
    let names = || scenario.days.keys().cloned().collect::<Vec<_>>().join(", ");
    let kind = scenario.days.get(day).with_context(|| format!("the scenario has no day {day:?}; it has {}", names()))?;
    let hired = day::hire(&scenario.teams)?;
    let mut done = Vec::new();
    for seed in seeds {
        let mut days = Vec::new();
        for policy in Policy::ALL {
            let history = day::draw(scenario, kind, &policy.agents(&hired, scenario), seed)?;
            let mut lengths = Lengths::default();
            let fates = watched(&history, Some(&policy.plan(&scenario.plan)), Some(&mut lengths));
            days.push(PolicyDay::of(policy, seed, &history, &fates, lengths.0));
        }
        done.push(days);
    }
    Ok(Simulated { scenario: scenario.name.clone(), day: day.to_owned(), agents: scenario.agents(), seeds: done })
}
