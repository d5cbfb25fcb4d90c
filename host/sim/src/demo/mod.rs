//! The demo: seeds the brand on a running server, starts a simulated WeChat, customers and agents, and shows one line of
//! figures. Nothing in the server knows of it.

mod seed;

pub(crate) use seed::{set_account, staff};

use crate::agents::{Manner, Team};
use crate::client::Api;
use crate::customers::{self, World};
use crate::figures::Figures;
use crate::platform::Platform;
use crate::rng::Rng;
use crate::state;
use crate::tail::Tail;
use anyhow::{Context, Result};
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use seed::Memory;

/// Options of `warmline demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// The running server.
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    pub url: String,
    /// The administrator's token; read from the state directory where it is not given.
    #[arg(long, env = "SPIN_VARIABLE_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
    /// The server's state directory: its secrets.env is read, and demo.json is kept there.
    #[arg(long, value_name = "DIR", default_value = ".warmline")]
    pub state: PathBuf,
    /// Messages from customers, a second on average.
    #[arg(long, default_value_t = 3.0)]
    pub rate: f64,
    /// Ends after so many seconds; runs until Ctrl-C where it is not given.
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// The port of the simulated WeChat; 0 takes the one of the last start, or a free one. The server must be allowed to call
    /// it: SPIN_VARIABLE_PLATFORM_PROXY=http://127.0.0.1:*
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub platform_port: u16,
    /// The same seed brings the same customers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Default for DemoArgs {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:3000".into(),
            admin_token: None,
            state: ".warmline".into(),
            rate: 3.0,
            seconds: None,
            platform_port: 0,
            seed: 1,
        }
    }
}

/// Runs the demo until Ctrl-C or the end of its time. Must not be called from asynchronous code: see [`run_until`].
///
/// # Errors
/// The server cannot be reached or refuses what the demo needs.
pub fn run(args: &DemoArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run_until(args, async {
        let _ = tokio::signal::ctrl_c().await;
    }))
}

/// Runs the demo until `stop` or the end of its time.
///
/// # Errors
/// As [`run`].
pub async fn run_until(args: &DemoArgs, stop: impl Future<Output = ()>) -> Result<()> {
    let token = match &args.admin_token {
        Some(token) => token.clone(),
        None => state::admin_token(&args.state)?,
    };
    let api = Api::new(&args.url, &token);
    api.wait_ready(Duration::from_secs(30)).await.with_context(|| format!("no server is ready at {}", args.url))?;
    let mut memory = Memory::load(&args.state)?;
    let platform = Arc::new(match args.platform_port {
        0 => Platform::start(memory.platform_port).or_else(|_| Platform::start(0))?,
        port => Platform::start(port)?,
    });
    memory.platform_port = platform.port();
    platform.register(&memory.brand.wechat_app_id, &memory.brand.wechat_app_secret);
    seed::brand(&api, &mut memory, &platform.url()).await.context("the brand cannot be seeded")?;
    memory.save()?;

    let figures = Arc::new(Figures::default());
    let seed = Rng::new(args.seed);
    // Customers of this start must not repeat the message ids of earlier ones, whatever the seed.
    let customers_seed = seed.part(memory.starts);
    let mut team = Team::new(api.clone(), memory.staff.clone(), Manner::default(), figures.clone(), seed.part(7));
    let after = last_event(&api, memory.last_event).await?;
    let mut tail = Tail::new(api.clone(), after, Duration::from_millis(150));
    team.sign_in().await.context("an agent cannot sign in")?;
    team.resume().await.context("open conversations cannot be listed")?;
    let world = Arc::new(World {
        base: api.base().to_owned(),
        http: api.http().clone(),
        brand: memory.brand.clone(),
        platform: platform.clone(),
        figures: figures.clone(),
    });
    println!(
        "demo: {} agents, about {} messages a second from WeChat, app and web chat; the simulated WeChat is at {}",
        memory.staff.len(),
        args.rate,
        platform.url()
    );
    let limit = args.seconds.map_or(Duration::from_secs(u64::from(u32::MAX)), Duration::from_secs);
    tokio::select! {
        () = customers::come(world, args.rate, customers_seed) => {}
        () = team.work(&mut tail) => {}
        () = show(&figures) => {}
        () = tokio::time::sleep(limit) => {}
        () = stop => {}
    }
    if std::io::stdout().is_terminal() {
        println!();
    }
    println!("{}", figures.closing());
    let (errors, last) = figures.errors();
    if let Some(last) = last {
        println!("{errors} errors, the last one: {last}");
    }
    memory.last_event = tail.after();
    memory.save()?;
    // The agents go home, so that a server that goes on does not give conversations to nobody.
    if tokio::time::timeout(Duration::from_secs(3), team.sign_out()).await.is_err() {
        println!("the agents could not be signed out");
    }
    Ok(())
}

/// Skips what happened while no demo ran.
async fn last_event(api: &Api, known: i64) -> Result<i64> {
    let mut last = known;
    loop {
        let events = api.events(last, 1000).await.context("the event log cannot be read")?;
        match events.last() {
            Some(event) => last = event.seq,
            // A log that ends before the remembered place belongs to a new state.
            None if known > 0 && last == known && api.events(known - 1, 1).await?.is_empty() => {
                return Ok(api.last_event().await?);
            }
            None => return Ok(last),
        }
    }
}

/// Keeps the line of figures up to date: in place on a terminal, as plain lines elsewhere.
async fn show(figures: &Figures) {
    let terminal = std::io::stdout().is_terminal();
    let pause = Duration::from_millis(if terminal { 500 } else { 5000 });
    loop {
        tokio::time::sleep(pause).await;
        if terminal {
            print!("\r\x1b[2K{}", figures.line());
            let _ = std::io::stdout().flush();
        } else {
            println!("{}", figures.line());
        }
    }
}
