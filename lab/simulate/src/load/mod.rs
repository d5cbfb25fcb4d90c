//! The load generator: correctly signed WeChat messages, or plain GETs, over keep-alive connections.
//!
//! The loop is open: message `i` is due at `start + i / rate` whatever happened to those before it, and its latency counts
//! from then. A server that stalls therefore cannot hide the messages that had to wait. Without a rate, each connection
//! sends as fast as it is answered, which finds the maximum. Each connection has a thread with prepared requests, at a few
//! microseconds for each message.

mod shape;

use crate::histogram::{Histogram, Summary};
use crate::wire::Connection;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use shape::{Mix, Shape, WeChatShape, index_of};

/// The content, the target and the rate of a load.
#[derive(Clone)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// The requests.
    pub shape: Shape,
    /// Connections, one thread each.
    pub connections: usize,
    /// Messages a second; `None` for as many as are answered.
    pub rate: Option<f64>,
    /// The duration of the load.
    pub duration: Duration,
    /// Messages due in this first part are sent and not measured.
    pub warm_up: Duration,
    /// The number of messages after which it stops.
    pub limit: Option<u64>,
    /// The longest time for a connection to open or to answer.
    pub timeout: Duration,
}

impl Plan {
    /// A closed-loop plan of ten seconds over 16 connections.
    pub fn new(address: SocketAddr, shape: Shape) -> Self {
        Self {
            address,
            shape,
            connections: 16,
            rate: None,
            duration: Duration::from_secs(10),
            warm_up: Duration::from_secs(1),
            limit: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// The result. Rates and latencies are those of the measured part.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Messages sent, the warm-up's included.
    pub sent: u64,
    /// Messages acknowledged, the warm-up's included.
    pub acknowledged: u64,
    /// Other answers, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Exchanges that ended without an answer.
    pub broken: u64,
    /// Seconds measured.
    pub seconds: f64,
    /// Acknowledged messages a second.
    pub rate: f64,
    /// Latency of acknowledged messages, from the instant each was due.
    pub latency: Summary,
    /// The time at which message 0 was due.
    #[serde(skip)]
    pub started: Option<Instant>,
    /// The latencies.
    #[serde(skip)]
    pub histogram: Histogram,
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Histogram({})", self.summary())
    }
}

impl Report {
    /// Exchanges that were not acknowledged.
    pub fn errors(&self) -> u64 {
        self.broken + self.refused.values().sum::<u64>()
    }
}

#[derive(Default)]
struct Tally {
    sent: u64,
    acknowledged: u64,
    refused: BTreeMap<u16, u64>,
    broken: u64,
    measured: u64,
    latency: Histogram,
    last: Option<Instant>,
}

struct Shared<'a> {
    plan: &'a Plan,
    next: AtomicU64,
    stop: AtomicBool,
    start: Instant,
}

/// Sends the load and waits for its end.
///
/// # Errors
/// There is no connection, or not one message was acknowledged.
pub fn run(plan: &Plan) -> Result<Report> {
    ensure!(plan.connections > 0, "at least one connection is needed");
    // This opens one connection first. A missing server then gives one clear error instead of many broken exchanges.
    Connection::open(plan.address, plan.timeout).with_context(|| format!("cannot connect to {}", plan.address))?;
    let shared = Shared {
        plan,
        next: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        start: Instant::now() + Duration::from_millis(20),
    };
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.connections).map(|_| scope.spawn(|| work(&shared))).collect();
        workers.into_iter().map(|w| w.join().unwrap_or_default()).collect()
    });
    let report = add_up(plan, shared.start, tallies);
    ensure!(
        report.acknowledged > 0,
        "none of {} messages was acknowledged (answers by status: {:?}; broken: {})",
        report.sent,
        report.refused,
        report.broken
    );
    Ok(report)
}

