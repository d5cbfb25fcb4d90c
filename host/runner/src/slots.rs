//! Places for instances: giving, waiting and refusing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bounds::Who;
use crate::share::Share;

/// Places for instances. Requests from outside and chained calls have separate places: a request that waits for its chained
/// call must not hold the last place that the call needs. Some places for requests from outside are kept for the components
/// that people and probes use, so that no crowd of webhooks keeps them out.
pub struct Slots {
    outside: Lane,
    reserved: Lane,
    chained: Arc<Semaphore>,
    instances: u32,
}

/// Places of one kind, and the number of requests that wait for them.
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

/// A place for one instance. It is free again when dropped.
pub struct Place {
    _place: OwnedSemaphorePermit,
    outside: Option<Outside>,
    /// The room of its request's body in the instance, if the body is large.
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

    /// The sender of the request, if it came from outside.
    pub fn who(&self) -> Option<Who> {
        self.outside.as_ref().map(|outside| outside.who)
    }
}

/// The number of places that are kept for the preferred components.
pub fn reserved_of(instances: usize) -> usize {
    instances / 8
}

/// The time for which a request waits for a place.
const WAIT: Duration = Duration::from_secs(1);

impl Slots {
    /// Makes places for `instances` requests, `reserved` of them for preferred components, and as many for chained calls.
    pub fn new(instances: usize, reserved: usize) -> Self {
        Self {
            outside: Lane::new(instances - reserved.min(instances)),
            reserved: Lane::new(reserved.min(instances)),
            chained: Arc::new(Semaphore::new(instances)),
            instances: u32::try_from(instances).unwrap_or(u32::MAX),
        }
    }

    /// A place for a request from outside. `None` if none becomes free in time, or if too many wait already.
    pub async fn outside(&self, share: &Share, who: Who) -> Option<Place> {
        let place = |place, part| Place { _place: place, outside: Some(Outside { _share: part, who }), large: None };
        if let Ok(part) = Arc::clone(&share.places).try_acquire_owned()
            && let Some(found) = self.free(share)
        {
            return Some(place(found, part));
        }
        let lane = if share.reserved { &self.reserved } else { &self.outside };
        if lane.waiting.fetch_add(1, Ordering::Relaxed) >= lane.most_waiting {
            lane.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let _waiting = Waiting(&lane.waiting);
        let part = acquire(&share.places).await?;
        let found = match share.reserved {
            true => tokio::select! {
                found = acquire(&self.outside.places) => found,
                found = acquire(&self.reserved.places) => found,
            },
            false => acquire(&self.outside.places).await,
        };
        Some(place(found?, part))
    }

    /// A place that is free now.
    fn free(&self, share: &Share) -> Option<OwnedSemaphorePermit> {
        let free = |lane: &Lane| Arc::clone(&lane.places).try_acquire_owned().ok();
        free(&self.outside).or_else(|| share.reserved.then(|| free(&self.reserved)).flatten())
    }

    /// Waits until every place is free: no guest runs any more, including those that have answered.
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

/// Counts a waiting request until it is dropped, which also happens when its client goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
