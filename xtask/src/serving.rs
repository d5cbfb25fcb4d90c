//! A server that runs beside a command and ends with it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// A server that ends with this.
pub struct Serving(Child);

impl Serving {
    /// Starts it, and returns it with its address.
    pub fn start(command: &mut Command) -> Result<(Self, String)> {
        let mut serving = Self(command.stdout(Stdio::piped()).spawn().context("cannot start the server")?);
        let output = serving.0.stdout.take().context("the server has no output")?;
        let mut first = String::new();
        let mut lines = BufReader::new(output);
        lines.read_line(&mut first)?;
        // A pipe that nobody reads would end the server when it writes.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let url = first.trim().strip_prefix("listening on ").context("the server does not start")?;
        Ok((serving, url.to_owned()))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
