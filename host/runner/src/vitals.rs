//! Messages between an instance and the future that runs it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The shared state of a guest and the future that runs it.
#[derive(Default)]
pub struct Vitals {
    /// The tick at which the guest last began to run, so that waiting does not count as running.
    entered: AtomicU64,
    doomed: AtomicBool,
}

impl Vitals {
    /// Call this before each poll of the guest's future.
    pub fn enter(&self, tick: u64) {
        self.entered.store(tick, Ordering::Relaxed);
    }

    /// The tick at which the guest last began to run. It is set to `tick` now.
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
