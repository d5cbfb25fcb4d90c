//! One component's share of the places for instances.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The part of the places for requests from outside that one component may take.
pub struct Share {
    /// Three quarters of all places. Long-lived streams (one component's) then cannot keep out the other components'
    /// requests.
    pub places: Arc<Semaphore>,
    /// The number of these that long answers may take, so that short answers always find a place.
    pub streams: Arc<Semaphore>,
    /// Whether places are reserved for it that no other component gets.
    pub reserved: bool,
}

impl Share {
    /// The share of one component, of this many places in all.
    pub fn new(instances: usize, reserved: bool) -> Self {
        let places = share_of(instances);
        Self { places: Arc::new(Semaphore::new(places)), streams: Arc::new(Semaphore::new(streams_of(places))), reserved }
    }
}

/// The number of places that one component may take of all.
fn share_of(instances: usize) -> usize {
    (instances * 3 / 4).max(1)
}

/// The number of places of its share that a component may use for long answers.
fn streams_of(share: usize) -> usize {
    (share * 7 / 8).max(1)
}
