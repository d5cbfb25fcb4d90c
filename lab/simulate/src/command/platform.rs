//! A WeChat API on its own, to send replies to.

use crate::platform::{Behaviour, Platform, Rule};
use anyhow::Result;
use std::time::Duration;
use warmline_client::state;

/// Options of `warmline-lab simulate platform`.
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

/// Serves it until Ctrl-C.
///
/// # Errors
/// The port is taken.
pub(super) fn run(args: &PlatformArgs) -> Result<()> {
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
                () = state::stopped() => break,
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
