//! Conversations that are put off: they leave their seat, wake once, and come back to the agent who put them off if they can.

use crate::common::{World, fail_after, has_failed, reply};
use crate::people::{PHONE, says, sender};
use crate::{actor, all, check, count, only, replayed};
use warmline_conversations::model::WorklistView;
use warmline_conversations::worklist::{self, Ask, Sort};
use warmline_conversations::{converse, snooze, staff};
use warmline_kernel::StepError;
use warmline_kernel::ctx::Actor;
use warmline_model::{AgentId, AgentState, Channel, Content, ConversationId, ConversationState, Role, Timestamp};
use warmline_store::{agents, conversations, immediate, messages};

const HOUR: i64 = 3_600_000;
const BOSS: Actor = Actor { agent: None, role: Role::Admin };

fn world() -> (World, AgentId) {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let agent = w.agent(&group, 1, false);
    w.says("u", "m", "在吗");
    reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("稍等")]).unwrap();
    (w, agent)
}

fn put_off(w: &World, by: &Actor, id: ConversationId, until: Option<Timestamp>, orders: bool) -> Result<(), StepError> {
    immediate(&w.db, || snooze::snooze(&w.ctx(), by, id, until, orders)).map(drop)
}

fn in_an_hour(w: &World) -> Option<Timestamp> {
    Some(w.ctx().now().plus_millis(HOUR))
}

/// The agent gives a sign of life, and the tick runs.
fn tick(w: &World, agent: AgentId) {
    agents::touch(&w.db, agent, w.ctx().now()).unwrap();
    warmline_app::tick::tick(&w.ctx()).unwrap();
}

fn code(refused: Result<(), StepError>) -> &'static str {
    match refused {
        Err(StepError::Conflict { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

fn listed(w: &World, by: &Actor, view: WorklistView) -> usize {
    let ask = Ask { view, group: None, channel: None, tag: None, words: None, sort: Sort::Due, after: None, limit: 500 };
    worklist::read(&w.ctx(), by, &ask).unwrap().items.len()
}

#[test]
fn it_leaves_its_seat_and_wakes_at_its_time_for_the_same_agent() {
    let (w, agent) = world();
    let first = only(&w).id;
    put_off(&w, &actor(agent), first, in_an_hour(&w), false).unwrap();
    let c = only(&w);
    assert_eq!((c.state, c.agent, c.snooze.map(|s| s.agent)), (ConversationState::Open, None, Some(agent)));
    assert_eq!(agents::get(&w.db, agent).unwrap().unwrap().load, warmline_model::Units::ZERO);
    assert_eq!((listed(&w, &actor(agent), WorklistView::Mine), listed(&w, &actor(agent), WorklistView::Snoozed)), (0, 1));
    assert_eq!(listed(&w, &BOSS, WorklistView::Snoozed), 1);
    // The seat is free for others, and no step of the tick touches what is put off.
    w.pass(1);
    w.says("other", "m2", "在吗");
    assert_eq!(all(&w)[1].agent, Some(agent));
    check(&w);
    tick(&w, agent);
    assert_eq!(count(&w, "conversation.woken"), 0);
    immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), all(&w)[1].id, None)).unwrap();
    w.pass(HOUR - 2);
    tick(&w, agent);
    assert_eq!(all(&w)[0].state, ConversationState::Open);
    w.pass(1);
    tick(&w, agent);
    let c = conversations::get(&w.db, first).unwrap().unwrap();
    assert_eq!((c.state, c.agent, c.snooze), (ConversationState::Assigned, Some(agent), None));
    tick(&w, agent);
    assert_eq!((count(&w, "conversation.snoozed"), count(&w, "conversation.woken")), (1, 1));
    check(&w);
    replayed(&w);
}

#[test]
fn the_customer_wakes_it_and_without_the_agent_it_goes_to_the_group() {
    let (w, agent) = world();
    put_off(&w, &actor(agent), only(&w).id, None, false).unwrap();
    tick(&w, agent);
    w.says("u", "m2", "还没到");
    let c = only(&w);
    assert_eq!((c.state, c.agent, c.messages), (ConversationState::Assigned, Some(agent), 3));
    // Now the agent is full, and afterwards not at work.
    put_off(&w, &actor(agent), c.id, None, false).unwrap();
    w.says("other", "m3", "在吗");
    w.says("u", "m4", "在吗");
    assert_eq!(conversations::get(&w.db, c.id).unwrap().unwrap().state, ConversationState::Queued);
    check(&w);
    let (w, agent) = world();
    put_off(&w, &actor(agent), only(&w).id, in_an_hour(&w), false).unwrap();
    staff::set_state(&w.ctx(), agent, AgentState::Offline, None).unwrap();
    w.pass(HOUR);
    warmline_app::tick::tick(&w.ctx()).unwrap();
    assert_eq!((only(&w).state, only(&w).snooze), (ConversationState::Queued, None));
    check(&w);
    replayed(&w);
}

