//! An account's settings in their two parts. An account has one object of settings, in the API and in the store. Warmline
//! reads some of them, whatever the platform; the channel's adapter reads the others. [`split`] alone knows which are whose,
//! so that neither reader sees the other's part.

use crate::kit::{AccountError, Adapter};
use serde_json::{Map, Value};
use std::ops::{Deref, RangeInclusive};
use warmline_model::{AgentId, GroupId};

/// Warmline's settings that an account of every channel may have.
pub const NAMES: [&str; 3] = [GROUP, MOST_WAITING, NEW_SESSIONS];

const GROUP: &str = "group";
const MOST_WAITING: &str = "most_waiting";
const NEW_SESSIONS: &str = "new_sessions_per_minute";
/// Warmline's setting of accounts whose calls name who is rung ([`Adapter::names_who_is_rung`]).
pub(crate) const EXTENSIONS: &str = "extensions";

/// The allowed values of `most_waiting`.
const WAITING: RangeInclusive<i64> = 1..=1_000_000;
/// The allowed values of `new_sessions_per_minute`.
const SESSIONS: RangeInclusive<i64> = 0..=1_000_000;

/// Conversations of one account that stand in queues at the most, unless the account says otherwise. What comes beyond waits
/// open and is placed as the queues grow shorter.
const MOST_IN_QUEUES: i64 = 10_000;
/// The same where anybody may write without proving who they are; what comes beyond is refused.
const MOST_STRANGERS: i64 = 1_000;
/// Sessions that strangers may begin in a minute, unless the account says otherwise.
const MOST_SESSIONS: i64 = 600;

/// The router's part: where an account's conversations go, and how many of them may wait. An adapter never sees it. Each
/// setting is read by its type when it is asked for. One that cannot be read counts as absent, since an earlier version may
/// have stored it; [`RoutingSettings::fault`] tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingSettings(Map<String, Value>);

impl RoutingSettings {
    /// The router's part of an account's settings, for readers that have no use for the adapter's.
    pub fn of(mut settings: Value) -> Self {
        Self::take(&mut settings, true)
    }

    /// Takes it out of an account's settings.
    fn take(settings: &mut Value, extensions: bool) -> Self {
        let mut routing = Map::new();
        let Value::Object(map) = settings else { return Self(routing) };
        for name in NAMES.into_iter().chain(extensions.then_some(EXTENSIONS)) {
            if let Some((name, value)) = map.remove_entry(name) {
                routing.insert(name, value);
            }
        }
        Self(routing)
    }

