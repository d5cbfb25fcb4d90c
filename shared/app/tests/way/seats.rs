//! Seats and queues as time passes and people come and go: presence, rings, overflow, business hours, AI seats, capacity in units.

use crate::common::{World, edit, place, reply};
use crate::{actor, all, close, count, log, only};
use warmline_app::tick;
use warmline_conversations::converse::{self, Target};
use warmline_conversations::staff::{self, Duties};
use warmline_conversations::store::queues;
use warmline_conversations::{ai, plan};
use warmline_kernel::StepError;
use warmline_model::{AgentId, AgentState, Channel, Content, ConversationState, EventBody, GroupId, Timestamp, Units};
use warmline_routing::handover::Turn;
use warmline_routing::{Plan, Rule};
use warmline_store::agents::{self, Can};
use warmline_store::native::NativeDb;
use warmline_store::{Db as _, immediate};

fn duties(group: &GroupId, capacity: i64) -> Duties {
    Duties { groups: [(group.clone(), 1)].into(), capacity: Units::whole(capacity), vip: false, can: Can::default() }
}

fn tick(w: &World) -> tick::Ticked {
    tick::tick(&w.ctx()).unwrap()
}

fn is(w: &World, agent: AgentId, state: AgentState) {
    immediate(&w.db, || staff::set_state(&w.ctx(), agent, state, None)).unwrap();
}

fn holders(w: &World) -> Vec<Option<AgentId>> {
    all(w).iter().map(|c| c.agent.filter(|_| c.state.holds_capacity())).collect()
}

#[test]
fn a_lost_agents_unanswered_go_back_at_once_and_the_rest_when_the_agent_stays_away() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    edit(&w, |p| (p.presence.heartbeat_secs, p.presence.keep_secs) = (60, 300));
    let lost = w.agent(&group, 3, false);
    for who in ["a", "b"] {
        w.says(who, who, "在吗");
        w.pass(1_000);
    }
    let answered = all(&w)[0].id;
    immediate(&w.db, || reply(&w.ctx(), &actor(lost), answered, &[Content::text("在")])).unwrap();
    w.pass(57_000);
    assert_eq!(tick(&w)["lost_agents"], 0, "the presence that was set is a sign of life");
    w.pass(2_000);
    assert_eq!(tick(&w)["lost_agents"], 1);
    assert_eq!(agents::get(&w.db, lost).unwrap().unwrap().state, AgentState::Offline);
    assert_eq!(holders(&w), [Some(lost), None]);
    assert_eq!(tick(&w)["lost_agents"], 0);
    // An agent who comes back in time keeps the others.
    is(&w, lost, AgentState::Busy);
    w.pass(299_000);
    agents::touch(&w.db, lost, w.ctx().now()).unwrap();
    assert_eq!(tick(&w)["taken_back"], 0);
    w.pass(61_000);
    assert_eq!(tick(&w)["lost_agents"], 1);
    w.pass(299_000);
    assert_eq!((tick(&w)["taken_back"], holders(&w)), (0, vec![Some(lost), None]));
    w.pass(2_000);
    assert_eq!((tick(&w)["taken_back"], holders(&w)), (1, vec![None, None]));
    // They are at their old places: the first to come is the first to be served.
    let next = w.agent(&group, 1, false);
    assert_eq!(holders(&w), [Some(next), None]);
    crate::check(&w);
    crate::replayed(&w);
}

