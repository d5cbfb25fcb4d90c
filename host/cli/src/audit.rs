//! `warmline audit`: checks that the audit log is complete and unaltered.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use warmline_client::ServerArgs;

/// The audit log: who read or changed which data
#[derive(Clone, Debug, clap::Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Task {
    Verify(VerifyArgs),
}

/// Check that every entry is as it was written, and that none is missing or moved
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "It prints the newest entry's number and hash, as SEQ:HASH. Keep that somewhere else: given to a later check by --noted, \
                        it shows that the whole store was not put back to an earlier day.\n\nThe token is an administrator's or a privacy officer's.\n\nExit \
                        code: 0, or 1 where something is wrong or the server cannot be read, 2 with the command line."
)]
struct VerifyArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The output of an earlier check. Repeat it for several.
    #[arg(long, value_name = "SEQ:HASH", value_parser = noted)]
    noted: Vec<(i64, String)>,
}

fn noted(text: &str) -> Result<(i64, String), String> {
    let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse::<i64>().ok()?, hash.to_owned())));
    parts.filter(|(seq, hash)| *seq > 0 && hash.len() == 64).ok_or_else(|| "is not SEQ:HASH".to_owned())
}

#[derive(Deserialize)]
struct Fault {
    seq: i64,
    problem: String,
}

#[derive(Deserialize)]
struct Check {
    entries: u64,
    last: i64,
    hash: String,
    next: Option<i64>,
    fault: Option<Fault>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    seq: i64,
    hash: String,
}

/// Runs the command.
///
/// # Errors
/// The log is not whole, or the server cannot be read.
pub fn run(args: &AuditArgs) -> Result<()> {
    let Task::Verify(args) = &args.task;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(verify(args))
}

async fn verify(args: &VerifyArgs) -> Result<()> {
    let api = args.server.api().await?;
    let (mut after, mut entries) = (0, 0);
    loop {
        let check = api.get(&format!("/api/audit/check?after={after}")).await.context("checking the log")?;
        let check: Check = serde_json::from_value(check)?;
        entries += check.entries;
        if let Some(Fault { seq, problem }) = check.fault {
            bail!("entry {seq}: {problem}; {entries} entries before it are whole");
        }
        if let Some(next) = check.next {
            eprintln!("{entries} entries are whole so far");
            after = next;
            continue;
        }
        for (seq, hash) in &args.noted {
            let path = format!("/api/audit?limit=1&after={}", seq - 1);
            let page: Page = serde_json::from_value(api.get(&path).await.context("reading a noted entry")?)?;
            let found = page.items.first().filter(|e| e.seq == *seq && e.hash == *hash);
            ensure!(found.is_some(), "entry {seq} is not the one that was noted: the store was put back, or replaced");
        }
        println!("{entries} entries, all whole");
        if check.last > 0 {
            println!("{}:{}", check.last, check.hash);
        }
        return Ok(());
    }
}
