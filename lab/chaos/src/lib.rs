//! The crash test: the server is killed at random moments under load, again and again, and started on the same state.
//! Afterwards every acknowledged message must be stored exactly once. Every reply must have reached the customer exactly
//! once, or more often only if the server reported it as in doubt. The agents' loads must equal the conversations that they
//! hold.
//!
//! The outside world behaves as usual: the platform repeats messages that were not acknowledged, agents' programs repeat a
//! call under its idempotency key, and the platform's own API breaks connections from time to time.

#![expect(clippy::disallowed_methods, reason = "measures real time")]

mod check;
mod desk;
mod ledger;
mod senders;

use anyhow::{Context, Result, bail};
use ledger::{Fate, Ledger};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use warmline_client::{Api, Http};
use warmline_simulate::channels::platform_server::PlatformServer;
use warmline_simulate::channels::wechat::Wechat;
use warmline_simulate::channels::{Behaviour, Rule};
use warmline_simulate::fixture;
use warmline_simulate::rng::Rng;
use warmline_simulate::scratch::{Scratch, free_port};
use warmline_simulate::server::{Server, ServerOptions, server_program};

/// Kill a server under load, again and again, and audit the store afterwards.
#[derive(Clone, Debug, clap::Args)]
pub struct ChaosArgs {
    /// How often the server is killed.
    #[arg(long, default_value_t = 20)]
    pub rounds: u64,
    /// Customers who write at a time.
    #[arg(long, default_value_t = 24)]
    pub customers: u64,
    /// The shortest time between the server's start and its end, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 300)]
    pub shortest: u64,
    /// The longest.
    #[arg(long, value_name = "MS", default_value_t = 4000)]
    pub longest: u64,
    /// The same seed kills at the same moments.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// `full` or `normal`: a killed process loses nothing with either, a power cut does with `normal`.
    #[arg(long, default_value = "full", value_parser = ["full", "normal"])]
    pub durability: String,
    /// The manifest to serve.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// The server program; by default the `warmline` beside this one.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The folder for the server's state.
    #[arg(long, value_name = "DIR", default_value = "target/chaos")]
    pub scratch: PathBuf,
    /// The platform's API behaves: no broken connections, no errors.
    #[arg(long)]
    pub calm: bool,
    /// Keeps the server's state and log.
    #[arg(long)]
    pub keep: bool,
    /// Prints nothing while it runs.
    #[arg(long)]
    pub quiet: bool,
}

impl Default for ChaosArgs {
    fn default() -> Self {
        Self {
            rounds: 20,
            customers: 24,
            shortest: 300,
            longest: 4000,
            seed: 1,
            durability: "full".into(),
            manifest: "spin.toml".into(),
            program: None,
            scratch: "target/chaos".into(),
            calm: false,
            keep: false,
            quiet: false,
        }
    }
}

/// The result.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChaosReport {
    /// Times that the server was killed.
    pub kills: u64,
    /// The longest time from a start until the server listened, in milliseconds.
    pub slowest_start_ms: u128,
    /// Messages that customers began to send.
    pub sent: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Tries beyond the first.
    pub resent: u64,
    /// Customers' messages in the store.
    pub stored: u64,
    /// Replies in the store.
    pub replies: u64,
    /// Replies that were refused (the conversation had ended, or was somebody else's).
    pub refused: u64,
    /// The reasons, by status and code.
    pub refusals: BTreeMap<String, u64>,
    /// Replies that the platform accepted, doubled ones included.
    pub delivered: u64,
    /// The number of times that the server reported that it does not know whether the platform had a reply.
    pub in_doubt: u64,
    /// Repeated replies that reached a customer, each covered by a doubt.
    pub doubled: u64,
    /// Replies that were given up after several doubts: their agents are told that the customer perhaps has them.
    pub given_up: u64,
    /// Events in the log.
    pub events: u64,
    /// Seconds from the end of the load until all work was done.
    pub rest_seconds: f64,
    /// All violations.
    pub violations: Vec<String>,
}

impl ChaosReport {
    fn blame(&mut self, what: String) {
        self.violations.push(what);
    }
}

impl fmt::Display for ChaosReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "killed {} times; slowest start {} ms; at rest {:.1} s after the load",
            self.kills, self.slowest_start_ms, self.rest_seconds
        )?;
        writeln!(
            f,
            "messages: {} sent ({} tries more), {} acknowledged, {} stored",
            self.sent, self.resent, self.acknowledged, self.stored
        )?;
        writeln!(
            f,
            "replies: {} stored, {} refused {:?}, {} delivered, {} in doubt, {} doubled, {} given up in doubt; {} events",
            self.replies,
            self.refused,
            self.refusals,
            self.delivered,
            self.in_doubt,
            self.doubled,
            self.given_up,
            self.events
        )?;
        for violation in self.violations.iter().take(40) {
            writeln!(f, "VIOLATION {violation}")?;
        }
        write!(f, "{} violations", self.violations.len())
    }
}

/// The longest time without a new event after the last start. Leases run out and pauses between tries pass meanwhile.
const PATIENCE: Duration = Duration::from_secs(180);
/// The longest time for it in all.
const LONGEST: Duration = Duration::from_secs(1800);

