//! Business time (营业时间). A [`Calendar`] adds milliseconds of open time to an instant, and counts the open time between two
//! instants. Both are exact to the millisecond, and the one undoes the other.
//!
//! The open time before a local instant has a closed form: whole weeks, plus the days of the last week, plus what dated
//! exceptions add or take away. An addition searches for the day by halving. Therefore nothing here walks from day to day, and
//! no calendar and no instant can make it run long.

use crate::Fault;
use chrono::{Datelike as _, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::Timestamp;
use warmline_routing::hours::{Day, DayTime, Hours};

const MINUTE: i64 = 60_000;
const DAY: i128 = 86_400_000;
/// The most changes of the offset in a zone: two a year, for a century.
pub const MOST_CHANGES: usize = 200;
/// The most spans of a week, and the most dated exceptions.
pub const MOST_SPANS: usize = 1_000;
/// The greatest offset of a zone from UTC, in minutes.
pub const MOST_OFFSET: i64 = 14 * 60;

/// A change of a zone's offset, such as the beginning of summer time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneChange {
    /// The instant from which the new offset holds.
    pub from: Timestamp,
    /// The new offset from UTC, in minutes: -840 to 840.
    #[schemars(range(min = -840, max = 840))]
    pub minutes: i64,
}

/// A time zone: an offset, and the dated changes of it. China needs no changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// The offset from UTC before the first change, in minutes (China: 480).
    #[schemars(range(min = -840, max = 840))]
    pub minutes: i64,
    /// The changes, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub changes: Vec<ZoneChange>,
}

impl Default for Zone {
    /// China.
    fn default() -> Self {
        Self { minutes: 480, changes: Vec::new() }
    }
}

impl Zone {
    /// Checks the offsets and the order of the changes.
    ///
    /// # Errors
    /// An offset is no zone's, or a change does not come after the one before it.
    pub fn check(&self, path: &str) -> Result<(), Fault> {
        const OFFSET: &str = "a zone is at most 840 minutes from UTC";
        let far = |minutes: i64| !(-MOST_OFFSET..=MOST_OFFSET).contains(&minutes);
        if far(self.minutes) {
            return Err(Fault::new("bad_zone", format!("{path}.minutes"), OFFSET));
        }
        if self.changes.len() > MOST_CHANGES {
            return Err(Fault::new("bad_zone", format!("{path}.changes"), "a zone has at most 200 changes"));
        }
        for (i, change) in self.changes.iter().enumerate() {
            if far(change.minutes) {
                return Err(Fault::new("bad_zone", format!("{path}.changes[{i}].minutes"), OFFSET));
            }
            let before = i.checked_sub(1).and_then(|before| self.changes.get(before));
            if before.is_some_and(|before| before.from >= change.from) {
                let detail = "each change comes after the one before it";
                return Err(Fault::new("bad_zone", format!("{path}.changes[{i}].from"), detail));
            }
        }
        Ok(())
    }

    /// The stretches of time with one offset: the instant at which each begins, and its offset in milliseconds.
    fn stretches(&self) -> Vec<(i128, i128)> {
        let offset = |minutes: i64| i128::from(minutes.clamp(-MOST_OFFSET, MOST_OFFSET) * MINUTE);
        let mut all: Vec<(i128, i128)> = vec![(i128::from(i64::MIN), offset(self.minutes))];
        for change in &self.changes {
            let from = i128::from(change.from.millis());
            // An unchecked zone may have changes in any order. The first of two for one instant counts.
            if all.last().is_some_and(|(last, _)| from > *last) {
                all.push((from, offset(change.minutes)));
            }
        }
        all
    }

    /// Milliseconds of the local time since the local 1970-01-01T00:00.
    pub(crate) fn local(&self, at: Timestamp) -> i128 {
        let at = i128::from(at.millis());
        at + self.stretches().iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, offset)| *offset)
    }

    /// The instant of a local time. Of a time that comes twice, it is the first. A time that is left out is taken with the
    /// offset before the change. `None` beyond what an instant can be.
    pub(crate) fn instant(&self, local: i128) -> Option<Timestamp> {
        let stretches = self.stretches();
        let found = stretches.iter().enumerate().find_map(|(i, (_, offset))| {
            let at = local - offset;
            // The stretches before this one end too early. If it is before this stretch, its time was left out.
            let ends = stretches.get(i + 1).map_or(i128::MAX, |(next, _)| *next);
            let left_out = stretches.get(i + 1).is_some_and(|(next, after)| at >= *next && local - after < *next);
            (at < ends || left_out).then_some(at)
        });
        i64::try_from(found?).ok().map(Timestamp::from_millis)
    }

    /// The local date and the local time of day in milliseconds. `None` beyond the calendar.
    pub(crate) fn date(&self, at: Timestamp) -> Option<(NaiveDate, i128)> {
        let local = self.local(at);
        Some((date_of(local.div_euclid(DAY))?, local.rem_euclid(DAY)))
    }
}

