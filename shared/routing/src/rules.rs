//! Levels 1 and 2: a contact's skill group, its needs there, and the effect of the customer's standing.

use crate::group::First;
use crate::seat::Prefer;
use crate::word::Word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warmline_model::{AccountId, AgentId, Channel, GroupId, Timestamp};

/// One value, or several of which one must fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    /// One.
    One(T),
    /// Several.
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    /// The values.
    pub fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }

    fn has<U: ?Sized>(&self, value: &U) -> bool
    where
        T: PartialEq<U>,
    {
        self.all().iter().any(|v| v == value)
    }
}

fn fits<T: PartialEq<U>, U: ?Sized>(wanted: Option<&OneOrMore<T>>, value: Option<&U>) -> bool {
    wanted.is_none_or(|w| value.is_some_and(|v| w.has(v)))
}

/// A rule of level 1. Absent conditions fit everything, and all present ones must fit. The first rule that fits decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name that operations people gave it. It is shown with the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<OneOrMore<Channel>>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<OneOrMore<AccountId>>,
    /// The kind of the first message (`text`, `image`, `order_card`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<OneOrMore<String>>,
    /// The status of the order or after-sale case that the message is about, in the platform's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OneOrMore<String>>,
    /// The customer's intent, if an AI seat or the channel reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<OneOrMore<String>>,
    /// The customer's language (BCP 47: `zh`, `en`), if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<OneOrMore<String>>,
    /// Words, one of which must be in the first message. Case, width and traditional characters do not matter; numbers and
    /// English words match whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<Word>,
    /// Tags, one of which the customer must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether the customer is a VIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<bool>,
    /// The business hours, by their name in the plan, within which it fits (or, with `closed: true`, outside of which).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// Reverses `hours`: it fits only outside of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// The group it leads to.
    pub group: GroupId,
    /// Skills that the agent must have, with the least level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// Head start in the queue, in minutes.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    #[schemars(range(min = 0, max = 10_080))]
    pub priority_minutes: i64,
    /// The kind of seat with which the conversation starts, if it differs from the group's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<First>,
}

/// A rule of level 2: the effect of a customer's standing. All that fit count: the highest priority, and dedicated agents
/// if any of them sets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerRule {
    /// Tags, one of which the customer must have (`vip2`, `risk`, `complained`, …).
    pub tags: Vec<String>,
    /// Head start in the queue, in minutes.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    #[schemars(range(min = 0, max = 10_080))]
    pub priority_minutes: i64,
    /// Whether dedicated agents serve the customer, as for a VIP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dedicated: bool,
}

/// The agent who served the customer before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Last {
    /// The agent.
    pub agent: AgentId,
    /// The time at which that conversation was closed.
    pub closed_at: Timestamp,
}

/// The facts that the rules look at. They are stored with the decision, so that it can be made again. They hold the plan's
/// words that the message contains, never the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountId,
    /// Kind of the message.
    pub kind: String,
    /// Status of the order or case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The customer's intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// The customer's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Words of the plan that the message contains, in lower case ([`crate::Plan::terms`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<String>,
    /// The customer's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The group that the channel account names for conversations that no rule places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_group: Option<GroupId>,
    /// The customer's own agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AgentId>,
    /// The customer's last agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    /// Whether the customer wants nothing automatic on the channel. No AI seat is asked then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub people_only: bool,
}

/// The tag that makes a customer a VIP.
pub const VIP: &str = "vip";

impl Facts {
    /// Whether the customer is a VIP.
    pub fn vip(&self) -> bool {
        self.tags.iter().any(|t| t == VIP)
    }
}

/// The result of levels 1 and 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placement {
    /// The group.
    pub group: GroupId,
    /// The reason: `rule-3`, `account`, `fallback`, `transfer`, `overflow`, …
    pub why: String,
    /// Required skills and their least levels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// Head start in the queue, in minutes.
    pub priority_minutes: i64,
    /// Whether dedicated agents serve the customer.
    pub dedicated: bool,
    /// The kind of seat with which it starts.
    pub first: First,
    /// The agent who is asked before all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<Prefer>,
}

impl Rule {
    /// Whether the rule fits. `open` returns whether named business hours are on.
    pub(crate) fn fits(&self, facts: &Facts, vip: bool, open: impl Fn(&str) -> bool) -> bool {
        fits(self.channel.as_ref(), Some(&facts.channel))
            && fits(self.account.as_ref(), Some(&facts.account))
            && fits(self.kind.as_ref(), Some(facts.kind.as_str()))
            && fits(self.status.as_ref(), facts.status.as_deref())
            && fits(self.intent.as_ref(), facts.intent.as_deref())
            && fits(self.language.as_ref(), facts.language.as_deref())
            && self.vip.is_none_or(|v| v == vip)
            && (self.tags.is_empty() || self.tags.iter().any(|t| facts.tags.contains(t)))
            && (self.contains.is_empty() || self.contains.iter().any(|w| w.among(&facts.terms)))
            && self.hours.as_deref().is_none_or(|name| open(name) != self.closed)
    }
}
