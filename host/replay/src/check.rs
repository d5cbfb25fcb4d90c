//! The invariants of every log, whatever the plan: no seat gets more than its capacity, every conversation is in one place
//! at a time, each decision is followed by the event of its effect, and the loads in the events are the sums of the units
//! given and given back.

use super::fold::read_decision;
use serde::Serialize;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use warmline_model::{AgentId, ConversationId, Event, EventBody, GroupId, Timestamp, Units};
use warmline_routing::Outcome;

/// The violations that are kept. Further ones are only counted.
const KEPT: usize = 50;

/// A violation of an invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The event that shows it.
    pub seq: i64,
    /// The time of that event.
    pub at: Timestamp,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The kind of the violation.
    pub what: String,
}

/// The result of checking a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Events.
    pub events: u64,
    /// Conversations opened.
    pub conversations: u64,
    /// The number of times that a conversation was given to a seat.
    pub assignments: u64,
    /// Conversations that were closed.
    pub closed: u64,
    /// Conversations in a queue at the end.
    pub queued: u64,
    /// Conversations in an agent's hands at the end.
    pub in_hand: u64,
    /// Conversations for which no seat was sought at the end.
    pub open: u64,
    /// Violations in all.
    pub violated: u64,
    /// The first of them.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Whether there were no violations.
    pub const fn is_clean(&self) -> bool {
        self.violated == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, conversations, assignments, closed, queued, in_hand, open, violated, .. } = self;
        writeln!(
            f,
            "{events} events, {conversations} conversations ({closed} closed, {in_hand} in hand, {queued} in a queue, {open} open), \
             {assignments} assignments, {violated} violations"
        )?;
        for Violation { seq, at, conversation, what } in &self.violations {
            let of = conversation.map(|id| format!(", {id}")).unwrap_or_default();
            writeln!(f, "event {seq}, {at}{of}: {what}")?;
        }
        Ok(())
    }
}

/// Checks a whole log.
pub fn check<E: Borrow<Event>>(events: impl IntoIterator<Item = E>) -> Report {
    let mut checker = Checker::default();
    for event in events {
        checker.see(event.borrow());
    }
    checker.finish()
}

