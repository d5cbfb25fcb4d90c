//! A decision as the event log holds it. Most of a decision is one verdict for each seat that it looked at. An entry
//! therefore names the seats of a group by one number, the number of their [`Roster`], and has one letter for the verdict
//! on each seat. It leaves out everything that follows from its other parts. Earlier releases wrote the [`Decision`] itself, seat by seat.
//! Such entries are read as they are.
//!
//! The groups looked at stand in `looked`, and the contacts among which a seat chose in `among`; earlier releases wrote
//! `steps` and `contacts`. All other parts are where they always were. The release before can therefore read an entry as
//! far as it needs to: it counts the contacts of each group by the cause and the outcome's group.

use super::roster::{self, Roster, Rosters, bytes, text, ungroup};
use super::{Cause, ContactVerdict, Decision, Facts, Outcome, Placement, Step};
use crate::group::First;
use crate::queue::rank;
use crate::seat::Prefer;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use warmline_model::{AgentId, ConversationId, GroupId, Lane, Timestamp, Units};

/// A decision in the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Its verdicts in groups, as they are written now.
    Grouped(Grouped),
    /// The decision itself, seat by seat, as earlier releases wrote it.
    Listed(Decision),
}

/// A decision with its verdicts in groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouped {
    cause: Cause,
    plan: i64,
    /// In 22 characters.
    digest: String,
    /// Left out if it is the time of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entered: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    except: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    placed: Option<Placed>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    looked: Vec<Looked>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    among: Vec<Among>,
    outcome: Fell,
}

/// A placement without what the first group says: a plain one is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Placed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<GroupId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    skills: BTreeMap<String, u8>,
    #[serde(default, skip_serializing_if = "crate::is_default")]
    priority_minutes: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dedicated: bool,
    #[serde(default, skip_serializing_if = "crate::is_default")]
    first: First,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefer: Option<Prefer>,
}

/// A group that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Looked {
    /// Only the verdicts on its seats.
    Seats(String),
    /// With the parts that do not follow from the outcome.
    Group {
        /// Left out if it is the next group's, or, for the last group, the outcome's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<GroupId>,
        /// Left out if the why of the outcome begins with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        #[serde(default, skip_serializing_if = "crate::is_default")]
        waiting: i64,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        seats: String,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        further: BTreeMap<String, u32>,
    },
}

/// The first contact of a lane. The group is left out if it is that of the contact before or, for the first contact, the
/// outcome's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Among {
    Same(Id, Chance),
    Other(Id, Chance, GroupId),
}

/// The verdict on the first contact of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Chance {
    /// By how many milliseconds its place was before the time of the event.
    Before(i64),
    Refused(String),
}

/// An outcome. A lane and a rank that follow from the placement are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fell {
    Assigned {
        group: GroupId,
        agent: AgentId,
        why: String,
        units: Units,
    },
    Queued {
        group: GroupId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lane: Option<Lane>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rank: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        behind: Option<AgentId>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left_message: bool,
    },
}

/// An id as a text of 22 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Id([u8; 16]);

impl From<ConversationId> for Id {
    fn from(id: ConversationId) -> Self {
        Self(*id.as_bytes())
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&text(&self.0))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let id = bytes(&String::deserialize(d)?);
        id.map(Self).ok_or_else(|| D::Error::custom("an id here is 16 bytes in URL-safe Base64"))
    }
}

/// The beginning of an assignment's reason: that of the last group.
fn begins(why: &str) -> Option<&str> {
    why.rsplit_once(", ").map(|(group, _)| group)
}

/// The lane and the rank that follow from a placement.
fn follows(facts: Option<&Facts>, placement: Option<&Placement>, entered: Option<Timestamp>) -> Option<(Lane, i64)> {
    let (channel, placement) = (facts?.channel.clone(), placement?);
    let Placement { priority_minutes, dedicated, .. } = *placement;
    let lane = Lane { channel, priority_minutes, dedicated, skills: placement.skills.clone() };
    Some((lane, rank(entered?, priority_minutes)))
}

