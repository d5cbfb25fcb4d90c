//! Warnings, misses and escalations in their time. The step reads only what is due.

use crate::books;
use crate::follow::{LATE_MS, NAME};
use crate::settle::settle;
use crate::store::deadlines::{self, Stored};
use crate::store::subjects;
use std::collections::{BTreeMap, BTreeSet};
use warmline_kernel::personal::Counts;
use warmline_kernel::{Ctx, StepError};
use warmline_model::{ConversationId, Timestamp};
use warmline_store::{events, followers, immediate};

/// Conversations in one transaction.
const BATCH: i64 = 200;

/// Looks at the deadlines whose time has come.
pub(crate) fn step(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    // A read without the write lock: mostly nothing is due.
    let ids = deadlines::to_look_at(ctx.db, ctx.now(), BATCH)?;
    if ids.is_empty() {
        return Ok(Counts::new());
    }
    let sure = sure(ctx)?;
    let ids: Vec<ConversationId> = ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    immediate(ctx.db, || look(ctx, &ids, sure))?;
    Ok(vec![("deadlines_looked_at", i64::try_from(ids.len()).unwrap_or(i64::MAX))])
}

/// The instant up to which everything that happened is in the deadlines. An event's commit may come some seconds after its instant.
fn sure(ctx: &Ctx<'_>) -> Result<Timestamp, StepError> {
    let next = events::after(ctx.db, followers::position(ctx.db, NAME)?, 1)?;
    let known = next.first().map_or(ctx.now(), |event| event.at.min(ctx.now()));
    Ok(known.plus_millis(-LATE_MS))
}

fn look(ctx: &Ctx<'_>, ids: &[ConversationId], sure: Timestamp) -> Result<(), StepError> {
    let mut open: BTreeMap<ConversationId, Vec<Stored>> = BTreeMap::new();
    for stored in deadlines::open(ctx.db, ids)? {
        open.entry(stored.deadline.subject).or_default().push(stored);
    }
    let versions: BTreeSet<i64> = open.values().flatten().map(|stored| stored.deadline.version).collect();
    let books = books::of(ctx, &versions)?;
    for subject in subjects::some(ctx.db, ids)? {
        let before = open.remove(&subject.id).unwrap_or_default();
        let mut all = before.clone();
        settle(ctx, &books, &subject, &mut all, &before, sure)?;
    }
    Ok(())
}
