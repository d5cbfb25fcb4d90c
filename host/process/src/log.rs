//! The log of a program.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends the log to standard error, at the level of RUST_LOG (default info).
pub fn start_log(format: LogFormat) {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let plain_level = wanted.chars().all(char::is_alphanumeric);
    // A bare level applies to the runner's own lines, not to those of the compiler and the libraries below.
    let wanted = if plain_level { format!("warn,warmline={wanted}") } else { wanted };
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("warn,warmline=info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first log.
    let _ = match format {
        LogFormat::Text => log.with_target(false).try_init().map_err(drop),
        LogFormat::Json => log.json().flatten_event(true).try_init().map_err(drop),
    };
}