impl Decision {
    /// The rosters that its entry in the log names, each once.
    pub fn rosters(&self) -> Vec<Roster> {
        let mut rosters: Vec<Roster> = self.steps.iter().filter_map(|step| Roster::of(&step.seats)).collect();
        rosters.sort_unstable_by_key(|roster| roster.number);
        rosters.dedup();
        rosters
    }

    /// Its entry in the log. `at` is the time of the event, which is the time of the decision.
    pub fn grouped(&self, at: Timestamp) -> Grouped {
        let fell = match self.outcome.clone() {
            Outcome::Assigned { group, agent, why, units } => Fell::Assigned { group, agent, why, units },
            Outcome::Queued { group, lane, rank, behind, left_message } => {
                let (its_lane, its_rank) = follows(self.facts.as_ref(), self.placement.as_ref(), self.entered).unzip();
                let lane = Some(lane).filter(|lane| Some(lane) != its_lane.as_ref());
                let rank = Some(rank).filter(|_| Some(rank) != its_rank);
                Fell::Queued { group, lane, rank, behind, left_message }
            }
        };
        let looked = self.steps.iter().enumerate().map(|(n, step)| {
            let next = self.steps.get(n + 1);
            let told = next.map_or_else(|| fell.group(), |next| &next.group);
            let group = (step.group != *told).then(|| step.group.clone());
            let why = (fell.begins() != Some(&step.why)).then(|| step.why.clone());
            let (waiting, seats) = (step.waiting, roster::group(&step.seats));
            match (group, why, waiting) {
                (None, None, 0) if step.further.is_empty() => Looked::Seats(seats),
                (group, why, _) => Looked::Group { group, why, waiting, seats, further: step.further.clone() },
            }
        });
        let looked = looked.collect();
        let placed = self.placement.clone().map(|placement| {
            let Placement { group, why, skills, priority_minutes, dedicated, first, prefer } = placement;
            let step = self.steps.first();
            let group = Some(group).filter(|group| step.is_none_or(|s| s.group != *group));
            let why = Some(why).filter(|why| step.is_none_or(|s| s.why != *why));
            Placed { group, why, skills, priority_minutes, dedicated, first, prefer }
        });
        let mut before = fell.group();
        let among = self.contacts.iter().map(|contact| {
            let chance = match (contact.place, &contact.refused) {
                (Some(place), _) => Chance::Before(at.millis().wrapping_sub(place)),
                (None, refused) => Chance::Refused(refused.clone().unwrap_or_default()),
            };
            let (id, same) = (contact.conversation.into(), contact.group == *before);
            before = &contact.group;
            if same { Among::Same(id, chance) } else { Among::Other(id, chance, contact.group.clone()) }
        });
        let among = among.collect();
        Grouped {
            cause: self.cause,
            plan: self.plan,
            digest: u128::from_str_radix(&self.digest, 16).map_or_else(|_| self.digest.clone(), |n| text(&n.to_be_bytes())),
            entered: self.entered.filter(|entered| *entered != at),
            except: self.except,
            facts: self.facts.clone(),
            placed: placed.filter(|placed| *placed != Placed::default()),
            looked,
            among,
            outcome: fell,
        }
    }

    /// The decision in the form that another entry of the log has, as a JSON value. Entries of the same decision are then the
    /// same, byte for byte.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn like(&self, entry: &Entry, at: Timestamp) -> Result<Value, serde_json::Error> {
        match entry {
            Entry::Grouped(_) => serde_json::to_value(self.grouped(at)),
            Entry::Listed(_) => serde_json::to_value(self),
        }
    }
}

impl Entry {
    /// Reads an entry of either form.
    ///
    /// # Errors
    /// It is neither.
    pub fn read(recorded: &Value) -> Result<Self, serde_json::Error> {
        if ["looked", "among"].iter().any(|grouped| recorded.get(grouped).is_some()) {
            Grouped::deserialize(recorded).map(Self::Grouped)
        } else {
            Decision::deserialize(recorded).map(Self::Listed)
        }
    }

