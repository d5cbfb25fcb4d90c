//! The decision: from a placed contact to a seat or a place in a queue, and from a free seat to its next contact. It is
//! pure: only the plan and the answers of a [`SeatsAndQueues`] decide. Each decision records what it saw and the reason for its result. It is
//! stored with the conversation as an [`Entry`] of the log, and comes out the same when it is made again from the log.

use crate::choose::{Verdict, choose};
use crate::group::{Elsewhere, First, GroupSettings};
use crate::handover::HandOverReason;
use crate::plan::Ready;
use crate::queue::{self, Head, HeadVerdict, rank};
use crate::rules::{Facts, Placement};
use crate::seat::{Ask, Refusal, Seat, taken};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use warmline_model::{AgentId, Channel, ConversationId, GroupId, Lane, Timestamp, Units};

mod entry;
mod roster;
mod seen;
#[cfg(test)]
mod tests;

pub use entry::{Entry, Grouped};
pub use roster::{Roster, Rosters};
use seen::Seen;

/// The seats and queues at the moment of a decision.
pub trait SeatsAndQueues {
    /// The error of a look-up.
    type Error;

    /// The seats of a group, by agent.
    ///
    /// # Errors
    /// The look-up fails.
    fn seats(&self, group: &GroupId) -> Result<Rc<Vec<Seat>>, Self::Error>;

    /// The first contact of each lane of a group's queue, by the lane's text.
    ///
    /// # Errors
    /// The look-up fails.
    fn heads(&self, group: &GroupId) -> Result<Cow<'_, [Head]>, Self::Error>;

    /// The number of contacts that wait in a group's queue.
    ///
    /// # Errors
    /// The look-up fails.
    fn waiting(&self, group: &GroupId) -> Result<i64, Self::Error>;
}

/// The event that made a decision necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The customer's first words.
    Arrival,
    /// A seat has capacity left.
    SeatFree,
    /// The contact waited too long in a queue that has a limit.
    WaitedTooLong,
    /// An AI seat hands over.
    HandOver(HandOverReason),
    /// A member of staff transfers it to a group.
    Transfer,
    /// The agent did not accept in time.
    AcceptTimeout,
    /// The agent went offline.
    AgentOffline,
    /// The agent was lost (no sign of life).
    AgentLost,
}

/// A contact that seeks a seat.
#[derive(Clone, Debug)]
pub struct Contact<'a> {
    /// The conversation.
    pub id: ConversationId,
    /// The channel.
    pub channel: &'a Channel,
    /// The cause of the decision.
    pub cause: Cause,
    /// The facts that the rules looked at, if they were asked.
    pub facts: Option<Facts>,
    /// The result of levels 1 and 2.
    pub placement: Placement,
    /// The time at which it first entered a queue; the present time if it did not.
    pub entered: Timestamp,
    /// An agent who must not be asked.
    pub except: Option<AgentId>,
}

/// The result for a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeatVerdict {
    /// The agent.
    pub agent: AgentId,
    /// Its place among the seats that could take the contact, from 1; absent if it could not, or was free beyond the first
    /// sixteen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u16>,
    /// The reason why it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// One group that the decision looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The group.
    pub group: GroupId,
    /// The reason for the group: the placement's reason, `closed`, `overflow`, `people` (no AI seat was free) or `ai`.
    pub why: String,
    /// Contacts that waited there.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub waiting: i64,
    /// The seats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<SeatVerdict>,
    /// Numbers of seats beyond those shown, by the reason why they could not; `free` for those that could.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub further: BTreeMap<String, u32>,
}

/// The result for the first contact of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactVerdict {
    /// The conversation.
    pub conversation: ConversationId,
    /// The group.
    pub group: GroupId,
    /// Its place in the queue for this seat, in milliseconds; the smallest was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<i64>,
    /// The reason why the seat could not take it: a refusal, or `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The result of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// To a seat.
    Assigned {
        /// The group.
        group: GroupId,
        /// The agent.
        agent: AgentId,
        /// The reason for this seat.
        why: String,
        /// The units that it takes of the seat's capacity.
        units: Units,
    },
    /// Into a queue.
    Queued {
        /// The group.
        group: GroupId,
        /// The lane.
        lane: Lane,
        /// Place in the queue.
        rank: i64,
        /// A seat that is free for it, but also for an earlier contact that is served first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        behind: Option<AgentId>,
        /// Whether the customer left a message because nobody was there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left_message: bool,
    },
}