fn add_up(plan: &Plan, start: Instant, tallies: Vec<Tally>) -> Report {
    let (mut all, mut last) = (Tally::default(), start);
    for tally in tallies {
        all.sent += tally.sent;
        all.acknowledged += tally.acknowledged;
        all.broken += tally.broken;
        all.measured += tally.measured;
        all.latency.merge(&tally.latency);
        for (status, count) in tally.refused {
            *all.refused.entry(status).or_default() += count;
        }
        last = last.max(tally.last.unwrap_or(start));
    }
    let seconds = last.saturating_duration_since(start + plan.warm_up).as_secs_f64();
    Report {
        sent: all.sent,
        acknowledged: all.acknowledged,
        refused: all.refused,
        broken: all.broken,
        seconds,
        rate: if seconds > 0.0 { all.measured as f64 / seconds } else { 0.0 },
        latency: all.latency.summary(),
        started: Some(start),
        histogram: all.latency,
    }
}

/// One connection's life.
fn work(shared: &Shared<'_>) -> Tally {
    let (plan, start) = (shared.plan, shared.start);
    let end = start + plan.duration;
    let measured_from = start + plan.warm_up;
    let mut tally = Tally::default();
    let mut maker = plan.shape.maker();
    let mut connection = None;
    std::thread::sleep(start.saturating_duration_since(Instant::now()));
    while !shared.stop.load(Ordering::Relaxed) {
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        if plan.limit.is_some_and(|limit| index >= limit) {
            break;
        }
        let due = match plan.rate {
            Some(rate) => start + Duration::from_secs_f64(index as f64 / rate),
            None => Instant::now(),
        };
        if due >= end {
            break;
        }
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        tally.sent += 1;
        let outcome = send(&mut connection, plan, maker.request(index));
        let now = Instant::now();
        match outcome {
            Some(200) => {
                tally.acknowledged += 1;
                if due >= measured_from {
                    tally.measured += 1;
                    tally.latency.record_time(now.saturating_duration_since(due));
                    tally.last = Some(now);
                }
            }
            Some(status) => *tally.refused.entry(status).or_default() += 1,
            None => {
                tally.broken += 1;
                // A missing server would otherwise be called as fast as the loop can turn.
                std::thread::sleep(Duration::from_millis(20));
                if tally.broken > 1000 {
                    shared.stop.store(true, Ordering::Relaxed);
                }
            }
        }
    }
    tally
}

fn send(slot: &mut Option<Connection>, plan: &Plan, request: &[u8]) -> Option<u16> {
    if slot.is_none() {
        *slot = Connection::open(plan.address, plan.timeout).ok();
    }
    let (status, keep) = match slot.as_mut()?.exchange(request) {
        // For a platform, any answer but its own word for "received" is a failure.
        Ok(answer) if answer.status == 200 && !plan.shape.accepts(answer.body) => (Some(299), answer.keep),
        Ok(answer) => (Some(answer.status), answer.keep),
        Err(_) => (None, false),
    };
    if !keep {
        *slot = None;
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that answers `success` to each request, after a pause for the first.
    fn server(first_pause: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut paused = n != 1;
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
                        if !paused {
                            std::thread::sleep(first_pause);
                            paused = true;
                        }
                        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsuccess").is_err() {
                            break;
                        }
                    }
                });
            }
        });
        address
    }

    fn plan(address: SocketAddr) -> Plan {
        let shape = Shape::WeChat(WeChatShape::new("gh_test", "test", Mix::Spread { customers: 10 }));
        Plan { connections: 1, warm_up: Duration::ZERO, ..Plan::new(address, shape) }
    }

    #[test]
    fn keeps_the_rate_and_stops_at_the_limit() {
        let address = server(Duration::ZERO);
        let report = run(&Plan { rate: Some(500.0), limit: Some(100), ..plan(address) }).unwrap();
        assert_eq!((report.sent, report.acknowledged, report.errors()), (100, 100, 0));
        assert!((0.15..0.6).contains(&report.seconds), "{report:?}");
    }

    #[test]
    fn a_stall_counts_against_every_message_that_was_due_in_it() {
        let address = server(Duration::from_millis(300));
        let report = run(&Plan { rate: Some(100.0), limit: Some(60), ..plan(address) }).unwrap();
        // 30 of 60 messages were due while the server stood still; a closed loop would have shown one.
        assert!(report.latency.p50_ms > 1.0 || report.histogram.quantile(0.6) > 10_000, "{report:?}");
        assert!(report.histogram.quantile(0.75) > 80_000, "{report:?}");
    }

    #[test]
    fn a_server_that_is_not_there_is_one_clear_error() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(run(&plan(free)).unwrap_err().to_string().contains("cannot connect"));
    }
}
