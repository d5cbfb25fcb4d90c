//! A server as a child process, behind a guardian that ends it when this process ends for any reason. Nothing of a test run
//! stays behind, even if a test's thread holds the server in a static.

use super::spec::Spec;
use super::{Api, within};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Starts the server and waits for its own standard input: `stop` ends it in order and keeps its files; an end of input
/// ends it and removes them.
const GUARDIAN: &str = r#"
dir=$1 blocks=$2 files=$3; shift 3
{
  sh -c 'echo $$ >"$0/pid"; if [ "$1" != 0 ]; then trap "" XFSZ; ulimit -f "$1"; fi
    if [ "$2" != 0 ]; then ulimit -n "$2"; fi; shift 2; exec "$@"' \
    "$dir" "$blocks" "$files" "$@" </dev/null >>"$dir/out.log" 2>>"$dir/err.log"
  echo $? >"$dir/exit"
} &
read -r word
kill -TERM "$(cat "$dir/pid")"
wait
[ "$word" = stop ] || [ -n "$WARMLINE_TEST_KEEP" ] || rm -rf "$dir"
"#;

/// Servers start one at a time: the first compiles the components, and all others find them compiled.
static STARTING: Mutex<()> = Mutex::new(());

static SHARED: LazyLock<Server> = LazyLock::new(|| Server::start("shared"));

/// The server that all tests share which have no special needs.
pub fn shared() -> &'static Server {
    &SHARED
}

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The `warmline` program: `WARMLINE_BIN`, or the output of `cargo xtask build`. (`WARMLINE_COMPONENTS` likewise names a
/// folder with components of another build.)
pub fn program() -> PathBuf {
    let root = workspace();
    let program = std::env::var_os("WARMLINE_BIN").map_or_else(|| root.join("target/release/warmline"), PathBuf::from);
    let components = root.join("target/wasm32-wasip2/component/desk.wasm");
    for file in [&program, &components] {
        assert!(file.exists(), "{} is missing: run `cargo xtask build` first", file.display());
    }
    program
}

/// Whether the program under test is a real Spin, by the script `tests/on-spin`.
pub fn on_spin() -> bool {
    std::env::var_os("WARMLINE_BIN").is_some_and(|program| Path::new(&program).ends_with("on-spin"))
}

/// Says why the test of this thread is left out, past the capture of its output.
pub fn left_out(why: &str) {
    let told = format!("left out: {}: {why}\n", std::thread::current().name().unwrap_or_default());
    std::io::stderr().write_all(told.as_bytes()).unwrap();
}

/// The `warmline-lab` program, which `cargo xtask build` makes, too.
pub fn lab() -> PathBuf {
    let program = workspace().join("target/release/warmline-lab");
    assert!(program.exists(), "{} is missing: run `cargo xtask build` first", program.display());
    program
}

/// The options for starting a server.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The manifest; spin.toml if it is not given.
    pub manifest: Option<PathBuf>,
    /// The address to listen on; a free port if it is not given.
    pub listen: Option<SocketAddr>,
    /// More arguments.
    pub arguments: Vec<String>,
    /// Environment.
    pub environment: Vec<(String, String)>,
    /// The largest file that it can write, in units of 512 bytes; 0: no limit.
    pub blocks: u64,
    /// The number of files that it may have open; 0: the limit of this process.
    pub files: u64,
}

impl Options {
    /// A server without a clock of its own, whose components call each other as `internal_calls` says.
    pub fn without_ticks(internal_calls: &str) -> Self {
        Self {
            arguments: ["--tick", "nobody:/tick"].map(str::to_owned).to_vec(),
            environment: vec![("SPIN_VARIABLE_INTERNAL_CALLS".into(), internal_calls.into())],
            ..Self::default()
        }
    }

    /// The same, through the server's public address.
    pub fn calling_in_public() -> Self {
        let address = super::free_address();
        let mut options = Self { listen: Some(address), ..Self::without_ticks("public") };
        options.environment.push(("SPIN_VARIABLE_PUBLIC_URL".into(), format!("http://{address}")));
        options
    }
}

/// A running server.
pub struct Server {
    guardian: Child,
    dir: PathBuf,
    base: String,
    admin: String,
    spec: OnceLock<Arc<Spec>>,
    stopped: bool,
    /// The newest event and conversation that a shop has seen. The next shop need not look before them.
    pub seen: Mutex<(i64, String)>,
}

impl Server {
    /// Starts a server with a state of its own.
    pub fn start(name: &str) -> Self {
        Self::with(name, &Options::default())
    }

