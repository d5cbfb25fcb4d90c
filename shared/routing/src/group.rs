//! The settings of a skill group.

use crate::handover::HandOver;
use crate::staffing::Target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::GroupId;

/// The way in which an agent is chosen among those who could take a contact. Each strategy ends in the same tie-break, so
/// that the same inputs always give the same agent. An agent preferred by name (owner, last agent) comes before any
/// strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Idle agents first, then the lowest load ratio, then the longest time since the last assignment.
    #[default]
    LeastLoaded,
    /// The agent who has been without a new contact, and since the end of the last one, for the longest time.
    MostIdle,
    /// In turn: the agent whose last contact was assigned the longest ago.
    RoundRobin,
    /// The agent who exceeds the required skill levels by most (without requirements: with the highest level in the group),
    /// then as least-loaded.
    MostSkilled,
    /// The customer's last agent within 30 days (or `sticky_days`), then as least-loaded.
    StickyFirst,
    /// Idle agents first, then those who serve the fewest groups: agents who can do many things stay free for contacts that
    /// few can serve.
    SpecialistFirst,
}

/// The kind of seat with which a conversation starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// A human agent.
    #[default]
    People,
    /// An AI seat of the group; a human if no AI seat is available.
    Ai,
}

/// The place for a contact that a group cannot take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Elsewhere {
    /// Into another group.
    Group(GroupId),
    /// To an AI seat of the same group; if none is available, the contact stays.
    Ai,
    /// The customer is asked to leave a message, and people answer it when they are at work.
    LeaveMessage,
}

/// The rule outside business hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// The place for a contact then.
    pub to: Elsewhere,
    /// The text for the customer; empty: none.
    #[serde(default)]
    pub text: String,
}

/// The limits of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overflow {
    /// The number of contacts in the queue from which on a further one goes elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub length: Option<i64>,
    /// Seconds of waiting after which a contact goes elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604_800))]
    pub wait_secs: Option<i64>,
    /// The place for such a contact.
    pub to: Elsewhere,
    /// The text for the customer then; empty: none.
    #[serde(default)]
    pub text: String,
}

/// A ring (溢出环): after some time in the queue the required skill levels become lower, so that more agents are eligible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// Seconds in the queue after which it applies.
    #[schemars(range(min = 1, max = 86_400))]
    pub after_secs: i64,
    /// The levels by which every requirement becomes lower. A requirement that reaches 0 is dropped.
    #[schemars(range(min = 1, max = 100))]
    pub lower: u8,
}

/// The service level for which a group is staffed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLevel {
    /// The share of contacts, 0 to 1, …
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// … that are taken within this many seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub within_secs: i64,
}

impl Default for ServiceLevel {
    /// 80 % within 20 s, the field's usual target (METRICS: service level).
    fn default() -> Self {
        Self { share: 0.8, within_secs: 20 }
    }
}

impl ServiceLevel {
    /// The target for staffing. Its share is at most 0.9999, because answering every contact in time would take an unlimited
    /// number of agents.
    pub fn target(&self) -> Target {
        // A day in seconds is exact as an `f64`.
        Target::Answered { share: self.share.clamp(0.0, 0.9999), within_secs: self.within_secs as f64 }
    }
}

