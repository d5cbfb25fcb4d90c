//! A small router in memory: it decides as the router does and writes the events that the router writes, in its order.

use std::collections::BTreeMap;
use warmline_model::event::EVENT_VERSION;
use warmline_model::{
    AccountId, AgentId, AgentState, Channel, ConversationId, CustomerId, Event, EventBody, GroupId, Lane, Profile,
    Timestamp, Units,
};
use warmline_routing::group::First;
use warmline_routing::{Cause, Contact, Decision, Facts, Memory, Outcome, Placement, Plan, Ready, decide};

pub(super) fn plan(version: i64) -> Plan {
    let (strategy, priority) = if version % 2 == 1 { ("least-loaded", 0) } else { ("most-idle", 5) };
    let text = format!(
        r#"{{"groups":[
          {{"id":"sales","name":"s","settings":{{"strategy":"{strategy}"}}}},
          {{"id":"orders","name":"o","settings":{{"rings":[{{"after_secs":60,"lower":2}}],
            "overflow":{{"length":6,"wait_secs":300,"to":{{"group":"sales"}}}}}}}}],
        "rules":[{{"kind":"order_card","group":"orders","skills":{{"order":2}},"priority_minutes":{priority}}}]}}"#
    );
    let plan: Plan = serde_json::from_str(&text).unwrap();
    plan.check().unwrap();
    plan
}

pub(super) fn agent(n: u8) -> AgentId {
    AgentId::from_bytes(&[n; 16]).unwrap()
}

pub(super) struct Driver {
    pub(super) events: Vec<Event>,
    memory: Memory,
    plan: Ready,
    now: Timestamp,
    lanes: BTreeMap<ConversationId, (GroupId, Lane, Timestamp)>,
    queued: Vec<ConversationId>,
    held: Vec<ConversationId>,
    loads: BTreeMap<AgentId, (Units, Units)>,
    came: u64,
    /// How many decisions an earlier release writes before this one goes on.
    pub(super) listed: usize,
}

impl Driver {
    pub(super) fn new(agents: u8) -> Self {
        let mut new = Self {
            events: Vec::new(),
            memory: Memory::default(),
            plan: Ready::new(Plan::default(), 0),
            now: Timestamp::from_millis(1_700_000_000_000),
            lanes: BTreeMap::new(),
            queued: Vec::new(),
            held: Vec::new(),
            loads: BTreeMap::new(),
            came: 0,
            listed: 0,
        };
        new.put(plan(1));
        for n in 1..=agents {
            new.profile(n, i64::from(n % 3) + 1);
            new.state(n, AgentState::Available);
        }
        new
    }

    pub(super) fn wait(&mut self, ms: i64) {
        self.now = self.now.plus_millis(ms);
    }

    fn tell(&mut self, conversation: Option<ConversationId>, body: EventBody) {
        let seq = i64::try_from(self.events.len()).unwrap() * 2 + 1;
        self.events.push(Event { seq, at: self.now, v: EVENT_VERSION, conversation, body });
    }

    pub(super) fn put(&mut self, plan: Plan) {
        let version = self.plan.version() + 1;
        self.tell(None, EventBody::RoutingPlan { version, plan: serde_json::to_value(&plan).unwrap() });
        self.plan = Ready::new(plan, version);
        self.memory.replan(&self.plan);
    }

    pub(super) fn next_plan(&mut self) {
        self.put(plan(self.plan.version() + 1));
    }

    pub(super) fn profile(&mut self, n: u8, capacity: i64) {
        self.seat(n, capacity, false);
    }

    pub(super) fn ai(&mut self, n: u8) {
        self.seat(n, 5, true);
        self.state(n, AgentState::Available);
    }

