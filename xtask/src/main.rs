//! `cargo xtask`: the project's commands. They build what is needed and hand over to the binaries `warmline` and `warmline-lab`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

mod demo;
mod guide;
mod interrupt;
mod prove;
mod serving;

const TARGET: &str = "wasm32-wasip2";
const PROXY: &str = "SPIN_VARIABLE_PLATFORM_PROXY";

/// The operators' program and the developers', each in the package of its name.
const WARMLINE: &str = "warmline";
const LAB: &str = "warmline-lab";

/// Warmline's commands
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build everything and serve spin.toml on 127.0.0.1
    Up(Up),
    /// Serve and let simulated customers and agents talk (the same as `up --demo`)
    Demo(Up),
    /// Build the components and the programs
    Build(Profile),
    /// Run all tests; needs no service beforehand
    #[command(after_help = TEST_HELP)]
    Test(Rest),
    /// Measure speed and memory; arguments go to `warmline-lab bench`
    #[command(after_help = BENCH_HELP)]
    Bench(Rest),
    /// Write what comes from the code into docs/
    Docs,
    /// Follow docs/ADD_A_CHANNEL.md and docs/ADD_A_CAPABILITY.md to the letter, in a copy of the sources; takes minutes
    Guide,
    /// Run what takes too long for every run of the tests, and write the results into docs/PROOFS.md
    #[command(after_help = prove::help())]
    Prove(prove::Prove),
    /// Check that the embedded runner, or what serves at --url, behaves as the components expect
    Conformance(Conformance),
}

