//! The way of a message through the steps, natively: what must hold whatever the order and the failures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod calls;
mod capability;
mod cases;
mod common;
mod context;
mod duties;
mod intake;
mod mail;
mod optout;
mod outage;
mod people;
mod privacy;
mod retention;
mod seats;
mod staffing;

use common::{World, claim, many, place};
use proptest::prelude::{any, proptest};
use std::collections::BTreeMap;
use warmline_app::tick;
use warmline_channels::Outcome;
use warmline_conversations::converse::{self, Target};
use warmline_conversations::staff;
use warmline_kernel::StepError;
use warmline_kernel::ctx::Actor;
use warmline_metrics::steps as figures;
use warmline_model::event::to_columns;
use warmline_model::{
    AgentId, AgentState, Channel, Content, ConversationId, ConversationState, Event, EventBody, Role, Units,
};
use warmline_quality::steps as quality;
use warmline_store::conversations::{self, Conversation};
use warmline_store::{Db as _, agents, events, immediate, messages};
use warmline_transport::deliver::{self, Attempt};
use warmline_transport::stream;

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

/// What must always hold: claimed capacity equals conversations held, nobody is above capacity, no queue stands beside free
/// capacity that could serve it.
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
        // A call wants all of an agent; a seat may be kept for one that waits.
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

/// The log holds together, and every decision in it comes out the same when it is made again.
fn replayed(w: &World) {
    let lines: Vec<u8> = log(w).iter().flat_map(|e| serde_json::to_vec(e).unwrap().into_iter().chain(*b"\n")).collect();
    let done = warmline_replay::replay(lines.as_slice(), None, true).unwrap();
    assert!(done.same.all(), "{}", done.same);
    let report = done.check.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_message_is_stored_once_and_answered_to_its_sender() {
    let w = World::new();
    let group = w.group("presale", "{\"greeting\":\"您好\"}");
    let agent = w.agent(&group, 2, false);
    w.says("oUser1", "m1", "什么时候发货");
    w.says("oUser1", "m1", "什么时候发货");
    let c = only(&w);
    assert_eq!((c.state, c.agent, c.messages), (ConversationState::Assigned, Some(agent), 2));
    assert_eq!(count(&w, "message.received"), 1);
    w.pass(1_000);
    immediate(&w.db, || converse::reply(&w.ctx(), &actor(agent), c.id, &[Content::text("今天")], None)).unwrap();
    let c = only(&w);
    assert_eq!((c.state, c.round_started_at), (ConversationState::WaitingOnCustomer, None));
    // In order, one at a time, each to the sender.
    for said in ["您好", "今天"] {
        let jobs = claim(&w, 16);
        assert_eq!(jobs.len(), 1);
        assert_eq!((jobs[0].to.as_str(), &jobs[0].content), ("oUser1", &Content::text(said)));
        deliver::record(&w.ctx(), &jobs[0], &Attempt::Answered(Outcome::Sent)).unwrap();
    }
    assert!(claim(&w, 16).is_empty());
    check(&w);
}

#[test]
fn nothing_personal_is_stored_in_the_clear() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 1, false);
    w.says("oCanaryOpenId", "canary-key", "金丝雀说的话");
    let tables = w.db.0.execute("SELECT name FROM sqlite_master WHERE type = 'table'", &[]).unwrap();
    for table in tables {
        let sql: &'static str = Box::leak(format!("SELECT * FROM {}", table.text(0).unwrap()).into_boxed_str());
        for row in w.db.0.execute(sql, &[]).unwrap() {
            for value in row.0 {
                let bytes = match value {
                    warmline_store::Value::Text(t) => t.into_bytes(),
                    warmline_store::Value::Blob(b) => b,
                    _ => continue,
                };
                for canary in ["oCanaryOpenId", "canary-key", "金丝雀", "小米"] {
                    assert!(!bytes.windows(canary.len()).any(|x| x == canary.as_bytes()), "{canary} in {sql}");
                }
            }
        }
    }
}

#[test]
fn a_row_that_does_not_open_is_set_aside_and_stops_nobody() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 5, false);
    w.arrives("a", "1", Content::text("x"), &[]);
    w.db.0.execute("UPDATE inbox SET payload = zeroblob(80)", &[]).unwrap();
    w.arrives("a", "2", Content::text("y"), &[]);
    assert_eq!(w.drain(), 2);
    assert_eq!((count(&w, "inbox.parked"), count(&w, "message.received")), (1, 1));
    assert_eq!(w.drain(), 0);
}

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
    // The next one gets it, at the place that it had.
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
fn a_failed_transfer_changes_nothing() {
    let w = World::new();
    let group = w.group("g", "{}");
    let (one, other) = (w.agent(&group, 1, false), w.agent(&group, 0, false));
    w.says("a", "1", "在吗");
    let id = only(&w).id;
    let before = log(&w).len();
    let to = |target| immediate(&w.db, || converse::transfer(&w.ctx(), &actor(one), id, &target, Some("看看")));
    assert!(matches!(to(Target::Agent(other)), Err(StepError::Conflict { code: "agent_full", .. })));
    assert!(matches!(to(Target::Agent(one)), Err(StepError::Conflict { code: "same_agent", .. })));
    assert_eq!((log(&w).len(), only(&w).agent, only(&w).messages), (before, Some(one), 1));
    check(&w);
}

