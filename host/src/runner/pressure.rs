//! Whether requests from outside pile up. While they do, transactions of chained calls (the router's, deliveries) give way: a
//! platform gives up on a webhook after seconds, while work that is committed can wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often the requests of the last while are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// More requests at once than this many a core is too many.
const REQUESTS_A_CORE: f64 = 4.0;
/// What takes longer is waiting for something else than this machine (a long poll), and says nothing of its load.
const WAITING: Duration = Duration::from_secs(1);
/// How long one transaction gives way at the most, so that nothing waits for ever.
const PATIENCE: Duration = Duration::from_millis(50);
const STEP: Duration = Duration::from_millis(5);

/// The requests of the last while.
#[derive(Debug, Default)]
pub struct Pressure {
    busy: AtomicBool,
    /// Microseconds spent on requests since the last look: as many as the interval has make one request at a time
    /// (Little's law).
    spent: AtomicU64,
}

impl Pressure {
    /// Starts looking, for as long as anybody holds the result.
    pub fn watch() -> Arc<Self> {
        let pressure = Arc::new(Self::default());
        let watched = Arc::downgrade(&pressure);
        let cores = std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64);
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(LOOK);
            let mut before = interval.tick().await;
            while let Some(pressure) = watched.upgrade() {
                let now = tokio::time::Instant::now();
                pressure.look(now - before, REQUESTS_A_CORE * cores);
                before = now;
                drop(pressure);
                interval.tick().await;
            }
        });
        pressure
    }

    /// Notes a request from outside that was answered.
    pub fn answered(&self, took: Duration) {
        if took < WAITING {
            self.spent.fetch_add(u64::try_from(took.as_micros()).unwrap_or(0), Ordering::Relaxed);
        }
    }

    fn look(&self, interval: Duration, limit: f64) {
        let spent = self.spent.swap(0, Ordering::Relaxed) as f64 / 1e6;
        self.busy.store(spent > limit * interval.as_secs_f64(), Ordering::Relaxed);
    }

    /// Waits while requests pile up, within reason.
    pub async fn give_way(&self) {
        let mut waited = Duration::ZERO;
        while self.busy.load(Ordering::Relaxed) && waited < PATIENCE {
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_at_once_are_time_spent_in_the_interval() {
        let pressure = Pressure::default();
        let busy = |pressure: &Pressure| {
            pressure.look(Duration::from_millis(100), 8.0);
            pressure.busy.load(Ordering::Relaxed)
        };
        (0..16).for_each(|_| pressure.answered(Duration::from_millis(60)));
        assert!(busy(&pressure));
        (0..16).for_each(|_| pressure.answered(Duration::from_millis(40)));
        pressure.answered(Duration::from_secs(25));
        assert!(!busy(&pressure));
    }
}
