//! Deadlines, from what happens in a conversation to what is told of it: each once, with its exact instant, whenever it is noticed.

use crate::common::{World, fail_after, has_failed, reply};
use crate::people::{says, sender};
use crate::{actor, close, count, log, only};
use serde_json::{Value, json};
use warmline_compliance::erase;
use warmline_conversations::model::WorklistView;
use warmline_conversations::worklist::{self, Sort};
use warmline_deadlines::clock::{Metric, Source, State};
use warmline_deadlines::model::{DeadlineView, PromiseView};
use warmline_deadlines::policy::Document;
use warmline_deadlines::store::deadlines::Ask;
use warmline_deadlines::{books, follow, list, promises};
use warmline_kernel::ctx::Actor;
use warmline_kernel::{Ctx, StepError};
use warmline_model::{AgentId, Content, EventBody, PromiseId, Role, Timestamp};
use warmline_store::{Db as _, agents, conversations, followers, immediate};

const SECOND: i64 = 1_000;
const BOSS: Actor = Actor { agent: None, role: Role::Admin };

fn policies(w: &World, document: &Value) -> i64 {
    let document: Document = serde_json::from_value(document.clone()).unwrap();
    immediate(&w.db, || books::put(&w.ctx(), None, &document, None)).unwrap()
}

/// First and next replies within 60 s, an end within 600.
fn usual() -> Value {
    json!({ "policies": [{ "name": "all", "warn": [{ "percent": 50 }], "escalate": [{ "minutes": 1, "role": "supervisor" }],
        "targets": { "first_reply": { "seconds": 60, "consequence": "bonus" }, "next_reply": { "seconds": 60 },
            "resolution": { "seconds": 600 } } }] })
}

fn world(document: &Value) -> (World, AgentId) {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let agent = w.agent(&group, 3, false);
    policies(&w, document);
    (w, agent)
}

/// The follower reads everything, and the tick runs.
fn run(w: &World, agent: AgentId) {
    agents::touch(&w.db, agent, w.ctx().now()).unwrap();
    while follow::follow(&w.ctx()).unwrap() {}
    warmline_app::tick::tick(&w.ctx()).unwrap();
    while follow::follow(&w.ctx()).unwrap() {}
}

fn all(w: &World) -> Vec<DeadlineView> {
    list::of_conversation(&w.ctx(), &BOSS, only(w).id, -1, 100).unwrap()
}

fn of(w: &World, metric: Metric) -> DeadlineView {
    all(w).into_iter().rfind(|d| d.metric == metric).unwrap()
}

fn told(w: &World, kind: &str) -> Vec<Value> {
    let is = |body: &EventBody| match body {
        EventBody::Unknown { kind: found, data } if found == kind => Some(data.clone()),
        _ => None,
    };
    log(w).iter().filter_map(|event| is(&event.body)).collect()
}

fn instant(value: &Value) -> Timestamp {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn a_reply_in_time_meets_it_and_one_too_late_never_does() {
    let (w, agent) = world(&usual());
    let start = w.ctx().now();
    w.says("u", "m1", "在吗");
    run(&w, agent);
    let first = of(&w, Metric::FirstReply);
    assert_eq!((first.state, first.starts_at, first.due_at), (State::Running, start, Some(start.plus_millis(60 * SECOND))));
    assert_eq!((first.rule.as_str(), first.source, first.version, first.agent), ("all", Source::Policy, 1, Some(agent)));
    w.pass(30 * SECOND);
    run(&w, agent);
    run(&w, agent);
    assert_eq!((told(&w, "deadline.warned").len(), told(&w, "deadline.missed").len()), (1, 0));
    w.pass(30 * SECOND);
    reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("您好")]).unwrap();
    run(&w, agent);
    assert_eq!(
        (of(&w, Metric::FirstReply).state, of(&w, Metric::FirstReply).answered_at),
        (State::Met, Some(w.ctx().now()))
    );
    // The next one is missed, and the late answer changes nothing.
    w.pass(5 * SECOND);
    let asked = w.ctx().now();
    w.says("u", "m2", "什么时候发货");
    run(&w, agent);
    w.pass(90 * SECOND);
    run(&w, agent);
    run(&w, agent);
    let due = asked.plus_millis(60 * SECOND);
    let missed = told(&w, "deadline.missed");
    assert_eq!((missed.len(), instant(&missed[0]["due_at"]), &missed[0]["metric"]), (1, due, &json!("next_reply")));
    assert_eq!(of(&w, Metric::NextReply).state, State::Missed);
    w.pass(40 * SECOND);
    run(&w, agent);
    let escalated = told(&w, "deadline.escalated");
    assert_eq!((escalated.len(), &escalated[0]["role"], &escalated[0]["minutes"]), (1, &json!("supervisor"), &json!(1)));
    reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("明天")]).unwrap();
    run(&w, agent);
    let next = of(&w, Metric::NextReply);
    assert_eq!((next.state, next.answered_at.is_some(), next.ended_at.is_some()), (State::Missed, true, true));
    assert_eq!(told(&w, "deadline.missed").len(), 1);
    close(&w, agent, only(&w).id);
    run(&w, agent);
    assert_eq!(of(&w, Metric::Resolution).state, State::Met);
    assert!(all(&w).iter().all(|d| d.ended_at.is_some()));
    assert_eq!(count(&w, "deadline.missed"), 1);
}

