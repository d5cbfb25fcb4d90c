//! From a webhook to its acknowledgement (verified, sealed, committed): the greatest rate and its latency. Beside it stand
//! the peer under the same load, a component that only says hello, and the disk's own pace.

use super::disk::{self, Disk};
use super::fixture::Fixture;
use super::floor::{Floor, Memory};
use super::peer::Peer;
use super::{Bench, DURABILITIES};
use anyhow::Result;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use warmline_simulate::fixture::{ACCOUNT, TOKEN};
use warmline_simulate::histogram::Summary;
use warmline_simulate::load::{self, Mix, Plan, Report, Shape, WeChatShape};

/// The number of customers, as in the peer's load script.
pub(super) const CUSTOMERS: u64 = 5_000;

/// One server under its greatest load, and then at half of it.
#[derive(Clone, Debug, Serialize)]
pub struct Pace {
    /// Acknowledged messages a second, the median of all rounds.
    pub rate: f64,
    /// The rounds.
    pub rounds: Vec<f64>,
    /// Latency at that rate (of the median round).
    pub latency: Summary,
    /// Latency at half of that rate. Messages arrive at fixed times, whatever the server does.
    pub half: Option<Summary>,
    /// Messages that were not acknowledged.
    pub errors: u64,
}

/// Warmline at one durability, and the baselines.
#[derive(Clone, Debug, Serialize)]
pub struct Ingest {
    /// `full` or `normal`.
    pub durability: &'static str,
    /// Warmline.
    pub warmline: Pace,
    /// Seconds from the end of the load until the last acknowledged message was in its conversation; negative if that took
    /// longer than the time limit.
    pub drained_in: f64,
    /// Most resident memory, in MiB.
    pub resident_mib: f64,
    /// The peer at the same durability.
    pub peer: Option<Pace>,
    /// One native process committing to the same disk.
    pub disk: Disk,
    /// The ratio of the rate to the peer's.
    pub to_peer: Option<f64>,
}

fn wechat(path: Option<&str>) -> Shape {
    let shape = WeChatShape::new(ACCOUNT, TOKEN, Mix::Spread { customers: CUSTOMERS });
    Shape::WeChat(match path {
        Some(path) => WeChatShape { path: path.to_owned(), ..shape },
        None => shape,
    })
}

/// Finds a server's greatest rate in several rounds, then measures it at half of that.
pub(super) fn pace(bench: &Bench<'_>, address: SocketAddr, shape: impl Fn() -> Shape, half: bool) -> Result<Pace> {
    let plan = || Plan {
        connections: bench.args.connections,
        duration: bench.seconds(8),
        warm_up: bench.seconds(2),
        ..Plan::new(address, shape())
    };
    let mut rounds: Vec<Report> = Vec::new();
    for _ in 0..bench.rounds() {
        rounds.push(load::run(&plan())?);
    }
    let errors = rounds.iter().map(Report::errors).sum();
    let rates = rounds.iter().map(|round| round.rate).collect();
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let median = rounds.swap_remove(rounds.len() / 2);
    let half = match half {
        true => Some(load::run(&Plan { rate: Some(median.rate / 2.0), ..plan() })?.latency),
        false => None,
    };
    Ok(Pace { rate: median.rate, rounds: rates, latency: median.latency, half, errors })
}

/// The hello component's pace.
pub(super) fn hello(bench: &Bench<'_>) -> Result<Pace> {
    bench.say("hello component on the same runner");
    let directory = bench.scratch.sub("hello")?;
    let server = bench.start(&bench.server_options(&bench.args.probe, &directory, "normal"))?;
    let shape = || Shape::Get { path: bench.args.hello_path.clone() };
    pace(bench, server.address(), shape, false)
}

/// All durabilities.
pub(super) fn run(bench: &Bench<'_>) -> Result<Vec<Ingest>> {
    DURABILITIES.iter().map(|durability| one(bench, durability)).collect()
}

fn one(bench: &Bench<'_>, durability: &'static str) -> Result<Ingest> {
    bench.say(&format!("disk: native commits, {durability}"));
    let commits = if bench.args.quick { 2_000 } else { 20_000 };
    let disk = disk::measure(bench.scratch.path(), durability, commits, bench.seconds(15))?;
    bench.say(&format!("  {:.0} commits/s  {}", disk.rate, disk.latency));

    let peer = match &bench.peer {
        None => None,
        Some(options) => {
            bench.say(&format!("peer, {durability}"));
            let peer = Peer::start(options, bench.scratch.path(), durability)?;
            let pace = pace(bench, peer.address(), || wechat(Some("/wechat")), true)?;
            bench.say(&format!("  {:.0}/s  {}", pace.rate, pace.latency));
            Some(pace)
        }
    };

    bench.say(&format!("warmline, {durability}"));
    let directory = bench.scratch.sub(&format!("ingest-{durability}"))?;
    let options = bench.server_options(&bench.args.manifest, &directory, durability);
    let bed = Fixture::make(bench, &options, i64::try_from(CUSTOMERS)? + 500)?;
    let memory = Memory::sample(bed.server.pid());
    let warmline = pace(bench, bed.server.address(), || wechat(None), true)?;
    let load_ended = Instant::now();
    bench.say(&format!("  {:.0}/s  {}", warmline.rate, warmline.latency));
    // The log is read only now: reading it during the load would be part of the load.
    let floor = Floor::watch(bench.runtime, &bed.api, Duration::from_millis(20), false);
    let (stored, drained_at) = drain(&floor, bench.seconds(120));
    let drained_in = drained_at.map_or(-1.0, |at| at.saturating_duration_since(load_ended).as_secs_f64());
    bench.say(&format!(
        "  {stored} messages in their conversations {drained_in:.1} s after the load; {:.0} MiB resident at most",
        memory.max_mib()
    ));
    if floor.parked() > 0 {
        bench.say(&format!("  {} messages were set aside as unreadable", floor.parked()));
    }
    Ok(Ingest {
        durability,
        to_peer: peer.as_ref().map(|peer| warmline.rate / peer.rate),
        drained_in,
        resident_mib: memory.max_mib(),
        warmline,
        peer,
        disk,
    })
}

/// Waits until the number of stored messages has not changed for two seconds. Returns the number, and the time since which
/// it has not changed; `None` if it still changed at the limit.
fn drain(floor: &Floor, limit: Duration) -> (u64, Option<Instant>) {
    let begin = Instant::now();
    let (mut last, mut since) = (floor.received(), Instant::now());
    while begin.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(20));
        let now = floor.received();
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > Duration::from_secs(2) {
            return (now, Some(since));
        }
    }
    (floor.received(), None)
}

/// A short measurement of the greatest rate, for a part that needs it and runs alone.
pub(super) fn quick_rate(bench: &Bench<'_>) -> Result<f64> {
    bench.say("the greatest rate, for what follows");
    let directory = bench.scratch.sub("rate")?;
    let options = bench.server_options(&bench.args.manifest, &directory, "normal");
    let bed = Fixture::make(bench, &options, i64::try_from(CUSTOMERS)? + 500)?;
    let pace = pace(bench, bed.server.address(), || wechat(None), false)?;
    bench.say(&format!("  {:.0}/s", pace.rate));
    Ok(pace.rate)
}
