//! Calls that ring. A call has a seat before anybody answers, and no seat stays taken if nobody does.

use crate::common::{World, edit, place};
use crate::people::{PHONE, channel, sender};
use crate::{all, check, count, only, replayed};
use serde_json::{Value, json};
use warmline_app::tick;
use warmline_kernel::ctx::Actor;
use warmline_model::{AgentId, AgentState, Content, ConversationState, Role, Timestamp};
use warmline_store::immediate;
use warmline_transport::accounts;

/// The telephone system reports an event of a call.
fn tells(w: &World, call: &str, event: &str, data: Value) {
    w.pass(1);
    let content = Content::Event { event: event.into(), key: Some(call.into()), data };
    let who = sender(call, &[(PHONE, "+8613812345678", true)]);
    w.arrives_from(&channel("phone"), who, &format!("{call}-{event}-{}", w.ctx().now().millis()), content);
    w.drain();
    check(w);
}

fn says(w: &World, call: &str, text: &str) {
    crate::people::says(w, "phone", sender(call, &[(PHONE, "+8613812345678", true)]), text);
}

/// The account lists the agents' telephone numbers.
fn extension(w: &World, number: &str, agent: AgentId) {
    let account = accounts::Account {
        channel: channel("phone"),
        account: place().1,
        name: "总机".into(),
        settings: json!({ "extensions": { number: agent } }),
        secrets: [].into(),
        created_at: Timestamp::default(),
        standing: accounts::Standing::default(),
    };
    immediate(&w.db, || accounts::create(&w.ctx(), &Actor { agent: None, role: Role::Admin }, &account, &[])).unwrap();
}

#[test]
fn a_call_that_rings_has_a_seat_until_it_is_given_up() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 3, false);
    tells(&w, "c1", "ring", Value::Null);
    let c = only(&w);
    assert_eq!(
        (c.state, c.agent, c.accepted_at, c.first_inbound_at),
        (ConversationState::Assigned, Some(agent), None, None)
    );
    // The next caller waits, and gets the seat that the first one leaves.
    tells(&w, "c2", "ring", Value::Null);
    assert_eq!(all(&w)[1].state, ConversationState::Queued);
    tells(&w, "c1", "hangup", Value::Null);
    let [first, second] = &all(&w)[..] else { panic!() };
    assert_eq!((first.state, first.disposition.as_deref()), (ConversationState::Closed, Some("given_up")));
    assert_eq!((second.state, second.agent), (ConversationState::Assigned, Some(agent)));
    tells(&w, "c2", "hangup", Value::Null);
    assert_eq!(all(&w).iter().filter(|c| c.state == ConversationState::Closed).count(), 2);
    assert_eq!((count(&w, "capacity.released"), count(&w, "conversation.accepted")), (2, 0));
    replayed(&w);
}

#[test]
fn a_call_that_waits_and_is_given_up_leaves_the_queue() {
    let w = World::new();
    let group = w.group("g", "{}");
    tells(&w, "c1", "ring", Value::Null);
    assert_eq!(only(&w).state, ConversationState::Queued);
    tells(&w, "c1", "hangup", Value::Null);
    assert_eq!(only(&w).state, ConversationState::Closed);
    assert_eq!(warmline_conversations::store::queues::get(&w.db, &group).unwrap().unwrap().waiting, 0);
    replayed(&w);
}

#[test]
fn a_call_that_was_answered_stays_with_who_answered() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":20}");
    edit(&w, |plan| plan.presence.heartbeat_secs = 0);
    let agent = w.agent(&group, 3, false);
    tells(&w, "c1", "ring", Value::Null);
    tells(&w, "c1", "answer", Value::Null);
    assert!(only(&w).accepted_at.is_some());
    assert_eq!(count(&w, "conversation.accepted"), 1);
    // The agent does the after-contact work, with or without words in the call.
    tells(&w, "c1", "hangup", Value::Null);
    w.pass(600_000);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!((only(&w).state, only(&w).agent), (ConversationState::Assigned, Some(agent)));
    replayed(&w);
}

#[test]
fn a_call_of_which_no_more_is_heard_ends_by_itself_and_is_nobodys_fault() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":180}");
    edit(&w, |plan| plan.presence.heartbeat_secs = 0);
    let agent = w.agent(&group, 3, false);
    tells(&w, "c1", "ring", Value::Null);
    tells(&w, "c2", "ring", Value::Null);
    says(&w, "c2", "喂？");
    w.pass(181_000);
    let done = tick::tick(&w.ctx()).unwrap();
    assert_eq!((done["rang_out"], done["accept_timeouts"]), (1, 0));
    let [first, second] = &all(&w)[..] else { panic!() };
    assert_eq!((first.state, first.disposition.as_deref()), (ConversationState::Closed, Some("given_up")));
    // A customer who spoke is no longer a mere ring.
    assert_eq!((second.state, second.agent), (ConversationState::Assigned, Some(agent)));
    // The call is answered nevertheless, and a new seat is sought.
    tells(&w, "c1", "answer", Value::Null);
    assert_eq!(all(&w)[2].state, ConversationState::Queued);
    assert_eq!(warmline_store::agents::get(&w.db, agent).unwrap().unwrap().state, AgentState::Available);
    check(&w);
    replayed(&w);
}

#[test]
fn whom_the_telephone_system_names_has_the_call_where_they_can_take_it() {
    let w = World::new();
    let group = w.group("g", "{\"first\":\"ai\"}");
    let (one, other) = (w.agent(&group, 1, false), w.agent(&group, 1, false));
    extension(&w, "8001", other);
    w.hire(
        true,
        warmline_conversations::staff::Duties {
            groups: [(group, 1)].into(),
            capacity: warmline_model::Units::whole(5),
            ..Default::default()
        },
    );
    tells(&w, "c1", "ring", json!({ "agent": "8001" }));
    assert_eq!(only(&w).agent, Some(other));
    // The call rings elsewhere, and is answered there.
    tells(&w, "c1", "ring", json!({ "agent": one.to_string() }));
    assert_eq!((only(&w).agent, count(&w, "conversation.transferred")), (Some(one), 1));
    tells(&w, "c1", "answer", json!({ "agent": "8001" }));
    assert_eq!((only(&w).agent, only(&w).accepted_at.is_some()), (Some(other), true));
    // An agent with full hands, or an unknown one, does not get the call: the router finds another agent, and no AI seat.
    tells(&w, "c2", "ring", json!({ "agent": "8001" }));
    assert_eq!(all(&w)[1].agent, Some(one));
    tells(&w, "c2", "ring", json!({ "agent": "8001" }));
    assert_eq!(all(&w)[1].agent, Some(one));
    tells(&w, "c3", "ring", json!({ "agent": "9999" }));
    assert_eq!(all(&w)[2].state, ConversationState::Queued);
    replayed(&w);
}

#[test]
fn what_happens_on_other_channels_seeks_nobody() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 3, false);
    let event = |event: &str| Content::Event { event: event.into(), key: None, data: Value::Null };
    w.arrives("oFollower", "1", event("ring"), &[]);
    w.arrives("oFollower", "2", event("hangup"), &[]);
    w.drain();
    assert_eq!(only(&w).state, ConversationState::Open);
    // A call that was over before its first report has nothing to give back.
    tells(&w, "c1", "hangup", Value::Null);
    assert_eq!(all(&w)[1].state, ConversationState::Open);
}