#[test]
fn a_miss_has_its_instant_however_late_the_tick_is_and_an_answer_on_its_way_counts() {
    let (w, agent) = world(&usual());
    let start = w.ctx().now();
    w.says("u", "m1", "在吗");
    // Nothing ran for an hour.
    w.pass(3_600 * SECOND);
    run(&w, agent);
    let missed = told(&w, "deadline.missed");
    let wanted = [("first_reply", 60), ("resolution", 600)];
    for (metric, secs) in wanted {
        let found: Vec<_> = missed.iter().filter(|event| event["metric"] == json!(metric)).collect();
        assert_eq!((found.len(), instant(&found[0]["due_at"])), (1, start.plus_millis(secs * SECOND)), "{metric}");
    }
    assert_eq!(missed.iter().find(|event| event["metric"] == json!("first_reply")).unwrap()["consequence"], json!("bonus"));
    // The reply is in the log before the deadline, and the follower has not read it when the tick looks.
    let (w, agent) = world(&usual());
    w.says("u", "m1", "在吗");
    run(&w, agent);
    w.pass(59 * SECOND);
    reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("您好")]).unwrap();
    w.pass(60 * SECOND);
    agents::touch(&w.db, agent, w.ctx().now()).unwrap();
    warmline_app::tick::tick(&w.ctx()).unwrap();
    assert_eq!(count(&w, "deadline.missed"), 0);
    run(&w, agent);
    assert_eq!((count(&w, "deadline.missed"), of(&w, Metric::FirstReply).state), (0, State::Met));
    // Five seconds after a deadline nobody knows yet whether an answer is being stored.
    let (w, agent) = world(&usual());
    w.says("u", "m1", "在吗");
    w.pass(65 * SECOND);
    run(&w, agent);
    assert_eq!(count(&w, "deadline.missed"), 0);
    w.pass(2 * SECOND);
    run(&w, agent);
    assert_eq!(count(&w, "deadline.missed"), 1);
}

#[test]
fn the_row_has_the_nearest_and_a_worklist_sorts_by_it() {
    let (w, agent) = world(&usual());
    let start = w.ctx().now();
    w.says("u", "m1", "在吗");
    w.pass(10 * SECOND);
    w.says("v", "m2", "在吗");
    run(&w, agent);
    let ask = worklist::Ask {
        view: WorklistView::All,
        group: None,
        channel: None,
        tag: None,
        words: None,
        sort: Sort::Due,
        after: None,
        limit: 500,
    };
    let read = || worklist::read(&w.ctx(), &actor(agent), &ask).unwrap().items;
    let rows = read();
    let due: Vec<i64> = rows.iter().map(|row| row.due.as_ref().unwrap().at.since(start)).collect();
    assert_eq!(due, [60 * SECOND, 70 * SECOND]);
    assert_eq!(rows[0].due.as_ref().unwrap().metric, "first_reply");
    reply(&w.ctx(), &actor(agent), rows[0].id, &[Content::text("您好")]).unwrap();
    run(&w, agent);
    let now = read();
    assert_eq!((now[0].id, now[1].due.as_ref().unwrap().metric.as_str()), (rows[1].id, "resolution"));
    // A missed one that still waits for an answer stays in front.
    w.pass(100 * SECOND);
    run(&w, agent);
    assert_eq!((read()[0].id, read()[0].due.as_ref().unwrap().at), (rows[1].id, start.plus_millis(70 * SECOND)));
    close(&w, agent, rows[1].id);
    run(&w, agent);
    let row = conversations::get(&w.db, rows[1].id).unwrap().unwrap();
    let due = w.db.0.execute("SELECT due_at FROM conversations WHERE id = ?1", &[row.id.as_bytes().into()]).unwrap();
    assert_eq!(due[0].opt_int(0).unwrap(), None);
}

