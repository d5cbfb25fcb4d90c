//! Folds the log into seats and queues, and makes each decision again on them.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use warmline_model::{Channel, ConversationId, Event, EventBody, Timestamp};
use warmline_routing::{Cause, Contact, Decision, Entry, Memory, Outcome, Plan, Ready, Rosters, decide};

/// Seats, queues and the plan in force, as the log so far gives them.
pub struct State {
    plan: Ready,
    memory: Memory,
    channels: HashMap<ConversationId, Channel>,
}

impl Default for State {
    fn default() -> Self {
        Self { plan: Ready::new(Plan::default(), 0), memory: Memory::default(), channels: HashMap::new() }
    }
}

impl State {
    /// Applies the change of an event.
    ///
    /// # Errors
    /// The new plan in the event cannot be read.
    pub fn apply(&mut self, event: &Event) -> Result<(), String> {
        let memory = &mut self.memory;
        match (&event.body, event.conversation) {
            (EventBody::RoutingPlan { version, plan }, _) => {
                self.plan = Ready::new(read_plan(plan)?, *version);
                memory.replan(&self.plan);
            }
            (EventBody::AgentProfile(profile), _) => {
                // An agent who leaves a group leaves its weight behind.
                let before = memory.seat(profile.agent).map(|(_, weights)| weights).unwrap_or_default();
                for group in before.into_keys().filter(|g| !profile.groups.contains_key(g)) {
                    memory.set_weight(profile.agent, group, 0);
                }
                memory.set_profile(&self.plan, profile.clone());
            }
            (EventBody::AgentRemoved { agent }, _) => memory.remove_agent(*agent),
            (EventBody::AgentWeights { agent, minutes }, _) => {
                let groups = memory.seat(*agent).map(|(_, weights)| weights).unwrap_or_default();
                for group in groups.into_keys() {
                    let minutes = minutes.get(&group).copied().unwrap_or(0);
                    memory.set_weight(*agent, group, minutes);
                }
            }
            (EventBody::AgentState { agent, to, .. }, _) => memory.set_state(*agent, *to),
            (EventBody::ConversationOpened { channel, .. }, Some(id)) => {
                self.channels.insert(id, channel.clone());
            }
            (EventBody::ConversationQueued { group, lane, rank, entered, .. }, Some(id)) => {
                memory.queue(id, group.clone(), lane.clone(), *rank, *entered);
            }
            (EventBody::ConversationAssigned { agent, channel, units, .. }, Some(id)) => {
                memory.assign(id, *agent, channel.clone(), *units, event.at);
            }
            (EventBody::CapacityReleased { .. }, Some(id)) => {
                memory.release(id, event.at);
            }
            (EventBody::ConversationClosed { .. }, Some(id)) => {
                memory.leave(id);
                self.channels.remove(&id);
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes a decision again, and writes it in the form of the recorded entry.
    ///
    /// # Errors
    /// The log does not hold what the decision needs. The text says what is missing.
    pub fn decide(&self, event: &Event, recorded: &Value) -> Result<Value, String> {
        let (entry, decision) = read_decision(recorded, event.at)?;
        let made = self.make(event, decision)?;
        made.like(&entry, event.at).map_err(|e| e.to_string())
    }

    fn make(&self, event: &Event, recorded: Decision) -> Result<Decision, String> {
        let id = event.conversation.ok_or("belongs to no conversation")?;
        if recorded.plan != self.plan.version() {
            let (used, here) = (recorded.plan, self.plan.version());
            return Err(format!("was made with version {used} of the plan; in this log version {here} is in force"));
        }
        if recorded.cause == Cause::SeatFree {
            let Outcome::Assigned { agent, .. } = recorded.outcome else { return Err("a free seat queues nobody".into()) };
            let (seat, weights) = self.memory.seat(agent).ok_or_else(|| format!("there is no agent {agent} in this log"))?;
            return match sure(decide::next(&self.plan, &self.memory, &seat, &weights, event.at)) {
                Some((next, decision)) if next == id => Ok(decision),
                Some((next, _)) => Err(format!("the next contact of {agent} is {next}")),
                None => Err(format!("there is no contact that {agent} could take")),
            };
        }
        let channel = recorded.facts.as_ref().map(|f| &f.channel).or_else(|| self.channels.get(&id));
        let channel = channel.ok_or("its conversation was not opened in this log")?;
        let entered = recorded.entered.ok_or("does not say when the contact entered")?;
        // The rules place a contact once. If a seat is sought again, the decision began from the placement that it records.
        let placement = match (recorded.cause, &recorded.facts) {
            (Cause::Arrival, Some(facts)) => self.plan.place(facts, entered),
            _ => recorded.placement,
        };
        let placement = placement.ok_or("there is no placement: the plan has no group")?;
        let (cause, except) = (recorded.cause, recorded.except);
        let contact = Contact { id, channel, cause, facts: recorded.facts.clone(), placement, entered, except };
        Ok(sure(decide::arrive(&self.plan, &self.memory, contact, event.at)))
    }
}

/// The entry of a decision, and the decision. An entry of today does not name its seats; they follow from the log itself.
///
/// # Errors
/// It cannot be read.
pub fn read_decision(recorded: &Value, at: Timestamp) -> Result<(Entry, Decision), String> {
    let entry = Entry::read(recorded).map_err(|e| format!("cannot be read: {e}"))?;
    let decision = entry.clone().decision(at, &Rosters::new());
    decision.map(|d| (entry, d)).ok_or_else(|| "cannot be read: it leaves out what nothing else in it says".to_owned())
}

/// Reads a plan from an event.
///
/// # Errors
/// The plan cannot be read.
pub fn read_plan(plan: &Value) -> Result<Plan, String> {
    serde_json::from_value(plan.clone()).map_err(|e| format!("the plan cannot be read: {e}"))
}

/// A look-up in memory cannot fail.
pub fn sure<T>(looked: Result<T, std::convert::Infallible>) -> T {
    match looked {
        Ok(found) => found,
    }
}

/// The fields in which two JSON values differ, by path, with both values of each.
pub fn differing(recorded: &Value, made: &Value) -> BTreeMap<String, (Value, Value)> {
    let mut found = BTreeMap::new();
    descend("", recorded, made, &mut found);
    found
}

fn descend(path: &str, a: &Value, b: &Value, found: &mut BTreeMap<String, (Value, Value)>) {
    match (a, b) {
        _ if a == b => {}
        (Value::Object(x), Value::Object(y)) => {
            let keys: std::collections::BTreeSet<_> = x.keys().chain(y.keys()).collect();
            for key in keys {
                let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                descend(&at, x.get(key).unwrap_or(&Value::Null), y.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(x), Value::Array(y)) => {
            for i in 0..x.len().max(y.len()) {
                descend(&format!("{path}[{i}]"), x.get(i).unwrap_or(&Value::Null), y.get(i).unwrap_or(&Value::Null), found);
            }
        }
        _ => {
            found.insert(path.to_owned(), (a.clone(), b.clone()));
        }
    }
}