/// A group's settings. All have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The text for a customer when a conversation is opened; empty: none.
    pub greeting: String,
    /// The way in which an agent is chosen.
    pub strategy: Strategy,
    /// The kind of seat with which a conversation starts.
    pub first: First,
    /// The policy by which an AI seat hands over to a human.
    pub hand_over: HandOver,
    /// Days for which a customer's last agent is preferred; 0: not at all.
    #[schemars(range(min = 0, max = 365))]
    pub sticky_days: i64,
    /// Hours after closing within which a customer who writes again goes back to the same agent if possible; 0: not at all.
    #[schemars(range(min = 0, max = 8_760))]
    pub reopen_hours: i64,
    /// The business hours, by their name in the plan; if left out, always open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// The rule outside of them; if left out, contacts wait in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// The limits of the queue; if left out, there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
    /// Rings, by rising time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<Ring>,
    /// The text for a customer who has to wait; `{position}` and `{minutes}` are filled in. Empty: none.
    pub waiting_text: String,
    /// The service level for which the group is staffed.
    pub service_level: ServiceLevel,
    /// Seconds for which an agent's mail waits, so that the agent can take it back; 0: it goes at once.
    #[schemars(range(min = 0, max = 120))]
    #[serde(skip_serializing_if = "is_undo_mail")]
    pub undo_mail_secs: i64,
    /// The same for messages on all other channels.
    #[schemars(range(min = 0, max = 120))]
    #[serde(skip_serializing_if = "is_zero")]
    pub undo_chat_secs: i64,
    /// The words that begin each text of an AI seat where the customer sees no badge beside it. The law wants such a label.
    #[schemars(length(min = 1, max = 20))]
    #[serde(skip_serializing_if = "is_ai_label")]
    pub ai_label: String,
}

/// The settings below came later. At their default they are not written, so that the release before reads the plan.
const UNDO_MAIL_SECS: i64 = 10;
const AI_LABEL: &str = "【智能客服】";

#[cfg_attr(target_pointer_width = "64", expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference"))]
const fn is_undo_mail(secs: &i64) -> bool {
    *secs == UNDO_MAIL_SECS
}

#[cfg_attr(target_pointer_width = "64", expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference"))]
const fn is_zero(secs: &i64) -> bool {
    *secs == 0
}

fn is_ai_label(label: &str) -> bool {
    label == AI_LABEL
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            accept_secs: 120,
            wrap_up_secs: 0,
            vip_priority_minutes: 30,
            greeting: String::new(),
            strategy: Strategy::default(),
            first: First::default(),
            hand_over: HandOver::default(),
            sticky_days: 0,
            reopen_hours: 24,
            hours: None,
            closed: None,
            overflow: None,
            rings: Vec::new(),
            waiting_text: String::new(),
            service_level: ServiceLevel::default(),
            undo_mail_secs: UNDO_MAIL_SECS,
            undo_chat_secs: 0,
            ai_label: AI_LABEL.to_owned(),
        }
    }
}

/// A skill group (技能组) in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Id.
    pub id: GroupId,
    /// Name shown to people.
    pub name: String,
    /// Settings.
    #[serde(default)]
    pub settings: GroupSettings,
}

impl GroupSettings {
    /// Checks ranges and texts.
    ///
    /// # Errors
    /// A setting is out of its range. The error is its path (`overflow.length`).
    pub fn check(&self) -> Result<(), String> {
        let day = 0..=86_400;
        let within = |ok: bool, name: &str| if ok { Ok(()) } else { Err(name.to_owned()) };
        within(day.contains(&self.accept_secs), "accept_secs")?;
        within(day.contains(&self.wrap_up_secs), "wrap_up_secs")?;
        within((0..=10_080).contains(&self.vip_priority_minutes), "vip_priority_minutes")?;
        within((0..=365).contains(&self.sticky_days), "sticky_days")?;
        within((0..=8_760).contains(&self.reopen_hours), "reopen_hours")?;
        within(sayable(&self.greeting), "greeting")?;
        within(sayable(&self.waiting_text), "waiting_text")?;
        within(self.closed.as_ref().is_none_or(|c| sayable(&c.text)), "closed.text")?;
        if let Some(overflow) = &self.overflow {
            within(overflow.length.is_none_or(|n| (0..=1_000_000).contains(&n)), "overflow.length")?;
            within(overflow.wait_secs.is_none_or(|n| (1..=604_800).contains(&n)), "overflow.wait_secs")?;
            within(overflow.length.is_some() || overflow.wait_secs.is_some(), "overflow")?;
            within(sayable(&overflow.text), "overflow.text")?;
        }
        within(self.rings.len() <= 16, "rings")?;
        for (i, ring) in self.rings.iter().enumerate() {
            let before = i.checked_sub(1).and_then(|b| self.rings.get(b)).map_or(0, |r| r.after_secs);
            within((1..=86_400).contains(&ring.after_secs) && ring.after_secs > before, &format!("rings[{i}].after_secs"))?;
            within((1..=100).contains(&ring.lower), &format!("rings[{i}].lower"))?;
        }
        within((0.0..=1.0).contains(&self.service_level.share), "service_level.share")?;
        within((1..=86_400).contains(&self.service_level.within_secs), "service_level.within_secs")?;
        within((0..=120).contains(&self.undo_mail_secs), "undo_mail_secs")?;
        within((0..=120).contains(&self.undo_chat_secs), "undo_chat_secs")?;
        within((1..=20).contains(&self.ai_label.chars().count()) && !self.ai_label.trim().is_empty(), "ai_label")?;
        self.hand_over.check().map_err(|field| format!("hand_over.{field}"))
    }