#[test]
fn a_ring_opens_and_finds_the_free_seat() {
    let w = World::new();
    let group = w.group("g", r#"{"rings":[{"after_secs":30,"lower":1},{"after_secs":60,"lower":9}]}"#);
    edit(&w, |p| {
        let rule = r#"{"contains":["发票"],"group":"g","skills":{"invoice":2}}"#;
        p.rules.push(serde_json::from_str::<Rule>(rule).unwrap());
    });
    let skilled = |level: u8| Can { skills: [("invoice".to_owned(), level)].into(), ..Can::default() };
    let plain = w.hire(false, duties(&group, 5));
    let junior = w.hire(false, Duties { can: skilled(1), ..duties(&group, 1) });
    // Conversations are listed in the order of the milliseconds of their opening.
    w.says("a", "1", "开发票");
    w.pass(1);
    w.says("b", "2", "也要发票");
    w.pass(1);
    assert_eq!(holders(&w), [None, None], "nobody is skilled enough");
    w.says("c", "3", "别的");
    assert!(holders(&w)[2].is_some(), "who asks for less does not wait behind them");
    if holders(&w)[2] == Some(junior) {
        close(&w, junior, all(&w)[2].id);
    }
    w.pass(29_000);
    assert_eq!(tick(&w)["matched"], 0);
    w.pass(1_000);
    assert_eq!((tick(&w)["matched"], holders(&w)[0], holders(&w)[1]), (1, Some(junior), None));
    w.pass(30_000);
    assert_eq!((tick(&w)["matched"], holders(&w)[1]), (1, Some(plain)));
}

#[test]
fn who_waits_too_long_or_finds_a_full_queue_goes_elsewhere() {
    let w = World::new();
    w.group("help", "{}");
    let help = GroupId::new("help").unwrap();
    edit(&w, |p| {
        let group = r#"{"id":"first","name":"f","settings":{"waiting_text":"第{position}位",
            "overflow":{"length":2,"wait_secs":60,"to":{"group":"help"},"text":"转到支援组"}}}"#;
        p.groups.insert(0, serde_json::from_str(group).unwrap());
    });
    for n in 0..3 {
        w.says(&format!("u{n}"), &format!("k{n}"), "在吗");
        w.pass(1_000);
    }
    let groups = |w: &World| all(w).iter().map(|c| c.group.as_ref().unwrap().to_string()).collect::<Vec<_>>();
    assert_eq!(groups(&w), ["first", "first", "help"], "the third found two before");
    w.pass(57_000);
    assert_eq!(tick(&w)["overflowed"], 1);
    assert_eq!(groups(&w), ["help", "first", "help"]);
    w.pass(1_000);
    assert_eq!(tick(&w)["overflowed"], 1);
    w.pass(100_000);
    assert_eq!(tick(&w)["overflowed"], 0, "the other group bears any wait");
    // In the other queue they keep the places of their first entry.
    let agent = w.agent(&help, 1, false);
    assert_eq!(holders(&w), [Some(agent), None, None]);
    assert_eq!(queues::get(&w.db, &help).unwrap().unwrap().waiting, 2);
    crate::check(&w);
    crate::replayed(&w);
}

