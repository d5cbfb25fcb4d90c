//! Service levels (服务水平策略): the document that a supervisor edits, in versions. Its policies are in order, and the first
//! that matches a conversation counts. A deadline is stamped with the version under which it started, and keeps it.

use crate::Fault;
use crate::calendar::{self, Calendar, Zone};
use crate::platform::{self, PlatformClock, yes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warmline_model::{AccountId, Channel, GroupId};
use warmline_routing::hours::Hours;

/// The longest target, and the longest pause: 366 days.
pub const MOST_SECONDS: i64 = 31_622_400;
/// The most minutes of a warning or an escalation: 31 days.
pub const MOST_MINUTES: i64 = 44_640;
const MOST_POLICIES: usize = 200;
const MOST_CALENDARS: usize = 50;
const MOST_CLOCKS: usize = 50;
/// The most warnings, and the most steps of an escalation, of a policy.
pub const MOST_STEPS: usize = 8;
const MOST_CONDITIONS: usize = 200;

/// The document: calendars, policies and platforms' clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = Document::example())]
pub struct Document {
    /// The brand's zone: for platforms' windows, for promises, and for calendars without a zone of their own.
    #[serde(default)]
    pub zone: Zone,
    /// The calendars that policies name.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub calendars: Vec<NamedCalendar>,
    /// The policies. The first that matches counts.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub policies: Vec<Policy>,
    /// The platforms' clocks. They run beside the policies.
    #[serde(default = "platform::defaults")]
    #[schemars(length(max = 50))]
    pub platform: Vec<PlatformClock>,
    /// The calendar that counts working days in promises; without one, they are Monday to Friday until 18:00.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub promise_calendar: Option<String>,
}

impl Default for Document {
    /// Without policies, and with the usual platforms' clocks.
    fn default() -> Self {
        Self {
            zone: Zone::default(),
            calendars: Vec::new(),
            policies: Vec::new(),
            platform: platform::defaults(),
            promise_calendar: None,
        }
    }
}

/// A calendar with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedCalendar {
    /// Its name, unique in the document: 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// Its zone, if it is not the document's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// Its hours: the week, and dates with other hours.
    pub hours: Hours,
}

/// A policy: for which conversations it is, what it promises, and what happens before and after a deadline is missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name, unique in the document: 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// The conversations that it is for.
    #[serde(default)]
    pub when: When,
    /// The targets: one at least.
    pub targets: Targets,
    /// The calendar in whose open time the targets count. Without one, all time counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub calendar: Option<String>,
    /// When the agent is warned, before a deadline is missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub warn: Vec<Warning>,
    /// Who else is told, before or after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub escalate: Vec<Escalation>,
    /// The states in which the clock of the resolution pauses. Without any, it never does.
    #[serde(default, skip_serializing_if = "Pauses::is_empty")]
    pub pause: Pauses,
    /// Minutes by which a conversation comes earlier in its queue from its first warning on: 0 to 1440.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1440))]
    pub head_start_minutes: i64,
}

/// Conditions. All that are given must hold; without any, everything matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// One of these groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub groups: Vec<GroupId>,
    /// One of these channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub channels: Vec<Channel>,
    /// One of these accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub accounts: Vec<AccountId>,
    /// The person has one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub tags: Vec<String>,
    /// Whether the person is a VIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<bool>,
    /// The head start in the queue is at least so many minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1440, max = 1440))]
    pub priority: Option<i64>,
    /// One of these kinds of cases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub kinds: Vec<String>,
}

/// The targets of a policy, by metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// From the customer's first message to the first reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_reply: Option<Target>,
    /// From the customer's first unanswered message to the next reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_reply: Option<Target>,
    /// From the customer's first message to the end of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Target>,
    /// From the queue to the agent's acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_of_answer: Option<Target>,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Seconds of the calendar's open time: 1 to 31622400.
    #[schemars(range(min = 1, max = 31_622_400))]
    pub seconds: i64,
    /// Whether only a person can meet it. Otherwise an AI seat's reply counts, too. Automatic texts never count.
    #[serde(default = "yes")]
    pub human_only: bool,
    /// What follows if it is missed, as a code of the brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9_-]+$"))]
    pub consequence: Option<String>,
}

