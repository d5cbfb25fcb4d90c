//! The parts: what each runs, and which figures it tells.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::step::Watch;
use crate::serving::Serving;

/// A part.
pub struct Part {
    /// Its name on the command line.
    pub name: &'static str,
    /// The subject of the part.
    pub what: &'static str,
    /// How long it takes on two quiet cores.
    pub minutes: u32,
    /// Runs it at a scale, and returns its figures.
    pub run: fn(&Watch, f64) -> Result<String>,
}

/// All parts, the quickest to find a fault first.
pub const PARTS: [Part; 6] = [
    Part { name: "properties", what: "property tests with twenty times the cases", minutes: 30, run: properties },
    Part { name: "races", what: "sixteen connections that claim capacity at once", minutes: 5, run: races },
    Part { name: "kills", what: "`kill -9` under load, again and again", minutes: 10, run: kills },
    Part { name: "soak", what: "agents who come and go, with and without kills", minutes: 21, run: soak },
    Part { name: "log", what: "a million messages written straight, then replayed and verified", minutes: 15, run: log },
    Part { name: "million", what: "ingest with a million messages stored", minutes: 10, run: million },
];

/// How many times its usual cases a property test runs.
const MORE_CASES: f64 = 20.0;
/// The value of `PROPTEST_CASES` that proptest assumes if it is not set. Our tests take it for "as usual".
const USUAL_CASES: f64 = 256.0;

const RACE_ROUNDS: f64 = 20_000.0;
const KILLS: f64 = 200.0;
const SOAK_SECS: f64 = 600.0;
const MESSAGES: f64 = 1_000_000.0;

fn times(scale: f64, usual: f64) -> String {
    format!("{:.0}", (usual * scale).max(1.0))
}

/// The tests as `cargo xtask test` built them.
fn tests(rest: &[&str]) -> Command {
    let mut command = crate::cargo();
    command.args(["test", "--release"]).args(rest);
    command
}

fn lab(task: &str) -> Result<Command> {
    let mut command = Command::new(crate::binary(crate::LAB)?);
    command.arg(task);
    Ok(command)
}

/// How many tests passed.
fn passed(lines: &[String]) -> u64 {
    let counts =
        lines.iter().filter_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

/// The first line that holds these words.
fn line<'l>(lines: &'l [String], words: &str) -> Result<&'l str> {
    let found = lines.iter().find(|line| line.contains(words));
    Ok(found.with_context(|| format!("its output does not say {words:?}"))?.trim())
}

fn properties(watch: &Watch, scale: f64) -> Result<String> {
    let mut command = tests(&["--lib", "--test", "way", "--test", "desk"]);
    let lines = watch.run(command.env("PROPTEST_CASES", times(scale, MORE_CASES * USUAL_CASES)))?;
    Ok(format!("{} tests passed, property tests with {} times the cases", passed(&lines), MORE_CASES * scale))
}

fn races(watch: &Watch, scale: f64) -> Result<String> {
    let rounds = times(scale, RACE_ROUNDS);
    let lines = watch.run(tests(&["--test", "capacity"]).env("WARMLINE_RACE_ROUNDS", &rounds))?;
    let tests = passed(&lines);
    ensure!(tests > 0, "no test was run");
    Ok(format!("{tests} tests passed, {rounds} rounds of each connection"))
}

fn kills(watch: &Watch, scale: f64) -> Result<String> {
    // Another day kills at other moments.
    let seed = std::time::UNIX_EPOCH.elapsed()?.as_secs() / 86_400;
    let lines = watch.run(lab("chaos")?.args(["--rounds", &times(scale, KILLS), "--seed", &seed.to_string()]))?;
    let told = ["slowest start", "acknowledged,", "in doubt,", "violations"];
    let told: Vec<_> = told.iter().map(|words| line(&lines, words)).collect::<Result<_>>()?;
    Ok(format!("seed {seed}: {}", told.join("; ")))
}

fn soak(watch: &Watch, scale: f64) -> Result<String> {
    let mut command = tests(&["--test", "it", "soak", "--", "--nocapture", "--test-threads", "1"]);
    let lines = watch.run(command.env("WARMLINE_SOAK_SECS", times(scale, SOAK_SECS)))?;
    let told: Vec<&str> = lines.iter().map(|l| l.trim()).filter(|line| line.contains("messages acknowledged")).collect();
    ensure!(told.len() == 2, "the soak tells of {} runs", told.len());
    Ok(told.join("; "))
}

/// A folder with nothing in it.
fn fresh(name: &str) -> Result<PathBuf> {
    let dir = std::path::absolute(crate::target_dir().join("prove").join(name))?;
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

fn log(watch: &Watch, scale: f64) -> Result<String> {
    let dir = fresh("log")?;
    let state = dir.join("state");
    let filled = watch.run(lab("fill")?.args(["--messages", &times(scale, MESSAGES), "--state"]).arg(&state))?;
    let warmline = crate::binary(crate::WARMLINE)?;
    let mut up = Command::new(&warmline);
    up.args(["up", "--listen", "127.0.0.1:0", "--ready", "/readyz", "--state"]).arg(&state);
    let (serving, url) = Serving::start(&mut up)?;
    let ask = |task: &str| {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("set -euo pipefail; {task}"), "bash"]).arg(&warmline).arg(&state).arg(&url);
        command
    };
    let replayed = watch
        .run(&mut ask(r#""$1" events --state "$2" --url "$3" | "$1" replay --check -"#))
        .context("replaying the log")?;
    watch.run(&mut ask(r#""$1" audit verify --state "$2" --url "$3""#)).context("verifying the audit log")?;
    drop(serving);
    let written = line(&filled, "messages written")?.split(", ").next().unwrap_or_default();
    let replayed = replayed.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).take(5);
    let told: Vec<&str> = std::iter::once(written).chain(replayed).collect();
    let told = format!("{}; the audit log is whole; {} MiB", told.join("; "), size(&state) >> 20);
    std::fs::remove_dir_all(&dir)?;
    Ok(told)
}

/// The bytes in a folder.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn million(watch: &Watch, scale: f64) -> Result<String> {
    let dir = fresh("million")?;
    let mut command = lab("bench")?;
    command.args(["million", "--messages", &times(scale.max(0.002), MESSAGES), "--out"]).arg(dir.join("results.json"));
    if scale < 1.0 {
        command.arg("--quick");
    }
    let lines = watch.run(&mut command)?;
    let told: Vec<&str> = lines.iter().map(|l| l.trim()).filter(|line| line.starts_with("at ")).collect();
    ensure!(told.len() == 2, "the benchmark tells of {} measurements", told.len());
    Ok(told.join("; "))
}
