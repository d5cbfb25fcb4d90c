//! The load on a group and the errors of this module. A [`Load`] is checked when it is made, so that no formula gets a
//! negative, infinite or undefined number.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most seats, and the most erlangs, for which the formulas are made and tested.
pub const MAX_SEATS: u32 = 100_000;

/// The reason why a figure cannot be given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StaffingError {
    /// An input is not a number, is infinite, or is outside its range.
    OutOfRange {
        /// The name of the input.
        what: &'static str,
        /// The smallest allowed value.
        min: f64,
        /// The largest allowed value.
        max: f64,
    },
    /// Work comes at least as fast as the seats can do it, and nobody gives up: the queue grows without end.
    Unstable {
        /// The work offered, in erlangs.
        erlangs: f64,
        /// The seats.
        seats: u32,
    },
    /// The model with impatient customers got a load without patience.
    NoPatience,
    /// Not even [`MAX_SEATS`] seats reach the target.
    Unreachable,
}

impl fmt::Display for StaffingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { what, min, max } => write!(f, "{what} must be a number from {min} to {max}"),
            Self::Unstable { erlangs, seats } => {
                write!(f, "{seats} seats cannot do {erlangs} erlangs of work: the queue grows without end")
            }
            Self::NoPatience => f.write_str("the load has no patience"),
            Self::Unreachable => write!(f, "{MAX_SEATS} seats do not reach the target"),
        }
    }
}

impl std::error::Error for StaffingError {}

/// Returns `value` if it is a number from `min` to `max`.
pub(super) fn within(what: &'static str, value: f64, min: f64, max: f64) -> Result<f64, StaffingError> {
    // A comparison with NaN is false.
    if value >= min && value <= max { Ok(value) } else { Err(StaffingError::OutOfRange { what, min, max }) }
}

/// The load on a group, checked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawLoad")]
pub struct Load {
    /// Contacts an hour.
    per_hour: f64,
    /// Mean handle time of one contact in one slot, in seconds.
    handle_secs: f64,
    /// Mean patience in seconds; absent: customers wait for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    patience_secs: Option<f64>,
}

/// The load on a group, unchecked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Load")]
struct RawLoad {
    /// Contacts an hour.
    #[schemars(range(min = 0, max = 1e9))]
    per_hour: f64,
    /// Mean handle time of one contact in one slot, in seconds.
    #[schemars(range(min = 0.001, max = 1e7))]
    handle_secs: f64,
    /// Mean patience in seconds; absent: customers wait for ever.
    #[serde(default)]
    #[schemars(range(min = 0.001, max = 1e15))]
    patience_secs: Option<f64>,
}

impl TryFrom<RawLoad> for Load {
    type Error = StaffingError;
    fn try_from(raw: RawLoad) -> Result<Self, StaffingError> {
        Self::new(raw.per_hour, raw.handle_secs, raw.patience_secs)
    }
}

impl Load {
    /// Checks the three figures: contacts an hour, mean handle time in seconds, mean patience in seconds.
    ///
    /// # Errors
    /// - A figure is NaN, infinite or out of range: 0 to 10⁹ contacts an hour, handle time from 1 ms to 10⁷ s, patience
    ///   from 1 ms to 10¹⁵ s.
    /// - The load is more than [`MAX_SEATS`] erlangs.
    pub fn new(per_hour: f64, handle_secs: f64, patience_secs: Option<f64>) -> Result<Self, StaffingError> {
        let load = Self {
            per_hour: within("per_hour", per_hour, 0.0, 1e9)?,
            handle_secs: within("handle_secs", handle_secs, 0.001, 1e7)?,
            patience_secs: patience_secs.map(|p| within("patience_secs", p, 0.001, 1e15)).transpose()?,
        };
        within("erlangs", load.erlangs(), 0.0, f64::from(MAX_SEATS))?;
        Ok(load)
    }

    /// Contacts an hour (λ).
    pub fn per_hour(&self) -> f64 {
        self.per_hour
    }

    /// Mean handle time in seconds (AHT = 1/μ).
    pub fn handle_secs(&self) -> f64 {
        self.handle_secs
    }

    /// Mean patience in seconds (1/θ); `None`: for ever.
    pub fn patience_secs(&self) -> Option<f64> {
        self.patience_secs
    }

    /// The work offered: A = λ·AHT, in erlangs.
    pub fn erlangs(&self) -> f64 {
        self.per_hour * self.handle_secs / 3600.0
    }
}

/// Returns `seats` if it is at most [`MAX_SEATS`].
pub(super) fn seats(seats: u32) -> Result<u32, StaffingError> {
    if seats <= MAX_SEATS {
        return Ok(seats);
    }
    Err(StaffingError::OutOfRange { what: "seats", min: 0.0, max: f64::from(MAX_SEATS) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_load_is_refused() {
        let named = |r: Result<Load, StaffingError>| match r {
            Err(StaffingError::OutOfRange { what, .. }) => what,
            other => panic!("{other:?}"),
        };
        for bad in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2e9] {
            assert_eq!(named(Load::new(bad, 180.0, None)), "per_hour");
        }
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(named(Load::new(1.0, bad, None)), "handle_secs");
            assert_eq!(named(Load::new(1.0, 180.0, Some(bad))), "patience_secs");
        }
        assert_eq!(named(Load::new(1e9, 3600.0, None)), "erlangs");
        assert_eq!(Load::new(0.0, 180.0, None).unwrap().erlangs(), 0.0);
    }

    #[test]
    fn a_load_is_checked_when_it_is_read() {
        let load: Load = serde_json::from_str(r#"{"per_hour":200,"handle_secs":180,"patience_secs":120}"#).unwrap();
        assert_eq!(load, Load::new(200.0, 180.0, Some(120.0)).unwrap());
        assert_eq!(serde_json::from_str::<Load>(&serde_json::to_string(&load).unwrap()).unwrap(), load);
        assert!(serde_json::from_str::<Load>(r#"{"per_hour":-1,"handle_secs":180}"#).is_err());
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let text = Load::new(-1.0, 180.0, None).unwrap_err().to_string();
        assert_eq!(text, "per_hour must be a number from 0 to 1000000000");
    }
}
