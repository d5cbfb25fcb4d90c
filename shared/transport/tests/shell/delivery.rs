//! Replies on their way to the platform.

use crate::wechat::{connect, deliver, says, works};
use crate::world::{Environment, Platform};
use warmline_model::{Channel, DeliveryState};
use warmline_store::{messages, outbox};

/// A conversation with a reply that waits.
fn waiting() -> Environment {
    let w = Environment::new();
    connect(&w, "api");
    w.agent("{}");
    says(&w, "oUser", 1, "在吗");
    w.reply_to_only("在的");
    works(&w);
    w
}

/// Makes the platform give tokens, and answer every message in this way.
fn answers(w: &Environment, answer: Platform) {
    w.platform(move |request| match request.url.contains("access_token=") {
        true => answer.clone(),
        false => Platform::Says(200, "{\"access_token\":\"t1\",\"expires_in\":7200}".to_owned()),
    });
}

fn state(w: &Environment) -> (Option<DeliveryState>, Option<String>) {
    let conversation = w.conversations().remove(0);
    let said = messages::list(&w.0.db, conversation.id, 0, 100).unwrap().pop().unwrap();
    (said.delivery, said.reason)
}

fn is_due(w: &Environment) -> bool {
    !outbox::due_accounts(&w.0.db, &Channel::new("wechat").unwrap(), w.ctx().now()).unwrap().is_empty()
}

#[test]
fn what_the_platform_takes_is_sent_once() {
    let w = waiting();
    deliver(&w);
    deliver(&w);
    assert_eq!((state(&w).0, w.asked("/message/custom/send")), (Some(DeliveryState::Sent), 1));
    let asked = w.0.asked.borrow();
    let sent = &asked.iter().find(|(_, url, _)| url.contains("custom/send")).unwrap().2;
    assert!(sent.contains("oUser") && sent.contains("在的"), "{sent}");
}

#[test]
fn what_the_platform_does_not_take_now_is_tried_again_later() {
    let w = waiting();
    answers(&w, Platform::Says(200, "{\"errcode\":-1}".to_owned()));
    deliver(&w);
    assert_eq!(state(&w), (Some(DeliveryState::Failed), Some("platform_busy".to_owned())));
    assert!(!is_due(&w));
    works(&w);
    w.pass(5_000);
    deliver(&w);
    assert_eq!((state(&w).0, w.asked("/message/custom/send")), (Some(DeliveryState::Sent), 2));
}

#[test]
fn what_the_platform_never_takes_is_given_up_with_its_reason() {
    let w = waiting();
    answers(&w, Platform::Says(200, "{\"errcode\":40003}".to_owned()));
    deliver(&w);
    assert_eq!(state(&w), (Some(DeliveryState::Dead), Some("recipient_unknown".to_owned())));
    w.pass(3_600_000);
    deliver(&w);
    assert_eq!((w.asked("/message/custom/send"), w.events("delivery.dead")), (1, 1));
}

#[test]
fn a_platform_that_hangs_leaves_doubt_after_the_deadline_and_is_knocked_at_before_the_next_try() {
    let w = waiting();
    answers(&w, Platform::Hangs);
    deliver(&w);
    assert_eq!(w.now(), 8_000);
    assert_eq!((w.events("delivery.in_doubt"), state(&w).1.as_deref()), (1, Some("timeout")));
    // The platform is unreachable. A message in doubt is not sent then.
    w.platform(|_| Platform::Away);
    w.pass(60_000);
    deliver(&w);
    assert_eq!((w.asked("/message/custom/send"), w.events("delivery.in_doubt")), (1, 1));
    assert_eq!(state(&w).1.as_deref(), Some("platform_unreachable"));
}

#[test]
fn a_platform_that_is_not_reached_leaves_no_doubt() {
    let w = waiting();
    answers(&w, Platform::Away);
    deliver(&w);
    assert_eq!((w.events("delivery.in_doubt"), state(&w).1.as_deref()), (0, Some("platform_unreachable")));
}

#[test]
fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let w = waiting();
    answers(&w, Platform::Says(200, " ".repeat(300_000)));
    deliver(&w);
    assert_eq!((w.events("delivery.in_doubt"), state(&w).1.as_deref()), (1, Some("answer_too_large")));
}
