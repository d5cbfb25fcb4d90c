//! Capacity in units (接待量): the cost of a contact and the capacity of a seat.

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// An amount of capacity, in hundredths of a unit so that sums are exact. In JSON it is a number of units with at most two
/// decimals (`1`, `0.5`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Units(i64);

impl Units {
    /// No units.
    pub const ZERO: Self = Self(0);
    /// One unit: a chat, unless the plan says otherwise.
    pub const ONE: Self = Self(100);

    /// From hundredths of a unit.
    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    /// From whole units; saturates.
    pub const fn whole(units: i64) -> Self {
        Self(units.saturating_mul(100))
    }

    /// Hundredths of a unit, as the store keeps them.
    pub const fn hundredths(self) -> i64 {
        self.0
    }

    /// The sum; saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; saturates.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        match (part, part % 10) {
            (0, _) => write!(f, "{sign}{whole}"),
            (_, 0) => write!(f, "{sign}{whole}.{}", part / 10),
            _ => write!(f, "{sign}{whole}.{part:02}"),
        }
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.0 % 100 == 0 {
            return s.serialize_i64(self.0 / 100);
        }
        #[expect(clippy::cast_precision_loss, reason = "capacities are far below 2^53 hundredths")]
        s.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Units;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of capacity units with at most two decimals")
            }

            fn visit_i64<E: Error>(self, n: i64) -> Result<Units, E> {
                n.checked_mul(100).map(Units).ok_or_else(|| E::custom("the number of capacity units is too large"))
            }

            fn visit_u64<E: Error>(self, n: u64) -> Result<Units, E> {
                i64::try_from(n).map_err(E::custom).and_then(|n| self.visit_i64(n))
            }

            fn visit_f64<E: Error>(self, n: f64) -> Result<Units, E> {
                let hundredths = (n * 100.0).round();
                if !(hundredths.abs() < 1e15 && (n * 100.0 - hundredths).abs() < 1e-6) {
                    return Err(E::custom("a number of capacity units has at most two decimals"));
                }
                #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small just above")]
                Ok(Units(hundredths as i64))
            }
        }
        d.deserialize_any(Number)
    }
}

impl JsonSchema for Units {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Units".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "description": "Capacity units, with at most two decimals." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn whole_units_are_whole_numbers() {
        assert_eq!(serde_json::to_string(&Units::whole(3)).unwrap(), "3");
        assert_eq!(serde_json::to_string(&Units::from_hundredths(50)).unwrap(), "0.5");
        assert_eq!(serde_json::from_str::<Units>("0.25").unwrap(), Units::from_hundredths(25));
        for bad in ["0.125", "1e300", "\"1\"", "9223372036854775807"] {
            assert!(serde_json::from_str::<Units>(bad).is_err(), "{bad}");
        }
        assert_eq!(
            [Units::from_hundredths(-150), Units::from_hundredths(5), Units::ONE].map(|u| u.to_string()),
            ["-1.5", "0.05", "1"]
        );
    }

    proptest! {
        #[test]
        fn survives_json(hundredths in -1_000_000_000i64..1_000_000_000) {
            let units = Units::from_hundredths(hundredths);
            let text = serde_json::to_string(&units).unwrap();
            prop_assert_eq!(serde_json::from_str::<Units>(&text).unwrap(), units);
        }
    }
}
