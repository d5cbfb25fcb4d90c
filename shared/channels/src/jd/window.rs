//! The place of a source in time. Changes are asked for by windows of time. A window with more than a page is read by
//! pages.
//!
//! While a window's pages are full, the cursor holds the window and the next page's number. After the last page, it is the
//! time of the newest change seen so far. A row dates itself, so its time moves the cursor no further than the window
//! reaches and never back. Repeats are recognised by their keys.

use crate::civil;
use warmline_model::Timestamp;

const DAY: i64 = 86_400;
/// Younger changes than this are left for the next time: otherwise a change that is written late would be missed.
const SETTLE: i64 = 5;
/// The reach of the first question, and the longest reach of any: the platform accepts windows of up to a month.
const FIRST: i64 = DAY;
const LONGEST: i64 = 28 * DAY;
/// The most pages of a window. The rest of a window whose pages never end is left for the next.
const MAX_PAGES: i64 = 2_500;

/// A window, and the requested page of it.
///
/// As a cursor: `<from>`, or between two pages `<from>:<to>:<page>:<newest>:<rows>`, where the last two may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The position of the cursor before.
    from: i64,
    to: i64,
    page: i64,
    /// The newest change on the earlier pages.
    newest: Option<i64>,
    /// The smallest number of rows that the platform reported for the window, if it reported any.
    rows: Option<i64>,
    /// The time by which it reaches back before `from`.
    behind: i64,
    /// Whether the cursor before was ahead of the clock.
    ahead: bool,
}

/// The content of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    rows: usize,
    room: usize,
    newest: Option<i64>,
    total: Option<i64>,
}

impl Seen {
    /// A page with this many rows, readable or not, and room for this many; and the platform's number of rows in the
    /// window.
    pub(super) fn new(rows: usize, room: usize, total: Option<i64>) -> Self {
        Self { rows, room, newest: None, total }
    }

    /// Takes note of a change's time. A time outside the window is the row's own mistake.
    pub(super) fn note(&mut self, window: &Window, at: Timestamp) {
        self.newest = self.newest.max(Some(at.secs()).filter(|at| *at <= window.to));
    }
}

