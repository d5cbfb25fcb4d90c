//! The counts of a bridge, reported once a minute if there are any.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const EVERY: Duration = Duration::from_mins(1);

/// Counts since the last report.
#[derive(Default)]
pub(super) struct Counters {
    /// Frames that Warmline has.
    pub kept: Count,
    /// Frames that Warmline can never read; they were acknowledged.
    pub unreadable: Count,
    /// Frames that this account does not accept. They were not acknowledged.
    pub left: Count,
    /// Posts that have to be tried again.
    pub retried: Count,
    /// Connections that broke or could not be opened.
    pub lost: Count,
}

/// A count, which only grows between two reports.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Counters {
    /// Reports until it is dropped.
    pub(super) async fn report(self: Arc<Self>) {
        let mut every = tokio::time::interval_at(tokio::time::Instant::now() + EVERY, EVERY);
        loop {
            every.tick().await;
            self.say();
        }
    }

    /// Reports now.
    pub(super) fn say(&self) {
        let [kept, unreadable, left, retried, lost] =
            [&self.kept, &self.unreadable, &self.left, &self.retried, &self.lost].map(Count::take);
        if kept + unreadable + left + retried + lost > 0 {
            tracing::info!(kept, unreadable, left, retried, lost, "frames and connections");
        }
    }
}
