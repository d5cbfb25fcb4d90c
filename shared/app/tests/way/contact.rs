//! Messages that answer nobody: nobody is approached at night, too often or against their will; and who says no takes back what
//! has not left.

use crate::common::World;
use crate::people::{says, sender};
use crate::{actor, count, only, replayed};
use warmline_app::tick;
use warmline_conversations::contact;
use warmline_conversations::converse::{self, How, When, Written};
use warmline_conversations::store::held::{self as store, State, Why};
use warmline_customers::{consents, hold};
use warmline_gate::{Cap, Purpose};
use warmline_kernel::StepError;
use warmline_kernel::consent::Said;
use warmline_kernel::ctx::Actor;
use warmline_model::{Content, DeliveryState, EventBody, MessageId, Role};
use warmline_store::{Db as _, immediate, messages};

const HOUR: i64 = 3_600_000;
const BOSS: Actor = Actor { agent: None, role: Role::Admin };

/// A world in which it is the given hour in China, and a customer has written on a channel.
fn world(hour: i64, on: &str) -> World {
    let w = World::new();
    w.group("g", "{}");
    let now = w.ctx().now().millis() + 8 * HOUR;
    w.pass((24 + hour) * HOUR - now.rem_euclid(24 * HOUR));
    says(&w, on, sender("+8613800000001", &[]), "在吗");
    w
}

fn send(w: &World, purpose: &str) -> Result<Written, StepError> {
    let id = only(w).id;
    let how = || How { purpose: Some(Purpose::parse(purpose).unwrap()), ..How::answer(When::In(0)) };
    immediate(&w.db, || converse::write(&w.ctx(), &BOSS, id, vec![Content::text("您的退款已到账")], how()))
}

#[track_caller]
fn sent(w: &World, purpose: &str) -> MessageId {
    match send(w, purpose).unwrap() {
        Written::Sent(all) => all[0].id,
        _ => panic!("it was not sent"),
    }
}

fn code(refused: Result<Written, StepError>) -> &'static str {
    match refused {
        Err(StepError::Conflict { code, .. }) => code,
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("it was not refused"),
    }
}

fn say(w: &World, purpose: &str, given: bool) {
    let person = only(w).person;
    let said = Said { purpose, version: "v1", given, source: "staff" };
    immediate(&w.db, || consents::note(&w.ctx(), &BOSS, (person, person), &said)).unwrap();
}

fn delivery(w: &World, id: MessageId) -> (Option<DeliveryState>, Option<String>) {
    let all = messages::list(&w.db, only(w).id, 0, 100).unwrap();
    all.into_iter().find(|m| m.id == id).map(|m| (m.delivery, m.reason)).unwrap()
}

#[test]
fn what_answers_nobody_waits_for_the_morning_and_answers_do_not() {
    let w = world(23, "webchat");
    let Written::Held(held) = send(&w, "service.order").unwrap() else { panic!("it was sent") };
    assert_eq!((held.why, held.release_at), (Why::Quiet, Some(w.ctx().now().plus_millis(9 * HOUR - 1))));
    let id = only(&w).id;
    let answer = || converse::write(&w.ctx(), &BOSS, id, vec![Content::text("在")], How::answer(When::In(0)));
    assert!(matches!(immediate(&w.db, answer), Ok(Written::Sent(_))));
    w.pass(9 * HOUR - 2);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(count(&w, "gate.approached"), 0);
    w.pass(1);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(count(&w, "gate.approached"), 1);
    assert_eq!(delivery(&w, held.id).0, Some(DeliveryState::Pending));
    replayed(&w);
}

#[test]
fn it_does_not_count_as_an_answer() {
    let w = world(12, "webchat");
    sent(&w, "service.order");
    assert!(only(&w).round_started_at.is_some() && only(&w).first_response_at.is_none());
    let timed = crate::log(&w).into_iter().any(|e| {
        matches!(
            e.body,
            EventBody::MessageSent { first_response_ms: Some(_), .. } | EventBody::MessageSent { response_ms: Some(_), .. }
        )
    });
    assert!(!timed);
}

#[test]
fn advertising_needs_consent_and_nothing_else_does() {
    let w = world(12, "webchat");
    assert_eq!(code(send(&w, "marketing.event")), "consent_missing");
    // To be contacted in general is no consent to advertising.
    say(&w, "contact", true);
    assert_eq!(code(send(&w, "marketing.event")), "consent_missing");
    say(&w, "marketing", true);
    sent(&w, "marketing.event");
    sent(&w, "survey.csat");
    sent(&w, "service.order");
    // Once a week at most.
    assert_eq!(code(send(&w, "marketing.repurchase")), "contacted_too_often");
    assert_eq!(code(send(&w, "survey.csat")), "contacted_too_often");
    sent(&w, "service.refund");
    assert_eq!(code(send(&w, "service.order")), "contacted_too_often");
    let (mut rules, version) = contact::rules(&w.ctx()).unwrap();
    rules.service.caps = vec![Cap { most: 3, days: 1 }];
    assert_eq!(immediate(&w.db, || contact::set_rules(&w.ctx(), &BOSS, &rules)), Ok(version + 1));
    sent(&w, "service.order");
    assert_eq!(code(send(&w, "service.order")), "contacted_too_often");
    w.pass(24 * HOUR);
    sent(&w, "service.order");
}

