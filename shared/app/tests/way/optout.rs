//! Customers who want no more messages: the record of their choice, the messages that are not sent, and their return.

use crate::common::{World, claim_on, edit, reply};
use crate::people::{PHONE, channel, merge, person, says, sender};
use crate::{actor, all, check, count, only, replayed};
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};
use warmline_accounts::given_up;
use warmline_cases::cases;
use warmline_channels::Outcome;
use warmline_conversations::ai;
use warmline_conversations::staff::Duties;
use warmline_kernel::ctx::Actor;
use warmline_kernel::{StepError, consent};
use warmline_model::{AgentId, Content, ConversationState, CustomerId, Role, Sender, Units};
use warmline_routing::group::First;
use warmline_routing::handover::Turn;
use warmline_store::agents::Can;
use warmline_store::consents::Consent;
use warmline_store::outbox::{self, Filter};
use warmline_store::{immediate, messages};
use warmline_transport::deliver::{self, Attempt};

const TALKATIVE: &str = r#"{"greeting":"您好，这里是暖线","waiting_text":"前面还有{position}位"}"#;

fn texts(w: &World, number: &str, text: &str) -> CustomerId {
    says(w, "sms", sender(number, &[(PHONE, number, true)]), text)
}

fn told(w: &World, on: &str, who: &str, event: &str, data: Value) {
    w.pass(1);
    let content = Content::Event { event: event.into(), key: None, data };
    let key = format!("{who}-{event}-{}", w.ctx().now().millis());
    w.arrives_from(&channel(on), sender(who, &[]), &key, content);
    w.drain();
}

fn stands(w: &World, customer: CustomerId) -> Vec<Consent> {
    consent::standing(&w.ctx(), person(w, customer)).unwrap()
}

fn refuses(w: &World, customer: CustomerId, on: &str) -> bool {
    consent::refuses(&w.ctx(), person(w, customer), &channel(on)).unwrap()
}

/// The number of messages that the system wrote, from the first conversation to the last.
fn said(w: &World) -> usize {
    count(w, "message.sent")
}

#[test]
fn w15_td_is_recorded_and_answered_by_nothing_and_nobody() {
    for word in ["TD", "ｔｄ", "退訂。", "STOP", "N", " 回复TD "] {
        let w = World::new();
        let group = w.group("g", TALKATIVE);
        w.agent(&group, 1, false);
        let customer = texts(&w, "+8613800000001", word);
        let c = only(&w);
        assert_eq!((c.state, c.agent, c.first_inbound_at, said(&w)), (ConversationState::Open, None, None, 0), "{word}");
        let found = stands(&w, customer);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].purpose.as_str(), found[0].given, found[0].source.as_str()), ("messages-sms", false, "sms"));
        let message = messages::get(&w.db, c.id, 1).unwrap().unwrap();
        assert_eq!((found[0].message, found[0].by), (Some(message.id), None));
        assert!(found[0].wording.as_ref().is_some_and(|wording| !wording.is_empty()));
        assert!(claim_on(&w, &channel("sms"), 16).is_empty());
        check(&w);
        replayed(&w);
    }
}

#[test]
fn w15_after_it_people_answer_and_nothing_automatic_does() {
    let w = World::new();
    let group = w.group("g", TALKATIVE);
    let agent = w.agent(&group, 1, false);
    let customer = texts(&w, "+8613800000001", "TD");
    texts(&w, "+8613800000001", "我的米什么时候到");
    let c = only(&w);
    assert_eq!((c.state, c.agent, said(&w)), (ConversationState::Assigned, Some(agent), 0));
    immediate(&w.db, || reply(&w.ctx(), &actor(agent), c.id, &[Content::text("明天")])).unwrap();
    assert_eq!(said(&w), 1);
    // In the queue nothing is sent either. Other customers are greeted as always.
    let other = texts(&w, "+8613800000002", "退订");
    texts(&w, "+8613800000002", "在吗");
    assert_eq!((all(&w)[1].state, said(&w)), (ConversationState::Queued, 1));
    texts(&w, "+8613800000003", "在吗");
    assert_eq!(said(&w), 3);
    // The customer's own word brings them back.
    texts(&w, "+8613800000002", "恢复订阅");
    assert!(!refuses(&w, other, "sms") && refuses(&w, customer, "sms"));
    let found = stands(&w, other);
    assert_eq!((found[0].given, found[0].wording.as_deref()), (true, Some("恢复订阅")));
    check(&w);
    replayed(&w);
}

