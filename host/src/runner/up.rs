//! `warmline up`: reads the manifest, opens the state, loads the components, serves, and stops cleanly.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use wasmtime_wasi_http::WasiBody;

use super::app::{App, Component, Limits, Slots, TICK, Ticker, share_of};
use super::gateway::{self, Starting};
use super::guest_kv::KeyValue;
use super::hosts::AllowedHosts;
use super::logs::LogFormat;
use super::manifest::Manifest;
use super::outbound::Client;
use super::routes::Routes;
use super::sqlite::{Database, Durability};
use super::tick::Tick;
use super::variables::Variables;
use super::{engine, logs, problem, serve, tick};

/// How long guests may go on after the last answer when the runner stops.
const AFTERLIFE: Duration = Duration::from_secs(5);

/// The label of the database of keys.
const KEYS: &str = "keys";

/// Serve a spin.toml in the embedded runner.
#[derive(Debug, clap::Args)]
pub struct Up {
    /// The application's manifest
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// The folder for databases, generated secrets and compiled code
    #[arg(long, value_name = "DIR", default_value = ".warmline")]
    pub state: PathBuf,
    /// The folder for the database of keys, apart from all that they open (default: the state's name with -keys after it)
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// The address to serve on; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// What a commit survives
    #[arg(long, value_enum, default_value_t = Durability::Full)]
    pub durability: Durability,
    /// How log lines on standard error look; RUST_LOG sets the level
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log: LogFormat,
    /// The component and path to POST to once a second; without that component there are no ticks
    #[arg(long, value_name = "COMPONENT:/PATH", default_value = "ticker:/tick")]
    pub tick: Tick,
    /// A public path to GET before the runner calls itself ready
    #[arg(long, value_name = "/PATH")]
    pub ready: Option<String>,
    /// Look for the components' files in this folder instead of their own (for builds of another profile)
    #[arg(long, value_name = "DIR")]
    pub component_dir: Option<PathBuf>,
    /// Requests served at once; as many chained calls beside them
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub max_instances: u16,
    /// The largest request body, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub max_body: u64,
    /// Memory of one instance, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4095))]
    pub max_memory: u16,
    /// CPU time of one request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub max_cpu: u32,
    /// How long a component may take to begin its answer, and to go on after it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub answer_timeout: u32,
    /// How long a call of a component to another host may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub outbound_timeout: u32,
    /// Threads that run components (default: twice the CPU cores, at least four)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
}

