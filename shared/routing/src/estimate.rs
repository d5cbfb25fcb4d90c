//! The estimated wait of a contact: the number of contacts ahead of it, times the recent pace of the queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::Timestamp;

/// The pace of a queue: a smoothed mean of the time between two contacts that left it for a seat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pace {
    /// The time at which the last one left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The smoothed gap, in milliseconds; `None` before the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_ms: Option<i64>,
}

/// The weight of the newest gap. The estimate follows a change of pace within about ten contacts.
const NEWEST: f64 = 0.15;

impl Pace {
    /// The pace after a contact left the queue for a seat. While nobody waited, no pace could be measured: `busy` says
    /// whether the queue has been non-empty since the last contact left.
    #[must_use]
    pub fn left(self, at: Timestamp, busy: bool) -> Self {
        let gap = self.last.filter(|_| busy).map(|last| at.since(last).max(0));
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "milliseconds are far below 2^53")]
        let gap_ms = match (self.gap_ms, gap) {
            (Some(mean), Some(gap)) => Some((mean as f64 + NEWEST * (gap as f64 - mean as f64)).round() as i64),
            (None, gap) => gap,
            (mean, None) => mean,
        };
        Self { last: Some(at), gap_ms }
    }

    /// The milliseconds that a contact with `ahead` contacts before it will wait from `now` on; `None` while the pace is
    /// unknown. If the present gap is already longer than the mean, it counts in full.
    pub fn estimate(self, ahead: i64, now: Timestamp) -> Option<i64> {
        let gap = self.gap_ms?;
        let running = self.last.map_or(0, |last| now.since(last)).max(0);
        let first = gap.saturating_sub(running).max(0);
        Some(first.saturating_add(gap.max(running.min(gap.saturating_mul(4))).saturating_mul(ahead)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_pace_is_told_as_it_is() {
        let mut pace = Pace::default();
        assert_eq!(pace.estimate(3, Timestamp::default()), None);
        for n in 0..50 {
            pace = pace.left(Timestamp::from_secs(n * 10), true);
        }
        let now = Timestamp::from_secs(490);
        assert_eq!(pace.estimate(0, now), Some(10_000));
        assert_eq!(pace.estimate(5, now.plus_millis(4_000)), Some(56_000));
    }

    #[test]
    fn idle_time_is_no_pace() {
        let pace = Pace::default().left(Timestamp::from_secs(0), true).left(Timestamp::from_secs(10), true);
        let after = pace.left(Timestamp::from_secs(5_000), false);
        assert_eq!((pace.gap_ms, after.gap_ms), (Some(10_000), Some(10_000)));
    }

    #[test]
    fn a_queue_that_stands_still_does_not_promise_its_old_pace() {
        let pace = Pace::default().left(Timestamp::from_secs(0), true).left(Timestamp::from_secs(10), true);
        assert_eq!(pace.estimate(2, Timestamp::from_secs(40)), Some(60_000));
    }
}
