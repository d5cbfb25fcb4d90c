//! `warmline-lab fill`: writes a store with very many messages in minutes. It runs the steps of the product (`ingest`, then
//! the drainer of each shard) on the files themselves, without a server, HTTP, or waiting for the disk. The data is
//! therefore sealed, indexed and logged as by a server.
//!
//! Nothing else may use the files meanwhile. It takes the lock of the state folder, like a server.
#![expect(clippy::disallowed_methods, reason = "tells how long it took")]

mod store;

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::Store;
use warmline_client::Api;
use warmline_model::{Content, Inbound, Sender, Timestamp};
use warmline_simulate::fixture;
use warmline_simulate::server::{Server, ServerOptions, server_program};

/// Write a store of so many messages, without a server.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "A state folder that is not there is made first: the server starts on it once, gets an account, a group and agents, \
    and ends.\n\nExit code: 0, or 1 where a file cannot be used or the server does not start, 2 with the command line."
)]
pub struct FillArgs {
    /// Messages to write.
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    /// Customers who write them, in turn.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub customers: u64,
    /// The days before now over which the messages are spread.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub days: u32,
    /// The state folder. The keys are beside it, in the folder of its name with -keys after it.
    #[arg(long, value_name = "DIR", default_value = "target/fill/state")]
    pub state: PathBuf,
    /// The manifest of the server that makes the state.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// The server program; by default the `warmline` beside this one.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}

/// The most messages that are taken in at once. They get the same time.
const BATCH: u64 = 512;
/// The times over which the messages are spread, at least.
const TIMES: u64 = 1_000;
/// The pause between two reports of progress.
const TELL: Duration = Duration::from_secs(10);
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Conversations for which each agent has room. A few agents have all of them.
const CAPACITY: i64 = 500;

/// Runs the command. Do not call it from asynchronous code.
///
/// # Errors
/// The state cannot be made or opened, another program uses it, or a step fails.
pub fn run(args: &FillArgs) -> Result<()> {
    if !args.state.join("sqlite.db").exists() {
        make(args)?;
    }
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let begin = Instant::now();
    let written = fill(&args.state, args.messages, args.customers, Span::before(now, i64::from(args.days) * DAY_MS))?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("{written} messages written in {seconds:.0} s, {:.0}/s, to {}", written as f64 / seconds, args.state.display());
    Ok(())
}

/// Lets a server make the state: its secrets, its tables, one WeChat account, a group, and agents for all customers.
fn make(args: &FillArgs) -> Result<()> {
    std::fs::create_dir_all(&args.state).with_context(|| format!("cannot create {}", args.state.display()))?;
    let program = args.program.clone().map_or_else(server_program, Ok)?;
    let log = args.state.with_extension("log");
    let state = args.state.clone();
    let mut server =
        Server::start(&ServerOptions { state, log, ..ServerOptions::new(&program, &args.manifest, &args.state) })?;
    let api = Api::new(&server.url(), &server.admin_token()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let places = i64::try_from(args.customers)? + CAPACITY;
    // Nobody replies, so this address is never called.
    runtime.block_on(fixture::seed(&api, "http://127.0.0.1:9", places, CAPACITY, false))?;
    server.kill()?;
    Ok(())
}

/// The time over which the messages are spread, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: i64,
    to: i64,
}

impl Span {
    const fn before(now: i64, length: i64) -> Self {
        Self { from: now - length, to: now }
    }

    /// The time of message `number` of `all`.
    fn at(self, number: u64, all: u64) -> i64 {
        let part = i128::from(self.to - self.from) * i128::from(number) / i128::from(all.max(1));
        self.from + i64::try_from(part).unwrap_or(0)
    }
}

/// Writes messages into a store. Returns their number.
fn fill(state: &Path, messages: u64, customers: u64, span: Span) -> Result<u64> {
    let store = Store::open(state)?;
    let (mut done, mut told, begin) = (0, Instant::now(), Instant::now());
    // A second fill of one store brings other messages than the first.
    let run = format!("{:x}", span.to);
    let batch = (messages / TIMES).clamp(1, BATCH);
    while done < messages {
        let end = (done + batch).min(messages);
        store.set_time(span.at(end, messages));
        store.take(
            (done..end).map(|number| message(&run, number, number % customers, span.at(number, messages))).collect(),
        )?;
        done = end;
        if told.elapsed() > TELL {
            told = Instant::now();
            println!("{done} messages, {:.0}/s", done as f64 / begin.elapsed().as_secs_f64());
        }
    }
    store.close()?;
    ensure!(done == messages, "{done} of {messages} messages were written");
    Ok(done)
}

fn message(run: &str, number: u64, customer: u64, at: i64) -> Inbound {
    Inbound {
        earlier_key: None,
        key: format!("fill-{run}-{number}"),
        sender: Sender { open_id: format!("oFill{customer:07}"), ..Sender::default() },
        at: Timestamp::from_millis(at),
        content: Content::text(format!("问 {number}：我的订单什么时候发货？")),
        reply_to: None,
    }
}

#[cfg(test)]
mod tests;