impl Up {
    /// Serves until told to stop.
    pub fn run(self) -> anyhow::Result<()> {
        logs::start(self.log);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = self.threads.map_or((cores * 2).max(4), usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .context("cannot start the threads")?;
        runtime.block_on(self.serve())?;
        // All is closed and written. Guests that outlived the drain end with the process: taking the runtime down under them
        // would only make each of them say so.
        std::process::exit(0)
    }

    async fn serve(self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let manifest = Manifest::load(&self.manifest)?;
        let (stop, stopping) = watch::channel(false);
        let _lock = lock_state(&self.state)?;
        let gateway = Starting::new(&manifest, |name| std::env::var(name).ok()).await?;
        let (app, variables) = self.load(&manifest, stopping.clone(), gateway.as_ref()).await?;
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen on {} (is it in use? choose another with --listen)", self.listen))?;
        let address = listener.local_addr()?;
        let _ = app.authority.set(address.to_string());
        stop_on_signal(stop);
        if let Some(Starting { gateway, listener, .. }) = gateway {
            tokio::spawn(gateway::serve(gateway, listener, stopping));
        }
        let server = tokio::spawn(serve::serve(Arc::clone(&app), listener));
        if let Some(path) = &self.ready {
            wait_until_ready(&app, path, address).await?;
        }
        self.greet(&manifest, &app, &variables, address, begun.elapsed());
        let ticks = tokio::spawn(tick::run(Arc::clone(&app), self.tick.clone()));
        server.await.context("the server broke")?;
        let _ = tokio::time::timeout(Duration::from_secs(2), ticks).await;
        if tokio::time::timeout(AFTERLIFE, app.slots.all_free()).await.is_err() {
            tracing::warn!("components were still running {AFTERLIFE:?} after the last answer: ended");
        }
        for database in app.databases.values() {
            database.close().await;
        }
        app.key_value.close().await;
        tracing::info!("stopped");
        Ok(())
    }

    /// The database of keys, in a folder that is made where it is missing; nobody else may look into it.
    fn keys(&self, fresh: bool) -> anyhow::Result<PathBuf> {
        let beside = || {
            let mut path = self.state.clone().into_os_string();
            path.push("-keys");
            path.into()
        };
        let dir = self.keys.clone().unwrap_or_else(beside);
        private_folder(&dir)
            .with_context(|| format!("cannot create the folder of keys {} (choose another with --keys)", dir.display()))?;
        let file = dir.join("keys.db");
        ensure!(
            !(fresh && file.exists()),
            "{} holds the keys of another store: restore that store to {}, or remove its keys if it is gone for good",
            file.display(),
            self.state.display()
        );
        Ok(file)
    }

    /// The bounds of each request.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            instances: usize::from(self.max_instances),
            memory: usize::from(self.max_memory) << 20,
            body: self.max_body,
            cpu_ticks: u64::from(self.max_cpu) * 1000 / TICK.as_millis() as u64,
            answer: Duration::from_secs(self.answer_timeout.into()),
            outbound: Duration::from_secs(self.outbound_timeout.into()),
        }
    }

    /// Everything that can go wrong before anything is served.
    pub(super) async fn load(
        &self,
        manifest: &Manifest,
        stopping: watch::Receiver<bool>,
        gateway: Option<&Starting>,
    ) -> anyhow::Result<(Arc<App>, Variables)> {
        let fresh = !self.state.join("sqlite.db").exists();
        let variables =
            Variables::load(manifest, &self.state, fresh, |name| std::env::var(name).ok().or_else(|| gateway?.value(name)))?;
        let limits = self.limits();
        let engine = engine::engine(&limits)?;
        let components = tokio::task::block_in_place(|| self.load_components(manifest, &variables, &engine))?;
        let labels: BTreeSet<&String> =
            manifest.component.values().flat_map(|component| &component.sqlite_databases).collect();
        let mut databases = BTreeMap::new();
        for label in labels {
            ensure!(is_label(label), "the database label {label:?} may have only letters, digits, - and _");
            let path = match label.as_str() {
                "default" => self.state.join("sqlite.db"),
                KEYS => self.keys(fresh)?,
                _ => self.state.join(format!("sqlite-{label}.db")),
            };
            databases.insert(label.clone(), Database::open(label, path, self.durability)?);
        }
        let app = App {
            ticker: Ticker::start(&engine).context("cannot start the clock's thread")?,
            engine,
            components,
            routes: Routes::new(manifest),
            databases,
            key_value: KeyValue::open(&self.state.join("key-value.db")).await?,
            client: Client::default(),
            gateway: gateway.map(|starting| Arc::clone(&starting.gateway)),
            slots: Slots::new(limits.instances),
            limits,
            stopping,
            authority: OnceLock::new(),
        };
        Ok((Arc::new(app), variables))
    }

    fn load_components(
        &self,
        manifest: &Manifest,
        variables: &Variables,
        engine: &wasmtime::Engine,
    ) -> anyhow::Result<HashMap<String, Arc<Component>>> {
        let cache = self.state.join("cache");
        std::fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let linker = engine::linker(engine)?;
        let routed: BTreeSet<&str> = manifest.trigger.http.iter().map(|trigger| trigger.component.as_str()).collect();
        let waiting =
            Mutex::new(manifest.component.iter().filter(|(id, _)| routed.contains(id.as_str())).collect::<Vec<_>>());
        let loaded = Mutex::new(Ok(HashMap::new()));
        let load_next = || {
            while let Some((id, component)) = pop(&waiting) {
                let result = self.load_component(manifest, variables, &linker, &cache, id, component);
                let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
                match (&mut *loaded, result) {
                    (Ok(components), Ok(component)) => {
                        components.insert(id.clone(), Arc::new(component));
                    }
                    (Ok(_), Err(error)) => *loaded = Err(error),
                    (Err(_), _) => return,
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(load_next);
            }
        });
        engine::give_memory_back();
        loaded.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A component's code, ready for instances, with its grants.
    pub(super) fn load_component(
        &self,
        manifest: &Manifest,
        variables: &Variables,
        linker: &wasmtime::component::Linker<super::guest::Guest>,
        cache: &Path,
        id: &str,
        component: &super::manifest::Component,
    ) -> anyhow::Result<Component> {
        let source = component.source.path();
        let path = match (&self.component_dir, source.file_name()) {
            (Some(dir), Some(name)) => dir.join(name),
            _ => manifest.dir.join(source),
        };
        let fill = |text: &String| variables.fill(text).with_context(|| format!("component {id:?}"));
        let hosts = component.allowed_outbound_hosts.iter().map(fill).collect::<anyhow::Result<Vec<_>>>()?;
        let values = component.variables.iter().map(|(name, text)| Ok((name.clone(), fill(text)?)));
        Ok(Component {
            share: Arc::new(Semaphore::new(share_of(self.max_instances.into()))),
            variables: values.collect::<anyhow::Result<_>>()?,
            allowed_hosts: AllowedHosts::parse(&hosts).with_context(|| format!("component {id:?}"))?,
            pre: engine::load(linker, id, &path, cache)?,
            id: id.into(),
            environment: component.environment.clone(),
            key_value_stores: component.key_value_stores.clone(),
            sqlite_databases: component.sqlite_databases.clone(),
        })
    }

    /// Says on standard output what is served where. The first line is for programs that wait for it.
    fn greet(&self, manifest: &Manifest, app: &App, variables: &Variables, address: SocketAddr, took: Duration) {
        println!("listening on http://{address}");
        println!("  {} {}, ready after {} ms", manifest.application.name, manifest.application.version, took.as_millis());
        for target in app.routes.list() {
            println!("  http://{address}{:<24} {}", target.route, target.component);
        }
        let durability = match self.durability {
            Durability::Full => "full: a commit survives a power cut",
            Durability::Normal => "normal: the last commits may be lost in a power cut",
        };
        println!("  state: {} (durability {durability})", self.state.display());
        if let Some(file) = &variables.secrets_file {
            println!("  secrets: {} ({})", file.display(), variables.secret_names.join(", "));
        }
    }
}

