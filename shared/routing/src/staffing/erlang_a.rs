//! Erlang-A (M/M/N+M): like Erlang-C, but each customer's patience is exponential with mean 1/θ, and a customer who has
//! waited that long leaves. There is a steady state at any load, so overload has figures too. With θ → 0 and A < N they are
//! Erlang-C's.
//!
//! Birth rate λ, death rate min(n, N)μ + (n − N)⁺θ (C. Palm, 1946; O. Garnett, A. Mandelbaum and M. Reiman, 2002). With
//! ε = 1/B_{N−1} (Erlang-B), J = ∫₀^∞ e^{h(u)} du and J₁ = ∫₀^∞ e^{h(u)}(1 − e^{−θu})/θ du, h(u) = λ(1 − e^{−θu})/θ − Nμu:
//!
//! * P_w = λJ / (ε + λJ), the share that finds every seat taken;
//! * mean wait over everybody, served or not = λJ₁ / (ε + λJ);
//! * abandonment = θ · mean wait;
//! * occupancy = A(1 − abandonment)/N.
//!
//! The service level within t has three readings, each named in [`ServiceLevel`].

use super::erlang_c::Blocking;
use super::integrals::{Offered, Sums};
use super::load::{self, Load, StaffingError};
use schemars::JsonSchema;
use serde::Serialize;

/// The service level within t seconds, as shares from 0 to 1. V is the offered wait, f its density, P the patience.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ServiceLevel {
    /// The share of all customers who were answered within t: P(V = 0) + ∫₀ᵗ f(u)e^{−θu} du. It is the strictest reading,
    /// and the one for targets.
    pub answered: f64,
    /// The share answered within t, of all customers but those who gave up within t.
    pub answered_of_patient: f64,
    /// The share out of the queue within t, answered or given up: 1 − P(V > t)·e^{−θt}.
    pub left_queue: f64,
}

impl ServiceLevel {
    /// If nobody gives up, the three shares are equal.
    pub(super) fn same(share: f64) -> Self {
        Self { answered: share, answered_of_patient: share, left_queue: share }
    }
}

/// A queue of impatient customers in its steady state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErlangA {
    /// Share of the customers who find every seat taken (P_w).
    pub p_wait: f64,
    /// Share of the customers who give up.
    pub abandoned: f64,
    /// Mean wait over all customers, whether answered or not, in seconds.
    pub mean_wait_secs: f64,
    /// Share of the seats' time spent on contacts; 0 without seats.
    pub occupancy: f64,
    handle_secs: f64,
    /// Rate of giving up, per handle time.
    theta: f64,
    /// Absent with no load or with no seats.
    waits: Option<Waits>,
}

/// The parts from which the integrals become shares.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Waits {
    offered: Offered,
    /// λ·B_{N−1} over the total.
    scale: f64,
}

impl ErlangA {
    /// The queue of `load` at `seats` seats. Without a load nobody waits, whatever the seats. With a load and no seats
    /// everybody gives up.
    ///
    /// # Errors
    /// [`StaffingError::NoPatience`] if the load has none; or `seats` is above [`super::MAX_SEATS`].
    pub fn new(load: &Load, seats: u32) -> Result<Self, StaffingError> {
        let seats = load::seats(seats)?;
        Self::with(load, seats, Blocking::start(load.erlangs()).advance(seats.saturating_sub(1)))
    }

    /// Like [`ErlangA::new`], with the recursion done up to one seat fewer, for searches.
    pub(super) fn with(load: &Load, seats: u32, blocking: Blocking) -> Result<Self, StaffingError> {
        let patience = load.patience_secs().ok_or(StaffingError::NoPatience)?;
        let (erlangs, n) = (load.erlangs(), f64::from(seats));
        let handle_secs = load.handle_secs();
        let theta = handle_secs / patience;
        let mut it =
            Self { p_wait: 0.0, abandoned: 0.0, mean_wait_secs: 0.0, occupancy: 0.0, handle_secs, theta, waits: None };
        if erlangs <= 0.0 {
            return Ok(it);
        }
        if seats == 0 {
            return Ok(Self { p_wait: 1.0, abandoned: 1.0, mean_wait_secs: patience, ..it });
        }
        let offered = Offered::new(erlangs, n, theta);
        let (_, sums) = offered.split(0.0);
        let rate = erlangs * blocking.share;
        let scale = rate / (offered.floor() + rate * sums.all);
        it.p_wait = share(scale * sums.all);
        let mean_wait = scale * sums.waited;
        it.abandoned = share(theta * mean_wait);
        it.mean_wait_secs = mean_wait * handle_secs;
        it.occupancy = share(erlangs * (1.0 - it.abandoned) / n);
        it.waits = Some(Waits { offered, scale });
        Ok(it)
    }