impl Window {
    /// The window that a cursor begins or continues. `behind` is the time by which it reaches back.
    pub(super) fn at(cursor: Option<&str>, behind: i64, now: Timestamp) -> Self {
        let end = now.secs().saturating_sub(SETTLE);
        let first = end.saturating_sub(FIRST).saturating_add(behind);
        let new = Self { from: first, to: end, page: 1, newest: None, rows: None, behind, ahead: false };
        let mut parts = cursor.unwrap_or_default().split(':').map(|part| part.parse::<i64>().ok());
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
            (Some(from), Some(to), Some(page @ 1..=MAX_PAGES)) if from <= to && to <= end => {
                let newest = parts.next().flatten().filter(|newest| *newest <= to);
                Self { from, to, page, newest, rows: parts.next().flatten(), ..new }
            }
            // Clocks differ a little. If the cursor is further ahead, it is unknown what was missed.
            (Some(from), ..) if from > end.saturating_add(DAY) => Self { ahead: true, ..new },
            (Some(from), ..) => Self { from: from.min(end), ahead: from > end, ..new },
            (None, ..) => new,
        }
    }

    /// Its first second, in Beijing time.
    pub(super) fn start(&self) -> String {
        let start = self.from.saturating_sub(self.behind).max(self.to.saturating_sub(LONGEST));
        civil::beijing(Timestamp::from_secs(start))
    }

    /// Its last second.
    pub(super) fn end(&self) -> String {
        civil::beijing(Timestamp::from_secs(self.to))
    }

    /// The page's number.
    pub(super) fn page(&self) -> String {
        self.page.to_string()
    }

    /// The cursor after the page, if it is another one, and whether there is more now.
    pub(super) fn after(self, seen: &Seen) -> (Option<String>, bool) {
        let newest = self.newest.max(seen.newest);
        let room = i64::try_from(seen.room).unwrap_or(i64::MAX).max(1);
        // A change that changes again meanwhile leaves the window, and the rows after it move up onto pages that were read
        // already. They are found by going back as many pages.
        let gone = self.rows.zip(seen.total).map_or(0, |(before, now)| before.saturating_sub(now)).max(0);
        let page = match self.page {
            page if page > 1 && gone > 0 => page.saturating_sub((gone - 1) / room + 1).max(1),
            page => page + 1,
        };
        if page <= MAX_PAGES && (page <= self.page || seen.rows >= seen.room) {
            let rows = self.rows.into_iter().chain(seen.total).min();
            let written = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
            return (Some(format!("{}:{}:{page}:{}:{}", self.from, self.to, written(newest), written(rows))), true);
        }
        // If no row gives its time, the whole window was still read.
        let reached = newest.or((seen.rows > 0 || self.page > 1 || self.ahead).then_some(self.to));
        (reached.map(|at| at.max(self.from).min(self.to).to_string()), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_005);

    fn at(cursor: &str) -> Window {
        Window::at(Some(cursor), 1, NOW)
    }

    fn seen(rows: usize, newest: Option<i64>, total: Option<i64>) -> Seen {
        Seen { rows, room: 40, newest, total }
    }

    fn after(cursor: &str, seen: Seen) -> (Option<String>, bool) {
        at(cursor).after(&seen)
    }

    #[test]
    fn full_pages_lead_to_the_next_and_the_last_to_the_newest_change() {
        let next = after("999000", seen(40, Some(999_100), Some(60)));
        assert_eq!(next, (Some("999000:1000000:2:999100:60".into()), true));
        let last = after(&next.0.unwrap(), seen(20, Some(999_050), Some(60)));
        assert_eq!(last, (Some("999100".into()), false), "the newest of all pages");
        assert_eq!(after("999000", seen(3, Some(999_100), None)), (Some("999100".into()), false));
        assert_eq!(after("999000", seen(0, None, None)), (None, false), "nothing new");
        assert_eq!(after("999000:999900:2::", seen(0, None, None)), (Some("999900".into()), false));
    }

    #[test]
    fn the_cursor_goes_neither_back_nor_ahead() {
        let noted = |cursor: &str, times: &[i64]| {
            let mut seen = seen(times.len(), None, None);
            times.iter().for_each(|secs| seen.note(&at(cursor), Timestamp::from_secs(*secs)));
            after(cursor, seen).0.unwrap()
        };
        assert_eq!(noted("999000", &[900_000]), "999000");
        assert_eq!(noted("999000", &[999_100, 99_999_999_999]), "999100");
        assert_eq!(noted("999000", &[99_999_999_999]), "1000000", "the window's end");
        assert_eq!(after("999000", seen(1, None, None)).0.as_deref(), Some("1000000"), "no time at all");
        assert_eq!(after("1000050", seen(0, None, None)).0.as_deref(), Some("1000000"), "a clock that was ahead");
        let far = at("99999999999");
        assert_eq!((far.from, far.to), (1_000_001 - DAY, 1_000_000), "what was passed over comes");
    }

    #[test]
    fn rows_that_move_up_are_found() {
        let next = |page: i64, before: i64, rows: usize, now: i64| {
            after(&format!("999000:1000000:{page}:999100:{before}"), seen(rows, Some(999_100), Some(now))).0.unwrap()
        };
        assert_eq!(next(2, 60, 19, 59), "999000:1000000:1:999100:59");
        assert_eq!(next(4, 200, 40, 158), "999000:1000000:2:999100:158");
        assert_eq!(next(1, 60, 40, 59), "999000:1000000:2:999100:59", "before the first page there is none");
        assert_eq!(next(2, 59, 20, 60), "999100", "only once: the platform may count loosely");
    }

    #[test]
    fn cursors_of_every_form_are_read() {
        assert_eq!(at("999000:999900:3").page, 3);
        assert_eq!(at("999000:999900:3:999500:7").newest, Some(999_500));
        for odd in ["", "x", "x:1:2", ":", "999000x"] {
            assert_eq!(at(odd), Window::at(None, 1, NOW), "{odd}");
        }
        // An invalid window begins again at its beginning.
        for odd in ["999000:9:1", "999000:1000001:2", "999000:999900:0", "999000:999900:2501", "999000::"] {
            assert_eq!(at(odd), at("999000"), "{odd}");
        }
        assert!(!at("999000:1000000:2500").after(&seen(40, Some(999_100), None)).1, "pages without end");
    }

    proptest! {
        #[test]
        fn arbitrary_cursors_do_not_panic(parts in prop::collection::vec(any::<i64>(), 0..6), now: i64, rows: usize, time: i64, total: Option<i64>) {
            let cursor = parts.iter().map(i64::to_string).collect::<Vec<_>>().join(":");
            let window = Window::at(Some(&cursor), 1_800, Timestamp::from_millis(now));
            let mut seen = Seen::new(rows, 50, total);
            seen.note(&window, Timestamp::from_millis(time));
            let _ = (window.start(), window.end(), window.after(&seen));
        }
    }
}