/// A decision, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The event that made it necessary.
    pub cause: Cause,
    /// Version of the plan.
    pub plan: i64,
    /// XXH3 (128 bits) of everything that it saw, each seat by its own digest. Equal digests mean equal decisions.
    pub digest: String,
    /// The time at which the contact first entered a queue, or came; absent if a seat sought a contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered: Option<Timestamp>,
    /// The agent who was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<AgentId>,
    /// The facts that the rules looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// The result of levels 1 and 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// The groups that it looked at, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The contacts that a free seat could have taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<ContactVerdict>,
    /// The result.
    pub outcome: Outcome,
    /// The text for the customer, from the closed or full group. The decision is stored without it.
    #[serde(skip)]
    pub say: Option<String>,
}

/// Seats shown for each group, beside those with a place. Further ones are only counted.
const SHOWN: usize = 256;

impl Step {
    fn new(group: &GroupId, why: String, waiting: i64, seats: &[Seat], verdicts: &[Verdict]) -> Self {
        let mut step = Self { group: group.clone(), why, waiting, seats: Vec::new(), further: BTreeMap::new() };
        step.seats.reserve(seats.len().min(SHOWN));
        let mut free = 0;
        let mut refused = [0; Refusal::ALL.len()];
        for (n, (seat, verdict)) in seats.iter().zip(verdicts).enumerate() {
            let (place, why) = match verdict {
                Verdict::Free(place) => (*place, None),
                Verdict::Refused(why) => (None, Some(*why)),
            };
            if n < SHOWN || place.is_some() {
                step.seats.push(SeatVerdict { agent: seat.id, place, refused: why });
            } else if let Some(why) = why {
                if let Some(n) = refused.get_mut(why as usize) {
                    *n += 1;
                }
            } else {
                free += 1;
            }
        }
        let word =
            |why: Refusal| serde_json::to_value(why).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let counted = Refusal::ALL.into_iter().zip(refused).filter(|(_, n)| *n > 0);
        step.further = counted.map(|(why, n)| (word(why), n)).collect();
        if free > 0 {
            step.further.insert("free".into(), free);
        }
        step
    }
}

/// Finds a seat or a place in a queue for a contact.
///
/// # Errors
/// Only the floor can fail.
pub fn arrive<F: SeatsAndQueues>(
    plan: &Ready,
    floor: &F,
    contact: Contact<'_>,
    now: Timestamp,
) -> Result<Decision, F::Error> {
    let mut search =
        Search { plan, floor, now, contact: &contact, seen: Seen::new(plan, now), steps: Vec::new(), say: None };
    let outcome = search.run()?;
    let Search { seen, steps, say, .. } = search;
    Ok(Decision {
        cause: contact.cause,
        plan: plan.version(),
        digest: seen.digest(),
        entered: Some(contact.entered),
        except: contact.except,
        facts: contact.facts,
        placement: Some(contact.placement),
        steps,
        contacts: Vec::new(),
        outcome,
        say,
    })
}

struct Search<'a, F> {
    plan: &'a Ready,
    floor: &'a F,
    now: Timestamp,
    contact: &'a Contact<'a>,
    seen: Seen,
    steps: Vec<Step>,
    say: Option<String>,
}