#[test]
fn w15_what_was_about_to_leave_is_taken_back() {
    let w = World::new();
    let group = w.group("g", TALKATIVE);
    let agent = w.agent(&group, 1, false);
    texts(&w, "+8613800000001", "在吗");
    immediate(&w.db, || reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("在的")])).unwrap();
    texts(&w, "+8613800000001", "TD");
    let jobs = claim_on(&w, &channel("sms"), 16);
    assert_eq!(jobs.iter().map(|j| j.content.clone()).collect::<Vec<_>>(), [Content::text("在的")]);
    assert_eq!(count(&w, "delivery.dead"), 1);
    // The agent who holds the conversation keeps it.
    assert_eq!(only(&w).agent, Some(agent));
    check(&w);
}

#[test]
fn w15_what_was_on_its_way_when_they_left_is_not_tried_again() {
    let w = World::new();
    w.group("g", TALKATIVE);
    texts(&w, "+8613800000001", "在吗");
    let sms = channel("sms");
    // One try is under way when the customer opts out, and fails. The other messages are taken back.
    let under_way = claim_on(&w, &sms, 1).remove(0);
    texts(&w, "+8613800000001", "TD");
    deliver::record(&w.ctx(), &under_way, &Attempt::NotReached("platform_unreachable")).unwrap();
    w.pass(600_000);
    assert!(claim_on(&w, &sms, 16).is_empty());
    let found = outbox::list_dead(&w.db, &Filter::default(), 0, 10).unwrap();
    assert_eq!(found.len(), said(&w));
    assert!(found.iter().all(|dead| dead.reason == "customer_opted_out"));
    // While the choice holds, nobody can retry these messages, by name or by filter.
    let supervisor = Actor { agent: None, role: Role::Supervisor };
    let again =
        |dry| immediate(&w.db, || given_up::revive(&w.ctx(), &supervisor, &Filter::default(), (0, 100), dry)).unwrap();
    let retried = immediate(&w.db, || deliver::retry(&w.ctx(), found[0].message));
    assert!(matches!(retried, Err(StepError::Conflict { code: "customer_opted_out", .. })));
    for dry in [true, false] {
        let done = again(dry);
        assert_eq!((done.revived, done.too_late), (0, i64::try_from(found.len()).unwrap()));
    }
    texts(&w, "+8613800000001", "START");
    assert_eq!(again(true).too_late, 0);
    check(&w);
}