#[test]
fn another_document_is_for_what_starts_later() {
    let (w, agent) = world(&usual());
    w.says("u", "m1", "在吗");
    run(&w, agent);
    let tight = json!({ "policies": [{ "name": "all", "targets": { "next_reply": { "seconds": 10 }, "first_reply": { "seconds": 10 } } }] });
    assert_eq!(policies(&w, &tight), 2);
    run(&w, agent);
    let first = of(&w, Metric::FirstReply);
    assert_eq!((first.version, first.due_at.unwrap().since(first.starts_at)), (1, 60 * SECOND));
    reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("您好")]).unwrap();
    w.pass(SECOND);
    w.says("u", "m2", "还有");
    run(&w, agent);
    let next = of(&w, Metric::NextReply);
    assert_eq!((next.version, next.due_at.unwrap().since(next.starts_at)), (2, 10 * SECOND));
    assert_eq!(books::of_version(&w.ctx(), 1).unwrap().policies.len(), 1);
    // The author edited the first version.
    let stale = immediate(&w.db, || books::put(&w.ctx(), None, &Document::default(), Some(1)));
    assert!(matches!(stale, Err(StepError::Conflict { code: "policies_changed", .. })));
    assert!(matches!(books::of_version(&w.ctx(), 9), Err(StepError::NotFound(_))));
}

#[test]
fn a_platforms_clock_runs_for_each_message_without_any_policy() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let agent = w.agent(&group, 3, false);
    let pass_to_noon = 4 * 3_600 * SECOND + 47 * 60 * SECOND;
    // The world's clock begins at 06:13 in China, before the platform counts.
    says(&w, "pinduoduo", sender("early", &[]), "在吗");
    run(&w, agent);
    assert!(all(&w).is_empty());
    close(&w, agent, only(&w).id);
    w.pass(pass_to_noon);
    agents::touch(&w.db, agent, w.ctx().now()).unwrap();
    let start = says(&w, "pinduoduo", sender("u", &[]), "在吗");
    let _ = start;
    w.pass(10 * SECOND);
    says(&w, "pinduoduo", sender("u", &[]), "在吗？");
    run(&w, agent);
    let newest = crate::all(&w).into_iter().max_by_key(|c| c.id).unwrap();
    let found = || list::of_conversation(&w.ctx(), &BOSS, newest.id, -1, 100).unwrap();
    assert_eq!(found().len(), 2);
    assert!(found().iter().all(|d| d.source == Source::Platform && d.rule == "pinduoduo.3min.v1" && d.message.is_some()));
    // A wait for an agent is no answer, whoever writes it; one answer ends both clocks.
    w.pass(100 * SECOND);
    agents::touch(&w.db, agent, w.ctx().now()).unwrap();
    reply(&w.ctx(), &actor(agent), newest.id, &[Content::text("您好")]).unwrap();
    run(&w, agent);
    assert!(found().iter().all(|d| d.state == State::Met), "{:?}", found());
    // Where no clock runs and no policy is, nothing is written.
    w.says("wechat-user", "m9", "在吗");
    run(&w, agent);
    let tracks = w.db.0.execute("SELECT 1 FROM deadline_tracks", &[]).unwrap();
    assert_eq!(tracks.len(), 1);
}

#[test]
fn policies_find_a_conversation_under_way_as_it_is() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let agent = w.agent(&group, 3, false);
    w.says("u", "m1", "在吗");
    reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("您好")]).unwrap();
    run(&w, agent);
    policies(&w, &usual());
    w.pass(SECOND);
    w.says("u", "m2", "发货了吗");
    run(&w, agent);
    let metrics: Vec<Metric> = all(&w).iter().map(|d| d.metric).collect();
    assert_eq!(metrics, [Metric::NextReply, Metric::Resolution], "the first reply was given before there were policies");
}

#[test]
fn an_erased_person_has_no_deadlines() {
    let (w, agent) = world(&usual());
    let customer = says(&w, "wechat", sender("u", &[]), "在吗");
    run(&w, agent);
    assert_eq!(all(&w).len(), 2);
    immediate(&w.db, || erase::begin(&w.ctx(), customer, &BOSS, "request", &[])).unwrap();
    w.pass(3_600 * SECOND);
    run(&w, agent);
    assert!(all(&w).is_empty());
    assert_eq!(count(&w, "deadline.missed"), 0);
    for table in ["SELECT 1 FROM deadlines", "SELECT 1 FROM deadline_tracks"] {
        assert!(w.db.0.execute(table, &[]).unwrap().is_empty(), "{table}");
    }
}

