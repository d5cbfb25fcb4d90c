//! Dates in the forms of Chinese platforms: Beijing time (UTC+8, no summer time since 1991), the dates of Weibo and of old
//! C libraries (`Mon Jul 16 18:09:20 +0800 2012`), and those of mails. The calendar is chrono's. The forms are read here,
//! since platforms and mail programs follow them less strictly than chrono requires.

use std::str::FromStr;

#[cfg(any(test, feature = "testkit"))]
use chrono::Datelike as _;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use warmline_model::Timestamp;

const BEIJING_SECS: i64 = 8 * 3600;
const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `2016-01-01 12:00:00`, Beijing time.
pub(crate) fn beijing(at: Timestamp) -> String {
    local(at).to_string()
}

/// `2021-05-07 09:20:39.683+0800`.
pub(crate) fn beijing_millis(at: Timestamp) -> String {
    format!("{}.{:03}+0800", beijing(at), at.millis().rem_euclid(1000))
}

/// Reads `2016-01-01 12:00:00` (Beijing time). A fraction of a second is dropped.
pub(crate) fn read_beijing(text: &str) -> Option<Timestamp> {
    let (day, clock) = text.trim().split_once([' ', 'T'])?;
    let mut parts = day.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    instant(year, month, day, seconds(clock)? - BEIJING_SECS)
}

/// Reads `Mon Jul 16 18:09:20 +0800 2012`. The weekday is ignored.
pub(crate) fn read_ctime(text: &str) -> Option<Timestamp> {
    let mut parts = text.split_ascii_whitespace();
    let (_, month, day) = (parts.next()?, parts.next()?, number(parts.next()?, 2)?);
    let (clock, zone, year) = (seconds(parts.next()?)?, offset(parts.next()?)?, number(parts.next()?, 4)?);
    if parts.next().is_some() {
        return None;
    }
    instant(year, month_number(|m| m == month)?, day, clock - zone)
}

/// Reads a mail's date (RFC 5322, 3.3 and 4.3): `Wed, 10 Aug 2016 18:10:13 -0700`, with zones by name and years of two digits.
pub(crate) fn read_mail(text: &str) -> Option<Timestamp> {
    let bare = text.split('(').next().unwrap_or_default();
    let mut parts = bare.split([' ', '\t', ',', '\r', '\n']).filter(|part| !part.is_empty()).peekable();
    if parts.peek()?.starts_with(|c: char| c.is_ascii_alphabetic()) {
        parts.next();
    }
    let (day, month, year) = (number(parts.next()?, 2)?, parts.next()?, parts.next()?);
    let year = match (number(year, 4)?, year.len()) {
        (year @ 0..=49, 2) => year + 2000,
        (year, 2 | 3) => year + 1900,
        (year, _) => year,
    };
    let month = month_number(|m| month.get(..3).is_some_and(|month| m.eq_ignore_ascii_case(month)))?;
    let clock = parts.next()?;
    let clock = if clock.matches(':').count() == 1 { seconds(&format!("{clock}:00"))? } else { seconds(clock)? };
    let zone = match parts.next().unwrap_or("GMT") {
        zone if zone.starts_with(['+', '-']) => offset(zone)?,
        "EDT" => -4 * 3600,
        "EST" | "CDT" => -5 * 3600,
        "CST" | "MDT" => -6 * 3600,
        "MST" | "PDT" => -7 * 3600,
        "PST" => -8 * 3600,
        _ => 0,
    };
    instant(year, month, day, clock - zone)
}

/// Reads an HTTP date, in the present form (`Sun, 06 Nov 1994 08:49:37 GMT`) and the two old ones (`Sunday, 06-Nov-94
/// 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`). The weekday is ignored.
pub(crate) fn read_http_date(text: &str) -> Option<Timestamp> {
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    let (day, month, year, clock) = match parts.as_slice() {
        [_, day, month, year, clock, "GMT"] => (*day, *month, number(year, 4)?, *clock),
        [_, month, day, clock, year] => (*day, *month, number(year, 4)?, *clock),
        [_, date, clock, "GMT"] => {
            let mut date = date.split('-');
            let (day, month, year) = (date.next()?, date.next()?, number::<i32>(date.next()?, 2)?);
            // No HTTP date is older than this form.
            (day, month, if year < 70 { 2000 + year } else { 1900 + year }, *clock)
        }
        _ => return None,
    };
    instant(year, month_number(|m| m == month)?, number(day, 2)?, seconds(clock)?)
}

/// Writes the form that [`read_ctime`] reads, in Beijing time.
#[cfg(any(test, feature = "testkit"))]
pub(crate) fn ctime(at: Timestamp) -> String {
    let local = local(at);
    let month = MONTHS.get(local.month0() as usize).unwrap_or(&"Jan");
    format!("{} {month} {:02} {} +0800 {:04}", local.weekday(), local.day(), local.time(), local.year())
}