#[test]
fn w15_what_platforms_report_counts_as_a_word() {
    let w = World::new();
    w.group("g", TALKATIVE);
    for (n, (on, event, data)) in [
        ("sms", "opt_out", json!({ "Body": "STOP", "OptOutType": "STOP" })),
        ("sms", "undelivered", json!({ "ErrorCode": "21610" })),
        ("wechat", "unsubscribe", Value::Null),
        ("alipay", "unfollow", Value::Null),
        ("email", "group_unsubscribe", Value::Null),
        ("email", "spamreport", Value::Null),
        ("email", "complained", Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let who = format!("who{n}");
        told(&w, on, &who, event, data);
        let customer = all(&w)[n].customer;
        assert!(refuses(&w, customer, on), "{on} {event}");
        assert_eq!(stands(&w, customer)[0].wording.as_deref(), Some(event));
        // The same report again adds no record.
        told(&w, on, &who, event, json!({ "ErrorCode": "21610" }));
        assert_eq!(consent::before(&w.ctx(), person(&w, customer), i64::MAX, 10).unwrap().len(), 1);
    }
    told(&w, "wechat", "who2", "subscribe", Value::Null);
    assert!(!refuses(&w, all(&w)[2].customer, "wechat"));
    // A first follow gives no consent.
    told(&w, "wechat", "new", "subscribe", Value::Null);
    assert!(stands(&w, all(&w).last().unwrap().customer).is_empty());
    assert_eq!(said(&w), 0);
}

#[test]
fn w15_what_others_tell_of_a_person_counts_only_as_a_withdrawal() {
    let w = World::new();
    w.group("g", "{}");
    says(&w, "email", sender("w@x", &[]), "你好");
    let reports = |event: &str| {
        w.pass(1);
        let sender = Sender { open_id: "w@x".into(), only_known: true, ..Sender::default() };
        let content = Content::Event { event: event.into(), key: None, data: Value::Null };
        w.arrives_from(&channel("email"), sender, &format!("report-{event}"), content);
        w.drain();
    };
    let customer = only(&w).customer;
    for (event, refused) in [("bounce", false), ("not_spam", false), ("complaint", true), ("subscribe", true)] {
        reports(event);
        assert_eq!(refuses(&w, customer, "email"), refused, "{event}");
    }
    let found = stands(&w, customer);
    assert_eq!((found.len(), found[0].wording.as_deref()), (1, Some("complaint")));
}

#[test]
fn w15_a_platform_that_refuses_for_the_customer_withdraws_for_them() {
    let w = World::new();
    w.group("g", TALKATIVE);
    let customer = texts(&w, "+8613800000001", "在吗");
    let sms = channel("sms");
    let job = claim_on(&w, &sms, 1).remove(0);
    let (message, refused) = (job.row.message, Outcome::Permanent("recipient_refuses"));
    deliver::record(&w.ctx(), &job, &Attempt::Answered(refused)).unwrap();
    assert!(refuses(&w, customer, "sms"));
    let found = stands(&w, customer);
    assert_eq!((found[0].wording.as_deref(), found[0].message), (Some("recipient_refuses"), Some(message)));
    assert!(claim_on(&w, &sms, 16).is_empty());
    check(&w);
}

#[test]
fn w15_it_is_the_persons_and_the_channels() {
    let w = World::new();
    w.group("g", TALKATIVE);
    let [one, other] = ["+8613800000001", "+8613800000002"].map(|number| texts(&w, number, "在吗"));
    merge(&w, one, other);
    texts(&w, "+8613800000001", "TD");
    assert!(refuses(&w, other, "sms") && !refuses(&w, other, "wechat"));
    // On other channels, words that can mean something else are left to people.
    let app = says(&w, "app", sender("m1", &[]), "退订");
    assert!(!refuses(&w, app, "app"));
    assert_eq!(all(&w).last().unwrap().state, ConversationState::Queued);
}

fn ai_seat(w: &World, group: &warmline_model::GroupId) -> AgentId {
    let can = Duties { groups: [(group.clone(), 1)].into(), capacity: Units::whole(5), vip: false, can: Can::default() };
    w.hire(true, can)
}

#[test]
fn w15_no_ai_seat_answers_somebody_who_left() {
    let w = World::new();
    let group = w.group("g", "{}");
    edit(&w, |p| p.groups[0].settings.first = First::Ai);
    let (robot, human) = (ai_seat(&w, &group), w.agent(&group, 2, false));
    texts(&w, "+8613800000001", "在吗");
    assert_eq!((only(&w).agent, only(&w).ai), (Some(robot), true));
    texts(&w, "+8613800000001", "TD");
    let answer = || immediate(&w.db, || ai::turn(&w.ctx(), &actor(robot), only(&w).id, &turn(), &[Content::text("在")]));
    assert!(matches!(answer(), Err(StepError::Conflict { code: "customer_opted_out", .. })));
    texts(&w, "+8613800000001", "我的米呢");
    assert_eq!(only(&w).agent, Some(human));
    texts(&w, "+8613800000002", "TD");
    texts(&w, "+8613800000002", "在吗");
    assert_eq!(all(&w)[1].agent, Some(human));
    assert_eq!(said(&w), 0);
    replayed(&w);
}

fn turn() -> Turn {
    serde_json::from_value(json!({ "confidence": 1.0 })).unwrap()
}

proptest! {
    #![proptest_config(cases(24))]
    #[test]
    fn w15_nothing_automatic_leaves_while_consent_is_withdrawn(steps: Vec<u8>, agents in 0i64..2, seed in any::<bool>()) {
        let w = World::new();
        let group = w.group("g", TALKATIVE);
        if agents > 0 {
            w.agent(&group, agents, seed);
        }
        let mut left = false;
        for step in steps.into_iter().take(24) {
            let (before, word) = (said(&w), ["TD", "退订", "在吗", "START", "订单到哪了"][usize::from(step % 5)]);
            let customer = texts(&w, "+8613800000001", word);
            left = match word {
                "TD" | "退订" => true,
                "START" => false,
                _ => left,
            };
            assert_eq!(refuses(&w, customer, "sms"), left);
            assert!(!left || said(&w) == before);
            check(&w);
        }
    }
}
