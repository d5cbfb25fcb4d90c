//! Log-linear buckets: exact below 16, then eight a doubling, so a quantile read from them is off by at most 12.5%.

/// The bucket of a value in milliseconds. Negative values (clocks that disagree) count as 0.
pub fn bucket(value: i64) -> i64 {
    let value = value.max(0);
    if value < 16 {
        return value;
    }
    let exponent = i64::from(63 - value.leading_zeros());
    let within = (value >> (exponent - 3)) & 7;
    16 + (exponent - 4) * 8 + within
}

/// The largest value that falls into a bucket.
pub fn upper(bucket: i64) -> i64 {
    if bucket < 16 {
        return bucket.max(0);
    }
    let (exponent, within) = ((bucket - 16) / 8 + 4, (bucket - 16) % 8);
    if exponent >= 62 {
        return i64::MAX;
    }
    ((9 + within) << (exponent - 3)) - 1
}

/// The value below which a share of the counted values lies: the upper edge of the bucket that holds it. `None` if nothing
/// was counted. `cells` are pairs of bucket and count, in rising order of bucket.
pub fn quantile(cells: &[(i64, i64)], share: f64) -> Option<i64> {
    let total: i64 = cells.iter().map(|(_, n)| n).sum();
    if total <= 0 {
        return None;
    }
    // The smallest rank that covers the share; total stays far below 2^52.
    let rank = ((total as f64) * share).ceil().max(1.0) as i64;
    let mut seen = 0;
    cells.iter().find_map(|(b, n)| {
        seen += n;
        (seen >= rank).then(|| upper(*b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    #[test]
    fn edges() {
        assert_eq!([0, 15, 16, 17, 18, 31, 32].map(bucket), [0, 15, 16, 16, 17, 23, 24]);
        assert_eq!(upper(16), 17);
        assert_eq!(upper(23), 31);
        assert_eq!(bucket(-5), 0);
        assert_eq!(upper(bucket(i64::MAX)), i64::MAX);
    }

    #[test]
    fn quantiles_of_small_sets() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[(3, 1)], 0.5), Some(3));
        assert_eq!(quantile(&[(1, 50), (9, 50)], 0.5), Some(1));
        assert_eq!(quantile(&[(1, 50), (9, 50)], 0.51), Some(9));
    }

    proptest! {
        #[test]
        fn every_value_is_within_an_eighth_of_its_edge(v in 0i64..1_000_000_000_000) {
            let edge = upper(bucket(v));
            prop_assert!(v <= edge);
            prop_assert!(edge - v <= v / 8 + 1);
            prop_assert!(bucket(edge) == bucket(v) && bucket(edge + 1) == bucket(v) + 1);
        }
    }
}
