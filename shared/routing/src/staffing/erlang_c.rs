//! Erlang-C (M/M/N): Poisson arrivals, exponential handle times, N seats, and customers who wait for ever.
//!
//! With A = λ·AHT, by the recursion of Erlang-B (B₀ = 1, B_k = A·B_{k-1} / (k + A·B_{k-1})). Each step only adds and divides
//! positive numbers, so no digits are lost:
//!
//! * P_w = B_N / (1 − (A/N)(1 − B_N)), the share of customers who have to wait;
//! * SL(t) = 1 − P_w·e^{−(N−A)t/AHT};
//! * ASA = P_w·AHT / (N − A), the mean wait over everybody (average speed of answer);
//! * occupancy = A/N.
//!
//! Source: A. K. Erlang, 1917. At A ≥ N there is no steady state, so there are no figures: [`StaffingError::Unstable`].

use super::load::{self, Load, StaffingError};

/// Erlang-B at one number of seats. It can be advanced to a larger number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocking {
    erlangs: f64,
    seats: u32,
    /// B: the share refused if nobody could wait.
    pub(super) share: f64,
}

impl Blocking {
    /// With no seats everybody is refused.
    pub(super) fn start(erlangs: f64) -> Self {
        Self { erlangs, seats: 0, share: 1.0 }
    }

    /// The same load at `seats` seats, which must not be fewer than now.
    pub(super) fn advance(mut self, seats: u32) -> Self {
        while self.seats < seats {
            self.seats += 1;
            let taken = self.erlangs * self.share;
            self.share = taken / (f64::from(self.seats) + taken);
        }
        self
    }
}

/// A queue of patient customers in its steady state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErlangC {
    /// Share of the customers who wait at all (P_w).
    pub p_wait: f64,
    /// Mean wait over all customers, in seconds (ASA).
    pub mean_wait_secs: f64,
    /// Share of the seats' time spent on contacts.
    pub occupancy: f64,
    /// The rate at which a queue empties: (N − A)/AHT, per second.
    drain: f64,
}

impl ErlangC {
    /// The queue of `load` at `seats` seats. A patience in the load is ignored. Without a load nobody waits, whatever the
    /// seats.
    ///
    /// # Errors
    /// [`StaffingError::Unstable`] if A ≥ N and there is a load; or `seats` is above [`super::MAX_SEATS`].
    pub fn new(load: &Load, seats: u32) -> Result<Self, StaffingError> {
        let seats = load::seats(seats)?;
        Self::with(load, seats, Blocking::start(load.erlangs()).advance(seats))
    }

    /// Like [`ErlangC::new`], with the recursion already done, for searches.
    pub(super) fn with(load: &Load, seats: u32, blocking: Blocking) -> Result<Self, StaffingError> {
        let (erlangs, n) = (load.erlangs(), f64::from(seats));
        if erlangs <= 0.0 {
            return Ok(Self { p_wait: 0.0, mean_wait_secs: 0.0, occupancy: 0.0, drain: n / load.handle_secs() });
        }
        if erlangs >= n {
            return Err(StaffingError::Unstable { erlangs, seats });
        }
        let spare = n - erlangs;
        // 1 − (A/N)(1 − B), written so that nothing cancels as A approaches N.
        let p_wait = blocking.share * n / (spare + erlangs * blocking.share);
        Ok(Self {
            p_wait: p_wait.min(1.0),
            mean_wait_secs: p_wait * load.handle_secs() / spare,
            occupancy: erlangs / n,
            drain: spare / load.handle_secs(),
        })
    }

