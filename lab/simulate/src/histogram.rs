//! Times in a histogram (HdrHistogram): any quantile has an error below 1%, whatever the range, at a fixed cost of 60 KB
//! and a few instructions for each value.

use serde::Serialize;
use std::time::Duration;

/// Two digits are exact: quantiles err by less than 1%, and upwards, never in our favour.
const DIGITS: u8 = 2;

/// Counts of values; the unit is the caller's, microseconds for the `Duration` methods.
#[derive(Clone)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    /// The largest value itself. The counts know only its step.
    max: u64,
}

impl Default for Histogram {
    #[expect(clippy::expect_used, reason = "the bounds are constants")]
    fn default() -> Self {
        let counts = hdrhistogram::Histogram::new_with_bounds(1, u64::MAX / 2, DIGITS).expect("bounds in order");
        Self { counts, max: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.counts.saturating_record(value);
        self.max = self.max.max(value);
    }

    /// Counts a duration in microseconds.
    pub fn record_time(&mut self, time: Duration) {
        self.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Self) {
        self.counts += &other.counts;
        self.max = self.max.max(other.max);
    }

    /// The number of counted values.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// The largest value, exactly.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that a share `q` (0 to 1) of all values does not exceed; 0 if there are none.
    pub fn quantile(&self, q: f64) -> u64 {
        self.counts.value_at_quantile(q).min(self.max)
    }

    /// The usual figures, in milliseconds, of a histogram of microseconds.
    pub fn summary(&self) -> Summary {
        let ms = |micros: u64| micros as f64 / 1000.0;
        Summary {
            count: self.count(),
            mean_ms: self.counts.mean() / 1000.0,
            p50_ms: ms(self.quantile(0.5)),
            p90_ms: ms(self.quantile(0.9)),
            p99_ms: ms(self.quantile(0.99)),
            p999_ms: ms(self.quantile(0.999)),
            max_ms: ms(self.max),
        }
    }
}

/// A histogram of times in five figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Values counted.
    pub count: u64,
    /// Mean, in milliseconds.
    pub mean_ms: f64,
    /// Median, in milliseconds.
    pub p50_ms: f64,
    /// 90th percentile, in milliseconds.
    pub p90_ms: f64,
    /// 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// 99.9th percentile, in milliseconds.
    pub p999_ms: f64,
    /// Largest, in milliseconds.
    pub max_ms: f64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "p50 {:.2} ms  p90 {:.2} ms  p99 {:.2} ms  p99.9 {:.2} ms  max {:.2} ms",
            self.p50_ms, self.p90_ms, self.p99_ms, self.p999_ms, self.max_ms
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_err_upwards_by_less_than_a_hundredth_whatever_the_range() {
        for value in (0..2000).chain((11..63).map(|bits| (1 << bits) + 1234)) {
            let mut histogram = Histogram::default();
            histogram.record(value);
            histogram.record(u64::MAX);
            let got = histogram.quantile(0.5);
            assert!(got >= value && (got - value) as f64 <= value as f64 / 100.0, "{got} for {value}");
            assert_eq!((histogram.count(), histogram.max()), (2, u64::MAX));
        }
    }

    #[test]
    fn quantiles_agree_with_a_sorted_list() {
        let mut rng = crate::rng::Rng::new(5);
        let mut values: Vec<u64> = (0..50_000).map(|_| rng.exponential(3000.0) as u64).collect();
        let mut histogram = Histogram::default();
        values.iter().for_each(|v| histogram.record(*v));
        values.sort_unstable();
        for q in [0.5, 0.9, 0.99, 0.999] {
            let exact = values[(q * values.len() as f64).ceil() as usize - 1] as f64;
            let got = histogram.quantile(q) as f64;
            assert!((got - exact).abs() <= exact / 100.0 + 1.0, "{q}: {got} for {exact}");
        }
        assert_eq!(histogram.max(), values[values.len() - 1]);
    }

    #[test]
    fn merged_parts_equal_the_whole_and_empty_is_zero() {
        let (mut a, mut b, mut whole) = (Histogram::default(), Histogram::default(), Histogram::default());
        for v in 0..1000u64 {
            if v % 3 == 0 { &mut a } else { &mut b }.record(v * v);
            whole.record(v * v);
        }
        a.merge(&b);
        assert_eq!(a.summary(), whole.summary());
        assert_eq!(Histogram::default().summary(), Summary::default());
    }
}