    fn seat(&mut self, n: u8, capacity: i64, ai: bool) {
        let levels = |names: &[&str]| names.iter().map(|g| (GroupId::new(*g).unwrap(), 1)).collect();
        let profile = Profile {
            agent: agent(n),
            ai,
            dedicated: false,
            capacity: Units::whole(capacity),
            caps: BTreeMap::new(),
            skills: [("order".to_owned(), n % 4)].into(),
            groups: if n.is_multiple_of(2) { levels(&["sales", "orders"]) } else { levels(&["sales"]) },
        };
        self.loads.entry(agent(n)).or_default().1 = profile.capacity;
        self.memory.set_profile(&self.plan, profile.clone());
        self.tell(None, EventBody::AgentProfile(profile));
        self.fill(agent(n));
    }

    pub(super) fn weigh(&mut self, n: u8, minutes: i64) {
        let minutes: BTreeMap<_, _> = [(GroupId::new("sales").unwrap(), minutes)].into();
        for (group, minutes) in &minutes {
            self.memory.set_weight(agent(n), group.clone(), *minutes);
        }
        self.tell(None, EventBody::AgentWeights { agent: agent(n), minutes });
    }

    pub(super) fn state(&mut self, n: u8, to: AgentState) {
        let Some(from) = self.memory.state(agent(n)).filter(|s| *s != to) else { return };
        self.memory.set_state(agent(n), to);
        self.tell(None, EventBody::AgentState { agent: agent(n), from, to, reason: None });
        self.fill(agent(n));
    }