/// Whatever statement fails, the next run goes on: nothing is lost, and nothing is told twice.
#[test]
fn a_crash_at_any_statement_of_the_follower_or_the_tick_loses_and_doubles_nothing() {
    let mut whole = 0;
    for n in 0.. {
        let (w, agent) = world(&usual());
        w.says("u", "m1", "在吗");
        w.pass(30 * SECOND);
        reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("您好")]).unwrap();
        w.pass(SECOND);
        w.says("u", "m2", "还在吗");
        fail_after(n);
        let followed = follow::follow(&w.ctx());
        let failed = has_failed();
        assert_eq!(failed, followed.is_err());
        while follow::follow(&w.ctx()).unwrap() {}
        w.pass(200 * SECOND);
        fail_after(n);
        let _ = warmline_app::tick::tick(&w.ctx());
        let also = has_failed();
        run(&w, agent);
        let states: Vec<(Metric, State)> = all(&w).iter().map(|d| (d.metric, d.state)).collect();
        let wanted =
            [(Metric::FirstReply, State::Met), (Metric::Resolution, State::Running), (Metric::NextReply, State::Missed)];
        assert_eq!(states, wanted, "after {n} statements");
        assert_eq!((count(&w, "deadline.missed"), count(&w, "deadline.escalated")), (1, 1), "after {n} statements");
        if !failed && !also {
            break;
        }
        whole += 1;
    }
    assert!(whole > 20, "{whole}");
}

#[test]
fn the_log_is_read_from_where_the_capability_came() {
    let w = World::new();
    assert_eq!(followers::position(&w.db, follow::NAME).unwrap(), 0);
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 1, false);
    policies(&w, &usual());
    run(&w, agent);
    let last = log(&w).last().unwrap().seq;
    assert_eq!(followers::position(&w.db, follow::NAME).unwrap(), last);
}

/// A conversation in which an agent has promised something.
fn promised(text: &str) -> (World, AgentId, PromiseView) {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let agent = w.agent(&group, 3, false);
    w.says("u", "m1", "什么时候发货");
    reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text(text)]).unwrap();
    run(&w, agent);
    let promise = ledger(&w, State::Running).remove(0);
    (w, agent, promise)
}

fn ledger(w: &World, state: State) -> Vec<PromiseView> {
    let after = (i64::MIN, Vec::new(), 0);
    let ask = Ask { state, source: Some(Source::Promise), agent: None, group: None, after, limit: 50 };
    promises::list(&w.ctx(), &BOSS, &ask).unwrap().into_iter().map(|(_, view)| view).collect()
}

fn act(
    w: &World,
    by: &Actor,
    id: PromiseId,
    what: fn(&Ctx<'_>, &Actor, PromiseId) -> Result<PromiseView, StepError>,
) -> Result<PromiseView, StepError> {
    immediate(&w.db, || what(&w.ctx(), by, id))
}

fn refused<T>(outcome: Result<T, StepError>) -> &'static str {
    match outcome {
        Err(StepError::Conflict { code, .. }) => code,
        Err(StepError::NotFound(_)) => "not_found",
        _ => panic!("it was not refused"),
    }
}

#[test]
fn what_a_person_promises_is_due_when_they_said_and_outlives_the_conversation() {
    let (w, agent, promise) = promised("您好。我们今天下午给您发货。还有什么可以帮您？");
    // 18:00 of that day in China.
    assert_eq!(promise.due_at, Some(Timestamp::from_millis(1_700_042_400_000)));
    assert_eq!((promise.text.as_deref(), promise.kind.as_str()), (Some("我们今天下午给您发货。"), "today"));
    assert_eq!((promise.agent, promise.message.is_some(), promise.confirmed), (Some(agent), true, false));
    assert_eq!((ledger(&w, State::Running).len(), count(&w, "promise.made")), (1, 1));
    close(&w, agent, only(&w).id);
    run(&w, agent);
    assert_eq!(ledger(&w, State::Running).len(), 1);
    w.pass(promise.due_at.unwrap().since(w.ctx().now()) + 10 * SECOND);
    run(&w, agent);
    let missed = told(&w, "deadline.missed");
    assert_eq!((missed.len(), instant(&missed[0]["due_at"])), (1, promise.due_at.unwrap()));
    // It is kept late: it stays missed.
    let kept = act(&w, &actor(agent), promise.id, promises::fulfil).unwrap();
    assert_eq!((kept.state, kept.ended_at.is_some()), (State::Missed, true));
    assert_eq!(refused(act(&w, &actor(agent), promise.id, promises::fulfil)), "promise_ended");
}

