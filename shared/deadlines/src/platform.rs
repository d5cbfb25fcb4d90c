//! Platforms' clocks (平台时钟): each message of a customer is to be answered by a person within some seconds, if it comes
//! within the platform's window of the day. The formulas are configuration, because platforms change them.

use crate::Fault;
use crate::calendar::Zone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{Channel, Timestamp};
use warmline_routing::hours::DayTime;

/// A platform's clock for each message of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformClock {
    /// The formula's id with its version, such as `doudian.3min.v1`: 1 to 64 characters from a-z, 0-9, `.`, `_` and `-`.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9._-]+$"))]
    pub formula: String,
    /// The channel.
    pub channel: Channel,
    /// The seconds within which a message is to be answered: 1 to 604800.
    #[schemars(range(min = 1, max = 604_800))]
    pub seconds: i64,
    /// The time of day from which messages count, in the document's zone.
    pub from: DayTime,
    /// The time of day from which messages count no more. `24:00` is the end of the day.
    pub to: DayTime,
    /// Whether only a person's answer counts.
    #[serde(default = "yes")]
    pub human_only: bool,
    /// The seconds before the end at which the agent is warned: 0 for no warning.
    #[serde(default)]
    #[schemars(range(min = 0, max = 604_800))]
    pub warn_seconds: i64,
}

pub(crate) const fn yes() -> bool {
    true
}

/// The clocks until the brand sets its own: three minutes from 08:00 to 23:00.
pub fn defaults() -> Vec<PlatformClock> {
    let (Some(from), Some(to)) = (DayTime::parse("08:00"), DayTime::parse("23:00")) else { return Vec::new() };
    let clock = |name: &str| {
        let (channel, formula) = (Channel::new(name).ok()?, format!("{name}.3min.v1"));
        Some(PlatformClock { formula, channel, seconds: 180, from, to, human_only: true, warn_seconds: 30 })
    };
    ["doudian", "taobao", "pinduoduo"].into_iter().filter_map(clock).collect()
}

impl PlatformClock {
    /// Checks the clock.
    ///
    /// # Errors
    /// A field has a fault.
    pub fn check(&self, path: &str) -> Result<(), Fault> {
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        if !(1..=64).contains(&self.formula.len()) || !self.formula.bytes().all(ok) {
            let detail = "a formula's id has 1 to 64 characters from a-z, 0-9, ., _ and -";
            return Err(Fault::new("bad_name", format!("{path}.formula"), detail));
        }
        if !(1..=604_800).contains(&self.seconds) {
            return Err(Fault::new("bad_seconds", format!("{path}.seconds"), "seconds are 1 to 604800"));
        }
        if !(0..=604_800).contains(&self.warn_seconds) {
            return Err(Fault::new("bad_seconds", format!("{path}.warn_seconds"), "seconds are 0 to 604800"));
        }
        if self.from >= self.to {
            let detail = "the window ends after it begins; one that goes over midnight is written as two clocks";
            return Err(Fault::new("bad_window", format!("{path}.to"), detail));
        }
        Ok(())
    }

    /// Whether a message of that instant counts.
    pub fn counts(&self, at: Timestamp, zone: &Zone) -> bool {
        let minute = |time: DayTime| i128::from(time.minutes()) * 60_000;
        let time = zone.local(at).rem_euclid(86_400_000);
        (minute(self.from)..minute(self.to)).contains(&time)
    }
}

/// A customer's message as the formula sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When the customer wrote.
    pub at: Timestamp,
    /// When a person first answered.
    pub answered_at: Option<Timestamp>,
}

/// The rate of a formula: messages that a person answered in time, out of all that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// The customers' messages within the window.
    pub messages: u64,
    /// Those that a person answered in time.
    pub in_time: u64,
}

impl Rate {
    /// The rate in hundredths of a percent, rounded down; `None` if no message counts.
    pub fn hundredths(&self) -> Option<u64> {
        self.in_time.saturating_mul(10_000).checked_div(self.messages)
    }
}

/// Computes the rate of a clock over messages. An answer after exactly the clock's seconds is in time.
pub fn rate(clock: &PlatformClock, zone: &Zone, messages: &[Asked]) -> Rate {
    let mut rate = Rate::default();
    for asked in messages.iter().filter(|asked| clock.counts(asked.at, zone)) {
        rate.messages += 1;
        let until = asked.at.plus_millis(clock.seconds.saturating_mul(1000));
        rate.in_time += u64::from(asked.answered_at.is_some_and(|answered| answered <= until));
    }
    rate
}
