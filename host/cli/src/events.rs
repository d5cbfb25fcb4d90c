//! `warmline events`: writes a server's event log, one event a line, for `warmline replay` to read.

use anyhow::{Context, Result};
use std::io::{ErrorKind, Write};
use std::time::Duration;
use warmline_client::ServerArgs;
use warmline_client::Tail;

/// Write a server's event log to standard output, one event a line, to its present end.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "The log holds ids and figures, no personal data. `warmline replay -` reads it.\n\nExit code: 0, or 1 where \
                        the server cannot be read, 2 with the command line."
)]
pub struct EventsArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Position after which to begin
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
}

/// Runs the command.
///
/// # Errors
/// There is no server, it refuses the call, or the output cannot be written.
pub fn run(args: &EventsArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(export(args))
}

async fn export(args: &EventsArgs) -> Result<()> {
    let mut tail = Tail::new(args.server.api().await?, args.after, Duration::ZERO);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut done = 0_u64;
    loop {
        let page = tail.poll().await.context("reading the event log")?;
        if page.is_empty() {
            break;
        }
        for event in &page {
            let line = serde_json::to_string(event)?;
            match writeln!(out, "{line}") {
                // The reader has seen enough.
                Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(()),
                other => other.context("writing")?,
            }
        }
        done += page.len() as u64;
        if done.is_multiple_of(100_000) {
            eprintln!("{done} events");
        }
    }
    match out.flush() {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e).context("writing"),
        _ => Ok(()),
    }
}
