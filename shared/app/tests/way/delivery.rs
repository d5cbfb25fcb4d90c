//! Delivery: failures, and deliverers that died.

use crate::common::{World, claim, reply};
use crate::{actor, count, only};
use warmline_channels::Outcome;
use warmline_kernel::StepError;
use warmline_model::Content;
use warmline_store::immediate;
use warmline_transport::deliver::{self, Attempt};

#[test]
fn failures_back_off_and_end_as_dead_letters_when_their_time_is_over() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 1, false);
    w.says("a", "1", "在吗");
    let sent = immediate(&w.db, || reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("在")])).unwrap();
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
    immediate(&w.db, || reply(&w.ctx(), &actor(agent), only(&w).id, &[Content::text("在")])).unwrap();
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
