//! What an instance and the future that runs it tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the guest and the future that runs it tell each other.
#[derive(Default)]
pub struct Vitals {
    /// The tick at which the guest last began to run, so that waiting is not counted as running.
    entered: AtomicU64,
    doomed: AtomicBool,
}

impl Vitals {
    /// To be called before each poll of the guest's future.
    pub fn enter(&self, tick: u64) {
        self.entered.store(tick, Ordering::Relaxed);
    }

    /// The tick at which the guest last began to run; from now on that is `tick`.
    pub fn reenter(&self, tick: u64) -> u64 {
        self.entered.swap(tick, Ordering::Relaxed)
    }

    /// Ends the guest, as a trap would, at the next point where it waits.
    pub fn doom(&self) {
        self.doomed.store(true, Ordering::Relaxed);
    }

    /// Whether the guest is to be ended.
    pub fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::Relaxed)
    }
}
