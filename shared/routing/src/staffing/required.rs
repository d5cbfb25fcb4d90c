//! The fewest seats that reach a target, the figures for customers at a number of seats, and the people for these slots.
//!
//! A load with patience is an Erlang-A queue, one without is an Erlang-C queue. In both, every target gets easier with more
//! seats. The fewest are therefore found by doubling and halving, with Erlang-B carried along from the last number that
//! failed.

use super::erlang_a::{ErlangA, ServiceLevel};
use super::erlang_c::{Blocking, ErlangC};
use super::load::{Load, MAX_SEATS, StaffingError, within};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The target of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "measure", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// At least this share of all customers is answered within a number of seconds (80/20: 0.8 within 20).
    Answered {
        /// The share, from 0 to 0.9999.
        #[schemars(range(min = 0, max = 0.9999))]
        share: f64,
        /// The seconds, from 0 to 10⁷.
        #[schemars(range(min = 0, max = 1e7))]
        within_secs: f64,
    },
    /// At most this share gives up. If customers wait for ever nobody does, and any queue that does not grow meets it.
    Abandoned {
        /// The share, from 0.0001 to 1.
        #[schemars(range(min = 0.0001, max = 1))]
        at_most: f64,
    },
    /// Seats spend at most this share of their time on contacts.
    Occupied {
        /// The share, from 0.01 to 1.
        #[schemars(range(min = 0.01, max = 1))]
        at_most: f64,
    },
}

impl Default for Target {
    /// 80/20.
    fn default() -> Self {
        Self::Answered { share: 0.8, within_secs: 20.0 }
    }
}

impl Target {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A figure is not a number or is out of range.
    pub fn check(&self) -> Result<(), StaffingError> {
        match *self {
            Self::Answered { share, within_secs } => {
                within("share", share, 0.0, 0.9999)?;
                within("within_secs", within_secs, 0.0, 1e7)?;
            }
            Self::Abandoned { at_most } => drop(within("at_most", at_most, 0.0001, 1.0)?),
            Self::Occupied { at_most } => drop(within("at_most", at_most, 0.01, 1.0)?),
        }
        Ok(())
    }

    /// Whether `seats` seats reach it. `blocking` is at one seat fewer at most.
    fn met(&self, load: &Load, seats: u32, blocking: Blocking) -> Result<bool, StaffingError> {
        let outlook = match Outlook::with(load, seats, self.within_secs(), blocking) {
            Err(StaffingError::Unstable { .. }) => return Ok(false),
            other => other?,
        };
        Ok(match *self {
            Self::Answered { share, .. } => outlook.level.answered >= share,
            Self::Abandoned { at_most } => outlook.abandoned <= at_most,
            Self::Occupied { at_most } => outlook.occupancy <= at_most,
        })
    }

    /// The seconds of the target; 20 if it has none.
    pub fn within_secs(&self) -> f64 {
        match *self {
            Self::Answered { within_secs, .. } => within_secs,
            Self::Abandoned { .. } | Self::Occupied { .. } => 20.0,
        }
    }
}

/// The figures for a group's customers in the steady state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Outlook {
    /// The share of customers who wait at all.
    pub p_wait: f64,
    /// The share of customers who give up.
    pub abandoned: f64,
    /// The mean wait over all customers, in seconds.
    pub mean_wait_secs: f64,
    /// The share of the seats' time spent on contacts.
    pub occupancy: f64,
    /// The seconds of the service level.
    pub within_secs: f64,
    /// The service level within these seconds.
    pub level: ServiceLevel,
}

impl Outlook {
    /// The figures of `load` at `seats` seats, with the service level within `secs` seconds.
    ///
    /// # Errors
    /// [`StaffingError::Unstable`] if nobody gives up and the seats are too few; or `seats` is above [`MAX_SEATS`].
    pub fn new(load: &Load, seats: u32, secs: f64) -> Result<Self, StaffingError> {
        super::load::seats(seats)?;
        Self::with(load, seats, secs, Blocking::start(load.erlangs()))
    }

    fn with(load: &Load, seats: u32, secs: f64, blocking: Blocking) -> Result<Self, StaffingError> {
        let before = blocking.advance(seats.saturating_sub(1));
        if load.patience_secs().is_some() {
            let queue = ErlangA::with(load, seats, before)?;
            let ErlangA { p_wait, abandoned, mean_wait_secs, occupancy, .. } = queue;
            return Ok(Self { p_wait, abandoned, mean_wait_secs, occupancy, within_secs: secs, level: queue.within(secs) });
        }
        let queue = ErlangC::with(load, seats, before.advance(seats))?;
        let ErlangC { p_wait, mean_wait_secs, occupancy, .. } = queue;
        let level = ServiceLevel::same(queue.within(secs));
        Ok(Self { p_wait, abandoned: 0.0, mean_wait_secs, occupancy, within_secs: secs, level })
    }
}

