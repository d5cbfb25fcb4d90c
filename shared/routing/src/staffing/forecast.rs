//! A forecast of contacts by quarter of an hour, from past contacts.
//!
//! The shape comes from the same time of day on earlier days. The same day of the week counts three times, and each week
//! counts for less than the one after it. The level compares the last hour with the shape's value for it. Its influence
//! fades: a live show that has begun is expected to continue for a while, not all day.

use std::collections::BTreeMap;

/// Quarters of an hour in a day.
pub const DAY: i64 = 96;
/// The number of days looked back.
pub const DAYS: i64 = 28;
/// The number of complete quarters that give the present level.
const RECENT: i64 = 4;
/// Contacts added to both sides of the level's ratio, so that a few contacts do not make a large ratio.
const STEADY: f64 = 4.0;
/// The part of the level's influence that remains after each quarter.
const FADES: f64 = 0.9;

/// The contacts expected in the quarter `now` (quarters of an hour since 1970) and the following ones, `ahead` in all.
/// `came` holds the contacts of each quarter. A missing quarter had none, except quarters before the first, which are
/// unknown. The quarter `now` and later ones are not used: they are not over.
pub fn forecast(came: &BTreeMap<i64, i64>, now: i64, ahead: u16) -> Vec<f64> {
    let past = Past { came, now, first: came.keys().next().copied().unwrap_or(now) };
    let level = past.level();
    let mut fading = 1.0;
    (0..i64::from(ahead))
        .map(|n| {
            let expected = match past.shape(now + n) {
                Some(shape) => shape * (1.0 + (level - 1.0) * fading),
                None => past.recent(),
            };
            fading *= FADES;
            expected.max(0.0)
        })
        .collect()
}

struct Past<'a> {
    came: &'a BTreeMap<i64, i64>,
    now: i64,
    first: i64,
}

impl Past<'_> {
    #[expect(clippy::cast_precision_loss, reason = "contacts of a quarter are far below 2^53")]
    fn came(&self, quarter: i64) -> f64 {
        self.came.get(&quarter).copied().unwrap_or(0).max(0) as f64
    }

    /// A quarter smoothed with its neighbours, because an hour's peak does not come on the minute.
    fn smooth(&self, quarter: i64) -> f64 {
        (self.came(quarter - 1) + 2.0 * self.came(quarter) + self.came(quarter + 1)) / 4.0
    }

    /// The value of earlier days for a quarter; `None` if no earlier day is known.
    fn shape(&self, quarter: i64) -> Option<f64> {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (day, week) in (1..=DAYS).map(|day| (day, (day - 1) / 7)) {
            let then = quarter - DAY * day;
            // Its neighbours must be known too.
            if then <= self.first || then + 1 >= self.now {
                continue;
            }
            let same = if day % 7 == 0 { 3.0 } else { 1.0 };
            let weight = same * [1.0, 0.8, 0.64, 0.512].get(usize::try_from(week).unwrap_or(3)).copied().unwrap_or(0.5);
            sum += weight * self.smooth(then);
            weights += weight;
        }
        (weights > 0.0).then(|| sum / weights)
    }

    /// The last complete quarters, newest first, each with half the weight of the one after it.
    fn last(&self) -> impl Iterator<Item = (i64, f64)> {
        let known = (1..=RECENT).map(|n| self.now - n).filter(|q| *q >= self.first);
        known.zip([1.0, 0.5, 0.25, 0.125])
    }

    /// The present level; 1 if it equals that of earlier days.
    fn level(&self) -> f64 {
        let (mut came, mut expected) = (STEADY, STEADY);
        for (quarter, weight) in self.last() {
            if let Some(shape) = self.shape(quarter) {
                came += weight * self.came(quarter);
                expected += weight * shape;
            }
        }
        came / expected
    }

    /// The mean of the last quarters.
    fn recent(&self) -> f64 {
        let (sum, weights) = self.last().fold((0.0, 0.0), |(s, w), (q, weight)| (s + weight * self.came(q), w + weight));
        if weights > 0.0 { sum / weights } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, prop_assert, proptest};

    const NOW: i64 = 2_000 * DAY + 40;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn without_a_past_nothing_is_expected_and_without_a_day_the_last_quarters_are() {
        assert_eq!(forecast(&BTreeMap::new(), NOW, 2), [0.0, 0.0]);
        let came = BTreeMap::from([(NOW - 2, 6), (NOW - 1, 9), (NOW, 500)]);
        let next = forecast(&came, NOW, 3);
        assert!(next.iter().all(|n| close(*n, 8.0)), "{next:?}");
    }

    #[test]
    fn the_same_again_every_day_is_expected_again() {
        let came: BTreeMap<i64, i64> = (1..=DAYS * DAY).map(|back| (NOW - back, 12)).collect();
        assert!(forecast(&came, NOW, 96).iter().all(|n| close(*n, 12.0)));
    }

    #[test]
    fn the_same_day_of_the_week_counts_more() {
        // Twenty on this day of the week, ten on the others.
        let came: BTreeMap<i64, i64> =
            (1..=DAYS * DAY).map(|back| (NOW - back, if (back + DAY / 2) / DAY % 7 == 0 { 20 } else { 10 })).collect();
        let next = forecast(&came, NOW, 1);
        let expected = (3.0 * 20.0 + 6.0 * 10.0) / 9.0;
        // The last hour belongs to this day: it has twenty where the shape has less, so the level is above one.
        assert!(next[0] > expected && next[0] < 20.0, "{next:?} {expected}");
    }

    #[test]
    fn a_surge_is_followed_and_fades() {
        let mut came: BTreeMap<i64, i64> = (5..=DAYS * DAY).map(|back| (NOW - back, 10)).collect();
        came.extend((1..=4).map(|back| (NOW - back, 40)));
        let next = forecast(&came, NOW, 40);
        assert!(next[0] > 30.0 && next[0] < 40.0, "{next:?}");
        assert!(next.windows(2).all(|w| w[0] > w[1]) && next[39] < 11.0, "{next:?}");
    }

    proptest! {
        #[test]
        fn is_never_negative_nor_above_what_ever_came_by_far(
            came in prop::collection::btree_map(NOW - DAYS * DAY..NOW + 8, -5i64..1_000, 0..200),
        ) {
            let most = came.values().copied().max().unwrap_or(0).max(0) as f64;
            for n in forecast(&came, NOW, 96) {
                prop_assert!(n.is_finite() && n >= 0.0 && n <= (most + STEADY) * (most + STEADY), "{}", n);
            }
        }
    }
}
