//! The benchmark: ingest, end to end, replies pushed to connected clients, the cost of each channel, a million stored messages,
//! and the worklist. Each stands beside its baselines, and all are measured in one run.
//!
//! The server is a process of its own, started here with a fresh state for each part. The load comes over loopback.

#![expect(clippy::disallowed_methods, reason = "measures real time")]

mod channels;
mod disk;
mod e2e;
mod engine;
mod fixture;
mod floor;
mod ingest;
mod machine;
mod million;
mod peer;
mod push;
mod report;
mod worklist;

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;
use warmline_simulate::scratch::Scratch;
use warmline_simulate::server::{Server, ServerOptions, server_program};

pub use channels::{AdapterCost, Channels, ComponentCost};
pub use disk::Disk;
pub use e2e::EndToEnd;
pub use ingest::{Ingest, Pace};
pub use machine::Machine;
pub use million::{Fill, Million};
pub use push::Push;
pub use report::{Results, Target};
pub use worklist::{Reader, Worklist};

use peer::PeerOptions;

const DURABILITIES: [&str; 2] = ["full", "normal"];

/// The part to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// Webhook to acknowledgement.
    Ingest,
    /// Webhook to agent.
    E2e,
    /// A reply to a connected client.
    Push,
    /// Verifying and parsing, natively and in Wasm; the size of each channel's component, and the time of its first answer.
    Channels,
    /// With a million messages stored.
    Million,
    /// The worklist, of supervisors and of an agent, with ten thousand messages stored and with a million.
    Worklist,
    /// All of them.
    All,
}

/// Measure the server, each figure beside its baselines.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchArgs {
    /// The part to measure.
    #[arg(value_enum, default_value = "all")]
    pub what: What,
    /// The file for the results; by default bench-results/<time>.json.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A short run, whose figures are not for quoting.
    #[arg(long)]
    pub quick: bool,
    /// The manifest to serve.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// The manifest with the hello component.
    #[arg(long, value_name = "FILE", default_value = "tests/probe/spin.toml")]
    pub probe: PathBuf,
    /// The program that verifies and parses in Wasm.
    #[arg(long, value_name = "FILE", default_value = "target/wasm32-wasip2/component/cost.wasm")]
    pub cost: PathBuf,
    /// Put the channels' tables into this document, between its marks.
    #[arg(long, value_name = "FILE")]
    pub document: Option<PathBuf>,
    /// The hello component's path.
    #[arg(long, value_name = "PATH", default_value = "/probe/hello")]
    pub hello_path: String,
    /// The server program; by default the `warmline` beside this one.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The folder with the peer's wechatpy_ingest.py. Without it the peer is not measured.
    #[arg(long, value_name = "DIR")]
    pub peer: Option<PathBuf>,
    /// A Python that has the peer's packages. By default gunicorn from PATH is used.
    #[arg(long, value_name = "FILE", requires = "peer")]
    pub peer_python: Option<PathBuf>,
    /// Connections for the load.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Clients that are connected while replies are pushed.
    #[arg(long, default_value_t = 2_000)]
    pub clients: usize,
    /// Conversations for which an agent has room: with 500, a dozen agents have all customers; with 10, it takes hundreds
    /// of them
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(i64).range(5..))]
    pub capacity: i64,
    /// Messages to store in the last part.
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    /// The most minutes that storing them may take.
    #[arg(long, default_value_t = 60)]
    pub fill_minutes: u64,
    /// Messages a second of the end-to-end part; by default half of what ingest reached.
    #[arg(long)]
    pub rate: Option<f64>,
    /// The folder for the databases. It must be on the disk that is to be measured.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub scratch: PathBuf,
}

/// The shared parts of a run.
struct Bench<'a> {
    args: &'a BenchArgs,
    runtime: &'a Runtime,
    scratch: &'a Scratch,
    program: PathBuf,
    peer: Option<PeerOptions>,
}

