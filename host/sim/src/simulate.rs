//! The parts of the simulation on their own: a WeChat API to send replies to, and a load to receive.

use crate::load::{self, Mix, Plan, Shape, WeChatShape};
use crate::platform::{Behaviour, Platform, Rule};
use anyhow::{Context, Result};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// Options of `warmline simulate`.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulateArgs {
    /// What to simulate.
    #[command(subcommand)]
    pub what: Simulate,
}

/// What can be simulated.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Simulate {
    /// Serves WeChat's API on 127.0.0.1 and shows every message that it takes, until Ctrl-C.
    Platform(PlatformArgs),
    /// Sends signed WeChat messages, or GETs, and reports rate and latency.
    Load(LoadArgs),
}

/// Options of `warmline simulate platform`.
#[derive(Clone, Debug, clap::Args)]
pub struct PlatformArgs {
    /// The port.
    #[arg(long, default_value_t = 3100)]
    pub port: u16,
    /// Answers each message with this error code (40001, 45015, 45047, -1, …).
    #[arg(long, value_name = "CODE", allow_negative_numbers = true)]
    pub error: Option<i64>,
    /// Waits so long before each answer.
    #[arg(long, value_name = "MS")]
    pub delay: Option<u64>,
    /// Takes each nth message and closes the connection without an answer.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub drop_every: Option<u64>,
    /// Seconds that an access token is valid.
    #[arg(long, value_name = "SECONDS", default_value_t = 7200)]
    pub token_life: u64,
}

/// Options of `warmline simulate load`.
#[derive(Clone, Debug, clap::Args)]
pub struct LoadArgs {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    pub url: String,
    /// The WeChat account.
    #[arg(long, default_value = "gh_rice")]
    pub account: String,
    /// Its webhook token.
    #[arg(long, env = "WECHAT_TOKEN", hide_env_values = true, default_value = "test")]
    pub token: String,
    /// The webhook's path; by default /channels/wechat/<account>.
    #[arg(long, value_name = "PATH", conflicts_with = "get")]
    pub path: Option<String>,
    /// Sends GETs of this path instead of messages.
    #[arg(long, value_name = "PATH")]
    pub get: Option<String>,
    /// Messages a second; as fast as they are answered where it is not given.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Seconds.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 10)]
    pub seconds: u64,
    /// Connections.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Customers who send.
    #[arg(long, default_value_t = 5000)]
    pub customers: u64,
}

/// Runs it. Must not be called from asynchronous code.
///
/// # Errors
/// The port is taken; nobody answers.
pub fn run(args: &SimulateArgs) -> Result<()> {
    match &args.what {
        Simulate::Platform(args) => platform(args),
        Simulate::Load(args) => load(args),
    }
}

fn platform(args: &PlatformArgs) -> Result<()> {
    let platform = Platform::start(args.port)?;
    platform.set_token_life(Duration::from_secs(args.token_life));
    if let Some(delay) = args.delay {
        platform.script(Rule::send(Behaviour::Delay(Duration::from_millis(delay))));
    }
    if let Some(every) = args.drop_every {
        platform.script(Rule::send(Behaviour::DropAfter).every(every));
    }
    if let Some(code) = args.error {
        platform.script(Rule::send(Behaviour::Error(code)));
    }
    println!("WeChat's API is at {} (an account's api_base); Ctrl-C ends it", platform.url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut shown = 0;
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => break,
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
            for sent in platform.sent_since(shown) {
                shown += 1;
                println!("{} {}: {}", sent.order, sent.to, sent.text.unwrap_or(sent.kind));
            }
        }
    });
    println!("{:?}", platform.counts());
    Ok(())
}

fn address(url: &str) -> Result<SocketAddr> {
    let host = url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
    let host = host.split('/').next().unwrap_or_default();
    let named = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    named.to_socket_addrs()?.next().with_context(|| format!("{host} has no address"))
}

fn load(args: &LoadArgs) -> Result<()> {
    let shape = match &args.get {
        Some(path) => Shape::Get { path: path.clone() },
        None => {
            let mix = Mix::Spread { customers: args.customers };
            let shape = WeChatShape::new(&args.account, &args.token, mix);
            Shape::WeChat(WeChatShape { path: args.path.clone().unwrap_or(shape.path.clone()), ..shape })
        }
    };
    let report = load::run(&Plan {
        rate: args.rate,
        duration: Duration::from_secs(args.seconds),
        connections: args.connections,
        ..Plan::new(address(&args.url)?, shape)
    })?;
    println!("{:.0}/s over {:.1} s  {}", report.rate, report.seconds, report.latency);
    println!(
        "{} sent, {} acknowledged, refused by status {:?}, {} broken",
        report.sent, report.acknowledged, report.refused, report.broken
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Tool {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(clap::Subcommand)]
    enum Command {
        Simulate(SimulateArgs),
        Demo(crate::demo::DemoArgs),
        Bench(crate::bench::BenchArgs),
        Chaos(crate::chaos::ChaosArgs),
    }

    #[test]
    fn command_lines_are_read() {
        let parse = |line: &str| Tool::try_parse_from(line.split(' ')).map(|tool| tool.command);
        assert!(matches!(parse("w demo --for 5 --rate 2"), Ok(Command::Demo(args)) if args.seconds == Some(5)));
        assert!(matches!(parse("w bench e2e --quick"), Ok(Command::Bench(args)) if args.quick));
        assert!(matches!(parse("w bench"), Ok(Command::Bench(args)) if args.what == crate::bench::What::All));
        assert!(matches!(parse("w chaos --rounds 3"), Ok(Command::Chaos(args)) if args.rounds == 3));
        assert!(matches!(parse("w simulate platform --error -1"), Ok(Command::Simulate(_))));
        assert!(matches!(parse("w simulate load --rate 100"), Ok(Command::Simulate(_))));
        assert!(parse("w chaos --durability none").is_err());
    }

    #[test]
    fn an_address_is_taken_from_a_url() {
        assert_eq!(address("http://127.0.0.1:3000/x").unwrap(), "127.0.0.1:3000".parse().unwrap());
        assert!(address("https://127.0.0.1").is_err());
    }
}
