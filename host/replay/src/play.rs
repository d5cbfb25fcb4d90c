//! Plays the outside events of a log once more with a plan. Contacts come at their times, seats are present at their times,
//! and a contact takes as long as it took. The router's decisions follow from the plan, and with them the waits.

use super::fold::sure;
use super::history::{Came, Change, History};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use warmline_model::{AgentId, ConversationId, GroupId, Timestamp};
use warmline_routing::group::First;
use warmline_routing::handover::HandOverReason;
use warmline_routing::{Cause, Contact, Memory, Outcome, Placement, Plan, Ready, decide};

/// The pause between two looks of free seats while a contact waits: a ring may have opened, or business hours begun.
const LOOK_MS: i64 = 5_000;

/// The fate of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// The group in which it was placed, then the group that served it.
    pub group: Option<GroupId>,
    /// The person or AI seat who served it last.
    pub agent: Option<AgentId>,
    /// Milliseconds until it first had a seat.
    pub waited_ms: Option<i64>,
    /// Whether the customer left.
    pub left: bool,
    /// Whether the customer left a message because no agent was there.
    pub message: bool,
    /// Milliseconds with people.
    pub held_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A contact's time with its seat is over.
    Over(usize),
    /// The customer's patience ends.
    Leaves(usize),
    /// It has waited too long in its queue.
    TooLong(usize),
    /// Free seats look again.
    Look,
}

/// Looks at the floor while a day is played, at regular intervals, and may move seats ([`Memory::set_weight`]).
pub trait Watch {
    /// Milliseconds between two looks.
    fn every_ms(&self) -> i64;

    /// The floor as it is now.
    fn look(&mut self, plan: &Ready, floor: &mut Memory, now: Timestamp);
}

/// Plays a history with one plan, or with the plans that were in force.
pub fn play(history: &History, plan: Option<&Plan>) -> Vec<Fate> {
    watched(history, plan, None)
}

/// Plays a history with a watcher, from the first contact or change on.
pub fn watched(history: &History, plan: Option<&Plan>, watch: Option<&mut dyn Watch>) -> Vec<Fate> {
    let ready = Ready::new(plan.cloned().unwrap_or_default(), 1);
    let usual = Usual::of(history);
    let index = history.came.iter().enumerate().map(|(i, c)| (c.id, i)).collect();
    let mut day = Day {
        history,
        usual,
        index,
        plan: ready,
        memory: Memory::default(),
        due: BinaryHeap::new(),
        looking: false,
        fates: vec![Fate::default(); history.came.len()],
        placed: vec![None; history.came.len()],
    };
    let mut changes = history.changes.iter().peekable();
    let mut came = (0..history.came.len()).peekable();
    let mut looks = Looks { watch, next: None };
    loop {
        let change = changes.peek().map(|(at, _)| *at);
        let due = day.due.peek().map(|Reverse((at, _))| *at);
        let next = came.peek().map(|i| history.came[*i].at);
        let Some(now) = change.into_iter().chain(due).chain(next).min().filter(|now| *now <= history.end) else { break };
        looks.until(now, &mut day);
        if change == Some(now) {
            if let Some((_, change)) = changes.next() {
                day.change(change, plan.is_some(), now);
            }
        } else if due == Some(now) {
            if let Some(Reverse((_, due))) = day.due.pop() {
                day.due(due, now);
            }
        } else if let Some(i) = came.next() {
            day.arrives(i, now);
        }
    }
    looks.until(history.end, &mut day);
    day.fates
}

/// A watcher, and the time of its next look.
struct Looks<'a> {
    watch: Option<&'a mut dyn Watch>,
    next: Option<Timestamp>,
}

impl Looks<'_> {
    fn until(&mut self, now: Timestamp, day: &mut Day<'_>) {
        let Some(watch) = self.watch.as_deref_mut() else { return };
        let mut at = self.next.unwrap_or(now);
        while at <= now {
            watch.look(&day.plan, &mut day.memory, at);
            at = at.plus_millis(watch.every_ms().max(1));
        }
        self.next = Some(at);
    }
}

/// The durations of contacts whose own duration the log does not give.
struct Usual {
    people_ms: i64,
    ai_ms: i64,
}

impl Usual {
    fn of(history: &History) -> Self {
        let mean = |of: fn(&Came) -> Option<i64>| {
            let (n, sum) = history.came.iter().filter_map(of).fold((0, 0), |(n, sum), ms| (n + 1, sum + ms));
            if n == 0 { 0 } else { sum / n }
        };
        let people_ms = mean(|c| c.people_ms);
        let ai_ms = mean(|c| c.ai_ms);
        Self { people_ms, ai_ms }
    }
}

struct Day<'a> {
    history: &'a History,
    usual: Usual,
    index: std::collections::HashMap<ConversationId, usize>,
    plan: Ready,
    memory: Memory,
    due: BinaryHeap<Reverse<(Timestamp, Due)>>,
    looking: bool,
    fates: Vec<Fate>,
    placed: Vec<Option<Placement>>,
}