    /// Share of the customers answered within `secs` seconds, SL(t); a negative or undefined `secs` counts as 0.
    pub fn within(&self, secs: f64) -> f64 {
        if self.p_wait <= 0.0 {
            return 1.0;
        }
        1.0 - self.p_wait * (-self.drain * secs.max(0.0)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::staffing::MAX_SEATS;
    use proptest::prelude::{prop_assert, proptest};

    fn near(a: f64, b: f64, within: f64) {
        assert!((a - b).abs() <= within, "{a} is not {b}");
    }

    #[test]
    fn golden_values() {
        let load = Load::new(200.0, 180.0, None).unwrap();
        let queue = ErlangC::new(&load, 14).unwrap();
        near(queue.p_wait, 0.1741, 0.000_05);
        near(queue.within(20.0), 0.8884, 0.000_05);
        near(queue.mean_wait_secs, 7.836, 0.0005);
        near(queue.occupancy, 0.7143, 0.000_05);
    }

    #[test]
    fn one_seat_is_the_queue_of_the_textbook() {
        let load = Load::new(30.0, 60.0, None).unwrap();
        let queue = ErlangC::new(&load, 1).unwrap();
        near(queue.p_wait, 0.5, 1e-15);
        near(queue.mean_wait_secs, 60.0, 1e-12);
    }

    #[test]
    fn more_work_than_seats_is_an_error_and_not_a_number() {
        let load = Load::new(200.0, 180.0, None).unwrap();
        assert_eq!(ErlangC::new(&load, 10), Err(StaffingError::Unstable { erlangs: 10.0, seats: 10 }));
        assert_eq!(ErlangC::new(&load, 0), Err(StaffingError::Unstable { erlangs: 10.0, seats: 0 }));
        assert!(matches!(ErlangC::new(&load, MAX_SEATS + 1), Err(StaffingError::OutOfRange { what: "seats", .. })));
    }

    #[test]
    fn without_work_nobody_waits() {
        let idle = Load::new(0.0, 180.0, None).unwrap();
        for seats in [0, 1, MAX_SEATS] {
            let queue = ErlangC::new(&idle, seats).unwrap();
            assert_eq!((queue.p_wait, queue.mean_wait_secs, queue.within(0.0)), (0.0, 0.0, 1.0));
        }
    }

    /// Halfin and Whitt, 1981: with N = A + β√A and A large, P_w tends to 1 / (1 + β·Φ(β)/φ(β)).
    #[test]
    fn large_queues_follow_the_square_root_rule() {
        let erlangs = 99_000.0_f64;
        let load = Load::new(erlangs * 20.0, 180.0, None).unwrap();
        let queue = ErlangC::new(&load, 99_315).unwrap();
        let beta = (99_315.0 - erlangs) / erlangs.sqrt();
        // Φ(1.0011) and φ(1.0011) from tables, to five digits.
        let limit = 1.0 / (1.0 + beta * 0.84161 / 0.24170);
        near(queue.p_wait, limit, 0.001);
    }

    proptest! {
        #[test]
        fn more_seats_wait_less_and_more_work_waits_longer(
            erlangs in 0.01f64..2000.0, spare in 1u32..200, more in 0.0f64..1.0, secs in 0.0f64..600.0,
        ) {
            let seats = erlangs.ceil() as u32 + spare;
            let load = Load::new(erlangs * 20.0, 180.0, None).unwrap();
            let a = ErlangC::new(&load, seats).unwrap();
            let b = ErlangC::new(&load, seats + 1).unwrap();
            let c = ErlangC::new(&Load::new((erlangs + more * 0.9) * 20.0, 180.0, None).unwrap(), seats).unwrap();
            for q in [a, b, c] {
                prop_assert!((0.0..=1.0).contains(&q.p_wait) && (0.0..=1.0).contains(&q.occupancy));
                prop_assert!((0.0..=1.0).contains(&q.within(secs)) && q.mean_wait_secs >= 0.0);
                prop_assert!(q.within(secs + 1.0) >= q.within(secs));
            }
            prop_assert!(b.p_wait <= a.p_wait && b.within(secs) >= a.within(secs) && b.mean_wait_secs <= a.mean_wait_secs);
            let slack = 1e-12;
            prop_assert!(c.p_wait >= a.p_wait - slack && c.within(secs) <= a.within(secs) + slack);
        }
    }
}
