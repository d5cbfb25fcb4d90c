//! The outside events of a log: the contacts and their times, the work that each took, the patience of each customer, the
//! agents at work, and the plan in force. Routing reacts to all this and does not cause it.

use super::fold::{read_decision, read_plan};
use serde_json::Value;
use std::collections::HashMap;
use warmline_model::{AgentId, AgentState, ConversationId, Event, EventBody, GroupId, Profile, Timestamp};
use warmline_routing::{Cause, Facts, Plan};

/// A contact from outside.
#[derive(Clone, Debug)]
pub struct Came {
    /// The conversation.
    pub id: ConversationId,
    /// The time at which the router was first asked.
    pub at: Timestamp,
    /// The facts that the rules looked at.
    pub facts: Facts,
    /// Milliseconds with people, without the time that an agent let pass. `None` if people never had it, or if it is not
    /// over.
    pub people_ms: Option<i64>,
    /// Milliseconds with AI seats.
    pub ai_ms: Option<i64>,
    /// Milliseconds that the customer waited before leaving.
    pub patience_ms: Option<i64>,
}

/// A change from outside.
#[derive(Clone, Debug)]
pub enum Change {
    /// Another plan.
    Plan(i64, Box<Plan>),
    /// An agent's profile.
    Profile(Profile),
    /// An agent was removed.
    Removed(AgentId),
    /// An agent's presence.
    State(AgentId, AgentState),
    /// The minutes that staffing set.
    Weights(AgentId, Vec<(GroupId, i64)>),
}

/// All outside events, in the order of the log.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Contacts.
    pub came: Vec<Came>,
    /// Changes.
    pub changes: Vec<(Timestamp, Change)>,
    /// The last event.
    pub end: Timestamp,
    /// The number of times that a person gave a contact to a seat, without the router.
    pub by_hand: u64,
    /// Contacts still in hand or in a queue at the end.
    pub unfinished: u64,
}

struct Under {
    index: usize,
    held: Option<(Timestamp, bool)>,
    /// The last stay with a person.
    last_ms: i64,
    queued: bool,
    closed: bool,
}

/// Gathers the history event by event.
#[derive(Default)]
pub struct Historian {
    history: History,
    under: HashMap<ConversationId, Under>,
    decided: Option<ConversationId>,
}

impl Historian {
    /// Takes the next event.
    ///
    /// # Errors
    /// A plan cannot be read.
    pub fn see(&mut self, event: &Event) -> Result<(), String> {
        self.history.end = self.history.end.max(event.at);
        let change = match &event.body {
            EventBody::RoutingPlan { version, plan } => Change::Plan(*version, Box::new(read_plan(plan)?)),
            EventBody::AgentProfile(profile) => Change::Profile(profile.clone()),
            EventBody::AgentRemoved { agent } => Change::Removed(*agent),
            EventBody::AgentState { agent, to, .. } => Change::State(*agent, *to),
            EventBody::AgentWeights { agent, minutes } => {
                Change::Weights(*agent, minutes.iter().map(|(g, m)| (g.clone(), *m)).collect())
            }
            body => {
                if let Some(id) = event.conversation {
                    self.contact(event.at, id, body);
                }
                return Ok(());
            }
        };
        self.history.changes.push((event.at, change));
        Ok(())
    }

    fn contact(&mut self, at: Timestamp, id: ConversationId, body: &EventBody) {
        if let EventBody::RoutingDecided(value) = body {
            self.decided = Some(id);
            return self.decided(at, id, value);
        }
        let Some(under) = self.under.get_mut(&id) else { return };
        let came = &mut self.history.came[under.index];
        match body {
            EventBody::ConversationQueued { .. } => under.queued = true,
            EventBody::ConversationAssigned { ai, .. } => {
                (under.held, under.queued) = (Some((at, *ai)), false);
                if self.decided.take_if(|d| *d == id).is_none() {
                    self.history.by_hand += 1;
                }
            }
            EventBody::CapacityReleased { .. } => {
                if let Some((since, ai)) = under.held.take() {
                    let ms = at.since(since).max(0);
                    let sum = if ai { &mut came.ai_ms } else { &mut came.people_ms };
                    *sum = Some(sum.unwrap_or(0) + ms);
                    under.last_ms = ms;
                }
                if under.closed {
                    self.under.remove(&id);
                }
            }
            EventBody::ConversationClosed { .. } => {
                if under.queued {
                    let held = came.people_ms.unwrap_or(0) + came.ai_ms.unwrap_or(0);
                    came.patience_ms = Some((at.since(came.at) - held).max(0));
                }
                // A conversation is closed before its units are given back.
                under.closed = true;
                if under.held.is_none() {
                    self.under.remove(&id);
                }
            }
            _ => {}
        }
    }

    fn decided(&mut self, at: Timestamp, id: ConversationId, value: &Value) {
        let Ok((_, decision)) = read_decision(value, at) else { return };
        match (decision.cause, decision.facts) {
            (Cause::Arrival, Some(facts)) => {
                let index = self.history.came.len();
                let came = Came { id, at, facts, people_ms: None, ai_ms: None, patience_ms: None };
                self.history.came.push(came);
                self.under.insert(id, Under { index, held: None, last_ms: 0, queued: false, closed: false });
            }
            (Cause::AcceptTimeout | Cause::AgentOffline | Cause::AgentLost, _) => {
                let Some(under) = self.under.get_mut(&id) else { return };
                let came = &mut self.history.came[under.index];
                let rest = came.people_ms.unwrap_or(0) - std::mem::take(&mut under.last_ms);
                came.people_ms = Some(rest).filter(|ms| *ms > 0);
            }
            _ => {}
        }
    }

    /// Ends the log.
    pub fn finish(mut self) -> History {
        for under in self.under.values().filter(|u| u.held.is_some() || u.queued) {
            self.history.unfinished += 1;
            if under.held.is_some() {
                // Its whole duration is not known.
                self.history.came[under.index].people_ms = None;
            }
        }
        self.history
    }
}
