//! One program of a part: its output is shown as it comes and kept for the figures, and its time is bounded.

#![expect(clippy::disallowed_methods, reason = "measures real time")]

use std::cell::Cell;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::interrupt;

/// Ends what runs when its time is over, or when somebody presses Ctrl-C.
pub struct Watch(Cell<Instant>);

impl Watch {
    /// Begins to listen to Ctrl-C.
    pub fn new() -> Result<Self> {
        interrupt::listen()?;
        Ok(Self(Cell::new(Instant::now())))
    }

    /// The time of the next part.
    pub fn within(&self, time: Duration) {
        self.0.set(Instant::now() + time);
    }

    /// Runs a program to its end and returns the lines of its standard output.
    pub fn run(&self, command: &mut Command) -> Result<Vec<String>> {
        let name = command.get_program().to_string_lossy().into_owned();
        // In a group of its own, which can be ended as a whole: tests start servers.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {name}"))?;
        let output = child.stdout.take().context("a program without an output")?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                println!("{line}");
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut lines = Vec::new();
        loop {
            match receiver.recv_timeout(Duration::from_millis(500)) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if interrupt::came() || Instant::now() > self.0.get() {
                end(&mut child);
                child.wait()?;
                ensure!(!interrupt::came(), "interrupted");
                bail!("{name} had not ended when the part's time was over");
            }
        }
        let status = child.wait()?;
        ensure!(status.success(), "{name} ended with {status}");
        Ok(lines)
    }
}

/// Ends a program and all that it started.
fn end(child: &mut std::process::Child) {
    #[cfg(unix)]
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
    let _ = child.kill();
}