    /// Starts a server with a state of its own. If a server of that name was stopped in order, its state is used.
    pub fn with(name: &str, options: &Options) -> Self {
        let program = program();
        let lock = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let dir = scratch.join(format!("{name}-{}", std::process::id()));
        let (state, compiled) = (dir.join("state"), scratch.join("compiled"));
        std::fs::create_dir_all(&compiled).unwrap();
        if !state.exists() {
            std::fs::create_dir_all(&state).unwrap();
            std::os::unix::fs::symlink(&compiled, state.join("cache")).unwrap();
        }
        for old in ["pid", "exit", "out.log"] {
            let _ = std::fs::remove_file(dir.join(old));
        }
        let guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "sh"])
            .arg(&dir)
            .arg(options.blocks.to_string())
            .arg(options.files.to_string())
            .arg(program)
            .args(["up", "--listen", &options.listen.map_or("127.0.0.1:0".into(), |address| address.to_string())])
            .args(["--durability", "normal", "--ready", "/readyz", "--manifest"])
            .arg(options.manifest.clone().unwrap_or_else(|| workspace().join("spin.toml")))
            .arg("--state")
            .arg(&state)
            .args(std::env::var_os("WARMLINE_COMPONENTS").into_iter().flat_map(|dir| ["--component-dir".into(), dir]))
            .args(&options.arguments)
            .env_remove("SPIN_VARIABLE_ADMIN_TOKEN")
            .env_remove("SPIN_VARIABLE_MASTER_KEY")
            .env("SPIN_VARIABLE_PLATFORM_PROXY", "http://127.0.0.1:*")
            .env("SPIN_VARIABLE_HOOK_PRIVATE_HOSTS", "127.0.0.1:*")
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self {
            guardian,
            dir,
            base: String::new(),
            admin: String::new(),
            spec: OnceLock::new(),
            stopped: false,
            seen: Mutex::default(),
        };
        server.base = within(Duration::from_secs(120), "the server listens", || server.listening());
        server.admin = warmline_client::state::admin_token(&state).unwrap();
        drop(lock);
        server
    }

    fn listening(&self) -> Option<String> {
        let ended = self.dir.join("exit").exists();
        assert!(!ended, "the server ended:\n{}{}", self.file("out.log"), self.file("err.log"));
        let log = self.file("out.log");
        let line = log.lines().find_map(|line| line.strip_prefix("listening on "))?;
        log.contains('\n').then(|| line.to_owned())
    }

    fn file(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join(name)).unwrap_or_default()).into_owned()
    }

    /// Its address as a URL without a path.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The API as the administrator sees it.
    pub fn admin(&self) -> Api {
        self.bearer(&self.admin)
    }

    /// The API as the bearer of a token sees it.
    pub fn bearer(&self, token: &str) -> Api {
        let spec = self.spec.get_or_init(|| Arc::new(Spec::fetch(&self.base)));
        Api::new(&self.base, token, spec.clone())
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// The directory of its keys.
    pub fn keys(&self) -> PathBuf {
        self.dir.join("state-keys")
    }

    /// The number of messages that came by a channel, handled or not.
    pub fn stored(&self, channel: &str) -> i64 {
        self.stored_of(channel, "*")
    }

    /// The number of unreadable items that came by an account of the channel.
    pub fn odd_of(&self, channel: &str, account: &str) -> i64 {
        self.count("SELECT count(*) FROM inbox WHERE channel = ?1 AND account = ?2 AND shard < 0", &[channel, account])
    }

    /// The number of messages that came by one account of the channel (`*`: of any), handled or not.
    pub fn stored_of(&self, channel: &str, account: &str) -> i64 {
        self.count(
            "SELECT (SELECT count(*) FROM inbox WHERE channel = ?1 AND ?2 IN (account, '*') AND shard >= 0 AND state <> 1) + \
             (SELECT count(*) FROM messages m JOIN conversations c ON c.id = m.conversation_id \
             WHERE m.origin = 'customer' AND c.channel = ?1 AND ?2 IN (c.account, '*'))",
            &[channel, account],
        )
    }

    /// Its store, opened from outside.
    pub fn store(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(self.state().join("sqlite.db")).unwrap();
        db.busy_timeout(Duration::from_secs(20)).unwrap();
        db
    }

    fn count(&self, sql: &str, values: &[&str]) -> i64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(self.state().join("sqlite.db"), flags).unwrap();
        db.busy_timeout(Duration::from_secs(10)).unwrap();
        db.query_row(sql, rusqlite::params_from_iter(values), |row| row.get(0)).unwrap()
    }

    /// All its output on standard output and standard error.
    pub fn output(&self) -> String {
        self.file("out.log") + &self.file("err.log")
    }

    /// Its resident memory, in MiB.
    pub fn resident_mib(&self) -> f64 {
        warmline_simulate::server::resident_mib(self.file("pid").trim().parse().unwrap()).unwrap()
    }

    /// Tries to start another server on the same state. It must end soon, with 1. Returns its output.
    pub fn refuses_another(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program());
        command.args(["up", "--listen", "127.0.0.1:0", "--manifest"]).arg(workspace().join("spin.toml"));
        command.arg("--state").arg(self.state()).args(arguments).stdin(Stdio::null());
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        String::from_utf8_lossy(&ended.stderr).into_owned()
    }

    /// Starts it again with the same state after it was stopped.
    pub fn restart_stopped(mut self) -> Self {
        let name = self.dir.file_name().unwrap().to_str().unwrap().rsplit_once('-').unwrap().0.to_owned();
        self.stopped = false;
        Self::with(&name, &Options::default())
    }

    /// Asks it to end in order and waits for its end. Its files stay as long as this value exists.
    pub fn stop(&mut self) {
        let mut input = self.guardian.stdin.take().unwrap();
        input.write_all(b"stop\n").unwrap();
        self.wait();
        assert_eq!(self.file("exit").trim(), "0", "the server did not end well: {}", self.output());
        self.stopped = true;
    }

    /// Kills it without warning. Its files stay.
    pub fn crash(&mut self) {
        let pid = self.file("pid");
        assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
        within(Duration::from_secs(10), "the server is gone", || self.dir.join("exit").exists().then_some(()));
        self.guardian.stdin.take().unwrap().write_all(b"stop\n").unwrap();
        self.wait();
        // The next server removes them.
        self.stopped = false;
    }

    /// Starts it again with the same state.
    pub fn restart(mut self, options: &Options) -> Self {
        self.stop();
        let name = self.dir.file_name().unwrap().to_str().unwrap().rsplit_once('-').unwrap().0.to_owned();
        // The new server removes the files.
        self.stopped = false;
        Self::with(&name, options)
    }

    fn wait(&mut self) {
        within(Duration::from_secs(60), "the server ends", || self.guardian.try_wait().unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input signals the guardian.
        if self.guardian.stdin.take().is_some() && !std::thread::panicking() {
            self.wait();
        }
        if self.stopped {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