impl Bench<'_> {
    fn say(&self, text: &str) {
        println!("{text}");
    }

    /// A part's duration. In a quick run it is a quarter of that.
    fn seconds(&self, full: u64) -> Duration {
        let full = Duration::from_secs(full);
        if self.args.quick { full / 4 } else { full }
    }

    fn rounds(&self) -> usize {
        if self.args.quick { 1 } else { 3 }
    }

    /// Starts a server with a fresh state. It takes over the compiled code of the server before it, because compiling is
    /// not measured.
    fn start(&self, options: &ServerOptions) -> Result<Server> {
        let (kept, cache) = (self.scratch.path().join("cache"), options.state.join("cache"));
        copy_files(&kept, &cache);
        let server = Server::start(options)?;
        copy_files(&cache, &kept);
        Ok(server)
    }

    fn server_options(&self, manifest: &Path, directory: &Path, durability: &'static str) -> ServerOptions {
        ServerOptions { durability, ..ServerOptions::new(&self.program, manifest, directory) }
    }
}

/// Copies the files of a folder that are missing, as far as possible. Files that stay missing are made again.
fn copy_files(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    let _ = std::fs::create_dir_all(to);
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        if !target.exists() {
            let _ = std::fs::copy(entry.path(), target);
        }
    }
}

/// Measures, prints a table and writes the results. Do not call it from asynchronous code.
///
/// # Errors
/// A server does not start, refuses its seed, or acknowledges nothing; the results cannot be written.
pub fn run(args: &BenchArgs) -> Result<Results> {
    // One worker, because the cores belong to the server.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let scratch = Scratch::new(&args.scratch, "run")?;
    let program = match &args.program {
        Some(program) => program.clone(),
        None => server_program()?,
    };
    let bench = Bench { args, runtime: &runtime, scratch: &scratch, program, peer: peer_options(args)? };
    let mut results = Results::new(Machine::here(), args.quick);
    let wants = |what| args.what == what || args.what == What::All;
    if wants(What::Ingest) {
        results.hello = hello(&bench)?;
        results.ingest = ingest::run(&bench)?;
    }
    if wants(What::E2e) {
        let rate = match (args.rate, results.ingest.iter().find(|part| part.durability == "normal")) {
            (Some(rate), _) => rate,
            (None, Some(part)) => part.warmline.rate / 2.0,
            (None, None) => ingest::quick_rate(&bench)? / 2.0,
        };
        results.e2e = Some(e2e::run(&bench, rate)?);
    }
    if wants(What::Push) {
        results.push = Some(push::run(&bench)?);
    }
    if wants(What::Channels) {
        results.channels = Some(channels::run(&bench)?);
    }
    if wants(What::Million) {
        results.million = Some(million::run(&bench)?);
    }
    if wants(What::Worklist) {
        results.worklist = worklist::run(&bench)?;
    }
    results.judge();
    println!("\n{results}");
    let out = args.out.clone().unwrap_or_else(|| format!("bench-results/{}.json", results.machine.at).into());
    if let Some(directory) = out.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(&out, serde_json::to_vec_pretty(&results)?).with_context(|| format!("cannot write {}", out.display()))?;
    println!("written to {}", out.display());
    if let (Some(document), Some(channels)) = (&args.document, &results.channels) {
        channels.put_into(document, &results.machine)?;
    }
    Ok(results)
}

fn hello(bench: &Bench<'_>) -> Result<Option<Pace>> {
    if !bench.args.probe.exists() {
        bench.say(&format!("the hello component is not measured: there is no {}", bench.args.probe.display()));
        return Ok(None);
    }
    let pace = ingest::hello(bench)?;
    bench.say(&format!("  {:.0}/s  {}", pace.rate, pace.latency));
    Ok(Some(pace))
}

fn peer_options(args: &BenchArgs) -> Result<Option<PeerOptions>> {
    let Some(directory) = &args.peer else {
        println!("the peer is not measured: --peer was not given");
        return Ok(None);
    };
    let mut check = match &args.peer_python {
        Some(python) => {
            let mut command = std::process::Command::new(python);
            command.args(["-c", "import wechatpy, fastapi, uvicorn, gunicorn"]);
            command
        }
        None => {
            let mut command = std::process::Command::new("gunicorn");
            command.arg("--version");
            command
        }
    };
    let works = check.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        println!("the peer is not measured: its Python packages are not there");
        return Ok(None);
    }
    let directory = directory.canonicalize().with_context(|| format!("no folder {}", directory.display()))?;
    Ok(Some(PeerOptions { directory, python: args.peer_python.clone() }))
}
