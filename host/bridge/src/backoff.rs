//! The pause before another try.

use std::time::Duration;

use tokio::sync::watch;

use super::stopped;

/// The longest `Retry-After` that is obeyed.
const LONGEST: Duration = Duration::from_secs(300);

/// The pause after this many failures in a row. It doubles from half a second to half a minute, less a random part of up to
/// a half, so that bridges that failed together do not come back together.
pub(super) fn pause(failures: u32) -> Duration {
    let longest = Duration::from_millis(500 << failures.clamp(1, 7).saturating_sub(1)).min(Duration::from_secs(30));
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    longest - longest.mul_f64(f64::from(byte[0]) / 510.0)
}

/// The same, and at least as long as the other side asked for.
pub(super) fn pause_of(failures: u32, asked: Option<Duration>) -> Duration {
    pause(failures).max(asked.unwrap_or_default().min(LONGEST))
}

/// Waits. Returns false if it is time to stop first.
pub(super) async fn waited(pause: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        () = stopped(stopping) => false,
        () = tokio::time::sleep(pause) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        for (failures, longest) in [(0, 500), (1, 500), (2, 1_000), (6, 16_000), (7, 30_000), (u32::MAX, 30_000)] {
            let pause = pause(failures).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{failures}: {pause}");
        }
    }

    #[test]
    fn what_is_asked_for_is_granted_within_bounds() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(pause_of(1, seconds(7)), Duration::from_secs(7));
        assert_eq!(pause_of(1, seconds(1_000_000)), LONGEST);
        assert!(pause_of(7, seconds(1)) >= Duration::from_secs(15));
        assert!(pause_of(1, None) <= Duration::from_millis(500));
    }
}