/// A warning: exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// Once so many percent of the time are used: 1 to 99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 99))]
    pub percent: Option<i64>,
    /// So many minutes before the deadline: 1 to 44640.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 44_640))]
    pub minutes: Option<i64>,
}

/// A step of an escalation: exactly one of `role` and `group`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// Minutes after the deadline; below 0 before it: -44640 to 44640.
    #[schemars(range(min = -44_640, max = 44_640))]
    pub minutes: i64,
    /// The role that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ToldRole>,
    /// The group that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// Whether the step waits for the policy's calendar to open.
    #[serde(default)]
    pub duty_hours: bool,
}

/// A role that an escalation tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToldRole {
    /// The conversation's agent.
    Agent,
    /// Supervisors.
    Supervisor,
    /// The administrator.
    Admin,
}

/// The states in which the clock of the resolution pauses, each with its limit. No other state pauses a clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pauses {
    /// While the customer is to speak next: so many seconds in all, 1 to 31622400. Then the clock goes on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_622_400))]
    pub waiting_on_customer_seconds: Option<i64>,
}

impl Pauses {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a policy is matched against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The group.
    pub group: Option<GroupId>,
    /// The channel.
    pub channel: Option<Channel>,
    /// The account.
    pub account: Option<AccountId>,
    /// The person's tags.
    pub tags: Vec<String>,
    /// Whether the person is a VIP.
    pub vip: bool,
    /// The head start in the queue, in minutes.
    pub priority: i64,
    /// The kind of case, if it has one.
    pub kind: Option<String>,
}

impl When {
    /// Whether all conditions hold.
    pub fn matches(&self, facts: &Facts) -> bool {
        fn one_of<T: PartialEq>(list: &[T], value: Option<&T>) -> bool {
            list.is_empty() || value.is_some_and(|value| list.contains(value))
        }
        one_of(&self.groups, facts.group.as_ref())
            && one_of(&self.channels, facts.channel.as_ref())
            && one_of(&self.accounts, facts.account.as_ref())
            && one_of(&self.kinds, facts.kind.as_ref())
            && (self.tags.is_empty() || self.tags.iter().any(|tag| facts.tags.contains(tag)))
            && self.vip.is_none_or(|vip| vip == facts.vip)
            && self.priority.is_none_or(|least| facts.priority >= least)
    }

    fn check(&self, path: &str) -> Result<(), Fault> {
        let lengths = [self.groups.len(), self.channels.len(), self.accounts.len(), self.tags.len(), self.kinds.len()];
        if lengths.into_iter().any(|length| length > MOST_CONDITIONS) {
            return Err(Fault::new("too_many", path, "a condition lists at most 200 values"));
        }
        if self.priority.is_some_and(|minutes| !(-1440..=1440).contains(&minutes)) {
            return Err(Fault::new("bad_minutes", format!("{path}.priority"), "minutes are -1440 to 1440"));
        }
        let named = [("tags", &self.tags), ("kinds", &self.kinds)];
        for (field, list) in named {
            if let Some(i) = list.iter().position(|text| !is_name(text)) {
                return Err(Fault::new("bad_name", format!("{path}.{field}[{i}]"), NAME));
            }
        }
        Ok(())
    }
}

const NAME: &str = "a name has 1 to 64 characters, none of them a control character, and no blank at its ends";

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control)
}

impl Targets {
    /// The targets that are given, with the names of their metrics.
    fn given(&self) -> impl Iterator<Item = (&'static str, &Target)> {
        let all = [
            ("first_reply", &self.first_reply),
            ("next_reply", &self.next_reply),
            ("resolution", &self.resolution),
            ("speed_of_answer", &self.speed_of_answer),
        ];
        all.into_iter().filter_map(|(name, target)| Some((name, target.as_ref()?)))
    }
}