    /// Days for which the last agent is preferred.
    pub const fn sticky(&self) -> i64 {
        match (self.sticky_days, self.strategy) {
            (0, Strategy::StickyFirst) => 30,
            (days, _) => days,
        }
    }

    /// The levels by which the requirements are lowered after this many milliseconds in the queue.
    pub fn lowered(&self, waited_ms: i64) -> u8 {
        self.rings.iter().rev().find(|r| waited_ms >= r.after_secs.saturating_mul(1000)).map_or(0, |r| r.lower)
    }
}

fn sayable(text: &str) -> bool {
    text.chars().count() <= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_bounds() {
        let s: GroupSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(s, GroupSettings::default());
        assert_eq!(s.check(), Ok(()));
        let fault = |text: &str| serde_json::from_str::<GroupSettings>(text).unwrap().check().unwrap_err();
        assert_eq!(fault(r#"{"accept_secs":-1}"#), "accept_secs");
        assert_eq!(fault(r#"{"overflow":{"to":"ai"}}"#), "overflow");
        assert_eq!(fault(r#"{"rings":[{"after_secs":9,"lower":1},{"after_secs":9,"lower":2}]}"#), "rings[1].after_secs");
        assert_eq!(fault(r#"{"service_level":{"share":1.5,"within_secs":20}}"#), "service_level.share");
        assert_eq!(fault(r#"{"hand_over":{"min_confidence":2}}"#), "hand_over.min_confidence");
        assert!(serde_json::from_str::<GroupSettings>("{\"acept_secs\":1}").is_err());
        assert_eq!(fault(r#"{"undo_chat_secs":121}"#), "undo_chat_secs");
        assert_eq!((fault(r#"{"ai_label":""}"#), fault(r#"{"ai_label":" "}"#)), ("ai_label".into(), "ai_label".into()));
    }

    #[test]
    fn the_release_before_reads_a_plan_that_does_not_use_the_newer_settings() {
        let written = serde_json::to_string(&GroupSettings::default()).unwrap();
        assert!(["undo_mail_secs", "undo_chat_secs", "ai_label"].iter().all(|name| !written.contains(name)), "{written}");
        let used =
            GroupSettings { undo_mail_secs: 0, undo_chat_secs: 3, ai_label: "【AI】".into(), ..GroupSettings::default() };
        let written = serde_json::to_string(&used).unwrap();
        assert_eq!(serde_json::from_str::<GroupSettings>(&written).unwrap(), used);
    }

    #[test]
    fn the_last_ring_reached_counts() {
        let s: GroupSettings =
            serde_json::from_str(r#"{"rings":[{"after_secs":10,"lower":1},{"after_secs":30,"lower":5}]}"#).unwrap();
        assert_eq!([0, 9_999, 10_000, 29_999, 30_000].map(|ms| s.lowered(ms)), [0, 0, 1, 1, 5]);
    }
}