/// The offer of one group to the contact.
enum Found {
    Seat(AgentId, &'static str, Units),
    /// The seat is free, but its next contact is another one.
    Behind(AgentId),
    Nobody,
}

impl<F: SeatsAndQueues> Search<'_, F> {
    fn run(&mut self) -> Result<Outcome, F::Error> {
        let placement = &self.contact.placement;
        self.seen.contact(self.contact);
        let (mut group, mut why) = (placement.group.clone(), placement.why.clone());
        let mut ai = placement.first == First::Ai && self.not_for_people(&self.plan.lent_settings(&group));
        // A checked plan leads from group to group without a loop; the bound protects against an unchecked one.
        for _ in 0..=self.plan.groups.len() {
            let settings = self.plan.lent_settings(&group);
            let mut left_message = false;
            let open = self.plan.open(&settings, self.now);
            if let Some(closed) = settings.closed.as_ref().filter(|_| !open) {
                self.tell(&closed.text);
                match &closed.to {
                    Elsewhere::Group(next) => {
                        self.steps.push(Step::new(&group, std::mem::replace(&mut why, "closed".into()), 0, &[], &[]));
                        group = next.clone();
                        continue;
                    }
                    Elsewhere::Ai => ai = true,
                    Elsewhere::LeaveMessage => left_message = true,
                }
            }
            let mut behind = None;
            if ai {
                if let Found::Seat(agent, how, units) = self.look(&group, &settings, &why, true)? {
                    return Ok(self.assigned(group, agent, &why, how, units));
                }
                "people".clone_into(&mut why);
                ai = false;
            }
            if open && !left_message {
                match self.look(&group, &settings, &why, false)? {
                    Found::Seat(agent, how, units) => return Ok(self.assigned(group, agent, &why, how, units)),
                    Found::Behind(agent) => behind = Some(agent),
                    Found::Nobody => {}
                }
            }
            let waiting = self.floor.waiting(&group)?;
            self.seen.number(waiting);
            if let Some(step) = self.steps.last_mut().filter(|s| s.group == group) {
                step.waiting = waiting;
            } else {
                self.steps.push(Step::new(&group, why.clone(), waiting, &[], &[]));
            }
            let too_long = self.contact.cause == Cause::WaitedTooLong && group == placement.group;
            let full = |length: i64| waiting >= length;
            let over = settings.overflow.as_ref().filter(|o| too_long || (open && o.length.is_some_and(full)));
            if let Some(overflow) = over.filter(|_| behind.is_none() && !left_message) {
                self.tell(&overflow.text);
                match &overflow.to {
                    Elsewhere::Group(next) => {
                        (group, why) = (next.clone(), "overflow".into());
                        continue;
                    }
                    Elsewhere::Ai if self.contact.facts.as_ref().is_some_and(|f| f.people_only) => {}
                    Elsewhere::Ai => {
                        if let Found::Seat(agent, how, units) = self.look(&group, &settings, "overflow", true)? {
                            return Ok(self.assigned(group, agent, "overflow", how, units));
                        }
                    }
                    Elsewhere::LeaveMessage => left_message = true,
                }
            }
            return Ok(self.queued(group, behind, left_message));
        }
        Ok(self.queued(group, None, false))
    }

    /// Whether an AI seat may begin: neither the customer's standing nor their words ask for people at once.
    fn not_for_people(&self, settings: &GroupSettings) -> bool {
        let facts = self.contact.facts.as_ref();
        facts.is_none_or(|f| settings.hand_over.before(f.vip(), &f.terms).is_none())
    }

    fn tell(&mut self, text: &str) {
        if !text.is_empty() {
            self.say = Some(text.to_owned());
        }
    }

    fn look(&mut self, group: &GroupId, settings: &GroupSettings, why: &str, ai: bool) -> Result<Found, F::Error> {
        let (contact, placement, floor) = (self.contact, &self.contact.placement, self.floor);
        let seats = floor.seats(group)?;
        self.seen.seats(&seats);
        let cost = self.plan.cost(contact.channel);
        let lowered = settings.lowered(self.now.since(contact.entered));
        let needs = if ai { Vec::new() } else { self.plan.needs(&placement.skills, lowered) };
        // Earlier contacts come first: with a seat that fits them, or with a seat reserved for them.
        let mine = (rank(contact.entered, placement.priority_minutes), contact.id);
        let heads = if ai { Cow::default() } else { floor.heads(group)? };
        let earlier: Vec<&Head> =
            heads.iter().filter(|h| h.conversation != contact.id && (h.rank, h.conversation) < mine).collect();
        self.seen.heads(&earlier);
        let reserved = queue::reserve(self.plan, &seats, &earlier, self.now);
        let ask = Ask {
            channel: contact.channel,
            cost: &cost,
            needs: &needs,
            dedicated: placement.dedicated,
            ai,
            except: contact.except,
            reserved: &reserved,
        };
        let (choice, verdicts) = choose(&seats, &ask, settings.strategy, placement.prefer, contact.id.as_bytes());
        let why = if ai { "ai" } else { why };
        self.steps.push(Step::new(group, why.to_owned(), 0, &seats, &verdicts));
        let Some(choice) = choice else { return Ok(Found::Nobody) };
        let Some(seat) = seats.get(choice.at) else { return Ok(Found::Nobody) };
        if earlier.iter().any(|h| queue::check(self.plan, seat, h, self.now).is_ok()) {
            return Ok(Found::Behind(seat.id));
        }
        Ok(Found::Seat(choice.agent, choice.why, taken(&cost, seat.capacity, seat.load)))
    }

