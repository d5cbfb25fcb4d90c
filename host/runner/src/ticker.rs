//! The clock by which the CPU time of guests is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::Engine;

/// The length of one tick.
pub const TICK: Duration = Duration::from_millis(10);

/// Counts ticks and moves the engine's epoch, so that running guests notice.
#[derive(Clone, Default)]
pub struct Ticker(Arc<AtomicU64>);

impl Ticker {
    /// Starts counting on a thread of its own: a busy guest must not hold up the clock.
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