#[test]
fn overflow_to_nobody_keeps_the_contact_where_it_is() {
    let w = World::new();
    w.group("g", r#"{"overflow":{"wait_secs":10,"to":"ai"}}"#);
    w.says("a", "1", "在吗");
    w.pass(11_000);
    assert_eq!((tick(&w)["overflowed"], tick(&w)["overflowed"]), (1, 0));
    assert_eq!(only(&w).state, ConversationState::Queued);
    assert_eq!(count(&w, "conversation.queued"), 1);
}

#[test]
fn outside_business_hours_a_message_is_left_and_served_when_the_doors_open() {
    let w = World::new();
    // 2023-11-14T22:13:20Z is Wednesday, 06:13:20 in China.
    edit(&w, |p| {
        let hours = r#"{"week":[{"days":["wed"],"from":"09:00","to":"18:00"}]}"#;
        p.hours.insert("day".into(), serde_json::from_str(hours).unwrap());
        p.presence.heartbeat_secs = 0;
        let group = r#"{"id":"g","name":"g","settings":{"hours":"day","closed":{"to":"leave_message","text":"请留言"}}}"#;
        p.groups.push(serde_json::from_str(group).unwrap());
    });
    let agent = w.agent(&GroupId::new("g").unwrap(), 1, false);
    w.says("a", "1", "在吗");
    assert_eq!(only(&w).state, ConversationState::Queued, "the agent is there, the doors are not open");
    assert_eq!((only(&w).messages, count(&w, "message.sent")), (2, 1), "the customer is told");
    assert_eq!(tick(&w)["matched"], 0);
    w.pass(3 * 3_600_000);
    assert_eq!((tick(&w)["matched"], only(&w).agent), (1, Some(agent)));
}

#[test]
fn units_and_limits_by_channel() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let limited = Can { caps: [(Channel::new("wechat").unwrap(), 1)].into(), ..Can::default() };
    let agent = w.hire(false, Duties { can: limited, ..duties(&group, 2) });
    let load = || agents::get(&w.db, agent).unwrap().unwrap().load;
    let (mail, phone) = (Channel::new("email").unwrap(), Channel::new("phone").unwrap());
    let arrive = |channel: &Channel, key: &str| {
        w.pass(1);
        w.arrives_on(channel, key, key, Content::text("在吗"), &[]);
        w.drain();
    };
    arrive(&place().0, "chat1");
    arrive(&place().0, "chat2");
    assert_eq!((load(), holders(&w)), (Units::ONE, vec![Some(agent), None]), "one chat at most");
    arrive(&mail, "mail1");
    arrive(&mail, "mail2");
    arrive(&mail, "mail3");
    assert_eq!(load(), Units::whole(2), "half a unit each");
    assert_eq!(holders(&w), [Some(agent), None, Some(agent), Some(agent), None]);
    // A call waits for contacts that came before it and then for chats, but not for mail.
    arrive(&phone, "call");
    arrive(&place().0, "chat3");
    close(&w, agent, all(&w)[0].id);
    assert_eq!((holders(&w)[1], holders(&w)[4], holders(&w)[5]), (Some(agent), None, None));
    close(&w, agent, all(&w)[1].id);
    assert_eq!((holders(&w)[4], holders(&w)[5]), (Some(agent), Some(agent)), "the mail before it, and the call beside mail");
    assert_eq!((load(), holders(&w)[6]), (Units::whole(2), None), "all that was left");
    // Capacity beside a call cannot be claimed by anybody.
    let third = all(&w)[6].id;
    let taken = immediate(&w.db, || converse::accept(&w.ctx(), &actor(agent), third));
    assert!(matches!(taken, Err(StepError::Conflict { code: "agent_full", .. })));
    close(&w, agent, all(&w)[2].id);
    assert_eq!((load(), holders(&w)[6]), (Units::from_hundredths(150), None), "half a unit is no chat");
    close(&w, agent, all(&w)[5].id);
    assert_eq!(holders(&w)[6], Some(agent));
    crate::check(&w);
    crate::replayed(&w);
}

