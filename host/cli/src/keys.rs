//! `warmline keys`: shows the master keys in use, and rotates to another one.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use warmline_client::ServerArgs;

/// The keys under which everything personal is sealed
#[derive(Clone, Debug, clap::Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Task {
    Status(StatusArgs),
    Rotate(RotateArgs),
}

/// Say which master key is in force, and what each wraps
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "The token is an administrator's.\n\nExit code: 0, or 1 where the server cannot be read, 2 with the command line."
)]
struct StatusArgs {
    #[command(flatten)]
    server: ServerArgs,
}

/// Wrap all keys again by the master key in force
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "First start the server with the new key in SPIN_VARIABLE_MASTER_KEY and the one before it in SPIN_VARIABLE_MASTER_KEY_PREVIOUS. \
                  The server goes on serving meanwhile. This may be stopped at any time and run again: it goes on where it was. When it has \
                  ended with 0, the key before is not needed any more.\n\nThe token is an administrator's.\n\nExit code: 0 when nothing is \
                  left to do, 1 where something is wrong or the server cannot be read, 2 with the command line."
)]
struct RotateArgs {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Deserialize)]
struct Keys {
    master: String,
    root: String,
    customers: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Rotated {
    rewrapped: u64,
    more: bool,
}

/// Runs the command.
///
/// # Errors
/// The server cannot be read, or a key is wrapped by a master key that it does not have.
pub fn run(args: &KeysArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match &args.task {
        Task::Status(args) => runtime.block_on(status(args)),
        Task::Rotate(args) => runtime.block_on(rotate(args)),
    }
}

async fn status(args: &StatusArgs) -> Result<()> {
    let keys: Keys = serde_json::from_value(args.server.api().await?.get("/api/keys").await.context("reading the keys")?)?;
    println!("in force: {}", keys.master);
    println!("root key: wrapped by {}", keys.root);
    for (master, n) in &keys.customers {
        println!("customers' keys: {n} wrapped by {master}");
    }
    Ok(())
}

async fn rotate(args: &RotateArgs) -> Result<()> {
    let api = args.server.api().await?;
    let keys: Keys = serde_json::from_value(api.get("/api/keys").await.context("reading the keys")?)?;
    let all: u64 = keys.customers.iter().filter(|(master, _)| **master != keys.master).map(|(_, n)| n).sum();
    let mut done = 0;
    loop {
        let step = api.post("/api/keys/rotate", &serde_json::Value::Null).await.context("wrapping keys anew")?;
        let step: Rotated = serde_json::from_value(step)?;
        done += step.rewrapped;
        if !step.more {
            println!("{done} keys wrapped anew; all are wrapped by {}", keys.master);
            return Ok(());
        }
        eprintln!("{done} keys wrapped anew, of about {all}");
    }
}