    fn assigned(&self, group: GroupId, agent: AgentId, why: &str, how: &str, units: Units) -> Outcome {
        Outcome::Assigned { group, agent, why: format!("{why}, {how}"), units }
    }

    fn queued(&self, group: GroupId, behind: Option<AgentId>, left_message: bool) -> Outcome {
        let placement = &self.contact.placement;
        let lane = Lane {
            channel: self.contact.channel.clone(),
            priority_minutes: placement.priority_minutes,
            dedicated: placement.dedicated,
            skills: placement.skills.clone(),
        };
        let rank = rank(self.contact.entered, placement.priority_minutes);
        Outcome::Queued { group, lane, rank, behind, left_message }
    }
}

/// The next contact of a seat with free capacity, over the queues of all its groups; `None` if it can take none. `weights`
/// are the seat's groups, each with the minutes that staffing gave the seat.
///
/// # Errors
/// Only the floor can fail.
pub fn next<F: SeatsAndQueues>(
    plan: &Ready,
    floor: &F,
    seat: &Seat,
    weights: &BTreeMap<GroupId, i64>,
    now: Timestamp,
) -> Result<Option<(ConversationId, Decision)>, F::Error> {
    let mut seen = Seen::new(plan, now);
    seen.seats(std::slice::from_ref(seat));
    let mut queues = Vec::with_capacity(weights.len());
    for (group, weight) in weights {
        seen.number(*weight);
        queues.push(floor.heads(group)?);
    }
    let heads: Vec<&Head> = queues.iter().flat_map(|heads| heads.iter()).collect();
    seen.heads(&heads);
    let (best, verdicts) = queue::next(plan, seat, &heads, weights, now);
    let Some(&head) = best.and_then(|i| heads.get(i)) else { return Ok(None) };
    let place = |head: &Head| {
        let weight = weights.get(&head.group).copied().unwrap_or(0);
        (head.rank.saturating_sub(weight.saturating_mul(60_000)), head.conversation)
    };
    // Is the seat reserved for an earlier contact that needs more than the seat has left?
    for (&larger, verdict) in heads.iter().zip(&verdicts) {
        let too_large = matches!(verdict, HeadVerdict::Refused(Refusal::Full | Refusal::NotInterrupted));
        if too_large && place(larger) < place(head) {
            let seats = floor.seats(&larger.group)?;
            seen.seats(&seats);
            if queue::reserve(plan, &seats, &[larger], now).contains(&seat.id) {
                return Ok(None);
            }
        }
    }
    let cost = plan.cost(&head.lane.channel);
    let outcome = Outcome::Assigned {
        group: head.group.clone(),
        agent: seat.id,
        why: "next-in-queue".into(),
        units: taken(&cost, seat.capacity, seat.load),
    };
    let told = |(head, verdict): (&&Head, &HeadVerdict)| {
        let (place, refused) = match verdict {
            HeadVerdict::Free(place) => (Some(*place), None),
            HeadVerdict::Refused(why) => (None, serde_json::to_value(why).ok().and_then(|v| v.as_str().map(str::to_owned))),
            HeadVerdict::Closed => (None, Some("closed".to_owned())),
        };
        ContactVerdict { conversation: head.conversation, group: head.group.clone(), place, refused }
    };
    let decision = Decision {
        cause: Cause::SeatFree,
        plan: plan.version(),
        digest: seen.digest(),
        entered: None,
        except: None,
        facts: None,
        placement: None,
        steps: Vec::new(),
        contacts: heads.iter().zip(&verdicts).take(SHOWN).map(told).collect(),
        outcome,
        say: None,
    };
    Ok(Some((head.conversation, decision)))
}
