//! One component's share of the places for instances.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// What one component may have of the places for requests from outside.
pub struct Share {
    /// Three quarters of all places. Streams that stay open for long (one component's) then cannot keep out what the others serve.
    pub places: Arc<Semaphore>,
    /// How many of these may be held by long answers, so that its short ones always find a place.
    pub streams: Arc<Semaphore>,
    /// Whether places are kept for it that no other component gets.
    pub reserved: bool,
}

impl Share {
    /// The share of one component where there are so many places in all.
    pub fn new(instances: usize, reserved: bool) -> Self {
        let places = share_of(instances);
        Self { places: Arc::new(Semaphore::new(places)), streams: Arc::new(Semaphore::new(streams_of(places))), reserved }
    }
}

/// How many places one component may have of all.
fn share_of(instances: usize) -> usize {
    (instances * 3 / 4).max(1)
}

/// How many places of its share a component may have for long answers.
fn streams_of(share: usize) -> usize {
    (share * 7 / 8).max(1)
}