fn pop<T>(waiting: &Mutex<Vec<T>>) -> Option<T> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Creates a folder that nobody else may look into.
fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Creates the state folder and makes sure that no other runner uses it: each assumes that it is the only writer.
fn lock_state(state: &Path) -> anyhow::Result<std::fs::File> {
    private_folder(state)
        .with_context(|| format!("cannot create the state folder {} (choose another with --state)", state.display()))?;
    let path = state.join("lock");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot write to the state folder {}", state.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another runner is using the state folder {}: stop it, or choose another with --state", state.display())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Says when it is time to stop, at the first signal; the second ends the process at once.
pub(crate) fn stop_on_signal(stop: watch::Sender<bool>) {
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("stopping (again to stop at once)");
        let _ = stop.send(true);
        wait_for_signal().await;
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// Asks the application itself, until it says yes.
async fn wait_until_ready(app: &Arc<App>, path: &str, address: SocketAddr) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let request = Request::get(format!("http://{address}{path}"))
            .body(problem::full(""))
            .with_context(|| format!("--ready {path:?} is not a path"))?;
        let response = serve::handle(app, request, address).await;
        if response.status().is_success() {
            return Ok(());
        }
        // What says when to come again may get better by itself; nothing else does.
        if Instant::now() > until || !response.headers().contains_key("retry-after") {
            bail!("{path} does not answer with success: {}", describe(response).await);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn describe(response: Response<WasiBody>) -> String {
    let status = response.status();
    let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(300).collect();
    format!("{status} {body}")
}
