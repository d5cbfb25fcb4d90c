//! The integrals under Erlang-A, at a fixed cost for any number of seats and any patience.
//!
//! The steady state of M/M/N+M is a sum over the queue's length, with more terms than can be added when patience is long. The
//! same figures are integrals over the offered wait u, the wait of a customer who would never give up, whose density is
//! proportional to e^{h(u)} with h(u) = λ(1 − e^{−θu})/θ − Nμu (the building blocks J and J₁ of A. Mandelbaum and S. Zeltyn,
//! "Staffing many-server queues with impatient customers", 2009). h is concave with one peak: at 0 while A ≤ N, at ln(A/N)/θ in
//! overload. Everything here is relative to that peak, so nothing overflows and nothing large cancels, and θ → 0 is an
//! ordinary case. Composite Gauss-Legendre on panels that follow the drop of h is exact to about 12 digits.
//!
//! Time is in handle times (μ = 1).

/// After the exponent has dropped by this much, nothing is left: e⁻⁴⁰ is below the digits of an f64.
const DROP: f64 = 40.0;
/// Panels per interval.
const PANELS: f64 = 8.0;

/// Nodes and weights of Gauss-Legendre with 16 points on −1 to 1 (the positive half).
const GAUSS: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_87),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
];

/// e^{−s} − 1 + s without cancellation: the drop of the exponent from its tangent.
fn bend(s: f64) -> f64 {
    if s.abs() > 0.3 {
        return (-s).exp_m1() + s;
    }
    let mut term = s * s / 2.0;
    let mut sum = term;
    for k in 3..=14 {
        term *= -s / f64::from(k);
        sum += term;
    }
    sum
}

/// Integrals of e^{h(u)−h(peak)} over a stretch of offered waits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// The integral of the density itself.
    pub(super) all: f64,
    /// The integral of the density times e^{−θu}: customers whose patience lasts.
    pub(super) served: f64,
    /// The integral of the density times (1 − e^{−θu})/θ: the mean time spent waiting, whether served or not.
    pub(super) waited: f64,
}

impl std::ops::Add for Sums {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self { all: self.all + o.all, served: self.served + o.served, waited: self.waited + o.waited }
    }
}

/// The density of the offered wait, up to its scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Offered {
    /// Rate of giving up, per handle time.
    theta: f64,
    /// Seats not covered by work: the linear drop right of the peak.
    slope: f64,
    /// min(A, N).
    base: f64,
    /// The position of the peak.
    peak: f64,
    /// The beginning of the relevant waits, relative to the peak …
    from: f64,
    /// … and their end.
    to: f64,
}

impl Offered {
    /// Makes it for A = `erlangs` above 0, N = `seats` from 1, θ = `theta` above 0.
    pub(super) fn new(erlangs: f64, seats: f64, theta: f64) -> Self {
        let over = (erlangs - seats).max(0.0);
        let peak = (over / seats).ln_1p() / theta;
        let mut it = Self { theta, slope: (seats - erlangs).max(0.0), base: erlangs.min(seats), peak, from: 0.0, to: 0.0 };
        // The drop is at most N·v, so the right end is not before this.
        it.to = DROP / seats;
        while it.drop(it.to) < DROP {
            it.to *= 2.0;
        }
        // Left of the peak: (N/θ)(e^s − 1 − s) = DROP, from above; the root of its square term is exact for small s.
        let c = DROP * theta / seats;
        let mut s = (2.0 * c).sqrt();
        for _ in 0..6 {
            s = s.min((1.0 + s + c).ln());
        }
        it.from = -peak.min(s / theta);
        it
    }

    /// h(peak) − h(peak + v).
    fn drop(&self, v: f64) -> f64 {
        self.slope * v + self.base / self.theta * bend(self.theta * v)
    }

    /// e^{h(0)−h(peak)}: the weight of an idle seat relative to these integrals.
    pub(super) fn floor(&self) -> f64 {
        (-self.drop(-self.peak)).exp()
    }

    /// The integrals before and after the offered wait `t`.
    pub(super) fn split(&self, t: f64) -> (Sums, Sums) {
        let cut = (t - self.peak).clamp(self.from, self.to);
        let (left, right) = (cut.min(0.0), cut.max(0.0));
        let early = self.stretch(self.from, left) + self.stretch(0.0, right);
        let late = self.stretch(left, 0.0) + self.stretch(right, self.to);
        (early, late)
    }

    /// One side of the peak, or a part of it.
    fn stretch(&self, from: f64, to: f64) -> Sums {
        let mut sums = Sums::default();
        if to <= from {
            return sums;
        }
        let mut at = from;
        // e^{−θv} changes on the scale 1/θ. Panels must be no wider while it does.
        let scale = 2.0 / self.theta;
        if to - from > PANELS * scale {
            while at < to - scale && (at < 0.0 || at - from < 20.0 * scale) {
                sums = sums + self.panel(at, at + scale);
                at += scale;
            }
        }
        let width = (to - at) / PANELS;
        for k in 0..PANELS as u32 {
            let start = at + width * f64::from(k);
            sums = sums + self.panel(start, start + width);
        }
        sums
    }

    fn panel(&self, from: f64, to: f64) -> Sums {
        let (middle, half) = (f64::midpoint(from, to), (to - from) / 2.0);
        let mut sums = Sums::default();
        for (x, w) in GAUSS {
            for v in [middle - half * x, middle + half * x] {
                let s = self.theta * (self.peak + v);
                let weight = w * half * (-self.drop(v)).exp();
                sums.all += weight;
                sums.served += weight * (-s).exp();
                sums.waited -= weight * (-s).exp_m1() / self.theta;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_integrate_polynomials_exactly() {
        for power in [0, 2, 8, 30] {
            let sum: f64 = GAUSS.iter().map(|(x, w)| 2.0 * w * x.powi(power)).sum();
            assert!((sum - 2.0 / f64::from(power + 1)).abs() < 1e-15, "{power}: {sum}");
        }
    }

    #[test]
    fn the_bend_is_the_same_on_both_sides_of_its_series() {
        for s in [0.299_999_999_f64, 0.3, 0.300_000_001] {
            for s in [s, -s] {
                let plain = (-s).exp_m1() + s;
                assert!((bend(s) / plain - 1.0).abs() < 1e-13, "{s}");
            }
        }
        assert!((bend(1e-9) / 5e-19 - 1.0).abs() < 1e-8);
    }

    #[test]
    fn before_and_after_are_the_whole() {
        for (a, n, theta) in [(10.0, 12.0, 1.5), (30.0, 12.0, 0.1), (1.0, 1.0, 1e6), (9e4, 9e4, 1e-9), (5.0, 1.0, 1e3)] {
            let offered = Offered::new(a, n, theta);
            let (none, whole) = offered.split(0.0);
            assert!(none.all < 1e-15 * whole.all);
            for t in [offered.peak, offered.peak + offered.to / 3.0, offered.peak + offered.from / 2.0] {
                let (early, late) = offered.split(t);
                let both = early + late;
                assert!((both.all / whole.all - 1.0).abs() < 1e-12, "{a} {n} {theta} {t}: {both:?} {whole:?}");
                assert!((both.served / whole.served - 1.0).abs() < 1e-12);
                assert!((both.waited / whole.waited - 1.0).abs() < 1e-12);
                // (1 − e^{−θu})/θ and e^{−θu} must add up to the density.
                assert!(((both.waited * theta + both.served) / both.all - 1.0).abs() < 1e-12);
            }
        }
    }
}
