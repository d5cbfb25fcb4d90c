//! Measures the cost of verifying and parsing a message in an adapter. The same loop is compiled twice: into `warmline-lab
//! bench`, and as a program of its own for Wasm, with the profile of the components. The loop and its clock are inside, so
//! neither starting an instance nor calling it counts.

#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use anyhow::{Context as _, Result, bail, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::hint::black_box;
use std::time::{Duration, Instant};
use warmline_channels::registry::{self, Visit};
use warmline_channels::{Adapter, ApiResponse, Asked, Request, Secrets};
use warmline_model::Timestamp;

/// Something to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The channel.
    pub channel: String,
    /// The account's settings.
    pub settings: Value,
    /// The account's secrets, with those that the system derives.
    pub secrets: Secrets,
    /// The arrivals, taken in turn.
    pub arrivals: Vec<Arrival>,
    /// The time of the arrivals, in seconds since 1970.
    pub at: i64,
    /// The number of uncounted rounds before the measurement.
    pub warm_up: usize,
    /// The number of counted rounds.
    pub times: usize,
}

/// An arrival at an adapter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Arrival {
    /// A webhook, which it verifies and parses.
    Webhook {
        /// The method.
        method: String,
        /// The path below the account.
        path: String,
        /// The query, without `?`.
        query: String,
        /// Headers.
        headers: Vec<(String, String)>,
        /// Body.
        body: Vec<u8>,
    },
    /// A page of messages from the platform's API, if the platform posts none. Nothing signs it.
    Page(Vec<u8>),
}

/// The cost of a message.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The median, in microseconds for each message.
    pub p50_us: f64,
    /// The mean.
    pub mean_us: f64,
    /// The part of it that reading the clock takes.
    pub clock_us: f64,
}

/// Runs a measurement.
///
/// # Errors
/// No adapter serves the channel, the account is invalid, or an arrival brings no message.
pub fn measure(task: &Task) -> Result<Cost> {
    registry::visit(&task.channel, Opened(task)).with_context(|| format!("no channel {}", task.channel))?
}

struct Opened<'a>(&'a Task);

impl Visit for Opened<'_> {
    type Output = Result<Cost>;

    fn visit<A: Adapter>(self, adapter: A) -> Result<Cost> {
        let task = self.0;
        let account = adapter.account(&task.settings.clone().into(), &task.secrets)?;
        let now = Timestamp::from_secs(task.at);
        let arrivals = task.arrivals.iter().map(Arrived::new).collect::<Result<Vec<_>>>()?;
        let take = |arrived: &Arrived| take(&adapter, &account, arrived, now);
        let mut messages = 0;
        for arrived in &arrivals {
            let brought = take(arrived)?;
            ensure!(brought > 0, "{}: an arrival brings no message", task.channel);
            messages += brought;
        }
        let turns = || arrivals.iter().cycle();
        turns().take(task.warm_up).for_each(|arrived| drop(black_box(take(arrived))));
        let mut times: Vec<Duration> = turns().take(task.times).map(|arrived| timed(|| take(arrived))).collect();
        let mut clock: Vec<Duration> = turns().take(task.times).map(|_| timed(|| ())).collect();
        let (median, mean) = median_and_mean(&mut times)?;
        let (clock, _) = median_and_mean(&mut clock)?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 * arrivals.len() as f64 / messages as f64;
        Ok(Cost { p50_us: each(median), mean_us: each(mean), clock_us: each(clock) })
    }
}

/// An arrival as the server hands it to an adapter.
enum Arrived {
    Webhook { method: Method, path: String, query: String, headers: HeaderMap, body: Vec<u8> },
    Page(Vec<u8>),
}

impl Arrived {
    fn new(arrival: &Arrival) -> Result<Self> {
        Ok(match arrival.clone() {
            Arrival::Webhook { method, path, query, headers, body } => {
                let header =
                    |(name, value): (String, String)| Ok((name.parse()?, HeaderValue::from_bytes(value.as_bytes())?));
                let headers = headers.into_iter().map(header).collect::<Result<Vec<(HeaderName, _)>>>()?;
                Self::Webhook { method: method.parse()?, path, query, headers: headers.into_iter().collect(), body }
            }
            Arrival::Page(body) => Self::Page(body),
        })
    }
}

/// Takes an arrival: verifies and parses a webhook, or reads a page. Returns the number of messages in it.
fn take<A: Adapter>(adapter: &A, account: &A::Account, arrived: &Arrived, now: Timestamp) -> Result<usize> {
    match arrived {
        Arrived::Webhook { method, path, query, headers, body } => {
            let request = Request { method, rest: path, query, headers, body };
            let verified = adapter.verify(account, &request, now)?;
            Ok(black_box(adapter.parse(account, &verified)?).messages.len())
        }
        Arrived::Page(body) => {
            let pull = adapter.pull().context("a channel that is not asked")?;
            let source = pull.polled(account).into_iter().next().unwrap_or_default();
            let asked = Asked { source: &source, cursor: None, now };
            match pull.read(account, &asked, &ApiResponse { status: 200, body }) {
                Ok(page) => Ok(black_box(page).messages.len()),
                Err(_) => bail!("a page that is none"),
            }
        }
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    let result = work();
    let took = begun.elapsed();
    drop(black_box(result));
    took
}

fn median_and_mean(times: &mut [Duration]) -> Result<(Duration, Duration)> {
    times.sort_unstable();
    let median = *times.get(times.len() / 2).context("nothing was measured")?;
    Ok((median, times.iter().sum::<Duration>() / u32::try_from(times.len())?))
}
