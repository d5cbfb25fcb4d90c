//! `cargo xtask prove`: what takes too long for every run of CI. Each part has a shorter form there: property tests with fewer
//! cases, fewer kills, a shorter soak, smaller stores. The parts run one after another, each within a time. What came of them
//! is written into docs/PROOFS.md.
//!
//! * [`parts`]: the parts; [`step`]: one program of a part, within its time; [`page`]: docs/PROOFS.md.

#![expect(clippy::disallowed_methods, reason = "measures real time")]

mod page;
mod parts;
mod step;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::interrupt;
use page::Row;
use parts::PARTS;
use step::Watch;

#[derive(Debug, Args)]
pub struct Prove {
    /// The parts to run; all of them if none is named
    #[arg(value_parser = PARTS.map(|part| part.name))]
    part: Vec<String>,
    /// A share of the usual length: 0.02 takes about a minute a part. Such a run is a look, and is not written down
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    scale: f64,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|scale| (0.001..=100.0).contains(scale))
        .ok_or_else(|| "is a number from 0.001 to 100".to_owned())
}

/// The text of `--help` about the parts.
pub fn help() -> String {
    let mut help = "Parts, with the minutes that each takes on two quiet cores:\n".to_owned();
    for part in &PARTS {
        help += &format!("  {:<12}{:>3}  {}\n", part.name, part.minutes, part.what);
    }
    help + "\nEach has a shorter form in `cargo xtask test`. The run ends with exit code 1 at the first part that fails, or that takes \
            three times as long.\nA run of usual length is written into docs/PROOFS.md, with the date, the commit and the machine. Run \
            it before a release, and\nafter a change to what a part tries, on a machine that does nothing else."
}

/// Runs the parts.
pub fn run(prove: &Prove) -> Result<ExitCode> {
    let wanted = |name: &str| prove.part.is_empty() || prove.part.iter().any(|part| part == name);
    let parts: Vec<_> = PARTS.iter().filter(|part| wanted(part.name)).collect();
    let heading = page::heading(prove.scale)?;
    let watch = Watch::new()?;
    let (mut rows, mut failed) = (Vec::new(), None);
    for (n, part) in parts.iter().enumerate() {
        let minutes = (f64::from(part.minutes) * prove.scale).max(1.0);
        println!("\n== {} of {}: {}, {} (about {minutes:.0} min)", n + 1, parts.len(), part.name, part.what);
        let begin = Instant::now();
        // A short run starts programs, too, and may build what its tests need.
        watch.within(Duration::from_secs_f64(minutes * 180.0 + 120.0));
        let result = (part.run)(&watch, prove.scale);
        let (figures, error) = match result {
            Ok(figures) => (figures, None),
            Err(error) => (format!("**failed**: {error:#}"), Some(error)),
        };
        let seconds = begin.elapsed().as_secs();
        println!("== {}: {figures}; {seconds} s", part.name);
        rows.push(Row { part: part.name, what: part.what, figures, seconds });
        // After each part, so that what was proved stays if the run is ended.
        if prove.scale >= 1.0 && !interrupt::came() {
            page::write(&heading, &rows)?;
            println!("written to {}", page::PATH);
        }
        if let Some(error) = error {
            failed = Some((part.name, error));
            break;
        }
    }
    match failed {
        Some((part, error)) => Err(error).context(part),
        None if rows.is_empty() => bail!("no part was named"),
        None => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_part_with_its_minutes() {
        let help = help();
        for part in &PARTS {
            assert!(help.contains(&format!("  {:<12}{:>3}  {}\n", part.name, part.minutes, part.what)), "{}", part.name);
        }
        assert!(share("0.02").is_ok() && share("0").is_err() && share("NaN").is_err() && share("x").is_err());
    }
}