#[test]
fn staff_wake_it_and_it_cannot_be_put_off_twice() {
    let (w, agent) = world();
    let (id, me) = (only(&w).id, actor(agent));
    put_off(&w, &me, id, None, false).unwrap();
    assert_eq!(code(put_off(&w, &me, id, None, false)), "not_yours");
    assert_eq!(code(put_off(&w, &BOSS, id, None, false)), "not_snoozable");
    assert!(converse::find(&w.ctx(), &me, id).is_ok(), "who put it off still reads it");
    immediate(&w.db, || snooze::wake_for(&w.ctx(), &me, id)).unwrap();
    assert_eq!((only(&w).agent, only(&w).snooze), (Some(agent), None));
    assert_eq!(code(immediate(&w.db, || snooze::wake_for(&w.ctx(), &me, id)).map(drop)), "not_snoozed");
    put_off(&w, &BOSS, id, None, false).unwrap();
    immediate(&w.db, || converse::assign(&w.ctx(), &BOSS, id, agent)).unwrap();
    assert_eq!((only(&w).agent, only(&w).snooze), (Some(agent), None), "a supervisor assigns what is put off");
    immediate(&w.db, || converse::close(&w.ctx(), &me, id, None)).unwrap();
    assert_eq!(code(put_off(&w, &me, id, None, false)), "conversation_closed");
    check(&w);
}

#[test]
fn an_order_wakes_it_on_whichever_channel_it_is_told_if_that_was_wanted() {
    for (wanted, order, woken) in [(true, "A2024110", true), (true, "A2024111", false), (false, "A2024110", false)] {
        let w = World::new();
        let group = w.group("g", "{\"accept_secs\":0}");
        let agent = w.agent(&group, 5, false);
        let phone = [(PHONE, "+8613800004711", true)];
        says(&w, "app", sender("u", &phone), "订单A2024110什么时候发货");
        put_off(&w, &actor(agent), only(&w).id, in_an_hour(&w), wanted).unwrap();
        let event = Content::Event { event: "order_shipped".into(), key: Some(order.into()), data: serde_json::Value::Null };
        let orders = Channel::new("taobao").unwrap();
        w.arrives_from(&orders, sender("buyer", &phone), "e1", event);
        w.drain();
        let talk = all(&w).into_iter().find(|c| c.channel.as_str() == "app").unwrap();
        assert_eq!((talk.snooze.is_none(), talk.agent), (woken, woken.then_some(agent)), "{order}");
    }
}

#[test]
fn nobody_closes_what_is_put_off_for_long() {
    let (w, agent) = world();
    put_off(&w, &actor(agent), only(&w).id, Some(w.ctx().now().plus_millis(72 * HOUR)), false).unwrap();
    w.pass(48 * HOUR);
    tick(&w, agent);
    assert!(only(&w).snooze.is_some());
    w.pass(25 * HOUR);
    tick(&w, agent);
    assert_eq!(count(&w, "conversation.woken"), 1);
}

#[test]
fn a_crash_at_any_statement_of_snoozing_or_waking_leaves_it_whole() {
    for n in 0..120 {
        let (w, agent) = world();
        let id = only(&w).id;
        fail_after(n);
        let put = put_off(&w, &actor(agent), id, in_an_hour(&w), false);
        if !has_failed() {
            put.unwrap();
            w.pass(HOUR);
            agents::touch(&w.db, agent, w.ctx().now()).unwrap();
            fail_after(n);
            let _ = warmline_app::tick::tick(&w.ctx());
            let failed = has_failed();
            check(&w);
            tick(&w, agent);
            assert_eq!((only(&w).agent, count(&w, "conversation.woken")), (Some(agent), 1), "after {n} statements");
            assert_eq!(messages::list(&w.db, id, 0, 9).unwrap().len(), 2);
            if !failed {
                return;
            }
        } else {
            assert_eq!((only(&w).agent, count(&w, "conversation.snoozed")), (Some(agent), 0), "after {n} statements");
            check(&w);
        }
    }
}
