//! Queues: their order, and the contacts that enter and leave them.

use crate::common::{World, reply};
use crate::{actor, all, check, close, only};
use warmline_app::tick;
use warmline_conversations::converse;
use warmline_conversations::staff;
use warmline_model::{AgentState, Content, ConversationState};
use warmline_store::{agents, immediate};

#[test]
fn events_alone_seek_nobody() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 1, false);
    let followed = Content::Event { event: "subscribe".into(), key: None, data: serde_json::Value::Null };
    w.arrives("a", "e1", followed, &[]);
    w.drain();
    assert_eq!(only(&w).state, ConversationState::Open);
    w.says("a", "m1", "在吗");
    assert_eq!((only(&w).state, only(&w).agent), (ConversationState::Assigned, Some(agent)));
}

#[test]
fn an_event_does_not_keep_a_conversation_in_wrap_up() {
    let w = World::new();
    let group = w.group("g", r#"{"wrap_up_secs":5}"#);
    let agent = w.agent(&group, 1, false);
    w.says("oUser", "m1", "在吗");
    close(&w, agent, only(&w).id);
    w.arrives("oUser", "e1", Content::Event { event: "click".into(), key: None, data: serde_json::Value::Null }, &[]);
    w.drain();
    assert_eq!(only(&w).state, ConversationState::WrapUp);
    w.pass(6_000);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(only(&w).state, ConversationState::Closed);
    check(&w);
}

#[test]
fn replies_in_a_wrap_up_leave_nothing_that_keeps_other_wrap_ups_from_their_end() {
    let w = World::new();
    let group = w.group("g", r#"{"wrap_up_secs":5}"#);
    let agent = w.agent(&group, 100, false);
    let talks = |who: &str| {
        w.says(who, who, "在吗");
        let talk = all(&w).into_iter().find(|c| c.state == ConversationState::Assigned).unwrap();
        close(&w, agent, talk.id);
        talk.id
    };
    for n in 0..64 {
        let talk = talks(&format!("u{n}"));
        let words = [Content::text("还有一句")];
        immediate(&w.db, || reply(&w.ctx(), &actor(agent), talk, &words)).unwrap();
    }
    w.pass(60_000);
    talks("last");
    w.pass(60_000);
    tick::tick(&w.ctx()).unwrap();
    assert!(all(&w).iter().all(|c| c.state != ConversationState::WrapUp));
}

#[test]
fn the_queue_serves_vips_first_and_the_rest_in_order() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let agent = w.agent(&group, 1, false);
    for (who, tags) in [("a", &[][..]), ("b", &[]), ("c", &["vip"]), ("d", &[])] {
        w.says_tagged(who, who, "在吗", tags);
        w.pass(1_000);
        check(&w);
    }
    let mut order = Vec::new();
    while let Some(c) = all(&w).into_iter().find(|c| c.state == ConversationState::Assigned) {
        order.push(c.vip);
        close(&w, agent, c.id);
        check(&w);
    }
    assert_eq!(order, [false, true, false, false]);
}

#[test]
fn vip_dedicated_agents_wait_for_vips() {
    let w = World::new();
    let group = w.group("g", "{}");
    let dedicated = w.agent(&group, 1, true);
    w.says("a", "1", "在吗");
    assert_eq!(only(&w).state, ConversationState::Queued);
    w.says_tagged("b", "2", "在吗", &["vip"]);
    let vip = all(&w).into_iter().find(|c| c.vip).unwrap();
    assert_eq!((vip.state, vip.agent), (ConversationState::Assigned, Some(dedicated)));
    check(&w);
}

#[test]
fn who_does_not_accept_in_time_loses_the_conversation_and_takes_a_break() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":60}");
    let slow = w.agent(&group, 1, false);
    w.says("a", "1", "在吗");
    w.pass(59_999);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(only(&w).agent, Some(slow));
    w.pass(1);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["accept_timeouts"], 1);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["accept_timeouts"], 0);
    assert_eq!((only(&w).state, only(&w).agent), (ConversationState::Queued, None));
    assert_eq!(agents::get(&w.db, slow).unwrap().unwrap().state, AgentState::Break);
    // The next agent gets it, from its old place.
    let quick = w.agent(&group, 1, false);
    assert_eq!(only(&w).agent, Some(quick));
    immediate(&w.db, || converse::accept(&w.ctx(), &actor(quick), only(&w).id)).unwrap();
    w.pass(120_000);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["accept_timeouts"], 0);
    check(&w);
}

#[test]
fn conversations_before_the_first_group_are_placed_when_there_is_one() {
    let w = World::new();
    w.says("a", "1", "在吗");
    assert_eq!(only(&w).state, ConversationState::Open);
    tick::tick(&w.ctx()).unwrap();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 1, false);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["placed"], 1);
    assert_eq!(only(&w).agent, Some(agent));
    check(&w);
}

#[test]
fn wrap_up_spends_capacity_until_it_ends() {
    let w = World::new();
    let group = w.group("g", "{\"wrap_up_secs\":30,\"accept_secs\":0}");
    let agent = w.agent(&group, 1, false);
    w.says("a", "1", "在吗");
    close(&w, agent, only(&w).id);
    assert_eq!(only(&w).state, ConversationState::WrapUp);
    w.pass(1);
    w.says("b", "2", "在吗");
    assert_eq!(all(&w)[1].state, ConversationState::Queued);
    w.pass(30_000);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["wrap_ups_ended"], 1);
    assert_eq!((all(&w)[0].state, all(&w)[1].agent), (ConversationState::Closed, Some(agent)));
    assert_eq!(all(&w)[0].disposition.as_deref(), Some("solved"));
    check(&w);
}

#[test]
fn going_offline_gives_back_only_what_was_not_accepted() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 2, false);
    w.says("a", "1", "在吗");
    w.pass(1);
    w.says("b", "2", "在吗");
    let kept = all(&w)[0].id;
    immediate(&w.db, || converse::accept(&w.ctx(), &actor(agent), kept)).unwrap();
    immediate(&w.db, || staff::set_state(&w.ctx(), agent, AgentState::Offline, None)).unwrap();
    let states: Vec<_> = all(&w).iter().map(|c| (c.state, c.agent)).collect();
    assert_eq!(states, [(ConversationState::Assigned, Some(agent)), (ConversationState::Queued, None)]);
    check(&w);
}