impl Day<'_> {
    fn change(&mut self, change: &Change, fixed: bool, now: Timestamp) {
        let agent = match change {
            Change::Plan(..) if fixed => return,
            Change::Plan(version, plan) => {
                self.plan = Ready::new((**plan).clone(), *version);
                return self.memory.replan(&self.plan);
            }
            Change::Profile(profile) => {
                self.memory.set_profile(&self.plan, profile.clone());
                profile.agent
            }
            Change::Removed(agent) => return self.memory.remove_agent(*agent),
            Change::State(agent, to) => {
                self.memory.set_state(*agent, *to);
                *agent
            }
            Change::Weights(agent, minutes) => {
                for (group, minutes) in minutes {
                    self.memory.set_weight(*agent, group.clone(), *minutes);
                }
                return;
            }
        };
        self.fill(agent, now);
    }

    fn due(&mut self, due: Due, now: Timestamp) {
        match due {
            Due::Over(i) => {
                let id = self.history.came[i].id;
                let Some(held) = self.memory.release(id, now) else { return };
                let ai = self.memory.seat(held.agent).is_some_and(|(seat, _)| seat.ai);
                if ai && self.people_too(i) {
                    self.again(i, Cause::HandOver(HandOverReason::Asked), now, Some(held.agent));
                }
                self.fill(held.agent, now);
            }
            Due::Leaves(i) => {
                let id = self.history.came[i].id;
                if self.memory.entered(id).is_some() {
                    self.memory.leave(id);
                    self.fates[i].left = true;
                }
            }
            Due::TooLong(i) => {
                if self.memory.entered(self.history.came[i].id).is_some() {
                    self.again(i, Cause::WaitedTooLong, now, None);
                }
            }
            Due::Look => {
                self.looking = false;
                for agent in self.memory.free() {
                    self.fill(agent, now);
                }
                self.look_again(now);
            }
        }
    }

    /// Whether people had the contact in the log, or the customer waited for them.
    fn people_too(&self, i: usize) -> bool {
        let came = &self.history.came[i];
        came.people_ms.is_some() || came.patience_ms.is_some() || came.ai_ms.is_none()
    }

    fn arrives(&mut self, i: usize, now: Timestamp) {
        let facts = self.history.came[i].facts.clone();
        let Some(placement) = self.plan.place(&facts, now) else { return };
        self.placed[i] = Some(placement.clone());
        let came = &self.history.came[i];
        if let Some(patience) = came.patience_ms {
            self.due.push(Reverse((now.plus_millis(patience), Due::Leaves(i))));
        }
        let contact = Contact {
            id: came.id,
            channel: &came.facts.channel,
            cause: Cause::Arrival,
            facts: Some(facts),
            placement,
            entered: now,
            except: None,
        };
        self.decide(i, contact, now);
    }

    fn again(&mut self, i: usize, cause: Cause, now: Timestamp, except: Option<AgentId>) {
        let history = self.history;
        let came = &history.came[i];
        let Some(placement) = self.placed[i].clone() else { return };
        let group = self.fates[i].group.clone().unwrap_or_else(|| placement.group.clone());
        let placement = Placement { group, first: First::People, prefer: None, ..placement };
        let entered = self.memory.entered(came.id).unwrap_or(now);
        let channel = &came.facts.channel;
        self.decide(i, Contact { id: came.id, channel, cause, facts: None, placement, entered, except }, now);
    }

    fn decide(&mut self, i: usize, contact: Contact<'_>, now: Timestamp) {
        let (cause, entered, id) = (contact.cause, contact.entered, contact.id);
        match sure(decide::arrive(&self.plan, &self.memory, contact, now)).outcome {
            Outcome::Assigned { group, agent, units, .. } => self.give(i, group, (agent, units), now),
            Outcome::Queued { group, .. }
                if cause == Cause::WaitedTooLong && self.fates[i].group.as_ref() == Some(&group) => {}
            Outcome::Queued { group, lane, rank, behind, left_message } => {
                self.memory.queue(id, group.clone(), lane, rank, entered);
                self.fates[i].message |= left_message;
                let wait = self.plan.settings(&group).overflow.and_then(|o| o.wait_secs).filter(|_| !left_message);
                if let Some(secs) = wait {
                    // If the time is over already, the next look finds it.
                    let at = entered.plus_millis(secs.saturating_mul(1000)).max(now.plus_millis(1));
                    self.due.push(Reverse((at, Due::TooLong(i))));
                }
                self.fates[i].group = Some(group);
                if let Some(agent) = behind {
                    self.fill(agent, now);
                }
                self.look_again(now);
            }
        }
    }

    fn give(&mut self, i: usize, group: GroupId, (agent, units): (AgentId, warmline_model::Units), now: Timestamp) {
        let came = &self.history.came[i];
        let ai = self.memory.seat(agent).is_some_and(|(seat, _)| seat.ai);
        self.memory.assign(came.id, agent, came.facts.channel.clone(), units, now);
        let ms = match ai {
            true => came.ai_ms.unwrap_or(self.usual.ai_ms),
            false => came.people_ms.unwrap_or(self.usual.people_ms),
        };
        self.due.push(Reverse((now.plus_millis(ms.max(1)), Due::Over(i))));
        let fate = &mut self.fates[i];
        (fate.group, fate.agent) = (Some(group), Some(agent));
        fate.waited_ms.get_or_insert(now.since(came.at));
        if !ai {
            fate.held_ms += ms;
        }
    }

    fn fill(&mut self, agent: AgentId, now: Timestamp) {
        while let Some((seat, weights)) = self.memory.seat(agent) {
            if seat.ai || seat.state != warmline_model::AgentState::Available || seat.load >= seat.capacity {
                return;
            }
            let Some((id, decision)) = sure(decide::next(&self.plan, &self.memory, &seat, &weights, now)) else { return };
            let (Outcome::Assigned { group, units, .. }, Some(i)) = (decision.outcome, self.index.get(&id)) else { return };
            self.give(*i, group, (agent, units), now);
        }
    }

    fn look_again(&mut self, now: Timestamp) {
        if !self.looking && self.memory.in_queues() > 0 {
            self.looking = true;
            self.due.push(Reverse((now.plus_millis(LOOK_MS), Due::Look)));
        }
    }
}
