//! A WeChat API on its own, which accepts replies.

use crate::channels::platform_server::{PlatformServer, Taken};
use crate::channels::wechat::Wechat;
use crate::channels::{Behaviour, Rule};
use anyhow::Result;
use serde_json::Value;
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
    /// Waits this long before each answer.
    #[arg(long, value_name = "MS")]
    pub delay: Option<u64>,
    /// Accepts each nth message and closes the connection without an answer.
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
    let platform = Wechat { token_secs: args.token_life, ..Wechat::of_any_app() };
    let platform = PlatformServer::on(args.port, Box::new(platform))?;
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
            for taken in platform.taken_since(shown) {
                println!("{shown} {}: {}", taken.sent.to, said(&taken));
                shown += 1;
            }
        }
    });
    println!("{:?}", platform.counts());
    Ok(())
}

/// The text of a message, or WeChat's word for its kind if it has none.
fn said(taken: &Taken) -> String {
    if !taken.sent.text.is_empty() {
        return taken.sent.text.clone();
    }
    let body: Value = serde_json::from_slice(&taken.body).unwrap_or_default();
    body["msgtype"].as_str().unwrap_or_default().to_owned()
}