    /// A setting; `null` counts as absent.
    fn setting(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn number(&self, name: &str, range: &RangeInclusive<i64>) -> Option<i64> {
        self.setting(name)?.as_i64().filter(|n| range.contains(n))
    }

    /// The skill group for conversations that no rule places.
    pub fn group(&self) -> Option<GroupId> {
        GroupId::new(self.setting(GROUP)?.as_str()?).ok()
    }

    /// The agent whose telephone has that name in the telephone system.
    pub fn extension(&self, name: &str) -> Option<AgentId> {
        agent(self.setting(EXTENSIONS)?.get(name)?)
    }

    /// The agents who have an extension.
    pub fn agents(&self) -> Vec<AgentId> {
        self.setting(EXTENSIONS).and_then(Value::as_object).into_iter().flatten().filter_map(|(_, id)| agent(id)).collect()
    }

    /// Conversations of the account that stand in queues at the most.
    pub fn most_waiting(&self) -> i64 {
        self.number(MOST_WAITING, &WAITING).unwrap_or(MOST_IN_QUEUES)
    }

    /// Conversations of strangers that may wait for somebody; beyond them strangers are refused.
    pub fn most_strangers_waiting(&self) -> i64 {
        self.number(MOST_WAITING, &WAITING).unwrap_or(MOST_STRANGERS)
    }

    /// Sessions that strangers may begin in a minute.
    pub fn new_sessions_per_minute(&self) -> i64 {
        self.number(NEW_SESSIONS, &SESSIONS).unwrap_or(MOST_SESSIONS)
    }

    /// The first setting that cannot be read, and what it must be.
    pub fn fault(&self) -> Option<AccountError> {
        let there = |name: &str| self.setting(name).is_some();
        if there(GROUP) && self.group().is_none() {
            return Some(AccountError::new(GROUP, "must be the id of a skill group"));
        }
        for (name, range) in [(MOST_WAITING, WAITING), (NEW_SESSIONS, SESSIONS)] {
            if there(name) && self.number(name, &range).is_none() {
                let problem = format!("must be a whole number from {} to {}", range.start(), range.end());
                return Some(AccountError::new(name, &problem));
            }
        }
        let named = |all: &Map<String, Value>| all.values().all(|id| agent(id).is_some());
        if self.setting(EXTENSIONS).is_some_and(|value| !value.as_object().is_some_and(named)) {
            let problem = "must be an object that gives each extension the id of an agent: {\"8001\": \"agt_…\"}";
            return Some(AccountError::new(EXTENSIONS, problem));
        }
        None
    }
}

fn agent(id: &Value) -> Option<AgentId> {
    id.as_str()?.parse().ok()
}

/// The adapter's part: every setting that is not Warmline's own. The adapter refuses a name that it does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelSettings(Value);

impl Deref for ChannelSettings {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

/// Settings that are the adapter's from the start, as simulators and tests write them. What is stored goes through
/// [`split`].
impl From<Value> for ChannelSettings {
    fn from(settings: Value) -> Self {
        Self(settings)
    }
}

/// Parts an account's settings between the router and the adapter.
pub fn split<A: Adapter>(adapter: &A, mut settings: Value) -> (RoutingSettings, ChannelSettings) {
    let extensions = adapter.names_who_is_rung(&settings);
    (RoutingSettings::take(&mut settings, extensions), ChannelSettings(settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::PhoneAdapter;
    use crate::wechat::WechatAdapter;
    use serde_json::json;

    const AGENT: &str = "agt_00000000000070008000000000000001";

    #[test]
    fn each_reader_sees_its_own_part_only() {
        let settings = json!({ "group": "presale", "most_waiting": 5, "new_sessions_per_minute": 0, "app_id": "wx1" });
        let (routing, channel) = split(&WechatAdapter, settings);
        assert_eq!(*channel, json!({ "app_id": "wx1" }));
        assert_eq!(routing.group(), GroupId::new("presale").ok());
        assert_eq!((routing.most_waiting(), routing.most_strangers_waiting()), (5, 5));
        assert_eq!((routing.new_sessions_per_minute(), routing.fault()), (0, None));
        let (routing, channel) = split(&PhoneAdapter, json!({ "extensions": { "8001": AGENT }, "max_age_secs": 60 }));
        assert_eq!(*channel, json!({ "max_age_secs": 60 }));
        assert_eq!((routing.extension("8001"), routing.extension("8002")), (AGENT.parse().ok(), None));
        assert_eq!((routing.agents(), routing.fault()), (vec![AGENT.parse().unwrap()], None));
        assert_eq!(routing, RoutingSettings::of(json!({ "extensions": { "8001": AGENT }, "max_age_secs": 60 })));
        for none in [Value::Null, json!({}), json!({ "group": null, "most_waiting": null, "extensions": null })] {
            let (routing, channel) = split(&PhoneAdapter, none.clone());
            let bounds = (routing.most_waiting(), routing.most_strangers_waiting(), routing.new_sessions_per_minute());
            assert_eq!((routing.group(), bounds, routing.fault()), (None, (10_000, 1_000, 600), None));
            assert!(routing.agents().is_empty());
            assert!(channel.as_object().is_none_or(Map::is_empty), "{none}");
        }
    }

    #[test]
    fn extensions_are_the_routers_only_where_calls_name_who_is_rung() {
        for (settings, theirs) in
            [(json!({}), false), (json!({ "provider": "huawei" }), false), (json!({ "provider": "twilio" }), true)]
        {
            let mut settings = settings;
            settings["extensions"] = json!({ "8001": AGENT });
            let (routing, channel) = split(&PhoneAdapter, settings.clone());
            assert_eq!((channel.get("extensions").is_some(), routing.agents().is_empty()), (theirs, theirs), "{settings}");
        }
        let (routing, channel) = split(&WechatAdapter, json!({ "extensions": { "8001": AGENT } }));
        assert!(channel.get("extensions").is_some() && routing.agents().is_empty(), "it is unknown to the channel");
    }

    #[test]
    fn a_wrong_one_is_named_and_costs_no_other() {
        let number = "must be a whole number from";
        for (wrong, field, problem) in [
            (json!({ "group": 7 }), "group", "must be the id of a skill group"),
            (json!({ "group": "no id" }), "group", "must be the id of a skill group"),
            (json!({ "most_waiting": 0 }), "most_waiting", number),
            (json!({ "most_waiting": "many" }), "most_waiting", number),
            (json!({ "new_sessions_per_minute": -1 }), "new_sessions_per_minute", number),
            (json!({ "extensions": 8001 }), "extensions", "must be an object"),
            (json!({ "extensions": ["8001"] }), "extensions", "must be an object"),
            (json!({ "extensions": { "8001": "bob", "8002": AGENT } }), "extensions", "must be an object"),
        ] {
            let mut settings = json!({ "group": "g", "most_waiting": 3, "new_sessions_per_minute": 4, "extensions": {} });
            settings.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            let (routing, channel) = split(&PhoneAdapter, settings);
            let fault = routing.fault().unwrap();
            assert_eq!(fault.field, field, "{wrong}");
            assert!(fault.problem.starts_with(problem), "{fault}");
            assert_eq!(*channel, json!({}), "{wrong}");
            assert_eq!(routing.group().is_some(), field != "group", "{wrong}");
            assert_eq!(routing.most_waiting() == 3, field != "most_waiting", "{wrong}");
            assert_eq!(routing.new_sessions_per_minute() == 4, field != "new_sessions_per_minute", "{wrong}");
        }
        let one = RoutingSettings::of(json!({ "extensions": { "8001": "bob", "8002": AGENT } }));
        assert_eq!((one.extension("8001"), one.extension("8002")), (None, AGENT.parse().ok()), "the others ring as before");
    }
}
