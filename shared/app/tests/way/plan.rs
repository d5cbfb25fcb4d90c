//! The plan is read once in a request, and is always the one in force.

use crate::common::{World, reply};
use crate::{actor, all};
use std::cell::Cell;
use warmline_app::tick;
use warmline_conversations::converse::{self, Target};
use warmline_conversations::plan;
use warmline_kernel::memo::Memo;
use warmline_kernel::{Ctx, StepError};
use warmline_model::{Content, ConversationState};
use warmline_routing::Plan;
use warmline_routing::plan::Staffing;
use warmline_store::{Db, Row, StoreError, Value, immediate};

/// Counts how often the plan's document is read.
struct Counted<'a> {
    db: &'a dyn Db,
    documents: Cell<u32>,
}

impl Db for Counted<'_> {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = self.db.execute(sql, params)?;
        if sql.contains("FROM plans") {
            let holds = |row: &&Row| row.0.iter().any(|v| matches!(v, Value::Text(text) if text.contains("\"groups\"")));
            self.documents.set(self.documents.get() + u32::try_from(rows.iter().filter(holds).count()).unwrap());
        }
        Ok(rows)
    }
}

/// How often a request reads the document.
fn documents(w: &World, request: impl FnOnce(&Ctx<'_>)) -> u32 {
    let (db, memo) = (Counted { db: &w.db, documents: Cell::new(0) }, Memo::default());
    request(&Ctx { db: &db, memo: &memo, ..w.ctx() });
    db.documents.get()
}

#[test]
fn a_request_reads_the_document_once() {
    let w = World::new();
    let other = w.group("h", r#"{"accept_secs":0,"wrap_up_secs":5}"#);
    let group = w.group("g", r#"{"accept_secs":60,"wrap_up_secs":0,"overflow":{"wait_secs":30,"to":{"group":"h"}}}"#);
    crate::common::edit(&w, |plan| plan.groups.reverse());
    let (one, two) = (w.agent(&group, 2, false), w.agent(&other, 2, false));
    for who in ["a", "b", "c", "d"] {
        w.arrives(who, who, Content::text("在吗"), &[]);
    }
    assert_eq!(documents(&w, |ctx| assert_eq!(w.drain_with(ctx), 4)), 1, "all batches of a drain");
    let held =
        |agent| all(&w).into_iter().filter(|c| c.agent == Some(agent) && c.state.holds_capacity()).collect::<Vec<_>>();
    let talk = held(one)[0].id;
    let reply = |ctx: &Ctx<'_>| {
        immediate(ctx.db, || reply(ctx, &actor(one), talk, &[Content::text("在")])).unwrap();
    };
    assert_eq!(documents(&w, reply), 0, "a reply needs no plan");
    let (to_group, to_agent) = (Target::Group(other), Target::Agent(one));
    let hand_on = |ctx: &Ctx<'_>| {
        immediate(ctx.db, || converse::transfer(ctx, &actor(one), talk, &to_group, None)).unwrap();
    };
    assert_eq!(documents(&w, hand_on), 1);
    assert_eq!((held(one).len(), held(two).len()), (2, 1), "the seat was filled again");
    let hand_back = |ctx: &Ctx<'_>| {
        immediate(ctx.db, || converse::transfer(ctx, &actor(two), talk, &to_agent, None)).unwrap_err();
    };
    assert_eq!(documents(&w, hand_back), 1, "the agent is full");
    // Closing reads the group's settings, and then fills the seat from the queue.
    let close = |ctx: &Ctx<'_>| {
        immediate(ctx.db, || converse::close(ctx, &actor(one), held(one)[0].id, None)).unwrap();
    };
    assert_eq!(documents(&w, close), 1);
    assert_eq!(held(one).len(), 2);
    crate::close(&w, two, talk);
    assert_eq!(held(two)[0].state, ConversationState::WrapUp);
    // A tick with all of this to do: a wrap-up that ended, contacts that were not accepted, and that waited too long.
    w.pass(61_000);
    let mut done = tick::Ticked::default();
    assert_eq!(documents(&w, |ctx| done = tick::tick(ctx).unwrap()), 1);
    for what in ["accept_timeouts", "wrap_ups_ended", "overflowed"] {
        assert!(done[what] > 0, "{what}: {done:?}");
    }
    crate::check(&w);
    crate::replayed(&w);
}

#[test]
fn a_plan_that_another_request_puts_into_force_is_seen_at_once() {
    let w = World::new();
    w.group("g", "{}");
    let memo = Memo::default();
    let request = Ctx { memo: &memo, ..w.ctx() };
    let before = plan::current(&request).unwrap();
    let put = |ctx: &Ctx<'_>, plan: &Plan| immediate(&w.db, || plan::put(ctx, None, plan, None)).unwrap();
    let other = Memo::default();
    put(&Ctx { memo: &other, ..w.ctx() }, &Plan { staffing: Staffing::Auto, ..Plan::clone(&before) });
    let after = plan::current(&request).unwrap();
    assert_eq!((after.version(), after.staffing), (before.version() + 1, Staffing::Auto));
    // The request's own plan is in force within its transaction, and not after the transaction was rolled back.
    let rolled_back: Result<(), StepError> = immediate(&w.db, || {
        plan::put(&request, None, &before, None)?;
        assert_eq!(plan::current(&request)?.staffing, before.staffing);
        Err(StepError::NotFound("reason to go on"))
    });
    rolled_back.unwrap_err();
    assert_eq!(plan::current(&request).unwrap().staffing, Staffing::Auto);
    // Another plan takes the version of the one that was rolled back.
    let presence = serde_json::from_str(r#"{"heartbeat_secs":77}"#).unwrap();
    let version = put(&Ctx { memo: &other, ..w.ctx() }, &Plan { presence, ..Plan::clone(&before) });
    let last = plan::current(&request).unwrap();
    assert_eq!((last.version(), last.presence.heartbeat_secs), (version, 77));
}
