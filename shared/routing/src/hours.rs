//! Business hours (服务时间), in the brand's zone.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Weekday};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use warmline_model::Timestamp;

const DAY: u16 = 24 * 60;

/// A time of day, in minutes from midnight; `24:00` is the end of the day. In JSON `"HH:MM"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayTime(u16);

impl DayTime {
    /// Reads `HH:MM`.
    pub fn parse(text: &str) -> Option<Self> {
        let (h, m) = text.split_once(':')?;
        let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
        if !(digits(h) && digits(m)) {
            return None;
        }
        let (h, m): (u16, u16) = (h.parse().ok()?, m.parse().ok()?);
        (m < 60 && h * 60 + m <= DAY).then_some(Self(h * 60 + m))
    }

    /// The beginning of an hour; 0 to 24.
    pub fn of_hour(hour: i64) -> Self {
        Self(u16::try_from(hour.clamp(0, 24)).unwrap_or(0) * 60)
    }

    /// Minutes from midnight: 0 to 1440.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for DayTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for DayTime {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DayTime {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a time of day is HH:MM, from 00:00 to 24:00"))
    }
}

impl JsonSchema for DayTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DayTime".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$" })
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the days speak for themselves")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    const fn of(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Mon => Self::Mon,
            Weekday::Tue => Self::Tue,
            Weekday::Wed => Self::Wed,
            Weekday::Thu => Self::Thu,
            Weekday::Fri => Self::Fri,
            Weekday::Sat => Self::Sat,
            Weekday::Sun => Self::Sun,
        }
    }
}

/// A span on some days of the week, from the first minute up to the last, without the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The days on which it begins.
    pub days: Vec<Day>,
    /// The time at which it begins.
    pub from: DayTime,
    /// The time at which it ends. A span over midnight is written as two.
    pub to: DayTime,
}

/// The hours of one date (a holiday, a promotion).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The date, `YYYY-MM-DD`.
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub date: String,
    /// The hours of that date, which replace the week's; empty: closed all day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<(DayTime, DayTime)>,
}

/// Business hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The week.
    pub week: Vec<Span>,
    /// Dates with other hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<Exception>,
}

impl Hours {
    /// Checks the spans.
    ///
    /// # Errors
    /// A span has a fault. The error holds its place (`week[1]`, `dates[0].date`), and the fault.
    pub fn check(&self) -> Result<(), (String, &'static str)> {
        const EMPTY: &str = "a span ends after it begins; one that goes over midnight is written as two";
        const OVERLAP: &str = "overlaps an earlier span of the same day";
        for (i, span) in self.week.iter().enumerate() {
            if span.days.is_empty() {
                return Err((format!("week[{i}].days"), "a span needs at least one day"));
            }
            if span.from >= span.to {
                return Err((format!("week[{i}]"), EMPTY));
            }
            let meets = |other: &Span| {
                span.days.iter().any(|d| other.days.contains(d)) && span.from < other.to && other.from < span.to
            };
            let repeats = span.days.iter().enumerate().any(|(n, d)| span.days.iter().take(n).any(|e| e == d));
            if repeats || self.week.iter().take(i).any(meets) {
                return Err((format!("week[{i}]"), OVERLAP));
            }
        }
        for (i, exception) in self.dates.iter().enumerate() {
            if date(&exception.date).is_none() {
                return Err((format!("dates[{i}].date"), "a date is YYYY-MM-DD"));
            }
            if self.dates.iter().take(i).any(|e| e.date == exception.date) {
                return Err((format!("dates[{i}].date"), "the date is there twice"));
            }
            for (n, (from, to)) in exception.open.iter().enumerate() {
                if from >= to {
                    return Err((format!("dates[{i}].open[{n}]"), EMPTY));
                }
                if exception.open.iter().take(n).any(|(f, t)| from < t && f < to) {
                    return Err((format!("dates[{i}].open[{n}]"), OVERLAP));
                }
            }
        }
        Ok(())
    }

    /// Whether an instant is within business hours. `zone_minutes` is the zone's offset from UTC (China: 480).
    pub fn open(&self, at: Timestamp, zone_minutes: i64) -> bool {
        let shifted = at.plus_millis(zone_minutes.saturating_mul(60_000));
        let Some(local) = DateTime::from_timestamp_millis(shifted.millis()) else { return false };
        let minute = DayTime(u16::try_from(local.hour() * 60 + local.minute()).unwrap_or(DAY));
        let today = local.date_naive();
        if let Some(exception) = self.dates.iter().find(|e| date(&e.date) == Some(today)) {
            return exception.open.iter().any(|(from, to)| (*from..*to).contains(&minute));
        }
        let day = Day::of(today.weekday());
        self.week.iter().any(|s| s.days.contains(&day) && (s.from..s.to).contains(&minute))
    }