    /// The numbers of the rosters that it names.
    pub fn rosters(&self) -> impl Iterator<Item = i64> {
        let looked: &[Looked] = match self {
            Self::Grouped(grouped) => &grouped.looked,
            Self::Listed(_) => &[],
        };
        looked.iter().filter_map(|looked| match looked {
            Looked::Seats(seats) | Looked::Group { seats, .. } => roster::number(seats),
        })
    }

    /// The decision; `None` if the entry leaves out something that nothing else in it says. `at` is the time of the event.
    /// The decision shows no seats of a roster that is not among `rosters`; all else is there.
    pub fn decision(self, at: Timestamp, rosters: &Rosters) -> Option<Decision> {
        match self {
            Self::Grouped(grouped) => grouped.decision(at, rosters),
            Self::Listed(decision) => Some(decision),
        }
    }
}

impl Fell {
    const fn group(&self) -> &GroupId {
        match self {
            Self::Assigned { group, .. } | Self::Queued { group, .. } => group,
        }
    }

    fn begins(&self) -> Option<&str> {
        match self {
            Self::Assigned { why, .. } => begins(why),
            Self::Queued { .. } => None,
        }
    }

    /// The outcome. `follows` gives the lane and the rank that follow from the placement.
    fn outcome(self, follows: Option<(Lane, i64)>) -> Option<Outcome> {
        Some(match self {
            Self::Assigned { group, agent, why, units } => Outcome::Assigned { group, agent, why, units },
            Self::Queued { group, lane, rank, behind, left_message } => {
                let (its_lane, its_rank) = follows.unzip();
                Outcome::Queued { group, lane: lane.or(its_lane)?, rank: rank.or(its_rank)?, behind, left_message }
            }
        })
    }
}

impl Grouped {
    fn decision(self, at: Timestamp, rosters: &Rosters) -> Option<Decision> {
        let Self { cause, plan, digest, entered, except, facts, placed, looked, among, outcome: fell } = self;
        let (mut steps, mut next) = (Vec::with_capacity(looked.len()), fell.group().clone());
        for looked in looked.into_iter().rev() {
            let (group, why, waiting, seats, further) = match looked {
                Looked::Seats(seats) => (None, None, 0, seats, BTreeMap::new()),
                Looked::Group { group, why, waiting, seats, further } => (group, why, waiting, seats, further),
            };
            let group = group.unwrap_or(next);
            let why = why.or_else(|| fell.begins().map(str::to_owned))?;
            let seats = ungroup(&seats, rosters).unwrap_or_default();
            next = group.clone();
            steps.push(Step { group, why, waiting, seats, further });
        }
        steps.reverse();
        let placement = match (placed, steps.first()) {
            (None, None) => None,
            (placed, step) => {
                let Placed { group, why, skills, priority_minutes, dedicated, first, prefer } = placed.unwrap_or_default();
                let group = group.or_else(|| step.map(|s| s.group.clone()))?;
                let why = why.or_else(|| step.map(|s| s.why.clone()))?;
                Some(Placement { group, why, skills, priority_minutes, dedicated, first, prefer })
            }
        };
        let entered = entered.or((cause != Cause::SeatFree).then_some(at));
        let (mut group, mut contacts) = (fell.group().clone(), Vec::with_capacity(among.len()));
        for among in among {
            let (Id(id), chance) = match among {
                Among::Same(id, chance) => (id, chance),
                Among::Other(id, chance, other) => {
                    group = other;
                    (id, chance)
                }
            };
            let (place, refused) = match chance {
                Chance::Before(ms) => (Some(at.millis().wrapping_sub(ms)), None),
                Chance::Refused(why) => (None, Some(why)),
            };
            let conversation = ConversationId::from_bytes(&id).ok()?;
            contacts.push(ContactVerdict { conversation, group: group.clone(), place, refused });
        }
        let outcome = fell.outcome(follows(facts.as_ref(), placement.as_ref(), entered))?;
        let digest = bytes(&digest).map_or(digest, |n| format!("{:032x}", u128::from_be_bytes(n)));
        Some(Decision { cause, plan, digest, entered, except, facts, placement, steps, contacts, outcome, say: None })
    }
}
