//! A server as a child process: started, measured, stopped or killed.

use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use warmline_client::state;

/// The options for starting a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The `warmline` program.
    pub program: PathBuf,
    /// The manifest that it serves.
    pub manifest: PathBuf,
    /// Its state directory.
    pub state: PathBuf,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// `full` or `normal`.
    pub durability: &'static str,
    /// The file for its log.
    pub log: PathBuf,
    /// More arguments.
    pub arguments: Vec<OsString>,
    /// The address of a simulated platform, which the adapters may then call.
    pub platform: Option<String>,
}

impl ServerOptions {
    /// A server of `manifest` with its state and log below `directory`.
    pub fn new(program: &Path, manifest: &Path, directory: &Path) -> Self {
        Self {
            program: program.to_owned(),
            manifest: manifest.to_owned(),
            state: directory.join("state"),
            port: 0,
            durability: "normal",
            log: directory.join("server.log"),
            arguments: Vec::new(),
            platform: None,
        }
    }
}

/// The `warmline` program beside this one.
///
/// # Errors
/// The system does not give the path of this program, or there is no `warmline` beside it.
pub fn server_program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let program = own.with_file_name(format!("warmline{}", std::env::consts::EXE_SUFFIX));
    ensure!(program.exists(), "there is no {}: `cargo xtask build` makes it", program.display());
    Ok(program)
}

/// A running server. It is killed when dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    state: PathBuf,
    started_in: Duration,
}

impl Server {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// The server cannot be started, ends, or does not listen within two minutes. The error shows the end of its log.
    pub fn start(options: &ServerOptions) -> Result<Self> {
        let begin = Instant::now();
        let log = File::options()
            .create(true)
            .append(true)
            .open(&options.log)
            .with_context(|| format!("cannot write {}", options.log.display()))?;
        let mut child = Command::new(&options.program)
            .arg("up")
            .arg("--manifest")
            .arg(&options.manifest)
            .arg("--state")
            .arg(&options.state)
            .args(["--listen", &format!("127.0.0.1:{}", options.port)])
            .args(["--durability", options.durability, "--log", "text"])
            .args(&options.arguments)
            // The secrets are those of the state directory, whatever the environment of this process holds.
            .env_remove("SPIN_VARIABLE_ADMIN_TOKEN")
            .env_remove("SPIN_VARIABLE_MASTER_KEY")
            .envs(options.platform.iter().map(|url| ("SPIN_VARIABLE_PLATFORM_PROXY", url)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", options.program.display()))?;
        let (tell, told) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            // Reads to the end, so that the server never waits for its reader.
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Some(address) = listening_on(&line) {
                        let _ = tell.send(address);
                    }
                }
            });
        }
        let address = match told.recv_timeout(Duration::from_secs(120)) {
            Ok(address) => address,
            Err(_) => {
                let _ = child.kill();
                let status = child.wait()?;
                bail!("the server did not start ({status}); its log ends:\n{}", log_end(&options.log));
            }
        };
        Ok(Self { child, address, state: options.state.clone(), started_in: begin.elapsed() })
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The time from its start until it listened.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// The administrator's token.
    ///
    /// # Errors
    /// The state directory does not hold the token.
    pub fn admin_token(&self) -> Result<String> {
        state::admin_token(&self.state)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, in MiB; `None` if the system does not report it.
    pub fn resident_mib(&self) -> Option<f64> {
        resident_mib(self.pid())
    }

    /// Kills it without warning, as a power cut would.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill().context("cannot kill the server")?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line such as `listening on http://127.0.0.1:3000`.
fn listening_on(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ':' | '[' | ']'))).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

fn log_end(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}

/// A process's resident memory, in MiB.
pub fn resident_mib(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches("kB").trim();
    kib.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_in_whatever_line_it_stands() {
        let want: SocketAddr = "127.0.0.1:40123".parse().unwrap();
        assert_eq!(listening_on("listening on http://127.0.0.1:40123"), Some(want));
        assert_eq!(listening_on("INFO listening on http://127.0.0.1:40123/ (11 components)"), Some(want));
        assert_eq!(listening_on("not yet"), None);
    }

    #[test]
    fn knows_its_own_memory() {
        assert!(resident_mib(std::process::id()).unwrap() > 1.0);
    }

    #[test]
    fn a_server_that_ends_at_once_is_an_error_with_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let options = ServerOptions::new(Path::new("/bin/ls"), Path::new("no-such-manifest"), directory.path());
        let error = Server::start(&options).map(drop).unwrap_err().to_string();
        assert!(error.contains("did not start"), "{error}");
    }
}
