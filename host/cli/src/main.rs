//! The `warmline` command: serves, bridges, and reads the data of a server. Everything that only simulates or measures is
//! in `warmline-lab`.

mod audit;
mod events;
mod keys;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use warmline_bridge::Bridge;
use warmline_replay::ReplayArgs;
use warmline_runner::up::Up;

/// Warmline: the embedded runner, and the operators' tools
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Up(Up),
    Bridge(Bridge),
    Events(events::EventsArgs),
    Audit(audit::AuditArgs),
    Keys(keys::KeysArgs),
    Replay(ReplayArgs),
}

fn main() -> ExitCode {
    let result = match Command::parse().task {
        Task::Up(up) => up.run(),
        Task::Bridge(bridge) => bridge.run(),
        Task::Events(args) => events::run(&args),
        Task::Audit(args) => audit::run(&args),
        Task::Keys(args) => keys::run(&args),
        Task::Replay(args) => warmline_replay::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