impl Target {
    fn check(&self, path: &str) -> Result<(), Fault> {
        if !(1..=MOST_SECONDS).contains(&self.seconds) {
            return Err(Fault::new("bad_seconds", format!("{path}.seconds"), "seconds are 1 to 31622400 (366 days)"));
        }
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if self.consequence.as_ref().is_some_and(|code| !(1..=40).contains(&code.len()) || !code.bytes().all(ok)) {
            let detail = "a code has 1 to 40 characters from a-z, 0-9, _ and -";
            return Err(Fault::new("bad_code", format!("{path}.consequence"), detail));
        }
        Ok(())
    }
}

impl Policy {
    fn check(&self, path: &str, calendars: &BTreeSet<&str>) -> Result<(), Fault> {
        self.when.check(&format!("{path}.when"))?;
        if self.targets.given().next().is_none() {
            return Err(Fault::new("no_target", format!("{path}.targets"), "a policy needs at least one target"));
        }
        for (name, target) in self.targets.given() {
            target.check(&format!("{path}.targets.{name}"))?;
        }
        if self.calendar.as_ref().is_some_and(|name| !calendars.contains(name.as_str())) {
            return Err(Fault::new("unknown_calendar", format!("{path}.calendar"), "the document has no such calendar"));
        }
        if self.warn.len() > MOST_STEPS || self.escalate.len() > MOST_STEPS {
            return Err(Fault::new("too_many", path, "a policy has at most 8 warnings and 8 steps of an escalation"));
        }
        for (i, warning) in self.warn.iter().enumerate() {
            let place = format!("{path}.warn[{i}]");
            match (warning.percent, warning.minutes) {
                (Some(percent), None) if !(1..=99).contains(&percent) => {
                    return Err(Fault::new("bad_percent", format!("{place}.percent"), "a percentage is 1 to 99"));
                }
                (None, Some(minutes)) if !(1..=MOST_MINUTES).contains(&minutes) => {
                    return Err(Fault::new("bad_minutes", format!("{place}.minutes"), "minutes are 1 to 44640"));
                }
                (Some(_), None) | (None, Some(_)) => {}
                _ => return Err(Fault::new("bad_warning", place, "a warning has either percent or minutes")),
            }
        }
        for (i, step) in self.escalate.iter().enumerate() {
            let place = format!("{path}.escalate[{i}]");
            if !(-MOST_MINUTES..=MOST_MINUTES).contains(&step.minutes) {
                return Err(Fault::new("bad_minutes", format!("{place}.minutes"), "minutes are -44640 to 44640"));
            }
            if step.role.is_some() == step.group.is_some() {
                return Err(Fault::new("bad_escalation", place, "a step tells either a role or a group"));
            }
        }
        if self.pause.waiting_on_customer_seconds.is_some_and(|seconds| !(1..=MOST_SECONDS).contains(&seconds)) {
            let place = format!("{path}.pause.waiting_on_customer_seconds");
            return Err(Fault::new("bad_seconds", place, "seconds are 1 to 31622400 (366 days)"));
        }
        if !(0..=1440).contains(&self.head_start_minutes) {
            return Err(Fault::new("bad_minutes", format!("{path}.head_start_minutes"), "minutes are 0 to 1440"));
        }
        Ok(())
    }
}

/// Refuses a name that is none, or that an earlier entry has.
fn check_names<'d>(names: impl Iterator<Item = &'d str>, list: &str) -> Result<BTreeSet<&'d str>, Fault> {
    let mut known = BTreeSet::new();
    for (i, name) in names.enumerate() {
        if !is_name(name) {
            return Err(Fault::new("bad_name", format!("{list}[{i}].name"), NAME));
        }
        if !known.insert(name) {
            return Err(Fault::new("duplicate_name", format!("{list}[{i}].name"), "an earlier entry has this name"));
        }
    }
    Ok(known)
}

