//! Times that are signed with a request, as digits. The account's `max_age_secs` is their greatest distance from now.

use crate::kit::Refusal;
use warmline_model::Timestamp;

/// From this number on a time counts milliseconds: as seconds it would be the year 5138.
const FIRST_MILLIS: i64 = 100_000_000_000;

/// Seconds since 1970.
pub(crate) fn seconds(text: &str) -> Result<Timestamp, Refusal> {
    number(text).map(Timestamp::from_secs)
}

/// Seconds or milliseconds since 1970, for platforms whose documents do not name the unit.
pub(crate) fn seconds_or_millis(text: &str) -> Result<Timestamp, Refusal> {
    let number = number(text)?;
    Ok(if number < FIRST_MILLIS { Timestamp::from_secs(number) } else { Timestamp::from_millis(number) })
}

fn number(text: &str) -> Result<i64, Refusal> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(Refusal::Field("timestamp"))
}

/// Refuses a time that is too long ago, or too far ahead.
pub(crate) fn check(signed_at: Timestamp, now: Timestamp, max_age_secs: i64) -> Result<(), Refusal> {
    let ahead = signed_at.secs().saturating_sub(now.secs());
    if ahead.unsigned_abs() > max_age_secs.unsigned_abs() { Err(Refusal::Stale(ahead)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(seconds("1700000000"), Ok(Timestamp::from_secs(1_700_000_000)));
        assert_eq!(seconds_or_millis("1700000000"), Ok(Timestamp::from_secs(1_700_000_000)));
        assert_eq!(seconds_or_millis("1700000000123"), Ok(Timestamp::from_millis(1_700_000_000_123)));
        for bad in ["", "-1", "+1", " 1", "1.0", "9223372036854775808"] {
            assert_eq!(seconds(bad), Err(Refusal::Field("timestamp")), "{bad}");
            assert_eq!(seconds_or_millis(bad), Err(Refusal::Field("timestamp")), "{bad}");
        }
    }

    #[test]
    fn ages() {
        let now = Timestamp::from_secs(1_700_000_000);
        for (signed_at, fresh) in
            [(1_699_999_700, true), (1_700_000_300, true), (1_699_999_699, false), (1_700_000_301, false)]
        {
            assert_eq!(check(Timestamp::from_secs(signed_at), now, 300).is_ok(), fresh, "{signed_at}");
        }
        assert_eq!(check(Timestamp::from_secs(1_699_999_699), now, 300), Err(Refusal::Stale(-301)), "behind");
        let ahead = Timestamp::from_secs(i64::MAX).secs() - now.secs();
        assert_eq!(check(Timestamp::from_secs(i64::MAX), now, 300), Err(Refusal::Stale(ahead)));
    }
}