#[test]
fn an_ai_seat_that_does_not_answer_gives_way() {
    let w = World::new();
    let group = w.group("g", r#"{"first":"ai","accept_secs":0}"#);
    let (bot, human) = (w.hire(true, duties(&group, 100)), w.agent(&group, 1, false));
    w.says("a", "1", "在吗");
    assert_eq!((only(&w).agent, only(&w).ai), (Some(bot), true));
    let turn = |turn: Turn| {
        let said = [Content::text("您好")];
        immediate(&w.db, || ai::turn(&w.ctx(), &actor(bot), only(&w).id, &turn, &said))
    };
    turn(Turn::default()).unwrap();
    w.pass(60_000);
    assert_eq!(tick(&w)["ai_timeouts"], 0, "it has answered");
    w.says("a", "2", "还在吗");
    w.pass(29_000);
    assert_eq!(tick(&w)["ai_timeouts"], 0);
    w.pass(1_000);
    assert_eq!((tick(&w)["ai_timeouts"], only(&w).agent), (1, Some(human)));
    assert!(matches!(turn(Turn::default()), Err(StepError::NotFound(_))));
    // If no agent is free, the conversation waits for people. It does not go back to the AI seat.
    close(&w, human, only(&w).id);
    crate::check(&w);
    crate::replayed(&w);
}

#[test]
fn who_comes_back_soon_finds_the_same_agent() {
    let w = World::new();
    let group = w.group("g", r#"{"accept_secs":0,"reopen_hours":24}"#);
    let (first, second) = (w.agent(&group, 2, false), w.agent(&group, 2, false));
    w.says("a", "1", "在吗");
    let holder = only(&w).agent.unwrap();
    let other = if holder == first { second } else { first };
    close(&w, holder, only(&w).id);
    w.pass(3_600_000);
    // By every other rule, the other agent would be next.
    w.says("b", "2", "在吗");
    assert_eq!(all(&w)[1].agent, Some(other));
    close(&w, other, all(&w)[1].id);
    w.pass(1);
    w.says("a", "3", "又是我");
    assert_eq!((all(&w)[2].agent, all(&w)[2].why.as_deref()), (Some(holder), Some("fallback, reopened")));
    close(&w, holder, all(&w)[2].id);
    is(&w, holder, AgentState::Break);
    w.pass(1);
    w.says("a", "4", "还是我");
    assert_eq!(all(&w)[3].agent, Some(other), "when possible");
}

#[test]
fn a_clock_that_steps_back_harms_nothing() {
    let w = World::new();
    let group = w.group("g", r#"{"accept_secs":30,"waiting_text":"{position}"}"#);
    let agent = w.agent(&group, 1, false);
    w.says("a", "1", "在吗");
    w.says("b", "2", "在吗");
    w.pass(-600_000);
    w.says("c", "3", "在吗");
    tick(&w);
    let held = all(&w).into_iter().find(|c| c.agent == Some(agent)).unwrap();
    immediate(&w.db, || converse::accept(&w.ctx(), &actor(agent), held.id)).unwrap();
    while let Some(c) = all(&w).into_iter().find(|c| c.agent == Some(agent) && c.state.holds_capacity()) {
        close(&w, agent, c.id);
        w.pass(1);
    }
    assert!(all(&w).iter().all(|c| c.state == ConversationState::Closed && c.handle_ms >= 0));
    for event in log(&w) {
        if let EventBody::ConversationAssigned { waited_ms, .. } = event.body {
            assert!(waited_ms >= 0);
        }
    }
    crate::check(&w);
    crate::replayed(&w);
}

#[test]
fn the_plan_is_put_into_force_as_a_whole_or_not_at_all() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 1, false);
    let version = plan::current(&w.ctx()).unwrap().version();
    let put = |plan: &Plan, base| immediate(&w.db, || plan::put(&w.ctx(), None, plan, base));
    let now = Plan::clone(&plan::current(&w.ctx()).unwrap());
    assert!(matches!(put(&now, Some(version - 1)), Err(StepError::Conflict { code: "plan_changed", .. })));
    let without = Plan { groups: Vec::new(), ..now.clone() };
    assert!(matches!(put(&without, None), Err(StepError::Invalid { code: "group_in_use", .. })));
    let mut bad = now.clone();
    bad.rules.push(serde_json::from_str(r#"{"group":"nowhere"}"#).unwrap());
    assert!(matches!(put(&bad, None), Err(StepError::Invalid { code: "unknown_group", .. })));
    assert_eq!(plan::current(&w.ctx()).unwrap().version(), version);
    assert_eq!(put(&now, Some(version)).unwrap(), version + 1);
    // A transfer goes to a group that the plan does not know.
    w.says("a", "1", "在吗");
    let holder = only(&w).agent.unwrap();
    let nowhere = Target::Group(GroupId::new("nowhere").unwrap());
    let moved = immediate(&w.db, || converse::transfer(&w.ctx(), &actor(holder), only(&w).id, &nowhere, None));
    assert!(matches!(moved, Err(StepError::Invalid { .. })));
}

/// The data of an earlier version: groups with settings, rules in a document, capacity in conversations, and a queue.
#[test]
fn an_earlier_state_is_taken_over() {
    let db = NativeDb::memory().unwrap();
    let run = |file: &'static str| {
        for statement in file.split(";\n").map(str::trim) {
            if statement.lines().any(|l| !l.trim().is_empty() && !l.starts_with("--")) {
                db.execute(statement, &[]).unwrap();
            }
        }
    };
    run(include_str!("../../../store/migrations/0001_foundation.sql"));
    run(include_str!("../../../store/migrations/0002_channels.sql"));
    let id = |n: u8| format!("x'{}'", hex(&[n; 16]));
    for statement in [
        "INSERT INTO groups VALUES ('g', '客服', '{\"accept_secs\":5,\"vip_priority_minutes\":10,\"wrap_up_secs\":0,\"greeting\":\"好\"}', 7)".to_owned(),
        "INSERT INTO config VALUES ('routing_rules', '{\"rules\":[{\"contains\":[\"物流\"],\"group\":\"g\"}]}', 3, 9)".into(),
        format!("INSERT INTO agents VALUES ({}, x'00', 'agent', 'busy', NULL, 0, 0, 3, 1, 0, 0)", id(1)),
        format!("INSERT INTO agent_groups VALUES ('g', {})", id(1)),
        format!("INSERT INTO customers VALUES ({}, x'00', '[]', 0)", id(2)),
        format!("INSERT INTO identities VALUES ({}, x'00', {}, 'app', 'a', x'00', 0)", id(3), id(2)),
        format!("INSERT INTO identities VALUES ({}, x'01', {}, 'app', 'a', x'00', 0)", id(4), id(2)),
        format!(
            "INSERT INTO conversations (id, identity_id, customer_id, channel, account, state, group_id, vip, rank, queued_at, \
             opened_at, last_message_at) VALUES ({}, {}, {}, 'app', 'a', 'queued', 'g', 1, 400000, 1000000, 0, 0)",
            id(5), id(3), id(2)
        ),
        format!(
            "INSERT INTO conversations (id, identity_id, customer_id, channel, account, state, group_id, agent_id, vip, \
             opened_at, last_message_at) VALUES ({}, {}, {}, 'app', 'a', 'assigned', 'g', {}, 0, 0, 0)",
            id(6), id(4), id(2), id(1)
        ),
        "PRAGMA user_version = 2".into(),
    ] {
        db.execute(Box::leak(statement.into_boxed_str()), &[]).unwrap();
    }
    warmline_store::migrate::migrate_all(&db, &warmline_app::MIGRATIONS).unwrap();
    let w = World::new();
    let ctx = warmline_kernel::Ctx { db: &db, ..w.ctx() };
    let plan = plan::current(&ctx).unwrap();
    plan.check().unwrap();
    let group = GroupId::new("g").unwrap();
    assert_eq!((plan.version(), plan.settings(&group).accept_secs, plan.rules.len()), (1, 5, 1));
    let agent = agents::get(&db, AgentId::from_bytes(&[1; 16]).unwrap()).unwrap().unwrap();
    assert_eq!((agent.capacity, agent.load), (Units::whole(3), Units::ONE));
    assert_eq!(agent.held, [(Channel::new("app").unwrap(), 1)].into());
    let heads = queues::heads(&db, &group).unwrap();
    assert_eq!((heads.len(), heads[0].rank, heads[0].entered), (1, 400_000, Timestamp::from_millis(1_000_000)));
    // Each conversation is a case of its own.
    let talk = warmline_store::conversations::get(&db, heads[0].conversation).unwrap().unwrap();
    assert_eq!(talk.case.as_bytes(), talk.id.as_bytes());
    let lane = warmline_model::Lane::parse(&heads[0].lane).unwrap();
    assert_eq!((lane.key(), lane.priority_minutes, lane.dedicated), (heads[0].lane.clone(), 10, true));
    assert_eq!(queues::get(&db, &group).unwrap().unwrap().waiting, 1);
    immediate(&db, || staff::set_state(&ctx, agent.id, AgentState::Available, None)).unwrap();
    assert_eq!(queues::get(&db, &group).unwrap().unwrap().waiting, 0);
    let held = agents::get(&db, agent.id).unwrap().unwrap();
    assert_eq!(held.load, Units::whole(2));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