#[test]
fn staff_confirm_move_fulfil_and_drop_a_promise_once() {
    let (w, agent, promise) = promised("我们今天下午给您发货");
    let (me, id) = (actor(agent), promise.id);
    assert!(act(&w, &me, id, promises::confirm).unwrap().confirmed);
    let later = promise.due_at.unwrap().plus_millis(3_600 * SECOND);
    let moved = immediate(&w.db, || promises::put_off(&w.ctx(), &me, id, later)).unwrap();
    assert_eq!((moved.due_at, moved.state), (Some(later), State::Running));
    // The old instant means nothing any more.
    w.pass(promise.due_at.unwrap().since(w.ctx().now()) + 60 * SECOND);
    run(&w, agent);
    assert_eq!(count(&w, "deadline.missed"), 0);
    assert_eq!(act(&w, &me, id, promises::fulfil).unwrap().state, State::Met);
    assert_eq!(refused(act(&w, &me, id, promises::drop_it)), "promise_ended");
    let (w, agent, promise) = promised("我们今天下午给您发货");
    let stranger = w.agent(&w.group("far", "{}"), 1, false);
    assert_eq!(refused(act(&w, &actor(stranger), promise.id, promises::drop_it)), "not_found");
    let dropped = act(&w, &actor(agent), promise.id, promises::drop_it).unwrap();
    assert_eq!(dropped.state, State::Cancelled);
    w.pass(24 * 3_600 * SECOND);
    run(&w, agent);
    assert_eq!(count(&w, "deadline.missed"), 0);
    let by_hand = immediate(&w.db, || {
        promises::make(&w.ctx(), &BOSS, only(&w).id, "补发一袋", Some(w.ctx().now().plus_millis(60 * SECOND)))
    });
    // Its conversation is back in the queue, and a supervisor may note a promise in it all the same.
    let by_hand = by_hand.unwrap();
    assert_eq!((by_hand.message, by_hand.confirmed, by_hand.kind.as_str()), (None, true, "by_hand"));
    w.pass(70 * SECOND);
    run(&w, agent);
    assert_eq!((count(&w, "deadline.missed"), ledger(&w, State::Missed).len()), (1, 1));
    let late = immediate(&w.db, || promises::put_off(&w.ctx(), &BOSS, by_hand.id, w.ctx().now().plus_millis(SECOND)));
    assert_eq!(refused(late), "promise_missed");
}

#[test]
fn a_machine_and_a_question_promise_nothing_and_an_erased_person_is_owed_nothing() {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let agent = w.agent(&group, 3, false);
    let customer = says(&w, "wechat", sender("u", &[]), "什么时候发货");
    for text in ["我们今天下午给您发货吗？", "已经给您发货了", "您好"] {
        reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text(text)]).unwrap();
    }
    run(&w, agent);
    assert!(ledger(&w, State::Running).is_empty());
    reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("我们今天下午给您发货")]).unwrap();
    run(&w, agent);
    assert_eq!(ledger(&w, State::Running).len(), 1);
    immediate(&w.db, || erase::begin(&w.ctx(), customer, &BOSS, "request", &[])).unwrap();
    assert!(w.db.0.execute("SELECT 1 FROM promises", &[]).unwrap().is_empty());
    w.pass(24 * 3_600 * SECOND);
    run(&w, agent);
    assert_eq!(count(&w, "deadline.missed"), 0);
}

#[test]
fn a_crash_at_any_statement_of_a_promise_leaves_it_whole() {
    let mut whole = 0;
    for n in 0.. {
        let w = World::new();
        let group = w.group("g", "{\"accept_secs\":0}");
        let agent = w.agent(&group, 3, false);
        w.says("u", "m1", "什么时候发货");
        reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("我们今天下午给您发货")]).unwrap();
        fail_after(n);
        let followed = follow::follow(&w.ctx());
        let failed = has_failed();
        assert_eq!(failed, followed.is_err());
        run(&w, agent);
        let promise = ledger(&w, State::Running).remove(0);
        assert_eq!(count(&w, "promise.made"), 1, "after {n} statements");
        fail_after(n);
        let kept = act(&w, &actor(agent), promise.id, promises::fulfil);
        let also = has_failed();
        assert_eq!(also, kept.is_err());
        let state = if also { State::Running } else { State::Met };
        assert_eq!(
            (ledger(&w, state).len(), count(&w, "promise.fulfilled")),
            (1, usize::from(!also)),
            "after {n} statements"
        );
        if !failed && !also {
            break;
        }
        whole += 1;
    }
    assert!(whole > 15, "{whole}");
}
