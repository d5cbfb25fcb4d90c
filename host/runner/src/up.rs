//! `warmline up`: reads the manifest, opens the state, loads the components, serves, and stops cleanly.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use warmline_process::{LogFormat, start_log, stop_on_signal};
use wasmtime_wasi_http::WasiBody;

use crate::answers::Answers;
use crate::app::App;
use crate::bounds::Streams;
use crate::client::Client;
use crate::component::Component;
use crate::connections::{self, Connections};
use crate::gateway::{self, Starting};
use crate::gather::{Gatherer, Room};
use crate::grants::Grants;
use crate::guest::Guest;
use crate::handle::handle;
use crate::hosts::AllowedHosts;
use crate::key_value::KeyValue;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::platform::{Platform, Profile};
use crate::routes::Routes;
use crate::services::Services;
use crate::share::Share;
use crate::slots::{Slots, reserved_of};
use crate::sqlite::{Database, Durability};
use crate::tick::Tick;
use crate::ticker::{TICK, Ticker};
use crate::told::Told;
use crate::variables::Variables;
use crate::{engine, private, problem, serve, tick};

/// The time for which guests may continue after the last answer when the runner stops.
const AFTERLIFE: Duration = Duration::from_secs(5);

/// The label of the database of keys, and of the database that they open.
const KEYS: &str = "keys";
const STORE: &str = "default";

/// The version of the schema since which keys have a database of their own.
const KEYS_APART: i64 = 8;

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
    /// Durability of a commit
    #[arg(long, value_enum, default_value_t = Durability::Full)]
    pub durability: Durability,
    /// Form of log lines on standard error; RUST_LOG sets the level
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
    /// Components for which an eighth of these places is kept, so that no crowd of other requests keeps them out
    #[arg(long, value_name = "COMPONENT,…", value_delimiter = ',', default_value = "desk,metrics")]
    pub reserve: Vec<String>,
    /// The largest request body, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub max_body: u64,
    /// The largest request body of one component, in bytes (25 MiB of attachments are 36 MiB as they are posted)
    #[arg(long, value_name = "COMPONENT=BYTES", value_parser = of_component, default_value = "channel-email=37748736")]
    pub max_body_of: Vec<(String, u64)>,
    /// Request bodies on their way at once; beyond, the oldest gives way
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_bodies: u32,
    /// Memory for request bodies on their way, in MiB, and as much for large ones that instances read
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub body_memory: u16,
    /// Disk for request bodies above 256 KiB on their way, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub body_disk: u32,
    /// Bytes a second at which a request body must come, after its first five seconds
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub body_rate: u64,
    /// How long a client may take to send a request's head, and be silent between two requests, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub head_timeout: u32,
    /// Connections at once; beyond, the oldest idle one is closed (default: what the limit on open files allows)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: Option<u32>,
    /// Streams, and look-ups that take longer than two seconds, of one token at once; as many WebSockets beside them
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_streams_per_token: u32,
    /// Those of one address at once
    #[arg(long, value_name = "N", default_value_t = 96, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_streams_per_address: u32,
    /// The address of a reverse proxy: what it says in X-Forwarded-For is the client's address, as far as bounds go
    #[arg(long, value_name = "IP")]
    pub proxy: Vec<IpAddr>,
    /// Free disk below which nothing is written, in MiB, but at most a twentieth of the disk
    #[arg(long, value_name = "MIB", default_value_t = 32)]
    pub min_free: u32,
    /// Read the databases whole before serving, and do not serve if one is damaged
    #[arg(long)]
    pub check: bool,
    /// Memory of one instance, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4095))]
    pub max_memory: u16,
    /// CPU time of one request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub max_cpu: u32,
    /// How long a component may take to begin its answer, and may continue after it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub answer_timeout: u32,
    /// How long a call of a component to another host may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub outbound_timeout: u32,
    /// Impose the bounds of a platform, to try an application within them
    #[arg(long, value_enum, value_name = "PLATFORM")]
    pub profile: Option<Profile>,
    /// Threads that run components (default: twice the CPU cores, at least four)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
}

