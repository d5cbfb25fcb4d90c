//! The `warmline` command: finds the subcommand and runs it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use warmline_queue::{replay, simulate as queue};
use warmline_sim::{audit, bench, chaos, demo, export, keys, simulate};

/// Warmline: the embedded runner and its tools
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Up(warmline::runner::up::Up),
    Conformance(warmline::conformance::Conformance),
    Demo(demo::DemoArgs),
    Bench(bench::BenchArgs),
    Chaos(chaos::ChaosArgs),
    Simulate(simulate::SimulateArgs),
    Bridge(warmline::bridge::Bridge),
    Events(export::ExportArgs),
    Audit(audit::AuditArgs),
    Keys(keys::KeysArgs),
    Replay(replay::ReplayArgs),
    SimulateQueue(queue::QueueArgs),
}

fn main() -> ExitCode {
    let result = match Command::parse().task {
        Task::Up(up) => up.run(),
        Task::Conformance(conformance) => conformance.run(),
        Task::Demo(args) => demo::run(&args),
        Task::Bench(args) => bench::run(&args, &warmline::runner::measure::Runner).map(drop),
        Task::Chaos(args) => chaos::run(&args),
        Task::Simulate(args) => simulate::run(&args),
        Task::Bridge(bridge) => bridge.run(),
        Task::Events(args) => export::run(&args),
        Task::Audit(args) => audit::run(&args),
        Task::Keys(args) => keys::run(&args),
        Task::Replay(args) => replay::run(&args),
        Task::SimulateQueue(args) => queue::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