/// The local time in Beijing. A [`Timestamp`] reaches further than the calendar. Beyond the calendar, this is its first or
/// last second.
fn local(at: Timestamp) -> NaiveDateTime {
    let (first, last) = (DateTime::<Utc>::MIN_UTC.timestamp(), DateTime::<Utc>::MAX_UTC.timestamp());
    let second = at.secs().saturating_add(BEIJING_SECS).clamp(first, last);
    DateTime::from_timestamp(second, 0).unwrap_or_default().naive_utc()
}

/// The instant this many seconds after a day begins in Greenwich; `None` if the calendar has no such day.
fn instant(year: i32, month: u32, day: u32, second: i64) -> Option<Timestamp> {
    let days = NaiveDate::from_ymd_opt(year, month, day)?.to_epoch_days();
    Some(Timestamp::from_secs(i64::from(days) * DAY + second))
}

fn month_number(named: impl Fn(&str) -> bool) -> Option<u32> {
    MONTHS.iter().zip(1..).find_map(|(month, number)| named(month).then_some(number))
}

fn number<T: FromStr>(text: &str, longest: usize) -> Option<T> {
    let good = (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

fn seconds(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':');
    let (hour, minute, second): (i64, i64, i64) =
        (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    // 60 is a leap second.
    let good = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    good.then_some(hour * 3600 + minute * 60 + second)
}

/// `+0800` in seconds.
fn offset(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 {
        return None;
    }
    let number: i64 = number(digits, 4)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        assert_eq!(read_beijing("1970-01-01 08:00:00"), Some(Timestamp::from_secs(0)));
        assert_eq!(read_beijing("2016-01-01 12:00:00"), Some(Timestamp::from_secs(1_451_620_800)));
        assert_eq!(read_beijing("2021-05-07 09:20:39.683"), Some(Timestamp::from_secs(1_620_350_439)));
        assert_eq!(beijing_millis(Timestamp::from_millis(1_620_350_439_683)), "2021-05-07 09:20:39.683+0800");
        assert_eq!(read_ctime("Mon Jul 16 18:09:20 +0800 2012"), Some(Timestamp::from_secs(1_342_433_360)));
        assert_eq!(read_ctime("Mon Jul 16 10:09:20 +0000 2012"), Some(Timestamp::from_secs(1_342_433_360)));
        assert_eq!(ctime(Timestamp::from_secs(1_342_433_360)), "Mon Jul 16 18:09:20 +0800 2012");
        assert!(read_beijing("2024-02-29 00:00:00").is_some());
    }

    #[test]
    fn dates_of_mails() {
        for text in [
            "Wed, 10 Aug 2016 18:10:13 -0700",
            "10 Aug 2016 18:10:13 -0700 (PDT)",
            "Thu, 11 Aug 16 01:10:13 GMT",
            "Thu,11 August 2016 01:10:13 +0000",
            "Wed, 10 Aug 2016 18:10:13 PDT",
        ] {
            assert_eq!(read_mail(text), Some(Timestamp::from_secs(1_470_877_813)), "{text}");
        }
        assert_eq!(read_mail("11 Aug 2016 01:10 +0000"), Some(Timestamp::from_secs(1_470_877_800)));
        for text in
            ["", "Wed", "Wed, 10 Aug", "40 Aug 2016 01:10:13 GMT", "10 Aug 4294967295 18:10:13 -0700", "10 Foo 2016 1:1:1"]
        {
            assert_eq!(read_mail(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in
            ["", "2016-01-01", "2016-13-01 00:00:00", "2023-02-29 00:00:00", "2016-01-01 24:00:00", "2016-1-1-1 0:0:0"]
        {
            assert_eq!(read_beijing(text), None, "{text}");
        }
        for text in [
            "",
            "Mon Jul 16 18:09:20 0800 2012",
            "Mon Foo 16 18:09:20 +0800 2012",
            "Mon Jul 16 18:09 +0800 2012",
            "Mon Jul 16",
        ] {
            assert_eq!(read_ctime(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_survives(second in 0i64..20_000_000_000) {
            let at = Timestamp::from_secs(second);
            prop_assert_eq!(read_beijing(&beijing(at)), Some(at));
            prop_assert_eq!(read_ctime(&ctime(at)), Some(at));
        }

        #[test]
        fn arbitrary_text_does_not_panic(text: String, at: i64) {
            let _ = (read_beijing(&text), read_ctime(&text), read_mail(&text), beijing(Timestamp::from_millis(at)), ctime(Timestamp::from_millis(at)));
        }
    }
}
