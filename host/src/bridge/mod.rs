//! `warmline bridge`: for platforms that speak only over a connection which we are to hold. A component lives for one request and
//! holds nothing, so the bridge stands beside it, holds the connection and posts what comes, frame by frame.

mod door;
mod pmc;

use anyhow::{Context as _, ensure};
use http::Uri;
use tokio::sync::watch;

use crate::runner::logs::{self, LogFormat};
use crate::runner::up::stop_on_signal;
use door::Door;

/// Hold a platform's connection and post what comes to its component.
#[derive(Debug, clap::Args)]
pub struct Bridge {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Debug, clap::Subcommand)]
enum Platform {
    Pinduoduo(Pinduoduo),
}

/// Pinduoduo's message service (PMC).
///
/// Each frame is posted to /channels/pinduoduo/<ACCOUNT>, and acknowledged to the platform after Warmline has kept it. Nothing is
/// lost when either side goes away: the platform repeats what is not acknowledged, and Warmline keeps a repeated frame once.
///
/// The secrets are read from the environment: PINDUODUO_BRIDGE_SECRET, the account's bridge_secret, and PINDUODUO_CLIENT_SECRET,
/// the application's client_secret.
#[derive(Debug, clap::Args)]
struct Pinduoduo {
    /// Warmline's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    url: Uri,
    /// The channel account in Warmline
    #[arg(long)]
    account: String,
    /// The application's client_id
    #[arg(long)]
    client_id: String,
    /// Where the message service is
    #[arg(long, value_name = "URL", default_value = "wss://message-api.pinduoduo.com")]
    platform: Uri,
    /// How log lines on standard error look; RUST_LOG sets the level
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
}

fn secret(name: &str) -> anyhow::Result<String> {
    let secret = std::env::var(name).unwrap_or_default();
    ensure!(!secret.is_empty(), "{name} is not set: the bridge signs with it");
    Ok(secret)
}

impl Bridge {
    /// Holds the connection until told to stop.
    ///
    /// # Errors
    /// The options cannot be right. Trouble with either side is none: the bridge says so and tries again.
    pub fn run(self) -> anyhow::Result<()> {
        let Platform::Pinduoduo(args) = self.platform;
        logs::start(args.log);
        let door = Door::new(&args.url, &args.account, secret("PINDUODUO_BRIDGE_SECRET")?)?;
        let place = pmc::Place::new(&args.platform, args.client_id, secret("PINDUODUO_CLIENT_SECRET")?)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("cannot start the threads")?;
        runtime.block_on(async {
            let (stop, stopping) = watch::channel(false);
            stop_on_signal(stop);
            pmc::hold(&place, door, stopping).await;
        });
        Ok(())
    }
}