/// The fewest seats (slots, for chat) at which `load` reaches `target`; 0 without a load.
///
/// # Errors
/// The target is out of range, or [`MAX_SEATS`] seats do not reach it.
pub fn required(load: &Load, target: &Target) -> Result<u32, StaffingError> {
    target.check()?;
    if load.per_hour() <= 0.0 {
        return Ok(0);
    }
    // This number fails for certain: no seats or, if nobody gives up, no more seats than the work. A is at most MAX_SEATS.
    let mut fails = if load.patience_secs().is_some() { 0 } else { load.erlangs().floor() as u32 };
    let mut blocking = Blocking::start(load.erlangs()).advance(fails);
    let mut step = 1;
    let mut meets = loop {
        if fails >= MAX_SEATS {
            return Err(StaffingError::Unreachable);
        }
        let next = fails.saturating_add(step).min(MAX_SEATS);
        if target.met(load, next, blocking)? {
            break next;
        }
        (fails, blocking) = (next, blocking.advance(next));
        step *= 2;
    };
    while meets - fails > 1 {
        let middle = fails.midpoint(meets);
        if target.met(load, middle, blocking)? {
            meets = middle;
        } else {
            (fails, blocking) = (middle, blocking.advance(middle));
        }
    }
    Ok(meets)
}

/// The slots that `a_quarter` patient customers in a quarter of an hour take. Beyond the range of the formula, it is the
/// bare work. `slot_secs` is the time for which one contact takes one slot.
pub fn slots(a_quarter: f64, slot_secs: f64, target: &Target) -> f64 {
    let per_hour = 4.0 * a_quarter;
    let erlangs = per_hour * slot_secs / 3_600.0;
    // No seat is kept ready for one customer in a hundred hours.
    if erlangs < 1e-3 {
        return 0.0;
    }
    let load = Load::new(per_hour, slot_secs, None);
    load.and_then(|load| required(&load, target)).map_or_else(|_| erlangs.ceil(), f64::from)
}

/// The number of contacts that one person attends to at once, and its cost for each contact.
///
/// The queues count slots, and a slot is held as long as its customer is attended to. A person who attends to c customers
/// answers each of them later, so the handle time grows: handle(c) = handle(1)·(1 + slowdown·(c − 1)). With a slowdown of 0
/// the others cost nothing (customers who are slow to write back). With 1, two at once take twice as long, and nothing is
/// gained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// Contacts a person attends to at once (c), from 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub per_person: u32,
    /// The share of the undisturbed handle time by which each further contact lengthens it, from 0 to 10.
    #[schemars(range(min = 0, max = 10))]
    pub slowdown: f64,
}

impl Concurrency {
    /// One contact at a time, as on the telephone.
    pub const ONE: Self = Self { per_person: 1, slowdown: 0.0 };

    /// `load` with its handle time at this concurrency. It was measured at `measured_at` contacts a person on average (from
    /// 1).
    /// average (from 1).
    /// # Errors
    /// A figure is out of range, or the resulting load is.
    /// A figure is out of range, or the load that results is.
    pub fn recalibrate(&self, load: &Load, measured_at: f64) -> Result<Load, StaffingError> {
        let c = within("per_person", f64::from(self.per_person), 1.0, 1000.0)?;
        let slowdown = within("slowdown", self.slowdown, 0.0, 10.0)?;
        let measured_at = within("measured_at", measured_at, 1.0, 1000.0)?;
        let factor = (1.0 + slowdown * (c - 1.0)) / (1.0 + slowdown * (measured_at - 1.0));
        Load::new(load.per_hour(), load.handle_secs() * factor, load.patience_secs())
    }

