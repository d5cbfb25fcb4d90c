//! `cargo xtask up --demo`: the same server, and beside it the simulated customers and agents.

use std::io::BufRead as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};

use crate::{interrupt, serving};

/// Starts the server with `command`, then `warmline-lab demo` against it. Ctrl-C reaches both, since they share the
/// terminal. When one of them ends, the other is ended too.
pub fn run(command: &mut Command, lab: &Path, state: &Path) -> Result<ExitCode> {
    // The children act on Ctrl-C, and this process waits for them.
    interrupt::listen()?;
    let mut server = serving::spawn(command)?;
    let (Some(url), output) = serving::address(&mut server)? else {
        let status = server.wait()?;
        return super::done(Ok(status));
    };
    println!("{}{url}", serving::LISTENING);
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            println!("{line}");
        }
    });
    let demo = Command::new(lab).args(["demo", "--url", &url, "--state"]).arg(state).status();
    // After Ctrl-C the server is stopping already, and a second signal would end it at once.
    if !interrupt::came() {
        #[cfg(unix)]
        let _ = Command::new("kill").args(["-TERM", &server.id().to_string()]).stderr(Stdio::null()).status();
        #[cfg(not(unix))]
        let _ = server.kill();
    }
    server.wait().context("cannot wait for the server")?;
    super::done(demo)
}