/// The number of a day since 1970-01-01.
pub(crate) fn number_of(date: NaiveDate) -> i128 {
    i128::from(date.num_days_from_ce()) - 719_163
}

/// The date of a day's number.
pub(crate) fn date_of(day: i128) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(day + 719_163).ok()?)
}

/// Spans of a day in milliseconds from midnight, in order and without overlaps.
type Spans = Vec<(i128, i128)>;

fn spans(of: impl Iterator<Item = (DayTime, DayTime)>) -> Spans {
    let minutes = |time: DayTime| i128::from(time.minutes()) * i128::from(MINUTE);
    let mut all: Spans = of.filter(|(from, to)| from < to).map(|(from, to)| (minutes(from), minutes(to))).collect();
    all.sort_unstable();
    let mut merged: Spans = Vec::with_capacity(all.len());
    for (from, to) in all {
        match merged.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => merged.push((from, to)),
        }
    }
    merged
}

fn total(spans: &Spans) -> i128 {
    spans.iter().map(|(from, to)| to - from).sum()
}

/// A date with hours of its own.
#[derive(Clone, Debug)]
struct Dated {
    day: i128,
    spans: Spans,
    /// The open time that this date and those before it have beyond the week's.
    beyond: i128,
}

/// Hours in a zone, ready to count.
#[derive(Clone, Debug)]
struct Open {
    /// Monday to Sunday.
    week: [Spans; 7],
    /// The open time of a week before each day; the last is the whole week's.
    before: [i128; 8],
    dates: Vec<Dated>,
    stretches: Vec<(i128, i128)>,
}

/// A calendar: hours in a zone, or always open.
#[derive(Clone, Debug)]
pub struct Calendar(Option<Open>);

impl Calendar {
    /// The calendar that is always open.
    pub const ALWAYS: Self = Self(None);

    /// Prepares hours in a zone. What [`check`] would refuse is left out.
    pub fn new(hours: &Hours, zone: &Zone) -> Self {
        const DAYS: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];
        let week = DAYS
            .map(|day| spans(hours.week.iter().filter(|span| span.days.contains(&day)).map(|span| (span.from, span.to))));
        let mut before = [0; 8];
        let mut sum = 0;
        for (n, day) in week.iter().enumerate() {
            sum += total(day);
            if let Some(place) = before.get_mut(n + 1) {
                *place = sum;
            }
        }
        let mut dates: Vec<Dated> = Vec::with_capacity(hours.dates.len());
        for exception in &hours.dates {
            let Some(date) = read_date(&exception.date) else { continue };
            let day = number_of(date);
            if dates.iter().all(|known| known.day != day) {
                dates.push(Dated { day, spans: spans(exception.open.iter().copied()), beyond: 0 });
            }
        }
        dates.sort_by_key(|dated| dated.day);
        let mut open = Open { week, before, dates: Vec::new(), stretches: zone.stretches() };
        let mut beyond = 0;
        for mut dated in dates {
            beyond += total(&dated.spans) - total(open.of_week(dated.day));
            dated.beyond = beyond;
            open.dates.push(dated);
        }
        Self(Some(open))
    }

    /// The instant at which `ms` milliseconds of open time after `from` are over: the first such instant. `from` itself for 0
    /// and for less. `None` if the calendar never has so much open time after `from`.
    pub fn add(&self, from: Timestamp, ms: i64) -> Option<Timestamp> {
        if ms <= 0 {
            return Some(from);
        }
        let Some(open) = &self.0 else { return from.millis().checked_add(ms).map(Timestamp::from_millis) };
        let (mut at, mut rest) = (i128::from(from.millis()), i128::from(ms));
        for (i, (starts, offset)) in open.stretches.iter().enumerate() {
            let ends = open.ends(i);
            if ends <= at {
                continue;
            }
            at = at.max(*starts);
            let done = open.until(at + offset);
            let there = open.until(ends + offset) - done;
            if there >= rest {
                let reached = open.reach(done + rest, at + offset, ends + offset) - offset;
                return i64::try_from(reached).ok().map(Timestamp::from_millis);
            }
            rest -= there;
            at = ends;
        }
        None
    }

    /// The open milliseconds between two instants; 0 if the second is not later.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> i64 {
        if to <= from {
            return 0;
        }
        let Some(open) = &self.0 else { return to.since(from) };
        let (from, to) = (i128::from(from.millis()), i128::from(to.millis()));
        let mut sum = 0;
        for (i, (starts, offset)) in open.stretches.iter().enumerate() {
            let (begin, end) = (from.max(*starts), to.min(open.ends(i)));
            if begin < end {
                sum += open.until(end + offset) - open.until(begin + offset);
            }
        }
        i64::try_from(sum).unwrap_or(i64::MAX)
    }

    /// The first open instant that is not before `at`. `None` if none follows.
    pub fn opens_at(&self, at: Timestamp) -> Option<Timestamp> {
        if self.0.is_none() {
            return Some(at);
        }
        Some(self.add(at, 1)?.plus_millis(-1).max(at))
    }

    /// Whether an instant is within the hours.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.opens_at(at) == Some(at)
    }

    /// The end of a local day's last span in milliseconds from midnight; `None` if the day is closed. For the calendar that is
    /// always open, the working days are Monday to Friday, until 18:00.
    pub(crate) fn closes(&self, day: i128) -> Option<i128> {
        match &self.0 {
            Some(open) => open.of_day(day).last().map(|(_, to)| *to),
            None => ((day + 3).rem_euclid(7) < 5).then_some(18 * 60 * i128::from(MINUTE)),
        }
    }
}

