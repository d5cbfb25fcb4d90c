//! How long a delivery waits between its tries.

use warmline_model::Rng;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// The waits after the first failure, the second and so on, in milliseconds. Together they are a little over three days.
pub const WAITS: [i64; 9] =
    [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// The longest pause that a receiver can ask for, in milliseconds.
pub const LONGEST_PAUSE: i64 = 24 * HOUR;

/// The milliseconds to wait after so many failed tries; `None` if there were enough. They differ by a tenth up or down, so
/// that what failed together does not come back together.
pub fn wait(failed: i64, rng: &dyn Rng) -> Option<i64> {
    let wait = *WAITS.get(usize::try_from(failed.checked_sub(1)?).ok()?)?;
    let mut drawn = [0; 8];
    rng.fill(&mut drawn);
    // A fifth of the longest wait is far below what a draw can be, so the remainder is as good as even.
    let more = u64::from_le_bytes(drawn) % (wait.unsigned_abs() / 5 + 1);
    Some(wait - wait / 10 + more.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    struct Drawn(u64);

    impl Rng for Drawn {
        fn fill(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.0.to_le_bytes()[..out.len()]);
        }
    }

    #[test]
    fn the_waits_are_about_three_days_together() {
        let days = WAITS.iter().sum::<i64>() / (24 * HOUR);
        assert_eq!(days, 3);
    }

    proptest! {
        #[test]
        fn each_wait_is_within_a_tenth_of_its_step_and_longer_than_the_one_before(
            failed in 1_i64..=9,
            (one, other) in any::<(u64, u64)>(),
        ) {
            let step = WAITS[usize::try_from(failed).unwrap() - 1];
            let waits = wait(failed, &Drawn(one)).unwrap();
            assert!((step - step / 10..=step + step / 10 + 1).contains(&waits), "{waits} of {step}");
            assert!(failed == 1 || wait(failed - 1, &Drawn(other)).unwrap() < waits);
        }

        #[test]
        fn no_count_of_failures_panics_and_after_the_last_step_nothing_is_tried(failed: i64, draw: u64) {
            assert_eq!(wait(failed, &Drawn(draw)).is_some(), (1..=9).contains(&failed));
        }
    }
}
