//! One message: stored once, sealed, answered to its sender.

use crate::common::{World, claim, reply};
use crate::{actor, check, count, only};
use warmline_channels::Outcome;
use warmline_model::{Content, ConversationState};
use warmline_store::{Db as _, immediate};
use warmline_transport::deliver::{self, Attempt};

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
    immediate(&w.db, || reply(&w.ctx(), &actor(agent), c.id, &[Content::text("今天")])).unwrap();
    let c = only(&w);
    assert_eq!((c.state, c.round_started_at), (ConversationState::WaitingOnCustomer, None));
    // Replies arrive in order, one at a time, each at its sender.
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
