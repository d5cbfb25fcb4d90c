//! `warmline bridge`: for platforms that speak only over a connection that we have to hold. A component lives for one
//! request and holds nothing. The bridge therefore stands beside it, holds the connection, and posts what comes, frame by
//! frame.
//!
//! The bridge stores nothing: the platform repeats a frame that was not acknowledged, and Warmline keeps a repeated frame
//! once. The bridge can therefore be ended, doubled or moved at any time.
//!
//! * [`door`]: Warmline's side: a signed post and the meaning of its answer;
//! * [`pmc`]: Pinduoduo's side: the connection; [`frame`]: its frames; [`lane`]: a frame's way from one side to the other;
//! * [`pause`]: the time between tries; [`tally`]: the counts.

#![expect(clippy::disallowed_methods, reason = "waits in real time")]

mod backoff;
mod counters;
mod frame;
mod lane;
mod pmc;
mod warmline_client;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::Uri;
use tokio::sync::watch;
use warmline_model::Timestamp;
use warmline_process::{LogFormat, start_log, stop_on_signal};

use counters::Counters;
use pmc::{Bounds, Place};
use warmline_client::Door;

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
/// Each frame is posted to /channels/pinduoduo/<ACCOUNT> and acknowledged to the platform once Warmline has kept it. If
/// either side goes away, nothing is lost: the platform repeats frames that were not acknowledged, and Warmline keeps a
/// repeated frame once.
///
/// The secrets are read from the environment: PINDUODUO_BRIDGE_SECRET, the account's bridge_secret, and
/// PINDUODUO_CLIENT_SECRET, the application's client_secret.
///
/// Ends with 0 after SIGTERM or Ctrl-C, and with 1 if it cannot begin (an option or a secret is missing, Warmline has no
/// such account or refuses the secret). Later trouble is reported on standard error and tried again.
#[derive(Debug, clap::Args)]
struct Pinduoduo {
    /// Warmline's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    url: Uri,
    /// The channel's account in Warmline
    #[arg(long)]
    account: String,
    /// The application's client_id
    #[arg(long)]
    client_id: String,
    /// Address of the message service; without TLS only on this machine
    #[arg(long, value_name = "URL", default_value = "wss://message-api.pinduoduo.com")]
    platform: Uri,
    /// Seconds between two heartbeats
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=60))]
    heartbeat: u16,
    /// Seconds of silence after which the connection is given up for another
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u16).range(2..=3600))]
    silence: u16,
    /// Form of log lines on standard error; RUST_LOG sets the level
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
}

fn secret(name: &str) -> anyhow::Result<String> {
    let secret = std::env::var(name).unwrap_or_default();
    ensure!(!secret.is_empty(), "{name} is not set in the environment");
    Ok(secret)
}

impl Bridge {
    /// Holds the connection until told to stop.
    ///
    /// # Errors
    /// An option is invalid. Trouble with either side later is no error: the bridge reports it and tries again.
    pub fn run(self) -> anyhow::Result<()> {
        let Platform::Pinduoduo(args) = self.platform;
        start_log(args.log);
        let door = Door::new(&args.url, &args.account, secret("PINDUODUO_BRIDGE_SECRET")?)?;
        let place = Place::new(&args.platform, args.client_id, secret("PINDUODUO_CLIENT_SECRET")?)?;
        let bounds = Bounds {
            heartbeat: Duration::from_secs(args.heartbeat.into()),
            silence: Duration::from_secs(args.silence.into()),
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no threads")?;
        runtime.block_on(async {
            let (stop, mut stopping) = watch::channel(false);
            stop_on_signal(stop);
            let (door, tally) = (Arc::new(door), Arc::new(Counters::default()));
            let reports = tokio::spawn(Arc::clone(&tally).report());
            if door.opens(&mut stopping).await? {
                pmc::hold(&place, bounds, &door, &tally, &mut stopping).await;
            }
            reports.abort();
            tally.say();
            tracing::info!("stopped");
            Ok(())
        })
    }
}

/// The present time.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Completes when it is time to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that nobody can send the signal any more.
    let _ = stopping.wait_for(|stop| *stop).await;
}