#[test]
fn a_withdrawal_of_any_width_forbids_and_takes_back_what_has_not_left() {
    for (withdrawn, service, marketing) in [
        ("contact", false, false),
        ("marketing", true, false),
        ("marketing.event", true, false),
        ("marketing.other", true, true),
        ("messages-webchat", false, false),
        ("messages-sms", true, true),
    ] {
        let w = world(12, "webchat");
        say(&w, "marketing", true);
        let made = [sent(&w, "service.order"), sent(&w, "marketing.event")];
        say(&w, withdrawn, false);
        for (id, stays) in made.into_iter().zip([service, marketing]) {
            let expected = match stays {
                true => (Some(DeliveryState::Pending), None),
                false => (Some(DeliveryState::Dead), Some("do_not_contact".to_owned())),
            };
            assert_eq!(delivery(&w, id), expected, "{withdrawn}");
        }
        let again = send(&w, "service.refund");
        assert_eq!(again.is_ok(), service, "{withdrawn}");
        if !service {
            assert_eq!(code(again), "do_not_contact");
        }
        // The customer's own messages are answered all the same.
        let id = only(&w).id;
        let answer = || converse::write(&w.ctx(), &BOSS, id, vec![Content::text("在")], How::answer(When::In(0)));
        assert!(immediate(&w.db, answer).is_ok());
    }
}

#[test]
fn a_stop_takes_back_what_people_sent_to_nobodys_question() {
    let w = world(12, "sms");
    let id = sent(&w, "service.order");
    says(&w, "sms", sender("+8613800000001", &[]), "TD");
    assert_eq!(delivery(&w, id), (Some(DeliveryState::Dead), Some("do_not_contact".to_owned())));
    assert_eq!(code(send(&w, "service.order")), "do_not_contact");
}

#[test]
fn what_waits_is_refused_once_the_customer_withdraws() {
    let w = world(23, "webchat");
    let Written::Held(held) = send(&w, "service.order").unwrap() else { panic!("it was sent") };
    say(&w, "contact", false);
    w.pass(10 * HOUR);
    tick::tick(&w.ctx()).unwrap();
    let row = store::get(&w.db, held.id).unwrap().unwrap();
    assert_eq!((row.state, row.reason.as_deref()), (State::Refused, Some("do_not_contact")));
    assert_eq!(count(&w, "message.sent"), 0);
}

#[test]
fn a_legal_hold_leaves_only_answers() {
    let w = world(12, "webchat");
    let id = sent(&w, "service.order");
    let person = only(&w).person;
    immediate(&w.db, || hold::place(&w.ctx(), &BOSS, person, "court", None)).unwrap();
    assert_eq!(delivery(&w, id), (Some(DeliveryState::Dead), Some("legal_hold".to_owned())));
    assert_eq!(code(send(&w, "service.order")), "legal_hold");
    immediate(&w.db, || hold::lift(&w.ctx(), &BOSS, person)).unwrap();
    sent(&w, "service.order");
}

#[test]
fn an_erased_person_and_a_month_are_forgotten() {
    let rows = |w: &World| w.db.0.first("SELECT count(*) FROM approaches", &[]).unwrap().unwrap().int(0).unwrap();
    let w = world(12, "webchat");
    sent(&w, "service.order");
    let person = only(&w).person;
    immediate(&w.db, || warmline_compliance::erase::begin(&w.ctx(), person, &BOSS, "request", &[])).unwrap();
    assert_eq!(rows(&w), 0);
    let w = world(12, "webchat");
    sent(&w, "service.order");
    w.pass(30 * 24 * HOUR);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(rows(&w), 1);
    w.pass(24 * HOUR);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(rows(&w), 0);
}

#[test]
fn an_ai_seat_and_an_agent_keep_to_it_too() {
    let w = world(12, "webchat");
    let agent = w.agent(&warmline_model::GroupId::new("g").unwrap(), 2, false);
    tick::tick(&w.ctx()).unwrap();
    let id = only(&w).id;
    assert_eq!(only(&w).agent, Some(agent));
    let how = || How { purpose: Purpose::parse("marketing.event"), ..How::answer(When::Usual) };
    let refused = immediate(&w.db, || converse::write(&w.ctx(), &actor(agent), id, vec![Content::text("新米上市")], how()));
    assert_eq!(code(refused), "consent_missing");
}
