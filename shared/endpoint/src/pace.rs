//! How many requests a token may send.
//!
//! A write for each request would cost more than most requests do. One request in [`STEP`], chosen at random, is
//! therefore written and counts for all of them. The other requests need no read beyond the look-up of their token.
//! Over time this is exact. For a burst of n requests the count is off by `√(n · (STEP − 1))` (one standard deviation:
//! 37 of 200), and requests under way at the same moment do not see each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{Rng, Timestamp};

/// The name of the document in the configuration.
pub const SETTINGS: &str = "limits";
/// One request in this many is written. It divides 256.
pub const STEP: i64 = 8;

/// The rate of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests a second over time, 1 to 1000; 0: no limit.
    #[schemars(range(min = 0, max = 1000))]
    pub requests_per_second: i64,
    /// Requests at once after a pause, 50 to 100000.
    #[schemars(range(min = 50, max = 100_000))]
    pub burst: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_second: 50, burst: 200 }
    }
}

impl Limits {
    /// Whether the numbers are within their bounds.
    pub fn are_valid(&self) -> bool {
        (0..=1_000).contains(&self.requests_per_second) && (50..=100_000).contains(&self.burst)
    }

    /// The seconds for which a token has to wait; `None` if it need not. `paced_to` is the instant up to which its
    /// requests have used its rate.
    pub fn wait(&self, paced_to: Timestamp, now: Timestamp) -> Option<u32> {
        if self.requests_per_second == 0 {
            return None;
        }
        let over = paced_to.since(now) - self.burst * 1000 / self.requests_per_second;
        (over > 0).then(|| u32::try_from((over + 999) / 1000).unwrap_or(u32::MAX))
    }

    /// The milliseconds of the rate that [`STEP`] requests use.
    pub fn step_ms(&self) -> i64 {
        STEP * 1000 / self.requests_per_second.max(1)
    }
}

/// Whether this request is the one in [`STEP`] that is written.
pub fn counts(rng: &dyn Rng) -> bool {
    let mut byte = [0];
    rng.fill(&mut byte);
    i64::from(byte[0]) % STEP == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Mixed(std::cell::Cell<u64>);
    impl Rng for Mixed {
        fn fill(&self, out: &mut [u8]) {
            for byte in out {
                self.0.set(self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                *byte = self.0.get().to_be_bytes()[0];
            }
        }
    }

    /// The requests let through if one comes every `every_ms` milliseconds for `seconds` seconds.
    fn let_through(limits: Limits, every_ms: usize, seconds: i64) -> i64 {
        let (rng, mut paced_to, mut passed) = (Mixed(std::cell::Cell::new(7)), 0i64, 0);
        for ms in (0..seconds * 1000).step_by(every_ms) {
            let now = Timestamp::from_millis(ms);
            if limits.wait(Timestamp::from_millis(paced_to), now).is_none() {
                passed += 1;
                if counts(&rng) {
                    paced_to = paced_to.max(ms) + limits.step_ms();
                }
            }
        }
        passed
    }

    #[test]
    fn over_time_the_rate_is_kept_and_who_keeps_it_is_never_refused() {
        let limits = Limits::default();
        // 500 a second for two minutes: the burst passes, and then 50 a second.
        let passed = let_through(limits, 2, 120);
        assert!((5_700..6_700).contains(&passed), "{passed}");
        assert_eq!(let_through(limits, 40, 120), 3_000);
        assert_eq!(let_through(Limits { requests_per_second: 0, ..limits }, 1, 10), 10_000);
    }

    #[test]
    fn who_has_to_wait_is_told_how_long() {
        let (limits, now) = (Limits::default(), Timestamp::from_millis(0));
        assert_eq!(limits.wait(Timestamp::from_millis(4_000), now), None);
        assert_eq!(limits.wait(Timestamp::from_millis(4_001), now), Some(1));
        assert_eq!(limits.wait(Timestamp::from_millis(5_001), now), Some(2));
    }
}
