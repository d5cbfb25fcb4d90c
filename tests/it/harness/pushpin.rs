//! Pushpin in front of a server, with the configuration of deploy/pushpin.

use super::{until, workspace};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Runs it, and ends it at the end of this process's pipe, so that nothing stays behind.
const GUARDIAN: &str = r#"
cd "$1" || exit 1
pushpin --config pushpin.conf </dev/null >out.log 2>&1 &
read -r _
kill -TERM $!
wait
rm -rf "$1"
"#;

/// A free port.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Whether it is installed.
pub fn installed() -> bool {
    let found = Command::new("sh").args(["-c", "command -v pushpin"]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Whether the server behind it answers. Its parts find each other only after it listens, and a request before that is
/// lost.
fn serves(address: SocketAddr) -> Option<()> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: pushpin\r\nConnection: close\r\n\r\n").ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    start.ends_with(b" 200").then_some(())
}

/// A running Pushpin.
pub struct Pushpin {
    guardian: Child,
    address: SocketAddr,
}

impl Pushpin {
    /// The key that it shares with the server behind it.
    pub const KEY: &str = "a key that only these two know";

    /// Starts it in front of `server`, with `control` for publications.
    pub fn start(name: &str, server: SocketAddr, control: SocketAddr) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        for folder in ["run", "log"] {
            std::fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let address = free_address();
        let mut config = std::fs::read_to_string(workspace().join("deploy/pushpin/pushpin.conf")).unwrap();
        for (from, to) in [
            ("http_port=7999", format!("http_port={}", address.port())),
            ("push_in_http_port=5561", format!("push_in_http_port={}", control.port())),
            ("sig_key=change-this-to-a-secret-of-yours", format!("sig_key={}", Self::KEY)),
        ] {
            assert!(config.contains(from), "{from} is not in the configuration");
            config = config.replace(from, &to);
        }
        std::fs::write(dir.join("pushpin.conf"), config).unwrap();
        let routes = std::fs::read_to_string(workspace().join("deploy/pushpin/routes")).unwrap();
        std::fs::write(dir.join("routes"), routes.replace("127.0.0.1:3000", &server.to_string())).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", GUARDIAN, "sh"]).arg(&dir);
        let guardian = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pushpin = Self { guardian, address };
        until("the server behind Pushpin", || serves(address));
        pushpin
    }

    /// Its address as a URL without a path.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Pushpin {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }
}
