//! `cargo xtask up --demo`: the same server, and beside it the simulated customers and agents.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Starts the server with `command`, then `warmline-lab demo` against it. Ctrl-C reaches both, since they share the
/// terminal. When one of them ends, the other is ended too.
pub fn run(command: &mut Command, lab: &Path, state: &Path) -> Result<ExitCode> {
    // The children act on Ctrl-C, and this process waits for them.
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("cannot handle Ctrl-C")?;
    let mut server = command.stdout(Stdio::piped()).spawn().context("cannot start the server")?;
    let output = server.stdout.take().context("the server has no output")?;
    let mut lines = BufReader::new(output).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let Some(url) = first.strip_prefix("listening on ") else {
        let status = server.wait()?;
        return super::done(Ok(status));
    };
    println!("{first}");
    let url = url.to_owned();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            println!("{line}");
        }
    });
    let demo = Command::new(lab).args(["demo", "--url", &url, "--state"]).arg(state).status();
    // After Ctrl-C the server is stopping already, and a second signal would end it at once.
    if !INTERRUPTED.load(Ordering::Relaxed) {
        #[cfg(unix)]
        let _ = Command::new("kill").args(["-TERM", &server.id().to_string()]).stderr(Stdio::null()).status();
        #[cfg(not(unix))]
        let _ = server.kill();
    }
    server.wait().context("cannot wait for the server")?;
    super::done(demo)
}