    /// The first minute from `at` on that is within business hours. It looks three weeks ahead.
    pub fn next_open(&self, at: Timestamp, zone_minutes: i64) -> Option<Timestamp> {
        if self.open(at, zone_minutes) {
            return Some(at);
        }
        let zone = zone_minutes.saturating_mul(60_000);
        let local = DateTime::from_timestamp_millis(at.millis().saturating_add(zone))?;
        (0..=21)
            .filter_map(|ahead| local.date_naive().checked_add_signed(TimeDelta::days(ahead)))
            .flat_map(|date| self.starts(date))
            .map(|start| Timestamp::from_millis(start - zone))
            .filter(|start| *start > at)
            .min()
    }

    fn starts(&self, on: NaiveDate) -> Vec<i64> {
        let midnight = on.and_hms_opt(0, 0, 0).map_or(0, |t| t.and_utc().timestamp_millis());
        let at = |from: &DayTime| midnight + i64::from(from.0) * 60_000;
        if let Some(exception) = self.dates.iter().find(|e| date(&e.date) == Some(on)) {
            return exception.open.iter().map(|(from, _)| at(from)).collect();
        }
        let day = Day::of(on.weekday());
        self.week.iter().filter(|s| s.days.contains(&day)).map(|s| at(&s.from)).collect()
    }
}

fn date(text: &str) -> Option<NaiveDate> {
    if text.len() != 10 {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Hours {
        serde_json::from_str(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        serde_json::from_str(&format!("{text:?}")).unwrap()
    }

    const WEEK: &str = r#"{"week":[{"days":["mon","tue","wed","thu","fri"],"from":"09:00","to":"12:00"},
        {"days":["mon","fri"],"from":"13:00","to":"24:00"}],
        "dates":[{"date":"2026-10-01"},{"date":"2026-10-02","open":[["10:00","11:00"]]}]}"#;

    #[test]
    fn the_week_and_its_exceptions_in_the_brands_zone() {
        let hours = hours(WEEK);
        hours.check().unwrap();
        // 2026-11-23 is a Monday.
        for (when, open) in [
            ("2026-11-23T09:00:00+08:00", true),
            ("2026-11-23T08:59:59+08:00", false),
            ("2026-11-23T12:00:00+08:00", false),
            ("2026-11-23T23:59:59+08:00", true),
            ("2026-11-24T13:30:00+08:00", false),
            ("2026-11-28T10:00:00+08:00", false),
            ("2026-10-01T10:00:00+08:00", false),
            ("2026-10-02T10:30:00+08:00", true),
            ("2026-10-02T14:00:00+08:00", false),
        ] {
            assert_eq!(hours.open(at(when), 480), open, "{when}");
        }
        assert_eq!(
            hours.next_open(at("2026-11-27T23:59:00Z"), 480),
            Some(at("2026-11-30T09:00:00+08:00")),
            "Saturday in China already"
        );
        assert_eq!(hours.next_open(at("2026-10-01T00:00:00+08:00"), 480), Some(at("2026-10-02T10:00:00+08:00")));
        assert_eq!(Hours::default().next_open(at("2026-10-01T00:00:00Z"), 480), None);
    }

    #[test]
    fn faults_are_named() {
        let fault = |text: &str| hours(text).check().unwrap_err().0;
        assert_eq!(fault(r#"{"week":[{"days":["mon"],"from":"09:00","to":"09:00"}]}"#), "week[0]");
        assert_eq!(
            fault(
                r#"{"week":[{"days":["mon"],"from":"09:00","to":"12:00"},{"days":["tue","mon"],"from":"11:59","to":"13:00"}]}"#
            ),
            "week[1]"
        );
        assert_eq!(fault(r#"{"week":[{"days":["mon","mon"],"from":"09:00","to":"12:00"}]}"#), "week[0]");
        assert_eq!(fault(r#"{"week":[{"days":[],"from":"09:00","to":"12:00"}]}"#), "week[0].days");
        assert_eq!(fault(r#"{"week":[],"dates":[{"date":"2026-13-01"}]}"#), "dates[0].date");
        for bad in ["9:00", "24:01", "09:60", "ab:cd", "+9:00", ""] {
            assert_eq!(DayTime::parse(bad), None, "{bad}");
        }
        assert_eq!(DayTime::parse("24:00").map(|t| t.to_string()), Some("24:00".into()));
    }
}
