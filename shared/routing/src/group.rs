//! What a skill group decides about its conversations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::Timestamp;

/// A group's settings. All have defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupSettings {
    /// Seconds that an agent has to accept; 0: a conversation counts as accepted when it is assigned.
    #[schemars(range(min = 0, max = 86_400))]
    pub accept_secs: i64,
    /// Seconds of after-contact work (话后处理) that follow a talk and still spend capacity; 0: none.
    #[schemars(range(min = 0, max = 86_400))]
    pub wrap_up_secs: i64,
    /// Head start of VIP customers in the queue, in minutes.
    #[schemars(range(min = 0, max = 10_080))]
    pub vip_priority_minutes: i64,
    /// Said to a customer when a conversation is opened; empty: nothing.
    pub greeting: String,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self { accept_secs: 120, wrap_up_secs: 0, vip_priority_minutes: 30, greeting: String::new() }
    }
}

impl GroupSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The name of the setting that is out of range.
    pub fn check(&self) -> Result<(), &'static str> {
        let day = 0..=86_400;
        if !day.contains(&self.accept_secs) {
            return Err("accept_secs");
        }
        if !day.contains(&self.wrap_up_secs) {
            return Err("wrap_up_secs");
        }
        if !(0..=10_080).contains(&self.vip_priority_minutes) {
            return Err("vip_priority_minutes");
        }
        if self.greeting.chars().count() > 500 {
            return Err("greeting");
        }
        Ok(())
    }
}

/// Place in a queue: the instant of entry less the head start, in milliseconds; the smallest is served first. Everybody's
/// waiting time grows alike, so the order never changes and nobody waits longer than the head start behind a later one.
pub fn rank(queued_at: Timestamp, priority_minutes: i64) -> i64 {
    queued_at.millis().saturating_sub(priority_minutes.saturating_mul(60_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    proptest! {
        #[test]
        fn nobody_waits_longer_than_the_head_start(early in 0i64..1_000_000, gap in 0i64..10_000_000, head in 0i64..10_080) {
            let first = rank(Timestamp::from_millis(early), 0);
            let later = rank(Timestamp::from_millis(early + gap), head);
            prop_assert!((later < first) == (gap < head * 60_000));
        }
    }

    #[test]
    fn settings_have_defaults_and_bounds() {
        let s: GroupSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(s, GroupSettings::default());
        assert_eq!(GroupSettings { accept_secs: -1, ..GroupSettings::default() }.check(), Err("accept_secs"));
        assert!(serde_json::from_str::<GroupSettings>("{\"acept_secs\":1}").is_err());
    }
}