/// Runs the crash test, prints its report, and fails if there are violations.
///
/// # Errors
/// The errors of [`kill9`], or there are violations.
pub fn run(args: &ChaosArgs) -> Result<()> {
    let report = kill9(args)?;
    println!("{report}");
    match report.violations.len() {
        0 => Ok(()),
        n => bail!("{n} violations"),
    }
}

/// Kills the server again and again, and audits the store. Do not call it from asynchronous code.
///
/// # Errors
/// The server does not start, refuses its seed, or does not finish its work. Violations are no error: they are in the
/// report.
pub fn kill9(args: &ChaosArgs) -> Result<ChaosReport> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut scratch = Scratch::new(&args.scratch, "run")?;
    if args.keep {
        scratch.keep();
        println!("state and log: {}", scratch.path().display());
    }
    let program = match &args.program {
        Some(program) => program.clone(),
        None => server_program()?,
    };
    let durability = if args.durability == "normal" { "normal" } else { "full" };
    let platform = PlatformServer::start(Box::new(Wechat::of_any_app()))?;
    let options = ServerOptions {
        port: free_port()?,
        platform: Some(platform.url()),
        durability,
        ..ServerOptions::new(&program, &args.manifest, scratch.path())
    };
    let mut rng = Rng::new(args.seed);
    let mut report = ChaosReport::default();
    let mut server = Server::start(&options)?;
    let api = Api::new(&server.url(), &server.admin_token()?);
    // There are fewer places than customers, so some always wait in the queue.
    let places = i64::try_from(args.customers * 3 / 4)?.max(1);
    let staff = runtime.block_on(fixture::seed(&api, &platform.url(), places, places.min(5), true))?;
    if !args.calm {
        make_trouble(&platform);
    }
    let ledger = Arc::new(Ledger::default());
    let (stop, stopped) = watch::channel(false);
    let http = Http::new();
    let writers: Vec<_> = (0..args.customers)
        .map(|number| {
            let (base, rng) = (api.base().to_owned(), rng.part(1_000 + number));
            runtime.spawn(senders::write(base, http.clone(), number, 0.15, rng, ledger.clone(), stopped.clone()))
        })
        .collect();
    let desk = runtime.spawn(desk::work(api.clone(), staff, rng.part(1), ledger.clone()));
    for round in 1..=args.rounds {
        let life = rng.between(args.shortest as f64, args.longest as f64) / 1000.0;
        std::thread::sleep(Duration::from_secs_f64(life));
        server.kill()?;
        report.kills += 1;
        server = Server::start(&options)?;
        report.slowest_start_ms = report.slowest_start_ms.max(server.started_in().as_millis());
        if !args.quiet {
            let acknowledged = ledger.open().acknowledged.len();
            println!("round {round}: killed after {life:.2} s; {acknowledged} messages acknowledged so far");
        }
    }
    let _ = stop.send(true);
    platform.clear_script();
    runtime.block_on(async {
        for writer in writers {
            tokio::time::timeout(Duration::from_secs(60), writer).await.context("a message was never acknowledged")??;
        }
        report.rest_seconds = rest(&api, &ledger, args.quiet).await?.as_secs_f64();
        desk.abort();
        check::audit(&api, &ledger, &platform, &mut report).await
    })?;
    Ok(report)
}

/// The platform's API as it is on a bad day.
fn make_trouble(platform: &PlatformServer) {
    platform.script(Rule::send(Behaviour::DropAfter).every(41));
    platform.script(Rule::send(Behaviour::DropBefore).every(53));
    platform.script(Rule::send(Behaviour::Status(500)).every(67));
    platform.script(Rule::send(Behaviour::Error(40001)).every(83));
    platform.script(Rule::send(Behaviour::Delay(Duration::from_millis(150))).every(7));
}

/// Waits until all work is done: every acknowledged message is in the log, no reply is unanswered or under way, and there
/// is no new event for three seconds. Three minutes after the last event it stops waiting, and the audit then reports what
/// is missing.
async fn rest(api: &Api, ledger: &Ledger, quiet: bool) -> Result<Duration> {
    let begin = Instant::now();
    let (mut last, mut since, mut told) = (0, Instant::now(), Instant::now());
    let mut progress = Instant::now();
    while progress.elapsed() < PATIENCE && begin.elapsed() < LONGEST {
        let (events, missing, open) = {
            let book = ledger.open();
            let open = book.replies.values().filter(|fate| **fate == Fate::Open).count();
            (book.seen.len(), (book.acknowledged.len() as u64).saturating_sub(book.received), open)
        };
        if events != last {
            progress = Instant::now();
        }
        if events != last || open > 0 || missing > 0 {
            (last, since) = (events, Instant::now());
        }
        let underway = match since.elapsed() > Duration::from_secs(3) {
            true => check::undelivered(api).await?,
            false => 0,
        };
        if since.elapsed() > Duration::from_secs(3) && underway == 0 {
            return Ok(begin.elapsed());
        }
        if !quiet && missing + underway as u64 > 0 && told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            println!("left to do: {missing} messages in the inbox, {open} replies to store, {underway} to deliver");
        }
        tokio::time::sleep(Duration::from_millis(if underway > 0 { 1000 } else { 100 })).await;
    }
    Ok(begin.elapsed())
}