impl Open {
    fn ends(&self, stretch: usize) -> i128 {
        self.stretches.get(stretch + 1).map_or(i128::from(i64::MAX), |(next, _)| *next)
    }

    fn of_week(&self, day: i128) -> &Spans {
        // 1970-01-01 was a Thursday.
        let n = usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
        self.week.get(n).unwrap_or(&self.week[0])
    }

    fn of_day(&self, day: i128) -> &Spans {
        match self.dates.binary_search_by_key(&day, |dated| dated.day) {
            Ok(n) => self.dates.get(n).map_or_else(|| self.of_week(day), |dated| &dated.spans),
            Err(_) => self.of_week(day),
        }
    }

    /// The open time before a local day, counted from Monday 1969-12-29.
    fn before_day(&self, day: i128) -> i128 {
        let (weeks, rest) = ((day + 3).div_euclid(7), (day + 3).rem_euclid(7));
        let of_rest = usize::try_from(rest).ok().and_then(|rest| self.before.get(rest)).copied().unwrap_or(0);
        let past = self.dates.partition_point(|dated| dated.day < day);
        let beyond = past.checked_sub(1).and_then(|last| self.dates.get(last)).map_or(0, |dated| dated.beyond);
        weeks * self.before[7] + of_rest + beyond
    }

    /// The open time before a local instant, counted as in [`Self::before_day`].
    fn until(&self, local: i128) -> i128 {
        let (day, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let today: i128 = self.of_day(day).iter().map(|(from, to)| (time.min(*to) - from).max(0)).sum();
        self.before_day(day) + today
    }

    /// The first local instant between two before which there is that much open time. The caller knows that there is one.
    fn reach(&self, open: i128, from: i128, to: i128) -> i128 {
        let (mut low, mut high) = (from.div_euclid(DAY), to.div_euclid(DAY));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.before_day(middle + 1) >= open { high = middle } else { low = middle + 1 }
        }
        let mut sum = self.before_day(low);
        for (begin, end) in self.of_day(low) {
            if sum + (end - begin) >= open {
                return low * DAY + begin + (open - sum);
            }
            sum += end - begin;
        }
        to
    }
}

fn read_date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| text.parse().ok())?
}

/// Checks hours in a zone for a calendar.
///
/// # Errors
/// A span or a date has a fault, or the week has no open hour: a due instant could then lie beyond all time.
pub fn check(hours: &Hours, path: &str) -> Result<(), Fault> {
    if hours.week.len() > MOST_SPANS || hours.dates.len() > MOST_SPANS {
        return Err(Fault::new("bad_hours", path, "a calendar has at most 1,000 spans and 1,000 dates"));
    }
    hours.check().map_err(|(place, detail)| Fault::new("bad_hours", format!("{path}.{place}"), detail))?;
    if hours.week.iter().all(|span| span.days.is_empty() || span.from >= span.to) {
        let detail = "the week needs an open hour; without one, nothing would ever be due";
        return Err(Fault::new("calendar_never_open", format!("{path}.week"), detail));
    }
    Ok(())
}
