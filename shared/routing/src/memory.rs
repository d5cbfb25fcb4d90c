//! Seats and queues in memory: the floor on which the simulator plays a day and on which a log is replayed. The router's
//! floor is the store. The decision functions are the same.

use crate::decide::SeatsAndQueues;
use crate::plan::Ready;
use crate::queue::Head;
use crate::seat::{Hands, Levels, Seat, SeatFacts};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::rc::Rc;
use warmline_model::{AgentId, AgentState, Channel, ConversationId, GroupId, Lane, Profile, Timestamp, Units};

/// An agent.
#[derive(Clone, Debug)]
struct Agent {
    profile: Profile,
    state: AgentState,
    load: Units,
    last_assigned_at: Timestamp,
    freed_at: Timestamp,
    held: BTreeMap<Channel, i64>,
    weights: BTreeMap<GroupId, i64>,
    levels: Levels,
}

/// A contact in a queue.
#[derive(Clone, Debug)]
struct Waiting {
    group: GroupId,
    lane: Lane,
    rank: i64,
    entered: Timestamp,
}

/// A contact that an agent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InHand {
    /// The agent.
    pub agent: AgentId,
    /// The units that it takes of the agent's capacity.
    pub units: Units,
    /// The channel.
    pub channel: Channel,
}

/// Seats and queues.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    agents: BTreeMap<AgentId, Agent>,
    members: BTreeMap<GroupId, BTreeSet<AgentId>>,
    /// Lanes by their text, as in the store.
    lanes: BTreeMap<GroupId, BTreeMap<String, BTreeSet<(i64, ConversationId)>>>,
    waiting: HashMap<ConversationId, Waiting>,
    in_hand: HashMap<ConversationId, InHand>,
}

impl Memory {
    /// Adds an agent, offline, or changes an agent.
    pub fn set_profile(&mut self, plan: &Ready, profile: Profile) {
        self.remove(profile.agent, false);
        for group in profile.groups.keys() {
            self.members.entry(group.clone()).or_default().insert(profile.agent);
        }
        let levels = plan.levels(&profile.skills);
        let agent = Agent {
            state: AgentState::Offline,
            load: Units::ZERO,
            last_assigned_at: Timestamp::default(),
            freed_at: Timestamp::default(),
            held: BTreeMap::new(),
            weights: BTreeMap::new(),
            levels: levels.clone(),
            profile: profile.clone(),
        };
        let agent = match self.agents.remove(&profile.agent) {
            Some(before) => Agent { profile, levels, ..before },
            None => agent,
        };
        self.agents.insert(agent.profile.agent, agent);
    }

    /// Removes an agent.
    pub fn remove_agent(&mut self, agent: AgentId) {
        self.remove(agent, true);
    }

    fn remove(&mut self, agent: AgentId, for_good: bool) {
        for members in self.members.values_mut() {
            members.remove(&agent);
        }
        if for_good {
            self.agents.remove(&agent);
        }
    }

    /// Computes the levels again, because another plan asks for other skills.
    pub fn replan(&mut self, plan: &Ready) {
        for agent in self.agents.values_mut() {
            agent.levels = plan.levels(&agent.profile.skills);
        }
    }

