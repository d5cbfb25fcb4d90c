//! The alternative for a user: wechatpy on FastAPI with two workers, under the same load.

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use warmline_simulate::scratch::free_port;

/// The options for starting the peer.
#[derive(Clone, Debug)]
pub struct PeerOptions {
    /// The folder with `wechatpy_ingest.py`.
    pub directory: PathBuf,
    /// A Python that has its packages; otherwise `gunicorn` from PATH is used.
    pub python: Option<PathBuf>,
}

/// The running peer. It is ended when dropped.
pub struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    /// Starts it on a fresh database below `scratch` and waits until it listens.
    ///
    /// # Errors
    /// The peer cannot be started or does not listen within 30 seconds.
    pub fn start(options: &PeerOptions, scratch: &Path, durability: &str) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = match &options.python {
            Some(python) => {
                let mut command = Command::new(python);
                command.args(["-m", "gunicorn"]);
                command
            }
            None => Command::new("gunicorn"),
        };
        let log = std::fs::File::create(scratch.join("peer.log"))?;
        let child = command
            .args(["-w", "2", "-k", "uvicorn.workers.UvicornWorker", "-b", &address.to_string(), "--log-level", "warning"])
            .arg("wechatpy_ingest:app")
            .current_dir(&options.directory)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PEER_SYNC", durability.to_uppercase())
            .env("PEER_DB", scratch.join(format!("peer-{durability}.db")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context(
                "gunicorn cannot be started (give --peer-python a Python that has wechatpy, fastapi, uvicorn, gunicorn)",
            )?;
        let mut peer = Self { child, address };
        let begin = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            if let Some(status) = peer.child.try_wait()? {
                let log = std::fs::read_to_string(scratch.join("peer.log")).unwrap_or_default();
                bail!("the peer ended ({status}): {}", log.lines().last().unwrap_or_default());
            }
            if begin.elapsed() > Duration::from_secs(30) {
                bail!("the peer does not listen after 30 seconds");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // The master listens before its workers have imported the application.
        std::thread::sleep(Duration::from_secs(2));
        Ok(peer)
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // gunicorn's workers end with their master only if it gets a signal, not if it is killed.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