#[derive(Debug, Args)]
struct Up {
    /// The port to serve on; 0 picks a free one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The folder for databases and generated secrets
    #[arg(long, value_name = "DIR", default_value = ".warmline")]
    state: PathBuf,
    /// Let simulated customers and agents talk
    #[arg(long)]
    demo: bool,
    /// The event that a commit survives: a power cut (full) or a crash of the process (normal)
    #[arg(long, value_enum, default_value_t = Durability::Full)]
    durability: Durability,
    #[command(flatten)]
    profile: Profile,
    /// Further flags for `warmline up`, after --
    #[arg(last = true)]
    rest: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Durability {
    Full,
    Normal,
}

/// How the components are built. The runner is always optimised: it would be of no use otherwise.
#[derive(Debug, Clone, Copy, Args)]
struct Profile {
    /// Optimised components (the default)
    #[arg(long, conflicts_with = "debug")]
    release: bool,
    /// Components with debug assertions and overflow checks, quicker to build
    #[arg(long)]
    debug: bool,
}

#[derive(Debug, Args)]
struct Rest {
    /// Passed on
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

impl Rest {
    /// Whether help is asked for behind other arguments. What stands behind `--` is for the program that is run.
    fn wants_help(&self) -> bool {
        self.rest.iter().take_while(|word| *word != "--").any(|word| word == "-h" || word == "--help")
    }
}

/// The help on the arguments of `cargo xtask test`.
const TEST_HELP: &str = "\
The arguments go to `cargo test --release`, after everything that tests need was built:
  cargo xtask test                            all tests, then the conformance checks
  cargo xtask test -p warmline-channels       the tests of one package
  cargo xtask test webchat                    the tests whose name has that word, in all packages
  cargo xtask test webchat -- --nocapture     what stands behind -- goes to the test programs; see `cargo test --help`
A first run builds for minutes (README.md says how many); later runs build what changed.";

/// The help on the arguments of `cargo xtask bench`. The flags are those of `warmline-lab bench`; this program does not link it.
const BENCH_HELP: &str = "\
The arguments go to `warmline-lab bench`, after it was built:
  cargo xtask bench                           all parts; takes an hour or more
  cargo xtask bench ingest --quick            one part, a short run: a look, not a figure to quote
Parts: ingest (webhook to acknowledgement), e2e (webhook to agent), push (a reply to a connected client), channels
(each adapter, natively and in Wasm), million (with a million messages stored), all.
`target/release/warmline-lab bench --help` lists every flag once it was built (`cargo xtask build`).";

#[derive(Debug, Args)]
struct Conformance {
    /// Check what serves tests/probe/spin.toml at this address, such as a Spin
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    if let Some(name) = help_wanted(&task) {
        return help(name);
    }
    match run(task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The subcommand whose help is asked for behind other arguments: nothing is built for that.
fn help_wanted(task: &Task) -> Option<&'static str> {
    match task {
        Task::Test(rest) if rest.wants_help() => Some("test"),
        Task::Bench(rest) if rest.wants_help() => Some("bench"),
        _ => None,
    }
}

/// Prints a subcommand's help.
fn help(name: &str) -> ExitCode {
    let mut command = Cli::command();
    command.build();
    match command.find_subcommand_mut(name).map(clap::Command::print_help) {
        Some(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn run(task: Task) -> Result<ExitCode> {
    std::env::set_current_dir(root()?)?;
    match task {
        Task::Up(up) => serve(up),
        Task::Demo(up) => serve(Up { demo: true, ..up }),
        Task::Build(profile) => {
            build_components(profile, &[])?;
            build_host()?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Test(Rest { rest }) => {
            build_components(Profile { release: true, debug: false }, &["aiseat", "probe", "trapping"])?;
            build_tests()?;
            let everything = rest.is_empty();
            check(cargo().args(["test", "--release"]).args(rest).status(), "testing")?;
            if !everything {
                return Ok(ExitCode::SUCCESS);
            }
            hand_over(Command::new(binary(LAB)?).arg("conformance"))
        }
        Task::Docs => {
            check(
                cargo().args(["run", "--quiet", "--package", "warmline-channels", "--example", "docs"]).status(),
                "writing docs/",
            )?;
            check(
                cargo().args(["run", "--quiet", "--package", "warmline-app", "--example", "openapi"]).status(),
                "writing shared/app/openapi.json",
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Bench(Rest { rest }) => {
            build_components(Profile { release: true, debug: false }, &["probe", "warmline-cost"])?;
            build_host()?;
            hand_over(Command::new(binary(LAB)?).arg("bench").args(rest))
        }
        Task::Guide => {
            build_components(Profile { release: true, debug: false }, &[])?;
            // The tests' build is there already.
            build_tests()?;
            guide::run()
        }
        Task::Prove(prove) => {
            build_components(Profile { release: true, debug: false }, &["aiseat", "probe", "trapping"])?;
            build_tests()?;
            prove::run(&prove)
        }
        Task::Conformance(Conformance { url }) => {
            if url.is_none() {
                ensure_target()?;
                build_packages(&["probe".to_owned()], false)?;
            }
            build_host()?;
            let mut command = Command::new(binary(LAB)?);
            command.arg("conformance");
            if let Some(url) = url {
                command.args(["--url", &url]);
            }
            hand_over(&mut command)
        }
    }
}

fn serve(up: Up) -> Result<ExitCode> {
    ensure_free(up.port)?;
    build_components(up.profile, &[])?;
    build_host()?;
    let mut command = Command::new(binary(WARMLINE)?);
    command.args(["up", "--ready", "/readyz", "--listen"]).arg(format!("127.0.0.1:{}", up.port));
    command.arg("--state").arg(&up.state);
    command.args([
        "--durability",
        match up.durability {
            Durability::Full => "full",
            Durability::Normal => "normal",
        },
    ]);
    // Adapters may reach simulators on this machine, as the demo and every developer needs; elsewhere only what is set.
    if std::env::var_os(PROXY).is_none() {
        command.env(PROXY, "http://127.0.0.1:*");
    }
    if up.profile.debug {
        command.arg("--component-dir").arg(target_dir().join(TARGET).join("debug"));
    }
    command.args(up.rest);
    if up.demo { demo::run(&mut command, &binary(LAB)?, &up.state) } else { hand_over(&mut command) }
}

/// Makes sure that nobody listens on the port, before anything is built for it.
fn ensure_free(port: u16) -> Result<()> {
    if port == 0 {
        return Ok(());
    }
    let tried = std::net::TcpListener::bind(("127.0.0.1", port));
    tried.map(drop).with_context(|| {
        format!("cannot serve on port {port}: stop the program that uses it, or choose another port with --port")
    })
}

/// Builds every component, in one cargo invocation, and the packages named besides.
fn build_components(profile: Profile, besides: &[&str]) -> Result<()> {
    ensure_target()?;
    let mut packages = Vec::new();
    for entry in std::fs::read_dir("components").context("there is no components/ folder")? {
        let manifest = entry?.path().join("Cargo.toml");
        if manifest.exists() {
            packages.push(package_name(&manifest)?);
        }
    }
    packages.sort();
    packages.extend(besides.iter().map(|name| (*name).to_owned()));
    if packages.is_empty() {
        return Ok(());
    }
    build_packages(&packages, profile.debug)
}

fn build_packages(packages: &[String], debug: bool) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--target", TARGET, "--profile", if debug { "dev" } else { "component" }]);
    for package in packages {
        command.args(["--package", package]);
    }
    check(command.status(), "building the components")
}

/// Both programs at once: what they share is then compiled once, with the features that both want.
fn build_host() -> Result<()> {
    let packages = ["--package", WARMLINE, "--package", LAB];
    check(cargo().args(["build", "--release"]).args(packages).status(), "building the runner and the laboratory")
}

/// The runner with everything that tests need besides, so that the features of what they share are settled once: a runner built
/// for itself would have Wasmtime compiled twice. No test needs the benchmarks; the lints check them.
fn build_tests() -> Result<()> {
    let targets = ["--lib", "--bins", "--examples", "--tests"];
    check(cargo().args(["build", "--release"]).args(targets).status(), "building the runner and the tests")
}

/// Makes sure that Rust can compile for Wasm.
fn ensure_target() -> Result<()> {
    let remedy = || {
        format!(
            "the Rust target {TARGET} is missing and could not be added. Install rustup (https://rustup.rs), or run: rustup target add {TARGET}"
        )
    };
    // Where the standard library of the target lies, it is there: quicker than asking rustup each time.
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().with_context(remedy)?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    if Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib").exists() {
        return Ok(());
    }
    eprintln!("adding the Rust target {TARGET}");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status().with_context(remedy)?;
    ensure!(added.success(), "{}", remedy());
    Ok(())
}

/// The name in a package's manifest; asking cargo would cost more than all the rest of a warm start.
fn package_name(manifest: &Path) -> Result<String> {
    let text = std::fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let name = text.lines().find_map(|line| {
        line.strip_prefix("name")?.trim_start().strip_prefix('=')?.trim().strip_prefix('"')?.strip_suffix('"')
    });
    Ok(name.with_context(|| format!("{} has no name", manifest.display()))?.to_owned())
}

fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = manifest.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    Ok(here.parent().context("xtask lies in no workspace")?.to_path_buf())
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Cargo set these variables for this program. They must not reach the builds that it starts, some of which would begin
    // anew because of them.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

fn binary(name: &str) -> Result<PathBuf> {
    let path = target_dir().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    Ok(std::path::absolute(path)?)
}

fn check(status: std::io::Result<ExitStatus>, what: &str) -> Result<()> {
    let status = status.with_context(|| format!("cannot run cargo for {what}"))?;
    if !status.success() {
        bail!("{what} failed");
    }
    Ok(())
}

fn done(status: std::io::Result<ExitStatus>) -> Result<ExitCode> {
    let code = status.context("cannot run cargo")?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// Becomes the command, so that signals and the exit code are its own.
#[cfg(unix)]
fn hand_over(command: &mut Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(command);
    Err(error).with_context(|| format!("cannot run {}", Path::new(command.get_program()).display()))
}

#[cfg(not(unix))]
fn hand_over(command: &mut Command) -> Result<ExitCode> {
    done(command.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Option<&'static str> {
        let words = ["cargo xtask"].iter().chain(arguments);
        help_wanted(&Cli::try_parse_from(words).unwrap().task)
    }

    #[test]
    fn newcomer_help_is_given_at_once_wherever_it_stands() {
        for (arguments, name) in [
            (&["test", "webchat", "--help"][..], Some("test")),
            (&["bench", "ingest", "-h"], Some("bench")),
            (&["test", "webchat", "--", "--help"], None),
            (&["test", "webchat"], None),
            (&["bench", "ingest", "--quick"], None),
        ] {
            assert_eq!(asked(arguments), name, "{arguments:?}");
        }
        for arguments in [["up"], ["demo"], ["build"], ["test"], ["bench"], ["docs"], ["guide"], ["prove"], ["conformance"]]
        {
            let words = ["cargo xtask", arguments[0], "--help"];
            let help = Cli::try_parse_from(words).unwrap_err();
            assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp, "{arguments:?}");
        }
    }

    #[test]
    fn a_taken_port_is_found_before_anything_is_built() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let error = format!("{:#}", ensure_free(port).expect_err("taken"));
        assert!(error.contains(&port.to_string()) && error.contains("--port"), "{error}");
        drop(taken);
        ensure_free(port).expect("free again");
        ensure_free(0).expect("any");
    }
}
