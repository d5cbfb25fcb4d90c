//! Pushpin in front of a server, with the configuration of deploy/pushpin.

use super::{send, until, workspace};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Runs it and ends it with this process's end of the pipe, so that nothing stays behind.
const GUARDIAN: &str = r#"
cd "$1" || exit 1
pushpin --config pushpin.conf </dev/null >out.log 2>&1 &
read -r _
kill -TERM $!
wait
rm -rf "$1"
"#;

/// A port that nobody listens on.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Whether it is installed.
pub fn installed() -> bool {
    let found = Command::new("sh").args(["-c", "command -v pushpin"]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
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
        until("Pushpin", || std::net::TcpStream::connect(address).ok());
        let health = format!("{}/healthz", pushpin.base());
        until("the server behind Pushpin", || (send("GET", &health, &[], "").status == 200).then_some(()));
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