    /// The agents that this many slots take, rounded up. A concurrency of 0 counts as 1.
    pub fn people(&self, slots: u32) -> u32 {
        slots.div_ceil(self.per_person.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, Strategy, prop_assert, prop_oneof, proptest};

    const EIGHTY_TWENTY: Target = Target::Answered { share: 0.8, within_secs: 20.0 };

    fn load(erlangs: f64, patience: Option<f64>) -> Load {
        Load::new(erlangs * 20.0, 180.0, patience).unwrap()
    }

    #[test]
    fn the_golden_group_needs_fourteen() {
        assert_eq!(required(&load(10.0, None), &EIGHTY_TWENTY), Ok(14));
        let outlook = Outlook::new(&load(10.0, None), 14, 20.0).unwrap();
        assert!((outlook.level.answered - 0.8884).abs() < 0.000_05);
        // Customers who give up take load off: METRICS gives 0.1375 at 10 seats and 0.0616 at 12.
        assert_eq!(required(&load(10.0, Some(120.0)), &Target::Abandoned { at_most: 0.0617 }), Ok(12));
        assert_eq!(required(&load(10.0, Some(120.0)), &Target::Abandoned { at_most: 0.1376 }), Ok(10));
        assert_eq!(required(&load(10.0, None), &Target::Abandoned { at_most: 0.05 }), Ok(11));
        assert_eq!(required(&load(10.0, None), &Target::Occupied { at_most: 0.8 }), Ok(13));
        assert_eq!(required(&load(10.0, None), &Target::Occupied { at_most: 1.0 }), Ok(11));
    }

    #[test]
    fn the_ends_are_defined() {
        assert_eq!(required(&load(0.0, None), &EIGHTY_TWENTY), Ok(0));
        assert_eq!(required(&load(100_000.0, None), &EIGHTY_TWENTY), Err(StaffingError::Unreachable));
        let large = required(&load(99_000.0, None), &EIGHTY_TWENTY).unwrap();
        assert!((99_001..99_400).contains(&large), "{large}");
        let impatient = required(&load(99_000.0, Some(120.0)), &EIGHTY_TWENTY).unwrap();
        assert!(impatient < large);
        for bad in [f64::NAN, -0.1, 1.0] {
            let target = Target::Answered { share: bad, within_secs: 20.0 };
            assert!(matches!(required(&load(1.0, None), &target), Err(StaffingError::OutOfRange { what: "share", .. })));
        }
    }

    #[test]
    fn chat_takes_fewer_people_only_while_the_others_cost_little() {
        let calls = load(10.0, None);
        let people = |slowdown| {
            let chat = Concurrency { per_person: 4, slowdown };
            let load = chat.recalibrate(&calls, 1.0).unwrap();
            chat.people(required(&load, &EIGHTY_TWENTY).unwrap())
        };
        let alone = required(&calls, &EIGHTY_TWENTY).unwrap();
        assert_eq!(Concurrency::ONE.people(alone), alone);
        assert!(people(0.0) < people(0.5) && people(0.5) < alone);
        // Nothing is gained: the work of 40 erlangs in slots is the same work in people.
        assert!(people(1.0) >= 10);
        // If it was measured at four at once, four at once changes nothing.
        let chat = Concurrency { per_person: 4, slowdown: 0.4 };
        assert_eq!(chat.recalibrate(&calls, 4.0).unwrap(), calls);
        assert!(chat.recalibrate(&calls, 0.5).is_err());
    }

    fn targets() -> impl Strategy<Value = Target> {
        prop_oneof![
            (0.0f64..0.99, 0.0f64..300.0).prop_map(|(share, within_secs)| Target::Answered { share, within_secs }),
            (0.001f64..0.9).prop_map(|at_most| Target::Abandoned { at_most }),
            (0.05f64..1.0).prop_map(|at_most| Target::Occupied { at_most }),
        ]
    }

    proptest! {
        #[test]
        fn the_fewest_reach_it_and_one_fewer_does_not(
            erlangs in 0.01f64..300.0,
            patience in prop_oneof![Just(None), (5.0f64..1e6).prop_map(Some)],
            target in targets(),
            more in 0.0f64..30.0,
        ) {
            let now = load(erlangs, patience);
            let fewest = required(&now, &target).unwrap();
            prop_assert!(fewest >= 1);
            prop_assert!(target.met(&now, fewest, Blocking::start(now.erlangs())).unwrap());
            if fewest > 1 {
                prop_assert!(!target.met(&now, fewest - 1, Blocking::start(now.erlangs())).unwrap());
            }
            prop_assert!(required(&load(erlangs + more, patience), &target).unwrap() >= fewest);
            let chat = Concurrency { per_person: 3, slowdown: 0.2 };
            let people = chat.people(fewest);
            prop_assert!(people * 3 >= fewest && (people - 1) * 3 < fewest);
        }
    }
}
