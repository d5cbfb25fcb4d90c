//! Measures whether a million stored messages slow the server down, and how much memory filling takes.

use super::Bench;
use super::fixture::Fixture;
use super::floor::{Floor, Memory};
use super::ingest::CUSTOMERS;
use anyhow::{Result, ensure};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use warmline_simulate::fixture::{ACCOUNT, TOKEN};
use warmline_simulate::load::{self, Mix, Plan, Report, Shape, WeChatShape};

/// A measurement at one fill level.
#[derive(Clone, Debug, Serialize)]
pub struct Fill {
    /// Messages stored before it began.
    pub stored: u64,
    /// Acknowledged messages a second.
    pub rate: f64,
    /// Messages a second into their conversations, until the last one was there.
    pub stored_rate: f64,
    /// Latency of the acknowledgement.
    pub latency: warmline_simulate::histogram::Summary,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Million {
    /// Near the beginning.
    pub small: Fill,
    /// At the end.
    pub large: Fill,
    /// The ratio of the rate at the end to that at the beginning.
    pub ratio: f64,
    /// Most resident memory, in MiB, over the whole time.
    pub resident_mib: f64,
    /// Size of the state directory at the end, in MiB.
    pub state_mib: f64,
    /// Seconds that filling took.
    pub fill_seconds: f64,
}

/// The backlog that filling leaves to the server. More would drown it.
const BACKLOG: u64 = 20_000;

fn plan(bench: &Bench<'_>, address: SocketAddr) -> Plan {
    let shape = WeChatShape::new(ACCOUNT, TOKEN, Mix::Spread { customers: CUSTOMERS });
    Plan { connections: bench.args.connections, warm_up: Duration::ZERO, ..Plan::new(address, Shape::WeChat(shape)) }
}

/// Fills the store and measures at both ends.
pub(super) fn run(bench: &Bench<'_>) -> Result<Million> {
    let target = if bench.args.quick { bench.args.messages.min(30_000) } else { bench.args.messages };
    ensure!(target >= 2_000, "--messages must be at least 2000");
    bench.say(&format!("{target} stored messages"));
    let directory = bench.scratch.sub("million")?;
    let options = bench.server_options(&bench.args.manifest, &directory, "normal");
    let bed = Fixture::make(bench, &options, i64::try_from(CUSTOMERS)? + 500)?;
    let memory = Memory::sample(bed.server.pid());
    let floor = Floor::watch(bench.runtime, &bed.api, Duration::from_millis(50), false);
    let address = bed.server.address();
    let mut sent =
        load::run(&Plan { limit: Some(1_000), duration: bench.seconds(60), ..plan(bench, address) })?.acknowledged;
    let small = measure(bench, address, &floor, &mut sent)?;
    bench.say(&format!("  at {}: {:.0}/s  {}", small.stored, small.rate, small.latency));

    let begin = Instant::now();
    let mut told = Instant::now();
    while floor.received() < target {
        ensure!(
            begin.elapsed() < Duration::from_secs(bench.args.fill_minutes * 60),
            "only {} of {target} messages were stored in {} minutes",
            floor.received(),
            bench.args.fill_minutes
        );
        if sent.saturating_sub(floor.received()) < BACKLOG && sent < target {
            let limit = Some((target - sent).min(10_000));
            sent += load::run(&Plan { limit, duration: Duration::from_secs(60), ..plan(bench, address) })?.acknowledged;
        } else {
            std::thread::sleep(Duration::from_millis(50));
        }
        if told.elapsed() > Duration::from_secs(15) {
            told = Instant::now();
            let rate = floor.received() as f64 / begin.elapsed().as_secs_f64();
            bench.say(&format!("  {} stored, {rate:.0}/s, {:.0} MiB resident", floor.received(), memory.max_mib()));
        }
    }
    let fill_seconds = begin.elapsed().as_secs_f64();
    let large = measure(bench, address, &floor, &mut sent)?;
    bench.say(&format!("  at {}: {:.0}/s  {}", large.stored, large.rate, large.latency));
    Ok(Million {
        ratio: large.rate / small.rate,
        small,
        large,
        resident_mib: memory.max_mib(),
        state_mib: size_mib(&options.state),
        fill_seconds,
    })
}

/// Measures once everything sent so far is stored.
fn measure(bench: &Bench<'_>, address: SocketAddr, floor: &Floor, sent: &mut u64) -> Result<Fill> {
    let stored = floor.wait_for(*sent, Duration::from_secs(300));
    let mut rounds: Vec<(Report, f64)> = Vec::new();
    for _ in 0..bench.rounds() {
        let (before, begin) = (floor.received(), Instant::now());
        let report = load::run(&Plan { duration: bench.seconds(6), warm_up: bench.seconds(1), ..plan(bench, address) })?;
        *sent += report.acknowledged;
        let after = floor.wait_for(*sent, Duration::from_secs(120));
        rounds.push((report, (after - before) as f64 / begin.elapsed().as_secs_f64()));
    }
    rounds.sort_by(|a, b| a.0.rate.total_cmp(&b.0.rate));
    let (report, stored_rate) = rounds.swap_remove(rounds.len() / 2);
    Ok(Fill { stored, rate: report.rate, stored_rate, latency: report.latency })
}

fn size_mib(path: &std::path::Path) -> f64 {
    let mut bytes = 0;
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => open.push(entry.path()),
                Ok(data) => bytes += data.len(),
                Err(_) => {}
            }
        }
    }
    bytes as f64 / f64::from(1 << 20)
}
