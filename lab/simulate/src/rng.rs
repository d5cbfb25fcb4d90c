//! A small seeded random source: the same seed gives the same run. It is not for secrets.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, Exp1, StandardUniform, Uniform};

/// ChaCha with 8 rounds: the same sequence on every machine.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// Makes a source that repeats for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A source of its own for part `n` of a run. Parts, and parts of parts, do not disturb each other's sequence.
    pub fn part(&self, n: u64) -> Self {
        Self::new(self.clone().bits() ^ n)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        StandardUniform.sample(&mut self.0)
    }

    /// A number from 0 up to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        StandardUniform.sample(&mut self.0)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        Uniform::new(0, n).map_or(0, |numbers| numbers.sample(&mut self.0))
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// An exponentially distributed number with this mean: the gaps of a Poisson process.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        let gap: f64 = Exp1.sample(&mut self.0);
        mean * gap
    }

    /// One of the items; `None` if the slice is empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(usize::try_from(self.below(items.len() as u64)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_for_the_same_seed_and_differs_by_part() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert_eq!((a.bits(), a.bits()), (b.bits(), b.bits()));
        let parts = (0..50).map(|n| Rng::new(7).part(n));
        let all: std::collections::HashSet<u64> = parts.flat_map(|mut rng| (0..200).map(move |_| rng.bits())).collect();
        assert_eq!(all.len(), 50 * 200);
    }

    #[test]
    fn exponential_gaps_have_the_mean() {
        let mut rng = Rng::new(1);
        let n = 20_000;
        let mean = (0..n).map(|_| rng.exponential(0.5)).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(3);
        for _ in 0..1000 {
            assert!(rng.below(3) < 3);
            assert!((0.0..1.0).contains(&rng.unit()));
            assert!((2.0..=5.0).contains(&rng.between(2.0, 5.0)));
        }
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.pick::<u8>(&[]), None);
    }
}