    pub(super) fn arrive(&mut self, kind: &str, channel: &str) {
        self.came += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.came.to_be_bytes());
        let id = ConversationId::from_bytes(&id).unwrap();
        let (channel, account) = (Channel::new(channel).unwrap(), AccountId::new("a").unwrap());
        let customer = CustomerId::from_bytes(id.as_bytes()).unwrap();
        let opened = EventBody::ConversationOpened { channel: channel.clone(), account: account.clone(), customer };
        self.tell(Some(id), opened);
        let facts = Facts {
            channel: channel.clone(),
            account,
            kind: kind.to_owned(),
            status: None,
            intent: None,
            language: None,
            terms: Vec::new(),
            tags: Vec::new(),
            account_group: None,
            owner: None,
            last: None,
            people_only: false,
        };
        let placement = self.plan.place(&facts, self.now).unwrap();
        let (cause, entered) = (Cause::Arrival, self.now);
        self.decide(Contact { id, channel: &channel, cause, facts: Some(facts), placement, entered, except: None });
    }

    fn decide(&mut self, contact: Contact<'_>) {
        let (id, entered, placement) = (contact.id, contact.entered, contact.placement.clone());
        let channel = contact.channel.clone();
        let decision = decide::arrive(&self.plan, &self.memory, contact, self.now).unwrap();
        self.record(id, &decision);
        match decision.outcome {
            Outcome::Assigned { group, agent, units, .. } => {
                let Placement { priority_minutes, dedicated, skills, .. } = placement;
                self.lanes.insert(id, (group, Lane { channel, priority_minutes, dedicated, skills }, entered));
                self.give(id, agent, units);
            }
            Outcome::Queued { group, lane, rank, behind, .. } => {
                self.lanes.insert(id, (group.clone(), lane.clone(), entered));
                self.memory.queue(id, group.clone(), lane.clone(), rank, entered);
                self.queued.retain(|q| *q != id);
                self.queued.push(id);
                let priority = lane.priority_minutes;
                let body = EventBody::ConversationQueued {
                    group,
                    priority,
                    lane,
                    rank,
                    entered,
                    estimate_ms: None,
                    requeued: None,
                };
                self.tell(Some(id), body);
                if let Some(agent) = behind {
                    self.fill(agent);
                }
            }
        }
    }

    fn record(&mut self, id: ConversationId, decision: &Decision) {
        let entry = match self.listed.checked_sub(1) {
            Some(left) => {
                self.listed = left;
                serde_json::to_value(decision)
            }
            None => serde_json::to_value(decision.grouped(self.now)),
        };
        self.tell(Some(id), EventBody::RoutingDecided(entry.unwrap()));
    }

    fn give(&mut self, id: ConversationId, agent: AgentId, units: Units) {
        let (group, lane, entered) = self.lanes[&id].clone();
        self.memory.assign(id, agent, lane.channel.clone(), units, self.now);
        self.queued.retain(|q| *q != id);
        self.held.push(id);
        let of = self.loads.get_mut(&agent).unwrap();
        of.0 = of.0.plus(units);
        let (load, capacity) = *of;
        let waited_ms = self.now.since(entered);
        let ai = self.memory.seat(agent).is_some_and(|(seat, _)| seat.ai);
        let (channel, why) = (lane.channel, String::new());
        let body = EventBody::ConversationAssigned { group, agent, channel, units, load, capacity, waited_ms, why, ai };
        self.tell(Some(id), body);
    }

    fn fill(&mut self, agent: AgentId) {
        while let Some((seat, weights)) = self.memory.seat(agent) {
            if seat.ai || seat.state != AgentState::Available || seat.load >= seat.capacity {
                break;
            }
            let next = decide::next(&self.plan, &self.memory, &seat, &weights, self.now).unwrap();
            let Some((id, decision)) = next else { break };
            self.record(id, &decision);
            let Outcome::Assigned { group, units, .. } = decision.outcome else { panic!("a free seat queues nobody") };
            self.lanes.get_mut(&id).unwrap().0 = group;
            self.give(id, agent, units);
        }
    }

    fn release(&mut self, id: ConversationId) -> AgentId {
        self.held.retain(|h| *h != id);
        let held = self.memory.release(id, self.now).unwrap();
        let of = self.loads.get_mut(&held.agent).unwrap();
        of.0 = of.0.minus(held.units);
        let load = of.0;
        self.tell(Some(id), EventBody::CapacityReleased { agent: held.agent, load, work: None });
        held.agent
    }

    /// Closes a contact in an agent's hands, or one in a queue if there is none.
    pub(super) fn close(&mut self, nth: usize, in_hand: bool) {
        let from = if in_hand { &self.held } else { &self.queued };
        let Some(id) = from.get(nth % from.len().max(1)).copied() else { return };
        let body = EventBody::ConversationClosed { agent: None, group: None, disposition: None, handle_ms: 0, messages: 1 };
        self.tell(Some(id), body);
        if in_hand {
            let agent = self.release(id);
            self.fill(agent);
        } else {
            self.memory.leave(id);
            self.queued.retain(|q| *q != id);
        }
    }

    /// Takes a contact from its agent and seeks another seat for it.
    pub(super) fn again(&mut self, nth: usize, cause: Cause) {
        let Some(id) = self.held.get(nth % self.held.len().max(1)).copied() else { return };
        if cause == Cause::AcceptTimeout {
            let holder = self.memory.holder(id).unwrap().agent.as_bytes()[0];
            self.state(holder, AgentState::Break);
        }
        let agent = self.release(id);
        let (group, lane, entered) = self.lanes[&id].clone();
        let entered = if matches!(cause, Cause::Transfer | Cause::HandOver(_)) { self.now } else { entered };
        self.seek(id, group, lane, entered, cause, Some(agent));
        self.fill(agent);
    }

    /// A contact in a queue has waited too long.
    pub(super) fn too_long(&mut self, nth: usize) {
        let Some(id) = self.queued.get(nth % self.queued.len().max(1)).copied() else { return };
        let (group, lane, entered) = self.lanes[&id].clone();
        if group.as_str() == "orders" {
            self.seek(id, group, lane, entered, Cause::WaitedTooLong, None);
        }
    }

    fn seek(
        &mut self,
        id: ConversationId,
        group: GroupId,
        lane: Lane,
        entered: Timestamp,
        cause: Cause,
        except: Option<AgentId>,
    ) {
        let placement = Placement {
            group,
            why: "again".into(),
            skills: lane.skills,
            priority_minutes: lane.priority_minutes,
            dedicated: lane.dedicated,
            first: First::People,
            prefer: None,
        };
        self.decide(Contact { id, channel: &lane.channel, cause, facts: None, placement, entered, except });
    }

    pub(super) fn text(&self) -> String {
        self.events.iter().map(|e| serde_json::to_string(e).unwrap() + "\n").collect()
    }
}
