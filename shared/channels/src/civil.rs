//! Dates as Chinese platforms write them: Beijing time (UTC+8, no summer time since 1991), the dates of Weibo and of old
//! C libraries (`Mon Jul 16 18:09:20 +0800 2012`), and those of mails. The calendar is the proleptic Gregorian one.

use warmline_model::Timestamp;

const BEIJING_SECS: i64 = 8 * 3600;
const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `2016-01-01 12:00:00`, Beijing time.
pub(crate) fn beijing(at: Timestamp) -> String {
    let local = at.secs().saturating_add(BEIJING_SECS);
    let (year, month, day) = date(local.div_euclid(DAY));
    let second = local.rem_euclid(DAY);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// `2021-05-07 09:20:39.683+0800`.
pub(crate) fn beijing_millis(at: Timestamp) -> String {
    format!("{}.{:03}+0800", beijing(at), at.millis().rem_euclid(1000))
}

/// Reads `2016-01-01 12:00:00` (Beijing time), with or without a fraction of a second, which is dropped.
pub(crate) fn read_beijing(text: &str) -> Option<Timestamp> {
    let (day, clock) = text.trim().split_once([' ', 'T'])?;
    let mut parts = day.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    Some(Timestamp::from_secs(days(year, month, day)? * DAY + seconds(clock)? - BEIJING_SECS))
}

/// Reads `Mon Jul 16 18:09:20 +0800 2012`. The weekday is not looked at.
pub(crate) fn read_ctime(text: &str) -> Option<Timestamp> {
    let mut parts = text.split_ascii_whitespace();
    let (_, month, day) = (parts.next()?, parts.next()?, number(parts.next()?, 2)?);
    let (clock, zone, year) = (seconds(parts.next()?)?, offset(parts.next()?)?, number(parts.next()?, 4)?);
    if parts.next().is_some() {
        return None;
    }
    let month = i64::try_from(MONTHS.iter().position(|m| *m == month)?).ok()? + 1;
    Some(Timestamp::from_secs(days(year, month, day)? * DAY + clock - zone))
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
    let month = MONTHS.iter().position(|m| month.get(..3).is_some_and(|month| m.eq_ignore_ascii_case(month)))?;
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
    Some(Timestamp::from_secs(days(year, i64::try_from(month).ok()? + 1, day)? * DAY + clock - zone))
}

/// Reads a date of HTTP, in the present form (`Sun, 06 Nov 1994 08:49:37 GMT`) and the two old ones (`Sunday, 06-Nov-94
/// 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`). The weekday is not looked at.
pub(crate) fn read_http_date(text: &str) -> Option<Timestamp> {
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    let (day, month, year, clock) = match parts.as_slice() {
        [_, day, month, year, clock, "GMT"] => (*day, *month, number(year, 4)?, *clock),
        [_, month, day, clock, year] => (*day, *month, number(year, 4)?, *clock),
        [_, date, clock, "GMT"] => {
            let mut date = date.split('-');
            let (day, month, year) = (date.next()?, date.next()?, number(date.next()?, 2)?);
            // No date of HTTP is older than this form.
            (day, month, if year < 70 { 2000 + year } else { 1900 + year }, *clock)
        }
        _ => return None,
    };
    let month = i64::try_from(MONTHS.iter().position(|m| *m == month)?).ok()? + 1;
    Some(Timestamp::from_secs(days(year, month, number(day, 2)?)? * DAY + seconds(clock)?))
}

/// Writes what [`read_ctime`] reads, in Beijing time.
pub(crate) fn ctime(at: Timestamp) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let day_number = at.secs().saturating_add(BEIJING_SECS).div_euclid(DAY);
    let (year, month, day) = date(day_number);
    let weekday = usize::try_from(day_number.rem_euclid(7)).ok().and_then(|i| WEEKDAYS.get(i)).unwrap_or(&"Mon");
    let month = usize::try_from(month - 1).ok().and_then(|i| MONTHS.get(i)).unwrap_or(&"Jan");
    let text = beijing(at);
    let clock = text.split_once(' ').map_or("", |(_, clock)| clock);
    format!("{weekday} {month} {day:02} {clock} +0800 {year:04}")
}

fn number(text: &str, longest: usize) -> Option<i64> {
    let good = (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

fn seconds(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
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
    let number = number(digits, 4)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

fn leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

/// Days since 1970-01-01; none where the calendar has no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let length = match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin with March: the leap day is then a year's last, and months follow one formula.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Year, month and day of a day since 1970-01-01: the inverse of [`days`].
fn date(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (era * 400 + year, month, day)
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