#[test]
fn a_transfer_moves_the_unit_and_the_note_stays_in_the_house() {
    let w = World::new();
    let (group, second) = (w.group("g", "{}"), w.group("h", "{}"));
    let (one, two) = (w.agent(&group, 1, false), w.agent(&second, 1, false));
    w.says("a", "1", "在吗");
    let id = only(&w).id;
    immediate(&w.db, || converse::transfer(&w.ctx(), &actor(one), id, &Target::Group(second.clone()), Some("生气了")))
        .unwrap();
    assert_eq!((only(&w).agent, only(&w).group), (Some(two), Some(second)));
    assert_eq!(messages::list(&w.db, id, 0, 10).unwrap().len(), 2);
    let (channel, account) = place();
    assert!(stream::replies(&w.ctx(), &channel, &account, "a", None, 10).unwrap().items.is_empty());
    assert!(claim(&w, 10).is_empty());
    assert!(matches!(converse::find(&w.ctx(), &actor(one), id), Err(StepError::NotFound(_))));
    check(&w);
}

#[test]
fn failures_back_off_and_end_as_dead_letters_when_their_time_is_over() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 1, false);
    w.says("a", "1", "在吗");
    let sent =
        immediate(&w.db, || converse::reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("在")], None)).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let from = w.ctx().now();
        while deliver_one(&w, &Attempt::Answered(Outcome::Retry("platform_busy"))) == 0 {
            w.pass(100);
        }
        pauses.push(w.ctx().now().since(from));
    }
    assert!(pauses.windows(2).skip(1).all(|p| p[1] > p[0]), "{pauses:?}");
    // WeChat takes replies for 48 hours.
    w.pass(48 * 3_600_000);
    assert_eq!(deliver_one(&w, &Attempt::Answered(Outcome::Sent)), 0);
    assert_eq!((count(&w, "delivery.dead"), count(&w, "delivery.failed")), (1, 7));
    let again = || immediate(&w.db, || deliver::retry(&w.ctx(), sent[0].id));
    assert!(matches!(again(), Err(StepError::Conflict { code: "reply_window_closed", .. })));
    // The customer writes, and the window is open again.
    w.says("a", "2", "还在吗");
    again().unwrap();
    assert_eq!(deliver_one(&w, &Attempt::Answered(Outcome::Sent)), 1);
    assert!(matches!(again(), Err(StepError::Conflict { code: "not_dead", .. })));
}

fn deliver_one(w: &World, attempt: &Attempt) -> usize {
    let jobs = claim(w, 1);
    for job in &jobs {
        deliver::record(&w.ctx(), job, attempt).unwrap();
    }
    jobs.len()
}

#[test]
fn a_deliverer_that_died_leaves_a_counted_doubt_and_its_late_word_changes_nothing() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 1, false);
    w.says("a", "1", "在吗");
    immediate(&w.db, || converse::reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("在")], None)).unwrap();
    let dead = claim(&w, 1).remove(0);
    assert!(claim(&w, 1).is_empty());
    w.pass(deliver::LEASE_MS);
    let next = claim(&w, 1).remove(0);
    assert!(next.row.in_doubt);
    assert_eq!(count(&w, "delivery.in_doubt"), 1);
    deliver::record(&w.ctx(), &dead, &Attempt::Answered(Outcome::Permanent("late"))).unwrap();
    deliver::record(&w.ctx(), &next, &Attempt::Answered(Outcome::Sent)).unwrap();
    assert_eq!((count(&w, "delivery.dead"), count(&w, "delivery.sent")), (0, 1));
}

#[test]
fn figures_folded_in_any_steps_are_those_of_the_whole_log() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 3, false);
    for i in 0..5 {
        w.says(&format!("u{i}"), &format!("m{i}"), "我要投诉");
        w.pass(700);
        figures::advance(&w.ctx()).unwrap();
    }
    while let Some(c) = all(&w).into_iter().find(|c| c.state == ConversationState::Assigned) {
        immediate(&w.db, || converse::reply(&w.ctx(), &actor(agent), c.id, &[Content::text("马上")], None)).unwrap();
        w.pass(3_000);
        close(&w, agent, c.id);
    }
    while quality::inspect(&w.ctx()).unwrap() {}
    assert_eq!(count(&w, "quality.alert"), 5);
    while figures::advance(&w.ctx()).unwrap() {}
    let whole = warmline_metrics::cell::roll_up(&log(&w), warmline_app::FIGURES.iter().copied().flatten());
    let mut summed: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for c in &whole {
        let cell = summed.entry((c.figure.clone(), c.channel.clone(), c.bucket)).or_default();
        *cell = (cell.0 + c.n, cell.1 + c.total);
    }
    let stored: BTreeMap<_, _> = warmline_metrics::store::since(&w.db, 0)
        .unwrap()
        .into_iter()
        .map(|c| ((c.figure, c.channel, c.bucket), (c.n, c.total)))
        .collect();
    assert_eq!(stored, summed);
    let text = figures::read(&w.ctx(), None).unwrap().open_metrics();
    assert!(text.contains("warmline_frt_human_v1_milliseconds_count{channel=\"wechat\"} 5\n"), "{text}");
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

proptest! {
    #![proptest_config(many(48))]
    /// Whatever happens in whatever order: no message lost or doubled, nobody above capacity, counters equal assignments.
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
                    // Now and then several wait, and are placed in one transaction.
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
                    converse::reply(&w.ctx(), &actor(c.agent.unwrap_or(agent)), c.id, &[Content::text("在")], None)
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
