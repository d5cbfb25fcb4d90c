//! The parts of the simulation on their own: a channel with its platform and customers, a WeChat API that accepts replies,
//! and a load.

mod channel;
mod load;
mod platform;

pub use channel::{ChannelArgs, Summary};
pub use load::LoadArgs;
pub use platform::PlatformArgs;

use anyhow::{Context, Result};
use std::net::{SocketAddr, ToSocketAddrs};
use warmline_client::ServerArgs;

/// Play a channel's platform and its customers, or parts of the simulation on their own.
#[derive(Clone, Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "The account's secrets are the simulator's own, so accounts are made only on a server of this machine. The \
    server must be allowed to call the simulated platform (SPIN_VARIABLE_PLATFORM_PROXY=http://127.0.0.1:*, which `cargo xtask up` \
    sets).\n\nExit code: 0 where every message was taken, 1 where one was not or something else went wrong, 2 where the command line \
    is wrong."
)]
pub struct SimulateArgs {
    /// The part to simulate instead of a channel.
    #[command(subcommand)]
    pub what: Option<Simulate>,
    /// The channel.
    #[command(flatten)]
    pub channel: Option<ChannelArgs>,
    /// The server that the channel's customers write to.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// The other parts that can be simulated.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Simulate {
    /// Serves WeChat's API on 127.0.0.1 and shows every message that it accepts, until Ctrl-C.
    Platform(PlatformArgs),
    /// Sends signed WeChat messages, or GETs, and reports rate and latency.
    Load(LoadArgs),
}

/// Runs the command. Do not call it from asynchronous code.
///
/// # Errors
/// The port is taken, the server does not answer, or a message was not accepted.
pub fn run(args: &SimulateArgs) -> Result<()> {
    match (&args.what, &args.channel) {
        (Some(Simulate::Platform(args)), _) => platform::run(args),
        (Some(Simulate::Load(args)), _) => load::run(args),
        (None, Some(channel)) => channel::run(channel, &args.server),
        (None, None) => anyhow::bail!("say which channel: --channel <CHANNEL>"),
    }
}

fn address(url: &str) -> Result<SocketAddr> {
    let host = url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
    let host = host.split('/').next().unwrap_or_default();
    let named = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    named.to_socket_addrs()?.next().with_context(|| format!("{host} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_from_a_url() {
        assert_eq!(address("http://127.0.0.1:3000/x").unwrap(), "127.0.0.1:3000".parse().unwrap());
        assert!(address("https://127.0.0.1").is_err());
    }
}