impl Up {
    /// Serves until told to stop.
    pub fn run(mut self) -> anyhow::Result<()> {
        start_log(self.log);
        if let Some(profile) = self.profile {
            self.answer_timeout = self.answer_timeout.min(profile.answer_timeout());
            self.max_body = self.max_body.min(profile.max_body());
            self.max_body_of.iter_mut().for_each(|(_, most)| *most = (*most).min(profile.max_body()));
        }
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = self.threads.map_or((cores * 2).max(4), usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .context("cannot start the threads")?;
        runtime.block_on(self.serve())?;
        // Everything is closed and written. Guests that outlived the drain end with the process. Shutting the runtime down
        // under them would only make each of them log an error.
        std::process::exit(0)
    }

    async fn serve(self) -> anyhow::Result<()> {
        let begun = Instant::now();
        private::by_default();
        let manifest = Manifest::load(&self.manifest)?;
        let (stop, stopping) = watch::channel(false);
        let _lock = lock_state(&self.state)?;
        // This comes before the components are compiled, so that nobody waits for that to learn that the port is taken.
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen on {} (is it in use? choose another with --listen)", self.listen))?;
        let gateway = match self.platform().socketless {
            true => None,
            false => Starting::new(&manifest, |name| std::env::var(name).ok()).await?,
        };
        let (app, variables) = self.load(&manifest, stopping.clone(), gateway.as_ref()).await?;
        let address = listener.local_addr()?;
        let _ = app.services.authority.set(address.to_string());
        stop_on_signal(stop);
        if let Some(Starting { gateway, listener, .. }) = gateway {
            tokio::spawn(gateway::control::serve(gateway, listener, stopping));
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
        for database in app.services.databases.values() {
            database.close().await;
        }
        app.services.key_value.close().await;
        tracing::info!("stopped");
        Ok(())
    }

    /// The path of the database of keys, in a folder for its owner alone. The folder is made if it is missing.
    fn keys(&self, fresh: bool) -> anyhow::Result<PathBuf> {
        let beside = || {
            let mut path = self.state.clone().into_os_string();
            path.push("-keys");
            path.into()
        };
        let dir = self.keys.clone().unwrap_or_else(beside);
        private::folder(&dir)
            .with_context(|| format!("cannot use the folder of keys {} (choose another with --keys)", dir.display()))?;
        let file = dir.join("keys.db");
        ensure!(
            !(fresh && file.exists()),
            "{} holds the keys of another store: restore that store to {}, or remove its keys if it is gone for good",
            file.display(),
            self.state.display()
        );
        Ok(file)
    }

    /// Opens the databases. A store is opened together with its own keys, or not at all.
    fn databases(&self, manifest: &Manifest, fresh: bool) -> anyhow::Result<BTreeMap<String, Arc<Database>>> {
        let one_database = self.platform().one_database;
        let labels: BTreeSet<&String> =
            manifest.component.values().flat_map(|component| &component.sqlite_databases).collect();
        let mut databases: BTreeMap<String, Arc<Database>> = BTreeMap::new();
        // The order of the labels opens the store before its keys.
        for label in labels {
            ensure!(is_label(label), "the database label {label:?} may have only letters, digits, - and _");
            if let (true, Some(store)) = (one_database, databases.get(STORE)) {
                let same = Arc::clone(store);
                databases.insert(label.clone(), same);
                continue;
            }
            let path = match label.as_str() {
                STORE => self.state.join("sqlite.db"),
                KEYS => {
                    let path = self.keys(fresh)?;
                    if let (Some(store), false) = (databases.get(STORE), path.exists()) {
                        has_no_keys_yet(store, &path)?;
                    }
                    path
                }
                _ => self.state.join(format!("sqlite-{label}.db")),
            };
            let database = Database::open(label, path, self.durability, self.min_free())?;
            if self.check {
                let found = tokio::task::block_in_place(|| database.check());
                let found = found.unwrap_or_else(|error| Some(error.to_string()));
                ensure!(
                    found.is_none(),
                    "the database {label:?} is damaged, restore it from a back-up: {}",
                    found.unwrap_or_default()
                );
            }
            databases.insert(label.clone(), database);
        }
        match (one_database, databases.get(STORE), databases.get(KEYS)) {
            (false, Some(store), Some(keys)) => pair(store, keys)?,
            (true, Some(store), _) => ensure!(
                store.application_id()? == 0,
                "the keys of this store are in a database of their own: start it without --profile, or name another --state"
            ),
            _ => {}
        }
        Ok(databases)
    }

    fn platform(&self) -> Platform {
        self.profile.map(Platform::from).unwrap_or_default()
    }

    fn min_free(&self) -> u64 {
        u64::from(self.min_free) << 20
    }

    /// The number of connections: as many as were asked for, or as the system allows.
    fn connections(&self) -> usize {
        let affordable = connections::affordable(connections::raise_descriptors());
        match self.max_connections {
            None => affordable,
            Some(wanted) => {
                let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
                if wanted > affordable {
                    tracing::warn!(affordable, "the limit on open files allows fewer connections than --max-connections");
                }
                wanted.min(affordable)
            }
        }
    }

    fn room(&self, connections: usize) -> Room {
        Room {
            most: usize::try_from(self.max_bodies).unwrap_or(usize::MAX).min((connections / 2).max(1)),
            memory: usize::from(self.body_memory) << 20,
            spool: u64::from(self.body_disk) << 20,
            rate: self.body_rate,
        }
    }

    /// The folder of bodies that are too long for memory. A file in it has a name for a moment only.
    fn spool(&self) -> anyhow::Result<PathBuf> {
        let dir = self.state.join("bodies");
        private::folder(&dir).with_context(|| format!("cannot use {}", dir.display()))?;
        for left in std::fs::read_dir(&dir)? {
            std::fs::remove_file(left?.path())?;
        }
        Ok(dir)
    }

    /// The bounds of each request.
    pub fn limits(&self) -> Limits {
        Limits {
            instances: usize::from(self.max_instances),
            memory: usize::from(self.max_memory) << 20,
            sockets: gateway::MOST,
            head: Duration::from_secs(self.head_timeout.into()),
            cpu_ticks: u64::from(self.max_cpu) * 1000 / TICK.as_millis() as u64,
            answer: Duration::from_secs(self.answer_timeout.into()),
            outbound: Duration::from_secs(self.outbound_timeout.into()),
        }
    }

    /// Loads the application. Everything that can fail before serving fails here.
    pub async fn load(
        &self,
        manifest: &Manifest,
        stopping: watch::Receiver<bool>,
        gateway: Option<&Starting>,
    ) -> anyhow::Result<(Arc<App>, Variables)> {
        let fresh = !self.state.join("sqlite.db").exists();
        let variables =
            Variables::load(manifest, &self.state, fresh, |name| std::env::var(name).ok().or_else(|| gateway?.value(name)))?;
        // Quick checks come before the components, which may have to be compiled.
        let databases = self.databases(manifest, fresh)?;
        let key_value = KeyValue::open(&self.state.join("key-value.db"), self.min_free()).await?;
        let connections = self.connections();
        let mut limits = self.limits();
        limits.sockets = limits.sockets.min(connections / 4 * 3);
        let engine = engine::engine(&limits)?;
        let components = tokio::task::block_in_place(|| self.load_components(manifest, &variables, &engine))?;
        let first = components.values().any(|component| component.share.reserved);
        let per_token = usize::try_from(self.max_streams_per_token).unwrap_or(usize::MAX);
        let per_address = usize::try_from(self.max_streams_per_address).unwrap_or(usize::MAX);
        let (instances, sockets) = (limits.instances, limits.sockets);
        let services = Services {
            ticker: Ticker::start(&engine).context("cannot start the clock's thread")?,
            engine,
            databases,
            key_value,
            client: Client::default(),
            limits,
            authority: OnceLock::new(),
            platform: self.platform(),
        };
        let app = App {
            services: Arc::new(services),
            components,
            routes: Routes::new(manifest),
            gateway: gateway.map(|starting| Arc::clone(&starting.gateway)),
            slots: Slots::new(instances, if first { reserved_of(instances) } else { 0 }),
            bodies: Gatherer::new(self.room(connections), &self.spool()?),
            streams: Arc::new(Streams::new(per_token, per_address, self.proxy.clone()).with_sockets(sockets)),
            answers: Answers::default(),
            told: Told::default(),
            connections: Connections::new(connections),
            stopping,
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
    pub fn load_component(
        &self,
        manifest: &Manifest,
        variables: &Variables,
        linker: &wasmtime::component::Linker<Guest>,
        cache: &Path,
        id: &str,
        component: &crate::manifest::Component,
    ) -> anyhow::Result<Component> {
        let source = component.source.path();
        let path = match (&self.component_dir, source.file_name()) {
            (Some(dir), Some(name)) => dir.join(name),
            _ => manifest.dir.join(source),
        };
        let fill = |text: &String| variables.fill(text).with_context(|| format!("component {id:?}"));
        let hosts = component.allowed_outbound_hosts.iter().map(fill).collect::<anyhow::Result<Vec<_>>>()?;
        let values = component.variables.iter().map(|(name, text)| Ok((name.clone(), fill(text)?)));
        let grants = Grants {
            variables: values.collect::<anyhow::Result<_>>()?,
            allowed_hosts: AllowedHosts::parse(&hosts).with_context(|| format!("component {id:?}"))?,
            id: id.into(),
            environment: component.environment.clone(),
            key_value_stores: component.key_value_stores.clone(),
            sqlite_databases: component.sqlite_databases.clone(),
        };
        Ok(Component {
            share: Share::new(self.max_instances.into(), self.reserve.iter().any(|first| first == id)),
            body: self.max_body_of.iter().find(|(of, _)| of == id).map_or(self.max_body, |(_, most)| *most),
            pre: engine::load(linker, id, &path, cache)?,
            grants: Arc::new(grants),
        })
    }

    /// Prints the addresses on standard output. The first line is for programs that wait for it.
    fn greet(&self, manifest: &Manifest, app: &App, variables: &Variables, address: SocketAddr, took: Duration) {
        println!("listening on http://{address}");
        println!("  {} {}, ready after {} ms", manifest.application.name, manifest.application.version, took.as_millis());
        for routes in app.routes.summary() {
            println!("  http://{address}{routes}");
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

/// Reads `COMPONENT=NUMBER`.
fn of_component(text: &str) -> Result<(String, u64), String> {
    let (component, number) = text.split_once('=').ok_or("expected COMPONENT=BYTES, such as channel-email=37748736")?;
    Ok((component.to_owned(), number.parse().map_err(|_| format!("{number:?} is not a number of bytes"))?))
}

/// Checks that a store whose keys are missing never had any.
fn has_no_keys_yet(store: &Database, missing: &Path) -> anyhow::Result<()> {
    let had = store.application_id()? != 0 || store.user_version()? >= KEYS_APART;
    ensure!(
        !had,
        "{} is missing, and without it nothing personal in the store can be read: restore the newest back-up of the keys, \
         or name their folder with --keys (a store that was made under a --profile has its keys inside: start it with that)",
        missing.display()
    );
    Ok(())
}

/// Checks that the keys belong to the store. Both carry the same number, drawn when they first meet.
fn pair(store: &Database, keys: &Database) -> anyhow::Result<()> {
    match (store.application_id()?, keys.application_id()?) {
        (ours, theirs) if ours != 0 && ours == theirs => Ok(()),
        (0, 0) => {
            let mut bytes = [0; 4];
            getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes from the system: {error}"))?;
            let id = (i32::from_be_bytes(bytes) & i32::MAX) | 1;
            // The keys come first: if a store carries a number, its keys carry it too.
            keys.set_application_id(id)?;
            Ok(store.set_application_id(id)?)
        }
        // One of them is a copy from before they had met, or the process ended between the two steps. An empty store beside
        // keys in use is neither: its file was emptied.
        (0, theirs) if !store.is_empty()? || keys.is_empty()? => Ok(store.set_application_id(theirs)?),
        (ours, 0) if !keys.is_empty()? => Ok(keys.set_application_id(ours)?),
        _ => bail!(
            "the keys in {} belong to another store: restore this store's own keys, or name their folder with --keys",
            keys.path().display()
        ),
    }
}

/// Creates the state folder and ensures that no other runner uses it: each assumes that it is the only writer.
fn lock_state(state: &Path) -> anyhow::Result<std::fs::File> {
    private::folder(state)
        .with_context(|| format!("cannot use the state folder {} (choose another with --state)", state.display()))?;
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

/// Asks the application itself until it is ready.
async fn wait_until_ready(app: &Arc<App>, path: &str, address: SocketAddr) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let request = Request::get(format!("http://{address}{path}"))
            .body(problem::full(""))
            .with_context(|| format!("--ready {path:?} is not a path"))?;
        let response = handle(app, request, address).await;
        if response.status().is_success() {
            return Ok(());
        }
        // An answer with `retry-after` may get better by itself. No other answer does.
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
