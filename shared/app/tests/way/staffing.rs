//! Staffing: contacts and their work are counted from the log. In auto mode seats move, stay a while, and are taken back.

use crate::common::{World, edit};
use crate::{all, close, count, log, replayed};
use warmline_app::tick;
use warmline_conversations::staff::Duties;
use warmline_conversations::staffing;
use warmline_metrics::steps as figures;
use warmline_model::{AgentId, EventBody, GroupId, Units};
use warmline_routing::plan::Staffing as Mode;
use warmline_store::agents::{self, Can};
use warmline_store::immediate;

const MINUTE: i64 = 60_000;
const QUARTER: i64 = 15 * MINUTE;

fn fold(w: &World) {
    while figures::advance(&w.ctx()).unwrap() {}
}

/// Two groups with a specialist each, and two agents who serve both. Contacts without a rule go to the first group.
fn floor(w: &World) -> ([GroupId; 2], [AgentId; 2]) {
    let groups = ["busy", "calm"].map(|id| w.group(id, "{\"accept_secs\":0}"));
    edit(w, |plan| plan.presence.heartbeat_secs = 0);
    for group in &groups {
        w.agent(group, 1, false);
    }
    let both = || Duties {
        groups: groups.iter().map(|g| (g.clone(), 1)).collect(),
        capacity: Units::ONE,
        vip: false,
        can: Can::default(),
    };
    let many = [w.hire(false, both()), w.hire(false, both())];
    (groups, many)
}

fn homes(w: &World, agents: &[AgentId]) -> Vec<Option<GroupId>> {
    let home = |a: &AgentId| {
        let groups = agents::groups_of(&w.db, *a).unwrap();
        groups.into_iter().find(|m| m.weight > 0).map(|m| m.group)
    };
    agents.iter().map(home).collect()
}

/// This many customers write, and wait or are served.
fn come(w: &World, n: usize) {
    for i in 0..n {
        let who = format!("{}-{i}", w.ctx().now().millis());
        w.says(&who, &who, "在吗");
    }
}

#[test]
fn what_comes_and_what_it_takes_is_counted_once() {
    let w = World::new();
    floor(&w);
    w.pass(QUARTER - w.ctx().now().millis().rem_euclid(QUARTER));
    // Three are served for two minutes each. One waits and is served afterwards.
    come(&w, 4);
    w.pass(2 * MINUTE);
    for conversation in all(&w) {
        if let Some(agent) = conversation.agent {
            close(&w, agent, conversation.id);
        }
    }
    fold(&w);
    fold(&w);
    let now = staffing::read(&w.ctx(), 2).unwrap();
    assert_eq!((now.groups[0].handled, now.groups[1].handled), (3, 0));
    assert!((now.groups[0].slot_secs - 120.0).abs() < 1e-9, "{now:?}");
    assert!((now.groups[1].slot_secs - 300.0).abs() < 1e-9, "nothing is known of it");
    assert_eq!(now.groups[0].quarters.len(), 2);
    // The quarter is not over. Its contacts show only in the next one.
    assert!(now.groups[0].quarters[0].contacts.abs() < 1e-9);
    w.pass(QUARTER);
    let next = staffing::read(&w.ctx(), 1).unwrap();
    assert!((next.groups[0].quarters[0].contacts - 4.0).abs() < 1e-9, "{next:?}");
    // METRICS' formula: 16 an hour of 120 s are 0.53 erlang, two slots for 80 in 20.
    assert!((next.groups[0].quarters[0].slots - 2.0).abs() < 1e-9, "{next:?}");
    assert!((next.groups[1].needed).abs() < 1e-9);
}

#[test]
fn auto_mode_moves_seats_to_a_queue_that_grows_and_takes_them_back() {
    let w = World::new();
    let (groups, many) = floor(&w);
    come(&w, 12);
    let told = staffing::read(&w.ctx(), 1).unwrap();
    assert_eq!(told.groups[0].waiting, 9);
    assert!(told.groups[0].needed > told.groups[0].working && told.moves.len() <= 2, "{told:?}");
    // In recommend mode nothing moves by itself.
    assert_eq!(tick::tick(&w.ctx()).unwrap()["moved"], 0);
    edit(&w, |plan| plan.staffing = Mode::Auto);
    w.pass(MINUTE);
    come(&w, 2);
    // The calm group also gets some contacts, so that seats of both groups work for both.
    edit(&w, |plan| {
        plan.rules = serde_json::from_value(serde_json::json!([{ "contains": ["慢慢"], "group": "calm" }])).unwrap();
    });
    for i in 0..3 {
        w.says(&format!("calm{i}"), &format!("calm{i}"), "慢慢来");
    }
    let moved = tick::tick(&w.ctx()).unwrap()["moved"];
    assert!(moved > 0, "{:?}", staffing::read(&w.ctx(), 1).unwrap());
    let home = homes(&w, &many);
    assert_eq!(home.iter().flatten().count(), usize::try_from(moved).unwrap());
    assert!(home.iter().flatten().all(|g| *g == groups[0]), "{home:?}");
    assert_eq!(count(&w, "agent.weights"), usize::try_from(moved).unwrap());
    // Seats move once a minute, however often the tick runs. A moved seat stays for a while.
    assert_eq!(tick::tick(&w.ctx()).unwrap()["moved"], 0);
    w.pass(MINUTE);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["moved"], 0);
    // Everything is done and quiet: the seats go back to all groups alike.
    for _ in 0..40 {
        for c in all(&w) {
            if let Some(agent) = c.agent.filter(|_| c.state.holds_capacity()) {
                close(&w, agent, c.id);
            }
        }
    }
    fold(&w);
    w.pass(4 * 60 * MINUTE);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["moved"], moved);
    assert_eq!(homes(&w, &many), [None, None]);
    replayed(&w);
}

#[test]
fn back_in_recommend_mode_every_seat_is_taken_back() {
    let w = World::new();
    let (groups, many) = floor(&w);
    immediate(&w.db, || agents::weigh(&w.db, many[0], &groups[1], 10)).unwrap();
    assert_eq!(homes(&w, &many), [Some(groups[1].clone()), None]);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["moved"], 1);
    assert_eq!(homes(&w, &many), [None, None]);
    let last = log(&w).into_iter().rev().find_map(|e| match e.body {
        EventBody::AgentWeights { agent, minutes } => Some((agent, minutes.len())),
        _ => None,
    });
    assert_eq!(last, Some((many[0], 0)));
}
