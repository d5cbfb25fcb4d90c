//! A loaded application: its components with their grants, its databases, and the bounds they run in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wasmtime::Engine;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::answers::Answers;
use crate::bounds::{Streams, Who};
use crate::connections::Connections;
use crate::gateway::Gateway;
use crate::gather::Gatherer;
use crate::guest::Guest;
use crate::guest_kv::KeyValue;
use crate::hosts::AllowedHosts;
use crate::outbound::Client;
use crate::routes::Routes;
use crate::sqlite::Database;
use crate::told::Told;

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
    /// What gathers request bodies before a place is taken.
    pub bodies: Gatherer,
    /// How many long answers each caller has open.
    pub streams: Arc<Streams>,
    /// The room of large answers that are on their way.
    pub answers: Answers,
    /// The log lines of requests that no component saw.
    pub told: Told,
    /// The connections.
    pub connections: Arc<Connections>,
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

/// A component that can be called.
pub struct Component {
    /// Its share of the places for requests from outside: three quarters. Streams that stay open for long (one component's)
    /// then cannot keep out what the others serve.
    pub share: Arc<Semaphore>,
    /// How many of these may be held by long answers, so that its short ones always find a place.
    pub streams: Arc<Semaphore>,
    /// Whether places are kept for it that no other component gets.
    pub reserved: bool,
    /// The largest body that it takes from outside.
    pub body: u64,
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
    /// WebSockets held at once.
    pub sockets: usize,
    /// How long a client may take to send a request's head, and be silent between two requests.
    pub head: Duration,
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
/// chained call must not hold the last place that the call needs. Of those for requests from outside some are kept for the
/// components that people and probes ask, so that no crowd of webhooks keeps them out.
pub struct Slots {
    outside: Lane,
    reserved: Lane,
    chained: Arc<Semaphore>,
    instances: u32,
}

/// Places of one kind, and how many requests wait for them.
struct Lane {
    places: Arc<Semaphore>,
    count: u32,
    waiting: AtomicUsize,
    most_waiting: usize,
}

impl Lane {
    fn new(count: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(count)),
            count: u32::try_from(count).unwrap_or(u32::MAX),
            waiting: AtomicUsize::new(0),
            most_waiting: count.saturating_mul(4),
        }
    }
}

/// A place for one instance, free again when dropped.
pub struct Place {
    _place: OwnedSemaphorePermit,
    outside: Option<Outside>,
    /// The room that its request's body takes in the instance, where the body is large.
    pub large: Option<OwnedSemaphorePermit>,
}

struct Outside {
    _share: OwnedSemaphorePermit,
    who: Who,
}

impl Place {
    /// Whether it is for a chained call.
    pub fn is_chained(&self) -> bool {
        self.outside.is_none()
    }

    /// Who sent the request, where it came from outside.
    pub fn who(&self) -> Option<Who> {
        self.outside.as_ref().map(|outside| outside.who)
    }
}

/// How many places one component may have of all.
pub fn share_of(instances: usize) -> usize {
    (instances * 3 / 4).max(1)
}

/// How many places of its share a component may have for long answers.
pub fn streams_of(share: usize) -> usize {
    (share * 7 / 8).max(1)
}

/// How many places are kept for the components that come first.
pub fn reserved_of(instances: usize) -> usize {
    instances / 8
}

/// How long a request waits for a place.
const WAIT: Duration = Duration::from_secs(1);

impl Slots {
    /// Places for `instances` requests, `reserved` of them for components that come first, and as many chained calls.
    pub fn new(instances: usize, reserved: usize) -> Self {
        Self {
            outside: Lane::new(instances - reserved.min(instances)),
            reserved: Lane::new(reserved.min(instances)),
            chained: Arc::new(Semaphore::new(instances)),
            instances: u32::try_from(instances).unwrap_or(u32::MAX),
        }
    }

    /// A place for a request from outside; None when there is none in time, or too many wait already.
    pub async fn outside(&self, component: &Component, who: Who) -> Option<Place> {
        let place = |place, share| Place { _place: place, outside: Some(Outside { _share: share, who }), large: None };
        if let Ok(share) = Arc::clone(&component.share).try_acquire_owned()
            && let Some(found) = self.free(component)
        {
            return Some(place(found, share));
        }
        let lane = if component.reserved { &self.reserved } else { &self.outside };
        if lane.waiting.fetch_add(1, Ordering::Relaxed) >= lane.most_waiting {
            lane.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let _waiting = Waiting(&lane.waiting);
        let share = acquire(&component.share).await?;
        let found = match component.reserved {
            true => tokio::select! {
                found = acquire(&self.outside.places) => found,
                found = acquire(&self.reserved.places) => found,
            },
            false => acquire(&self.outside.places).await,
        };
        Some(place(found?, share))
    }

    /// A place that nobody has to wait for.
    fn free(&self, component: &Component) -> Option<OwnedSemaphorePermit> {
        let free = |lane: &Lane| Arc::clone(&lane.places).try_acquire_owned().ok();
        free(&self.outside).or_else(|| component.reserved.then(|| free(&self.reserved)).flatten())
    }

    /// Waits until every place is free: until no guest runs any more, also none that had answered already.
    pub async fn all_free(&self) {
        let lanes = [&self.outside, &self.reserved].map(|lane| (&lane.places, lane.count));
        for (places, count) in lanes.into_iter().chain([(&self.chained, self.instances)]) {
            let _ = places.acquire_many(count).await;
        }
    }

    /// A place for a chained call.
    pub async fn chained(&self) -> Option<Place> {
        Some(Place { _place: acquire(&self.chained).await?, outside: None, large: None })
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
