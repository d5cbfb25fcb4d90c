//! The `warmline-lab` command: it simulates, measures and tests a server. Nothing of it is in `warmline`, which operators
//! install. To start a server, it starts the `warmline` beside it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use warmline_bench::BenchArgs;
use warmline_chaos::ChaosArgs;
use warmline_conformance::Conformance;
use warmline_fill::FillArgs;
use warmline_queue::QueueArgs;
use warmline_simulate::command::SimulateArgs;
use warmline_simulate::demo::{self, DemoArgs};
use warmline_simulate::{command, server};

/// Warmline's laboratory: simulators, the benchmark, and tests of a whole server
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Demo(DemoArgs),
    Simulate(SimulateArgs),
    Bench(BenchArgs),
    Chaos(ChaosArgs),
    Conformance(Conformance),
    SimulateQueue(QueueArgs),
    Fill(FillArgs),
}

fn main() -> ExitCode {
    let result = match Command::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Simulate(args) => command::run(&args),
        Task::Bench(args) => warmline_bench::run(&args).map(drop),
        Task::Chaos(args) => warmline_chaos::run(&args),
        Task::Conformance(conformance) => conformance.run(server::server_program),
        Task::SimulateQueue(args) => warmline_queue::run(&args),
        Task::Fill(args) => warmline_fill::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use warmline_model::AccountId;

    #[test]
    fn command_lines_are_read() {
        let parse = |line: &str| Command::try_parse_from(line.split(' ')).map(|command| command.task);
        assert!(
            matches!(parse("w demo --for 5 --rate 2"), Ok(Task::Demo(args)) if args.time == Some(Duration::from_secs(5)))
        );
        assert!(matches!(parse("w bench e2e --quick"), Ok(Task::Bench(args)) if args.quick));
        assert!(matches!(parse("w bench"), Ok(Task::Bench(args)) if args.what == warmline_bench::What::All));
        assert!(matches!(parse("w chaos --rounds 3"), Ok(Task::Chaos(args)) if args.rounds == 3));
        assert!(matches!(parse("w simulate platform --error -1"), Ok(Task::Simulate(_))));
        assert!(matches!(parse("w simulate load --rate 100"), Ok(Task::Simulate(_))));
        assert!(parse("w chaos --durability none").is_err());
        let Ok(Task::Simulate(args)) = parse("w simulate --channel jd --account a --rate 20 --customers 500 --for 1m")
        else {
            panic!("not read")
        };
        let (args, what) = (args.channel.unwrap(), args.what);
        assert!(what.is_none() && args.channel == "jd" && args.account == AccountId::new("a").ok() && args.rate == 20.0);
        assert_eq!((args.customers, args.time), (500, Some(Duration::from_secs(60))));
        for line in [
            "",
            " --rate 20",
            " --channel fax",
            " --channel jd --account a/b",
            " --channel jd --rate 0",
            " --channel jd --customers 0",
            " --channel jd load",
        ] {
            assert!(parse(&format!("w simulate{line}")).is_err(), "{line}");
        }
    }
}
