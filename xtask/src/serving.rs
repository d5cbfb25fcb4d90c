//! A server that runs beside a command.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};

/// Starts a server whose output is read.
pub fn spawn(command: &mut Command) -> Result<Child> {
    command.stdout(Stdio::piped()).spawn().context("cannot start the server")
}

/// The server's address, which its first line names, and the rest of its output; no address if it did not start.
pub fn address(server: &mut Child) -> Result<(Option<String>, BufReader<ChildStdout>)> {
    let mut output = BufReader::new(server.stdout.take().context("the server has no output")?);
    let mut first = String::new();
    output.read_line(&mut first)?;
    Ok((first.trim().strip_prefix(LISTENING).map(str::to_owned), output))
}

/// The words before the address.
pub const LISTENING: &str = "listening on ";

/// A server that ends with this.
pub struct Serving(Child);

impl Serving {
    /// Starts it, and returns it with its address.
    pub fn start(command: &mut Command) -> Result<(Self, String)> {
        let mut serving = Self(spawn(command)?);
        let (url, mut output) = address(&mut serving.0)?;
        // A pipe that nobody reads would end the server when it writes.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let url = url.context("the server does not start")?;
        Ok((serving, url))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