    /// The service level within `secs` seconds; a negative or undefined `secs` counts as 0.
    pub fn within(&self, secs: f64) -> ServiceLevel {
        let t = secs.max(0.0) / self.handle_secs;
        let patient = (-self.theta * t).exp();
        let Some(Waits { offered, scale }) = self.waits else {
            // No load, or no seats.
            let answered = 1.0 - self.p_wait;
            let left_queue = if self.p_wait > 0.0 { 1.0 - patient } else { 1.0 };
            return ServiceLevel { answered, answered_of_patient: answered, left_queue };
        };
        let (early, late): (Sums, Sums) = offered.split(t);
        let answered = share(1.0 - self.p_wait + scale * early.served);
        let gone = share(scale * (self.theta * early.waited + (1.0 - patient) * late.all));
        let answered_of_patient = if gone < 1.0 { share(answered / (1.0 - gone)) } else { 0.0 };
        ServiceLevel { answered, answered_of_patient, left_queue: share(1.0 - scale * late.all * patient) }
    }
}

/// Rounding may leave a share slightly outside its range.
fn share(x: f64) -> f64 {
    x.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::staffing::{ErlangC, MAX_SEATS};
    use proptest::prelude::{prop_assert, proptest};

    fn near(a: f64, b: f64, within: f64) {
        assert!((a - b).abs() <= within, "{a} is not {b}");
    }

    fn load(erlangs: f64, patience: f64) -> Load {
        Load::new(erlangs * 20.0, 180.0, Some(patience)).unwrap()
    }

    #[test]
    fn golden_values() {
        for (seats, p_wait, abandoned, wait, occupancy) in
            [(10, 0.4969, 0.1375, 16.50, 0.8625), (12, 0.2798, 0.0616, 7.39, 0.782)]
        {
            let queue = ErlangA::new(&load(10.0, 120.0), seats).unwrap();
            near(queue.p_wait, p_wait, 0.000_05);
            near(queue.abandoned, abandoned, 0.000_05);
            near(queue.mean_wait_secs, wait, 0.005);
            near(queue.occupancy, occupancy, 0.000_05);
        }
    }

    /// Adds the steady state up, state by state: P_w, abandonment and mean wait in handle times.
    fn by_states(a: f64, n: u32, theta: f64) -> (f64, f64, f64) {
        let (mut weight, mut below, mut at_or_above, mut queue) = (1.0, 0.0, 0.0, 0.0);
        for state in 0..200_000_u32 {
            if state < n {
                below += weight;
            } else {
                at_or_above += weight;
                queue += weight * f64::from(state - n);
            }
            let next = f64::from(state + 1);
            weight *= a / (next.min(f64::from(n)) + (next - f64::from(n)).max(0.0) * theta);
            if state > n && weight < 1e-30 * (below + at_or_above) {
                break;
            }
            if weight > 1e200 {
                for x in [&mut weight, &mut below, &mut at_or_above, &mut queue] {
                    *x /= 1e200;
                }
            }
        }
        let all = below + at_or_above;
        (at_or_above / all, theta * queue / all / a, queue / all / a)
    }

    #[test]
    fn the_integrals_are_the_sum_over_the_states() {
        for (a, n) in
            [(0.01, 1), (0.9, 1), (5.0, 1), (10.0, 10), (10.0, 14), (10.0, 30), (100.0, 101), (300.0, 200), (2000.0, 1990)]
        {
            for theta in [1e-3, 0.05, 0.3, 1.0, 1.5, 10.0, 1e3, 1e5] {
                let (p_wait, abandoned, wait) = by_states(a, n, theta);
                let queue = ErlangA::new(&load(a, 180.0 / theta), n).unwrap();
                let close = |x: f64, y: f64| (x - y).abs() <= 1e-9 * y.abs() + 1e-15;
                assert!(close(queue.p_wait, p_wait), "{a} {n} {theta}: {queue:?} {p_wait}");
                assert!(close(queue.abandoned, abandoned), "{a} {n} {theta}: {queue:?} {abandoned}");
                assert!(close(queue.mean_wait_secs, 180.0 * wait), "{a} {n} {theta}: {queue:?} {wait}");
            }
        }
    }

    #[test]
    fn endless_patience_is_erlang_c() {
        for (a, n) in [(10.0, 14), (0.5, 1), (99_000.0, 99_315), (10.0, MAX_SEATS)] {
            let impatient = ErlangA::new(&load(a, 1e15), n).unwrap();
            let patient = ErlangC::new(&load(a, 1e15), n).unwrap();
            near(impatient.p_wait, patient.p_wait, 1e-9);
            near(impatient.mean_wait_secs, patient.mean_wait_secs, 1e-8 * patient.mean_wait_secs);
            near(impatient.occupancy, patient.occupancy, 1e-12);
            near(impatient.abandoned, 0.0, 1e-12);
            for secs in [0.0, 20.0, 600.0] {
                let level = impatient.within(secs);
                for reading in [level.answered, level.answered_of_patient, level.left_queue] {
                    near(reading, patient.within(secs), 1e-9);
                }
            }
        }
    }

    #[test]
    fn overload_serves_what_the_seats_can() {
        // A fluid limit: the seats are never idle, the excess gives up, and all wait ln(A/N)/θ, at least those who are
        // served.
        for patience in [60.0, 3600.0, 1e12] {
            let queue = ErlangA::new(&load(100_000.0, patience), 50_000).unwrap();
            near(queue.abandoned, 0.5, 1e-9);
            near(queue.p_wait, 1.0, 1e-9);
            near(queue.occupancy, 1.0, 1e-9);
            near(queue.mean_wait_secs, patience / 2.0, 1e-8 * patience);
            assert!(queue.within(patience * 0.5).answered < 0.01);
            near(queue.within(patience).answered, 0.5, 1e-6);
        }
    }

    #[test]
    fn without_seats_everybody_gives_up_and_without_work_nobody_waits() {
        let none = ErlangA::new(&load(10.0, 120.0), 0).unwrap();
        assert_eq!((none.p_wait, none.abandoned, none.mean_wait_secs, none.occupancy), (1.0, 1.0, 120.0, 0.0));
        let level = none.within(120.0);
        assert_eq!(level.answered, 0.0);
        near(level.left_queue, 1.0 - (-1.0_f64).exp(), 1e-12);
        let idle = ErlangA::new(&load(0.0, 120.0), 0).unwrap();
        assert_eq!((idle.p_wait, idle.within(0.0)), (0.0, ServiceLevel::same(1.0)));
        let patient = Load::new(1.0, 180.0, None).unwrap();
        assert_eq!(ErlangA::new(&patient, 1), Err(StaffingError::NoPatience));
    }

    proptest! {
        #[test]
        fn shares_are_shares_and_follow_seats_and_work(
            erlangs in 0.001f64..500.0, seats in 1u32..600, log_theta in -9.0f64..5.0, more in 0.0f64..50.0, secs in 0.0f64..2000.0,
        ) {
            let patience = 180.0 / 10f64.powf(log_theta);
            let a = ErlangA::new(&load(erlangs, patience), seats).unwrap();
            let b = ErlangA::new(&load(erlangs, patience), seats + 1).unwrap();
            let c = ErlangA::new(&load(erlangs + more, patience), seats).unwrap();
            for q in [a, b, c] {
                let (now, later) = (q.within(secs), q.within(secs * 1.1 + 1.0));
                for x in [q.p_wait, q.abandoned, q.occupancy, now.answered, now.answered_of_patient, now.left_queue] {
                    prop_assert!((0.0..=1.0).contains(&x), "{q:?} {now:?}");
                }
                prop_assert!(q.mean_wait_secs.is_finite() && q.mean_wait_secs >= 0.0);
                let slack = 1e-10;
                prop_assert!(later.answered >= now.answered - slack && later.left_queue >= now.left_queue - slack);
                prop_assert!(now.left_queue >= now.answered - slack && now.answered_of_patient >= now.answered - slack);
                // Customers who are served in the end are not lost: the level tends to the share that does not give up.
                prop_assert!((q.within(1e18).answered + q.abandoned - 1.0).abs() < 1e-9, "{q:?}");
            }
            let slack = 1e-10;
            prop_assert!(b.p_wait <= a.p_wait + slack && b.abandoned <= a.abandoned + slack);
            prop_assert!(b.within(secs).answered >= a.within(secs).answered - slack);
            prop_assert!(c.p_wait >= a.p_wait - slack && c.abandoned >= a.abandoned - slack);
            prop_assert!(c.within(secs).answered <= a.within(secs).answered + slack);
        }
    }
}
