//! The demo: it seeds the brand on a running server, starts a simulated platform for every channel, customers and agents,
//! and shows one line of figures. Nothing in the server knows about it.

mod seed;

pub(crate) use seed::{set_account, staff};

use crate::agents::{AgentPace, Team};
use crate::customers::{self, World};
use crate::figures::Figures;
use crate::live;
use crate::rng::Rng;
use anyhow::{Context, Result};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use warmline_client::Tail;
use warmline_client::state;
use warmline_client::{Api, ServerArgs};

use seed::Memory;

/// Let simulated customers of every channel and simulated agents talk by a running server.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// The running server.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Messages from customers, a second on average.
    #[arg(long, default_value_t = 3.0)]
    pub rate: f64,
    /// Ends after this time (30, 30s, 5m, 1h); runs until Ctrl-C if it is not given.
    #[arg(long = "for", value_name = "TIME", value_parser = live::time)]
    pub time: Option<Duration>,
    /// The same seed brings the same customers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs the demo until Ctrl-C or the end of its time. Do not call it from asynchronous code: see [`run_until`].
///
/// # Errors
/// The server cannot be reached, or refuses a call of the demo.
pub fn run(args: &DemoArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run_until(args, state::stopped()))
}

/// Runs the demo until `stop` or the end of its time.
///
/// # Errors
/// The errors of [`run`].
pub async fn run_until(args: &DemoArgs, stop: impl Future<Output = ()>) -> Result<()> {
    let api = args.server.api().await?;
    let mut memory = Memory::load(&args.server.state)?;
    let shares = memory.brand.shares(&memory.ports)?;
    let ports =
        shares.iter().filter_map(|share| Some((share.entrance.channel().to_owned(), share.entrance.stand()?.port())));
    memory.ports = ports.collect();
    seed::brand(&api, &mut memory, &shares).await.context("the brand cannot be seeded")?;
    memory.save()?;

    let figures = Arc::new(Figures::default());
    let seed = Rng::new(args.seed);
    // Customers of this start must not repeat the message ids of earlier ones, whatever the seed.
    let customers_seed = seed.part(memory.starts);
    let mut team = Team::new(api.clone(), memory.staff.clone(), AgentPace::default(), figures.clone(), seed.part(7));
    let after = last_event(&api, memory.last_event).await?;
    let mut tail = Tail::new(api.clone(), after, Duration::from_millis(150));
    team.sign_in().await.context("an agent cannot sign in")?;
    team.resume().await.context("open conversations cannot be listed")?;
    let world = Arc::new(World::new(api.base(), api.http().clone()));
    println!(
        "demo: {} agents, about {} messages a second by {} channels; {} simulated platforms take the replies",
        memory.staff.len(),
        args.rate,
        shares.len(),
        memory.ports.len(),
    );
    println!("{EXPLAINED}");
    let started = Instant::now();
    let limit = args.time.unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
    tokio::select! {
        () = customers::come(world, shares, figures.clone(), args.rate, customers_seed) => {}
        () = team.work(&mut tail) => {}
        () = live::show(live::To::Output, || figures.line(started.elapsed())) => {}
        () = tokio::time::sleep(limit) => {}
        () = tell_of_grants(&figures) => {}
        () = stop => {}
    }
    live::end(live::To::Output);
    println!("{}\n{}", figures.by_channel(), figures.closing(started.elapsed()));
    let (errors, last) = figures.errors();
    if let Some(last) = last {
        println!("{errors} errors, the last one: {last}");
    }
    memory.last_event = tail.after();
    memory.save()?;
    // The agents go home, so that the server does not give conversations to agents who are gone.
    if tokio::time::timeout(Duration::from_secs(3), team.sign_out()).await.is_err() {
        println!("the agents could not be signed out");
    }
    Ok(())
}

/// The explanation of the line.
const EXPLAINED: &str = "\
the line: time | messages in (a second) | conversations in queues | answers of agents | from webhook to conversation | \
from a customer's first words to an agent's answer | replies that a platform took | replies given up
  alerts: sensitive words that quality found, such as 投诉 or 12315; the customers are made to use some, so there are a few
  retries: replies tried again; in doubt: nobody knows whether the platform has them; gave up: customers who left unanswered";

/// The advice if no reply reaches a simulated platform.
const NOT_GRANTED: &str = "\
no reply reaches the simulated platforms (host_not_granted): this server does not let its adapters call this machine. \
Start it with `cargo xtask up` or `cargo xtask demo`, or with SPIN_VARIABLE_PLATFORM_PROXY='http://127.0.0.1:*' in its environment. \
Messages still come in; app and web chat still hear their replies.";

/// Reports once that the platforms cannot be reached, if so. It never ends.
async fn tell_of_grants(figures: &Figures) {
    while figures.not_granted() == 0 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    live::end(live::To::Output);
    println!("{NOT_GRANTED}");
    std::future::pending().await
}

/// Skips the events while no demo ran.
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
