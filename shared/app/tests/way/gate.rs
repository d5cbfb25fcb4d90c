//! The gate in the steps that send: the same rule for agents, AI seats and notices.

use crate::common::{World, edit, reply};
use crate::people::{PHONE, says, sender};
use crate::{actor, check, count, only, replayed};
use serde_json::json;
use warmline_app::tick;
use warmline_conversations::ai;
use warmline_conversations::converse::{self, How, When};
use warmline_conversations::staff::Duties;
use warmline_gate::{Refusal, Verdict};
use warmline_kernel::ctx::StepError;
use warmline_model::{AgentId, Content, Origin, Units};
use warmline_routing::group::First;
use warmline_routing::handover::Turn;
use warmline_store::agents::Can;
use warmline_store::immediate;

const HOUR: i64 = 3_600_000;

fn answer(w: &World, agent: AgentId) -> Result<Origin, StepError> {
    let id = only(w).id;
    immediate(&w.db, || reply(&w.ctx(), &actor(agent), id, &[Content::text("在")])).map(|said| said[0].origin)
}

fn code<T: std::fmt::Debug>(refused: Result<T, StepError>) -> &'static str {
    match refused {
        Err(StepError::Conflict { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_left_is_told_and_then_used_up_until_the_customer_writes() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 2, false);
    w.says("oUser1", "m1", "在吗");
    let spoke_at = w.ctx().now();
    let left = |messages| {
        let contents = vec![Content::text("在"); messages];
        match converse::check(&w.ctx(), &actor(agent), &only(&w), &contents, &How::answer(When::In(0))).unwrap().verdict {
            Ok(Verdict::Send { left }) => Ok(left),
            Err(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    };
    for sent in 0..5u32 {
        let told = left(1).unwrap().unwrap();
        assert_eq!((told.replies, told.of, told.until), (Some(4 - sent), Some(5), spoke_at.plus_millis(48 * HOUR)));
        answer(&w, agent).unwrap();
    }
    assert_eq!(left(1), Err(Refusal::QuotaUsed));
    assert_eq!(code(answer(&w, agent)), "reply_quota_used");
    w.says("oUser1", "m2", "还在吗");
    assert_eq!(left(5).unwrap().unwrap().replies, Some(0));
    assert_eq!(left(6), Err(Refusal::QuotaUsed));
    w.pass(48 * HOUR + 1);
    assert_eq!(left(1), Err(Refusal::WindowClosed));
    assert_eq!(code(answer(&w, agent)), "reply_window_closed");
    assert_eq!(count(&w, "message.sent"), 5);
    check(&w);
}

#[test]
fn a_greeting_that_the_platform_would_refuse_is_not_written() {
    let w = World::new();
    w.says("oUser1", "m1", "在吗");
    w.pass(49 * HOUR);
    let group = w.group("g", r#"{"greeting":"您好，这里是暖线"}"#);
    let agent = w.agent(&group, 2, false);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!((only(&w).agent, count(&w, "message.sent")), (Some(agent), 0));
    check(&w);
    replayed(&w);
}

#[test]
fn what_an_ai_seat_writes_is_a_machines_by_whichever_call_it_writes() {
    let w = World::new();
    let group = w.group("g", "{}");
    edit(&w, |p| p.groups[0].settings.first = First::Ai);
    let can = Duties { groups: [(group, 1)].into(), capacity: Units::whole(5), vip: false, can: Can::default() };
    let seat = w.hire(true, can);
    says(&w, "sms", sender("+8613800000001", &[(PHONE, "+8613800000001", true)]), "在吗");
    assert_eq!((only(&w).agent, only(&w).ai), (Some(seat), true));
    assert_eq!(answer(&w, seat), Ok(Origin::Bot));
    assert_eq!(only(&w).first_response_at, None, "no person has answered");
    says(&w, "sms", sender("+8613800000001", &[(PHONE, "+8613800000001", true)]), "TD");
    assert_eq!(code(answer(&w, seat)), "customer_opted_out");
    let turn: Turn = serde_json::from_value(json!({ "confidence": 1.0 })).unwrap();
    let said = immediate(&w.db, || ai::turn(&w.ctx(), &actor(seat), only(&w).id, &turn, &[Content::text("在")]));
    assert_eq!(code(said.map(drop)), "customer_opted_out");
    check(&w);
}
