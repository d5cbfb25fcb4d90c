//! A loaded application: its components with their grants, its databases, and the bounds they run in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wasmtime::Engine;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::gateway::Gateway;
use super::guest::Guest;
use super::guest_kv::KeyValue;
use super::hosts::AllowedHosts;
use super::outbound::Client;
use super::routes::Routes;
use super::sqlite::Database;

/// Everything the instances share.
pub struct App {
    /// The Wasm engine.
    pub engine: Engine,
    /// The components that a trigger names, by id; what no trigger names cannot be called.
    pub components: HashMap<String, Arc<Component>>,
    /// The public routes.
    pub routes: Routes,
    /// The databases by label.
    pub databases: BTreeMap<String, Arc<Database>>,
    /// The key-value stores.
    pub key_value: KeyValue,
    /// What calls other hosts.
    pub client: Client,
    /// Places for instances.
    pub slots: Slots,
    /// The bounds of each request.
    pub limits: Limits,
    /// What holds WebSockets, where the application has them.
    pub gateway: Option<Arc<Gateway>>,
    /// Counts time for the CPU bound.
    pub ticker: Ticker,
    /// True once the runner is stopping.
    pub stopping: watch::Receiver<bool>,
    /// Where the runner listens, as `host:port`.
    pub authority: OnceLock<String>,
}

/// Waits until the runner is stopping.
pub async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that nobody is left to say so, which comes to the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// A component that can be called.
pub struct Component {
    /// Its share of the places for requests from outside: three quarters. Streams that stay open for long (one component's)
    /// then cannot keep out what the others serve.
    pub share: Arc<Semaphore>,
    /// Its id in the manifest.
    pub id: Arc<str>,
    /// Its code, linked and ready for instances.
    pub pre: ProxyPre<Guest>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// The stores it may open.
    pub key_value_stores: BTreeSet<String>,
    /// The databases it may open.
    pub sqlite_databases: BTreeSet<String>,
    /// The hosts it may call.
    pub allowed_hosts: AllowedHosts,
}

/// The bounds of each request.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Instances for requests from outside; as many again are kept for chained calls.
    pub instances: usize,
    /// Memory of one instance in bytes.
    pub memory: usize,
    /// The largest body accepted from outside.
    pub body: u64,
    /// Ticks of CPU time for one request.
    pub cpu_ticks: u64,
    /// How long a component may take to begin its answer, and to go on after it.
    pub answer: Duration,
    /// How long an outbound call may take.
    pub outbound: Duration,
}

/// How long one tick is.
pub const TICK: Duration = Duration::from_millis(10);

/// Counts ticks and moves the engine's epoch, so that running guests notice.
#[derive(Clone, Default)]
pub struct Ticker(Arc<AtomicU64>);

impl Ticker {
    /// Starts counting on a thread of its own: a busy guest must not hold the clock up.
    pub fn start(engine: &Engine) -> std::io::Result<Self> {
        let ticker = Self::default();
        let (count, engine) = (Arc::clone(&ticker.0), engine.weak());
        std::thread::Builder::new().name("ticker".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                count.fetch_add(1, Ordering::Relaxed);
                engine.increment_epoch();
            }
        })?;
        Ok(ticker)
    }

    /// Ticks since the start.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Places for instances. Requests from outside and chained calls have their own: a request that waits for its
/// chained call must not hold the last place that the call needs.
pub struct Slots {
    outside: Arc<Semaphore>,
    chained: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
    instances: u32,
}

/// A place for one instance, free again when dropped.
pub struct Place {
    _place: OwnedSemaphorePermit,
    share: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Whether it is for a chained call.
    pub fn is_chained(&self) -> bool {
        self.share.is_none()
    }
}

/// How many places one component may have of all.
pub fn share_of(instances: usize) -> usize {
    (instances * 3 / 4).max(1)
}

/// How long a request waits for a place.
const WAIT: Duration = Duration::from_secs(1);

impl Slots {
    /// Places for `instances` requests and as many chained calls.
    pub fn new(instances: usize) -> Self {
        Self {
            outside: Arc::new(Semaphore::new(instances)),
            chained: Arc::new(Semaphore::new(instances)),
            waiting: AtomicUsize::new(0),
            most_waiting: instances.saturating_mul(4),
            instances: u32::try_from(instances).unwrap_or(u32::MAX),
        }
    }

    /// A place for a request from outside; None when there is none in time, or too many wait already.
    pub async fn outside(&self, component: &Component) -> Option<Place> {
        if let Ok(share) = Arc::clone(&component.share).try_acquire_owned()
            && let Ok(place) = Arc::clone(&self.outside).try_acquire_owned()
        {
            return Some(Place { _place: place, share: Some(share) });
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.most_waiting {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let _waiting = Waiting(&self.waiting);
        let share = acquire(&component.share).await?;
        Some(Place { _place: acquire(&self.outside).await?, share: Some(share) })
    }

    /// Waits until every place is free: until no guest runs any more, also none that had answered already.
    pub async fn all_free(&self) {
        for slots in [&self.outside, &self.chained] {
            let _ = slots.acquire_many(self.instances).await;
        }
    }

    /// A place for a chained call.
    pub async fn chained(&self) -> Option<Place> {
        Some(Place { _place: acquire(&self.chained).await?, share: None })
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    tokio::time::timeout(WAIT, Arc::clone(semaphore).acquire_owned()).await.ok()?.ok()
}

/// Counts a waiting request until it is dropped, also when its client goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
