//! The way of a message through the steps, natively: guarantees that hold whatever the order and the failures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod arrivals;
mod calls;
mod capability;
mod cases;
mod common;
mod contact;
mod context;
mod deadlines;
mod delivery;
mod gate;
mod held;
mod holds_and_consent;
mod intake;
mod mail;
mod message;
mod metrics;
mod optout;
mod outage;
mod people;
mod plan;
mod privacy;
mod queue;
mod retention;
mod seats;
mod snooze;
mod staffing;
mod tampering;
mod transfer;
mod worklist;

use common::{World, reply};
use proptest::prelude::{any, proptest};
use warmline_app::tick;
use warmline_cases::cases;
use warmline_conversations::converse::{self, Target};
use warmline_conversations::staff;
use warmline_kernel::ctx::Actor;
use warmline_model::event::to_columns;
use warmline_model::{
    AgentId, AgentState, Channel, Content, ConversationId, ConversationState, Event, EventBody, Role, Units,
};
use warmline_store::conversations::{self, Conversation};
use warmline_store::{agents, events, immediate};

fn all(w: &World) -> Vec<Conversation> {
    conversations::list(&w.db, None, 10_000, None, None).unwrap()
}

fn only(w: &World) -> Conversation {
    let mut found = all(w);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn log(w: &World) -> Vec<Event> {
    events::after(&w.db, 0, 100_000).unwrap()
}

fn count(w: &World, kind: &str) -> usize {
    log(w).iter().filter(|e| to_columns(&e.body).unwrap().0 == kind).count()
}

fn actor(agent: AgentId) -> Actor {
    Actor { agent: Some(agent), role: Role::Agent }
}

fn close(w: &World, agent: AgentId, id: ConversationId) {
    immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), id, Some("solved"))).unwrap();
}

/// The invariants: claimed capacity equals conversations held, no agent is above capacity, and no queue waits while free
/// capacity could serve it.
fn check(w: &World) {
    let held = all(w);
    for agent in agents::list(&w.db, None, 1_000).unwrap() {
        let holds = held.iter().filter(|c| c.agent == Some(agent.id) && c.state.holds_capacity());
        let units = holds.clone().fold(Units::ZERO, |sum, c| sum.plus(c.units));
        assert_eq!(agent.load, units, "load of {}", agent.id);
        let mut channels = agents::Held::new();
        holds.for_each(|c| *channels.entry(c.channel.clone()).or_default() += 1);
        assert_eq!(agent.held, channels, "contacts of {}", agent.id);
        assert!(agent.load <= agent.capacity);
        // A call needs all of an agent's capacity. A seat may be kept for one that waits.
        let calls = held.iter().any(|c| c.state == ConversationState::Queued && c.channel.as_str() == "phone");
        if agent.state == AgentState::Available && agent.load.plus(Units::ONE) <= agent.capacity && !calls {
            let groups: Vec<_> = agents::groups_of(&w.db, agent.id).unwrap().into_iter().map(|m| m.group).collect();
            let waits = |c: &&Conversation| {
                c.state == ConversationState::Queued && groups.contains(c.group.as_ref().unwrap()) && (c.vip || !agent.vip)
            };
            assert!(held.iter().find(waits).is_none(), "a queue stands beside free capacity");
        }
    }
    for event in log(w) {
        if let EventBody::ConversationAssigned { load, capacity, .. } = event.body {
            assert!(load <= capacity);
        }
    }
}

/// Checks that the log is consistent, and that every decision in it comes out the same when it is made again.
fn replayed(w: &World) {
    let lines: Vec<u8> = log(w).iter().flat_map(|e| serde_json::to_vec(e).unwrap().into_iter().chain(*b"\n")).collect();
    let done = warmline_replay::replay(lines.as_slice(), None, true).unwrap();
    assert!(done.same.all(), "{}", done.same);
    let report = done.check.unwrap();
    assert!(report.is_clean(), "{report}");
}

proptest! {
    #![proptest_config(cases(48))]
    /// In every random order of events, no message is lost or doubled, nobody is above capacity, and counters equal
    /// assignments.
    #[test]
    fn no_order_of_things_breaks_the_rules(steps in proptest::collection::vec((0u8..9, any::<u8>(), any::<u8>()), 1..60)) {
        let w = World::new();
        let groups = [w.group("g", "{\"accept_secs\":30}"), w.group("h", "{\"wrap_up_secs\":20,\"accept_secs\":0}")];
        let staff: Vec<_> = (0..4).map(|i| w.agent(&groups[i % 2], 1 + i64::try_from(i % 2).unwrap(), i == 3)).collect();
        let mut arrived = std::collections::BTreeSet::new();
        for (what, a, b) in steps {
            let agent = staff[usize::from(a) % staff.len()];
            let open: Vec<_> = all(&w).into_iter().filter(|c| c.state != ConversationState::Closed).collect();
            let picked = open.get(usize::from(b) % open.len().max(1));
            match (what, picked) {
                (0..=2, _) => {
                    let (who, key) = (format!("u{}", a % 12), format!("k{}", b % 40));
                    arrived.insert((a % 12 / 4, key.clone()));
                    let channel = Channel::new(["wechat", "email", "phone"][usize::from(a % 12 / 4)]).unwrap();
                    w.arrives_on(&channel, &who, &key, Content::text("在吗"), if a % 5 == 0 { &["vip"] } else { &[] });
                    // From time to time several wait, and are placed in one transaction.
                    if b % 3 == 0 {
                        w.drain();
                    }
                }
                (3, Some(c)) => drop(immediate(&w.db, || converse::accept(&w.ctx(), &actor(agent), c.id))),
                (4, Some(c)) => drop(immediate(&w.db, || converse::close(&w.ctx(), &actor(c.agent.unwrap_or(agent)), c.id, None))),
                (5, Some(c)) => {
                    let to = if b % 2 == 0 { Target::Agent(agent) } else { Target::Group(groups[usize::from(a) % 2].clone()) };
                    drop(immediate(&w.db, || converse::transfer(&w.ctx(), &actor(c.agent.unwrap_or(agent)), c.id, &to, None)));
                }
                (6, Some(c)) => drop(immediate(&w.db, || {
                    reply(&w.ctx(), &actor(c.agent.unwrap_or(agent)), c.id, &[Content::text("在")])
                })),
                (7, _) => {
                    let state = AgentState::ALL[usize::from(b) % AgentState::ALL.len()];
                    drop(immediate(&w.db, || staff::set_state(&w.ctx(), agent, state, None)));
                }
                _ => {
                    w.pass(i64::from(b) * 500);
                    tick::tick(&w.ctx()).unwrap();
                }
            }
            check(&w);
        }
        w.drain();
        check(&w);
        assert_eq!(count(&w, "message.received"), arrived.len());
        replayed(&w);
    }
}