    /// Sets an agent's presence.
    pub fn set_state(&mut self, agent: AgentId, state: AgentState) {
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.state = state;
        }
    }

    /// An agent's presence; `None` if the agent is unknown.
    pub fn state(&self, agent: AgentId) -> Option<AgentState> {
        self.agents.get(&agent).map(|a| a.state)
    }

    /// Sets the minutes that staffing gives an agent for a group's contacts.
    pub fn set_weight(&mut self, agent: AgentId, group: GroupId, minutes: i64) {
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.weights.insert(group, minutes);
        }
    }

    /// Puts a contact into a queue, and takes it out of its earlier queue.
    pub fn queue(&mut self, id: ConversationId, group: GroupId, lane: Lane, rank: i64, entered: Timestamp) {
        self.leave(id);
        self.lanes.entry(group.clone()).or_default().entry(lane.key()).or_default().insert((rank, id));
        self.waiting.insert(id, Waiting { group, lane, rank, entered });
    }

    /// Takes a contact out of its queue.
    pub fn leave(&mut self, id: ConversationId) {
        let Some(w) = self.waiting.remove(&id) else { return };
        let Some(lanes) = self.lanes.get_mut(&w.group) else { return };
        let key = w.lane.key();
        if let Some(lane) = lanes.get_mut(&key) {
            lane.remove(&(w.rank, id));
            if lane.is_empty() {
                lanes.remove(&key);
            }
        }
    }

    /// The time at which a waiting contact entered its queue.
    pub fn entered(&self, id: ConversationId) -> Option<Timestamp> {
        self.waiting.get(&id).map(|w| w.entered)
    }

    /// Gives a contact to an agent. It leaves its queue and takes capacity.
    pub fn assign(&mut self, id: ConversationId, agent: AgentId, channel: Channel, units: Units, now: Timestamp) {
        self.leave(id);
        if let Some(a) = self.agents.get_mut(&agent) {
            a.load = a.load.plus(units);
            a.last_assigned_at = now;
            *a.held.entry(channel.clone()).or_default() += 1;
        }
        self.in_hand.insert(id, InHand { agent, units, channel });
    }

    /// Gives back the capacity that a contact took. Returns the agent and the units.
    pub fn release(&mut self, id: ConversationId, now: Timestamp) -> Option<InHand> {
        let held = self.in_hand.remove(&id)?;
        if let Some(a) = self.agents.get_mut(&held.agent) {
            a.load = a.load.minus(held.units);
            a.freed_at = now;
            if let Some(n) = a.held.get_mut(&held.channel) {
                *n -= 1;
                if *n <= 0 {
                    a.held.remove(&held.channel);
                }
            }
        }
        Some(held)
    }

    /// The agent who holds a contact.
    pub fn holder(&self, id: ConversationId) -> Option<&InHand> {
        self.in_hand.get(&id)
    }

    /// Load and capacity of every agent.
    pub fn loads(&self) -> impl Iterator<Item = (AgentId, Units, Units)> {
        self.agents.values().map(|a| (a.profile.agent, a.load, a.profile.capacity))
    }

    /// The number of contacts in all queues.
    pub fn in_queues(&self) -> usize {
        self.waiting.len()
    }

    /// Available human agents with free capacity.
    pub fn free(&self) -> Vec<AgentId> {
        let free = |a: &&Agent| a.state == AgentState::Available && a.load < a.profile.capacity && !a.profile.ai;
        self.agents.values().filter(free).map(|a| a.profile.agent).collect()
    }

    /// An agent as a seat, with the weights of its groups: the arguments of [`crate::decide::next`].
    pub fn seat(&self, agent: AgentId) -> Option<(Seat, BTreeMap<GroupId, i64>)> {
        let agent = self.agents.get(&agent)?;
        let weight = |g: &GroupId| agent.weights.get(g).copied().unwrap_or(0);
        let weights = agent.profile.groups.keys().map(|g| (g.clone(), weight(g))).collect();
        Some((agent.seat(None), weights))
    }
}

fn owned(counts: &BTreeMap<Channel, i64>) -> impl Iterator<Item = (Channel, i64)> {
    counts.iter().map(|(c, n)| (c.clone(), *n))
}

impl Agent {
    fn seat(&self, group: Option<&GroupId>) -> Seat {
        Seat::from(SeatFacts {
            id: self.profile.agent,
            ai: self.profile.ai,
            state: self.state,
            dedicated: self.profile.dedicated,
            capacity: self.profile.capacity,
            load: self.load,
            last_assigned_at: self.last_assigned_at,
            freed_at: self.freed_at,
            levels: self.levels.clone(),
            level: group.and_then(|g| self.profile.groups.get(g)).copied().unwrap_or(1),
            groups: u16::try_from(self.profile.groups.len()).unwrap_or(u16::MAX),
            hands: Hands::new(owned(&self.held), owned(&self.profile.caps)),
            weight: group.and_then(|g| self.weights.get(g)).copied().unwrap_or(0),
        })
    }
}

impl SeatsAndQueues for Memory {
    type Error = Infallible;

    fn seats(&self, group: &GroupId) -> Result<Rc<Vec<Seat>>, Infallible> {
        let members = self.members.get(group).into_iter().flatten();
        Ok(Rc::new(members.filter_map(|id| self.agents.get(id)).map(|a| a.seat(Some(group))).collect()))
    }

    fn heads(&self, group: &GroupId) -> Result<Cow<'_, [Head]>, Infallible> {
        let lanes = self.lanes.get(group).into_iter().flatten();
        let head = |contacts: &BTreeSet<(i64, ConversationId)>| {
            let (rank, conversation) = *contacts.first()?;
            let waiting = self.waiting.get(&conversation)?;
            let (lane, entered) = (waiting.lane.clone(), waiting.entered);
            Some(Head { conversation, group: group.clone(), lane, rank, entered })
        };
        Ok(Cow::Owned(lanes.filter_map(|(_, contacts)| head(contacts)).collect()))
    }

    fn waiting(&self, group: &GroupId) -> Result<i64, Infallible> {
        let lanes = self.lanes.get(group).into_iter().flatten();
        Ok(lanes.map(|(_, contacts)| i64::try_from(contacts.len()).unwrap_or(i64::MAX)).sum())
    }
}
