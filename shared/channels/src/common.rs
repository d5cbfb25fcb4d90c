//! The settings that an account of every channel has, whatever its platform. They belong to the system: an adapter never
//! sees them.

use crate::kit::AccountError;
use serde_json::Value;
use std::ops::RangeInclusive;

/// Their names.
pub const NAMES: [&str; 3] = ["group", "most_waiting", "new_sessions_per_minute"];

/// The default for the most conversations of one account in queues. Further ones stay open and are placed as the queues
/// grow shorter.
const MOST_WAITING: i64 = 10_000;
/// The same for channels on which anybody may write without proving their identity. Further messages are refused.
const MOST_WAITING_ANONYMOUS: i64 = 1_000;
/// The default for the sessions that strangers may begin in a minute.
const NEW_SESSIONS: i64 = 600;

/// The common settings of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// The skill group for conversations that no rule places.
    pub group: Option<String>,
    most_waiting: Option<i64>,
    new_sessions_per_minute: Option<i64>,
}

impl Common {
    /// Takes them out of an account's settings, so that the adapter finds only its own.
    ///
    /// # Errors
    /// A setting is wrong. The error names it.
    pub fn take(settings: &mut Value) -> Result<Self, AccountError> {
        let Some(map) = settings.as_object_mut() else { return Ok(Self::default()) };
        let group = match map.remove("group") {
            None | Some(Value::Null) => None,
            Some(Value::String(group)) => Some(group),
            Some(_) => return Err(AccountError::new("group", "must be the id of a skill group")),
        };
        let mut number = |name: &str, range: RangeInclusive<i64>| match map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().filter(|n| range.contains(n)).map(Some).ok_or_else(|| {
                AccountError::new(name, &format!("must be a whole number from {} to {}", range.start(), range.end()))
            }),
        };
        Ok(Self {
            group,
            most_waiting: number("most_waiting", 1..=1_000_000)?,
            new_sessions_per_minute: number("new_sessions_per_minute", 0..=1_000_000)?,
        })
    }

    /// The other settings, which an adapter reads.
    pub fn without(settings: &Value) -> Value {
        let mut own = settings.clone();
        if let Some(map) = own.as_object_mut() {
            NAMES.iter().for_each(|name| drop(map.remove(*name)));
        }
        own
    }

    /// The most conversations of the account in queues.
    pub fn most_waiting(&self) -> i64 {
        self.most_waiting.unwrap_or(MOST_WAITING)
    }

    /// The most conversations of strangers that may wait for an agent. Further strangers are refused.
    pub fn most_strangers_waiting(&self) -> i64 {
        self.most_waiting.unwrap_or(MOST_WAITING_ANONYMOUS)
    }

    /// Sessions that strangers may begin in a minute.
    pub fn new_sessions_per_minute(&self) -> i64 {
        self.new_sessions_per_minute.unwrap_or(NEW_SESSIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn they_are_taken_out_and_the_adapters_own_stay() {
        let mut settings = json!({ "group": "presale", "most_waiting": 5, "new_sessions_per_minute": 0, "app_id": "wx1" });
        let common = Common::take(&mut settings).unwrap();
        assert_eq!(settings, json!({ "app_id": "wx1" }));
        assert_eq!(
            (common.group.as_deref(), common.most_waiting(), common.most_strangers_waiting()),
            (Some("presale"), 5, 5)
        );
        assert_eq!(common.new_sessions_per_minute(), 0);
        for none in [Value::Null, json!({}), json!({ "group": null, "most_waiting": null })] {
            let common = Common::take(&mut none.clone()).unwrap();
            let bounds = (common.most_waiting(), common.most_strangers_waiting(), common.new_sessions_per_minute());
            assert_eq!((common.group, bounds), (None, (10_000, 1_000, 600)));
        }
    }

    #[test]
    fn a_wrong_one_is_named() {
        for (wrong, field) in [
            (json!({ "group": 7 }), "group"),
            (json!({ "most_waiting": 0 }), "most_waiting"),
            (json!({ "most_waiting": "many" }), "most_waiting"),
            (json!({ "new_sessions_per_minute": -1 }), "new_sessions_per_minute"),
        ] {
            assert_eq!(Common::take(&mut wrong.clone()).err().map(|e| e.field).as_deref(), Some(field), "{wrong}");
        }
    }
}
