//! A load of WeChat messages, which the server is to receive as fast as it can.

use super::address;
use crate::live;
use crate::load::{self, Mix, Plan, Shape, WeChatShape};
use anyhow::Result;
use std::time::Duration;

/// Options of `warmline-lab simulate load`.
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
    /// Messages a second; if it is not given, as fast as they are answered.
    #[arg(long)]
    pub rate: Option<f64>,
    /// The duration: 10, 10s, 5m, 1h.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = live::time)]
    pub time: Duration,
    /// Connections.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Customers who send.
    #[arg(long, default_value_t = 5000)]
    pub customers: u64,
}

/// Sends the load and prints the result.
///
/// # Errors
/// The server does not answer.
pub(super) fn run(args: &LoadArgs) -> Result<()> {
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
        duration: args.time,
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