/// The place of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Open,
    Queued(GroupId),
    InHand(AgentId, Units),
    /// Taken from an agent and not placed again yet.
    Nowhere,
    /// Put off. Its units were not given back to the agent yet; afterwards it is open.
    PutOff(AgentId, Units),
    /// Closed. Its units were not given back to the agent yet.
    Closing(AgentId, Units),
    Closed,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Queued(group) => write!(f, "in the queue of {group}"),
            Self::InHand(agent, _) => write!(f, "in the hands of {agent}"),
            Self::Nowhere => f.write_str("in nobody's hands and in no queue"),
            Self::PutOff(agent, _) => write!(f, "put off, with the capacity of {agent} not given back"),
            Self::Closing(agent, _) => write!(f, "closed, with the capacity of {agent} not given back"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Seat {
    capacity: Units,
    load: Units,
}

/// Checks a log event by event.
#[derive(Default)]
pub struct Checker {
    seats: HashMap<AgentId, Seat>,
    places: HashMap<ConversationId, Place>,
    /// A conversation between two places: the very next of its events places it, in the same transaction.
    between: Option<ConversationId>,
    /// The outcome of the last decision.
    decided: Option<(ConversationId, Outcome)>,
    report: Report,
}

impl Checker {
    fn violated(&mut self, event: &Event, what: impl Into<String>) {
        self.report.violated += 1;
        if self.report.violations.len() < KEPT {
            let (seq, at, conversation) = (event.seq, event.at, event.conversation);
            self.report.violations.push(Violation { seq, at, conversation, what: what.into() });
        }
    }

    /// Takes the next event.
    pub fn see(&mut self, event: &Event) {
        self.report.events += 1;
        if let Some(id) = self.between.filter(|id| event.conversation != Some(*id)) {
            self.between = None;
            let place = self.places.get(&id).map(ToString::to_string).unwrap_or_default();
            self.violated(event, format!("{id} is {place}"));
        }
        self.promise(event);
        match (&event.body, event.conversation) {
            (EventBody::AgentProfile(profile), _) => {
                self.seats.entry(profile.agent).or_default().capacity = profile.capacity;
            }
            (EventBody::AgentRemoved { agent }, _) => {
                let left = self.seats.remove(agent).filter(|s| s.load != Units::ZERO);
                if let Some(seat) = left {
                    self.violated(event, format!("{agent} is removed with a load of {}", seat.load));
                }
            }
            (EventBody::ConversationOpened { .. }, Some(id)) => {
                self.report.conversations += 1;
                if let Some(place) = self.places.insert(id, Place::Open) {
                    self.violated(event, format!("is opened while it is {place}"));
                }
            }
            (EventBody::ConversationQueued { group, .. }, Some(id)) => {
                self.moves(event, id, Place::Queued(group.clone()), "is queued");
            }
            (EventBody::ConversationAssigned { agent, units, load, capacity, .. }, Some(id)) => {
                self.report.assignments += 1;
                self.moves(event, id, Place::InHand(*agent, *units), "is assigned");
                self.claimed(event, *agent, *units, (*load, *capacity));
            }
            (EventBody::ConversationAccepted { agent, .. }, Some(id)) if !self.has(*agent, id) => {
                self.violated(event, format!("is accepted by {agent}, who does not have it"));
            }
            (EventBody::ConversationClosed { .. }, Some(id)) => self.closes(event, id),
            (EventBody::Unknown { kind, .. }, Some(id)) if kind == "conversation.snoozed" => self.put_off(event, id),
            (EventBody::CapacityReleased { agent, load, .. }, Some(id)) => self.released(event, id, *agent, *load),
            _ => {}
        }
    }

    fn has(&self, agent: AgentId, id: ConversationId) -> bool {
        matches!(self.places.get(&id), Some(Place::InHand(holder, _)) if *holder == agent)
    }

    /// Checks that a decision is followed by the event of its effect.
    fn promise(&mut self, event: &Event) {
        let what = match &event.body {
            EventBody::RoutingDecided(value) => {
                let decision = read_decision(value, event.at).ok();
                let next = event.conversation.zip(decision.map(|(_, d)| d.outcome));
                let before = std::mem::replace(&mut self.decided, next);
                before.map(|(id, _)| format!("the decision on {id} before it was followed by nothing"))
            }
            EventBody::ConversationQueued { group, lane, rank, .. } => self.follows(event, |outcome| {
                matches!(outcome, Outcome::Queued { group: g, lane: l, rank: r, .. } if (g, l, r) == (group, lane, rank))
            }),
            EventBody::ConversationAssigned { group, agent, units, .. } => self.follows(event, |outcome| {
                matches!(outcome, Outcome::Assigned { group: g, agent: a, units: u, .. } if (g, a, u) == (group, agent, units))
            }),
            _ => None,
        };
        if let Some(what) = what {
            self.violated(event, what);
        }
    }

    fn follows(&mut self, event: &Event, as_said: impl Fn(&Outcome) -> bool) -> Option<String> {
        match self.decided.take() {
            // Only people give a contact to a seat without a decision.
            None if matches!(event.body, EventBody::ConversationQueued { .. }) => {
                Some("is queued without a decision".to_owned())
            }
            None => None,
            Some((id, outcome)) if event.conversation == Some(id) && as_said(&outcome) => None,
            Some((id, _)) => Some(format!("is not what the decision on {id} says")),
        }
    }

    fn moves(&mut self, event: &Event, id: ConversationId, to: Place, how: &str) {
        self.between = None;
        match self.places.insert(id, to) {
            Some(Place::Open | Place::Queued(_) | Place::Nowhere) => {}
            Some(place) => self.violated(event, format!("{how} while it is {place}")),
            None => self.violated(event, format!("{how}, and was not opened in this log")),
        }
    }

    fn claimed(&mut self, event: &Event, agent: AgentId, units: Units, (load, capacity): (Units, Units)) {
        let Some(seat) = self.seats.get_mut(&agent) else {
            return self.violated(event, format!("is given to {agent}, who is not in this log"));
        };
        seat.load = seat.load.plus(units);
        let seat = *seat;
        if seat.load > seat.capacity {
            let Seat { load, capacity } = seat;
            self.violated(event, format!("{agent} has a load of {load}, above the capacity of {capacity}"));
        }
        if (load, capacity) != (seat.load, seat.capacity) {
            let sums = format!("{} of {}", seat.load, seat.capacity);
            self.violated(event, format!("tells of a load of {load} of {capacity} for {agent}; it is {sums}"));
        }
    }

    fn closes(&mut self, event: &Event, id: ConversationId) {
        let (to, wrong) = match self.places.get(&id) {
            Some(Place::InHand(agent, units)) => {
                self.between = Some(id);
                (Place::Closing(*agent, *units), None)
            }
            Some(Place::Open | Place::Queued(_)) => (Place::Closed, None),
            Some(place) => (Place::Closed, Some(format!("is closed while it is {place}"))),
            None => (Place::Closed, Some("is closed, and was not opened in this log".to_owned())),
        };
        self.report.closed += 1;
        self.places.insert(id, to);
        if let Some(what) = wrong {
            self.violated(event, what);
        }
    }

    fn put_off(&mut self, event: &Event, id: ConversationId) {
        match self.places.get(&id) {
            Some(Place::InHand(agent, units)) => {
                self.between = Some(id);
                self.places.insert(id, Place::PutOff(*agent, *units));
            }
            Some(place) => {
                let what = format!("is put off while it is {place}");
                self.violated(event, what);
            }
            None => self.violated(event, "is put off, and was not opened in this log"),
        }
    }

    fn released(&mut self, event: &Event, id: ConversationId, agent: AgentId, load: Units) {
        let (holder, units, to) = match self.places.get(&id) {
            Some(Place::InHand(holder, units)) => (*holder, *units, Place::Nowhere),
            Some(Place::Closing(holder, units)) => (*holder, *units, Place::Closed),
            Some(Place::PutOff(holder, units)) => (*holder, *units, Place::Open),
            _ => return self.violated(event, format!("gives back capacity of {agent}, who does not have it")),
        };
        self.between = (to == Place::Nowhere).then_some(id);
        self.places.insert(id, to);
        if holder != agent {
            self.violated(event, format!("gives back capacity of {agent}; {holder} has it"));
        }
        let Some(seat) = self.seats.get_mut(&holder) else { return };
        seat.load = seat.load.minus(units);
        let sum = seat.load;
        if load != sum {
            self.violated(event, format!("tells of a load of {load} for {agent}; it is {sum}"));
        }
    }

    /// Ends the log.
    pub fn finish(mut self) -> Report {
        let count = |wanted: fn(&Place) -> bool| {
            u64::try_from(self.places.values().filter(|p| wanted(p)).count()).unwrap_or(u64::MAX)
        };
        self.report.queued = count(|p| matches!(p, Place::Queued(_)));
        self.report.in_hand = count(|p| matches!(p, Place::InHand(..)));
        self.report.open = count(|p| *p == Place::Open);
        self.report
    }
}