impl Document {
    /// Checks the document.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn check(&self) -> Result<(), Fault> {
        self.zone.check("zone")?;
        if self.calendars.len() > MOST_CALENDARS {
            return Err(Fault::new("too_many", "calendars", "a document has at most 50 calendars"));
        }
        if self.policies.len() > MOST_POLICIES {
            return Err(Fault::new("too_many", "policies", "a document has at most 200 policies"));
        }
        if self.platform.len() > MOST_CLOCKS {
            return Err(Fault::new("too_many", "platform", "a document has at most 50 platforms' clocks"));
        }
        let calendars = check_names(self.calendars.iter().map(|calendar| calendar.name.as_str()), "calendars")?;
        for (i, calendar) in self.calendars.iter().enumerate() {
            if let Some(zone) = &calendar.zone {
                zone.check(&format!("calendars[{i}].zone"))?;
            }
            calendar::check(&calendar.hours, &format!("calendars[{i}].hours"))?;
        }
        check_names(self.policies.iter().map(|policy| policy.name.as_str()), "policies")?;
        let mut all_taken = false;
        for (i, policy) in self.policies.iter().enumerate() {
            policy.check(&format!("policies[{i}]"), &calendars)?;
            if all_taken {
                let detail = "never counts: an earlier policy has no conditions and takes everything";
                return Err(Fault::new("policy_unreachable", format!("policies[{i}]"), detail));
            }
            all_taken = policy.when == When::default();
        }
        let mut formulas = BTreeSet::new();
        for (i, clock) in self.platform.iter().enumerate() {
            clock.check(&format!("platform[{i}]"))?;
            if !formulas.insert(clock.formula.as_str()) {
                let detail = "an earlier clock has this formula";
                return Err(Fault::new("duplicate_name", format!("platform[{i}].formula"), detail));
            }
        }
        if self.promise_calendar.as_ref().is_some_and(|name| !calendars.contains(name.as_str())) {
            return Err(Fault::new("unknown_calendar", "promise_calendar", "the document has no such calendar"));
        }
        Ok(())
    }

    fn example() -> Self {
        let target = |seconds| Some(Target { seconds, human_only: true, consequence: None });
        Self {
            policies: vec![Policy {
                name: "standard".to_owned(),
                targets: Targets { first_reply: target(180), next_reply: target(300), ..Targets::default() },
                warn: vec![Warning { percent: Some(80), minutes: None }],
                ..Policy::default()
            }],
            ..Self::default()
        }
    }
}

/// A checked document, ready for use.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    /// The document.
    pub document: Document,
    /// Its version; 0 before the first.
    pub version: i64,
    calendars: BTreeMap<String, Calendar>,
}

impl Ready {
    /// Prepares a document.
    pub fn new(document: Document, version: i64) -> Self {
        let ready = |named: &NamedCalendar| {
            let zone = named.zone.as_ref().unwrap_or(&document.zone);
            (named.name.clone(), Calendar::new(&named.hours, zone))
        };
        let calendars = document.calendars.iter().map(ready).collect();
        Self { document, version, calendars }
    }

    /// The calendar of a name. Without a name it is always open; an unknown name is treated like none.
    pub fn calendar(&self, name: Option<&str>) -> &Calendar {
        const ALWAYS: &Calendar = &Calendar::ALWAYS;
        name.and_then(|name| self.calendars.get(name)).unwrap_or(ALWAYS)
    }

    /// The first policy that matches.
    pub fn choose(&self, facts: &Facts) -> Option<&Policy> {
        self.document.policies.iter().find(|policy| policy.when.matches(facts))
    }

    /// The policy of a name.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.document.policies.iter().find(|policy| policy.name == name)
    }

    /// The platform's clock of a formula.
    pub fn platform(&self, formula: &str) -> Option<&PlatformClock> {
        self.document.platform.iter().find(|clock| clock.formula == formula)
    }
}
