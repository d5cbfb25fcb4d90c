//! From the event log to deliveries.

use crate::payload;
use crate::steps::{self, MOST_WAITING};
use crate::store::{deliveries, hooks};
use warmline_kernel::{Ctx, StepError};
use warmline_model::{Event, HookDeliveryId};
use warmline_store::{events, followers, immediate};

/// The follower's name in the store.
pub const NAME: &str = "hooks";
/// Events that are handled in one transaction.
const BATCH: i64 = 64;

/// Writes deliveries for the next events. Returns true if more may wait. Deliveries and position are written in one
/// transaction, so each event makes one delivery for each hook that wants it.
pub fn follow(ctx: &Ctx<'_>) -> Result<bool, StepError> {
    // While nobody listens, the log is not read. `begin` moves the position when the first hook comes.
    if hooks::listening(ctx.db)?.is_empty() {
        return Ok(false);
    }
    let from = followers::position(ctx.db, NAME)?;
    let batch = events::after(ctx.db, from, BATCH)?;
    let Some(last) = batch.last().map(|event| event.seq) else { return Ok(false) };
    immediate(ctx.db, || {
        // Another run was here, or the last hook went and another one came.
        if followers::position(ctx.db, NAME)? != from {
            return Ok::<_, StepError>(());
        }
        let listening = hooks::listening(ctx.db)?;
        for event in &batch {
            write(ctx, event, &listening)?;
        }
        for hook in &listening {
            if deliveries::is_overfull(ctx.db, hook.id, MOST_WAITING)? {
                steps::disable(ctx, hook.id, "too_many_waiting")?;
            }
        }
        Ok(followers::advance(ctx.db, NAME, last)?)
    })?;
    Ok(true)
}

fn write(ctx: &Ctx<'_>, event: &Event, listening: &[hooks::Listening]) -> Result<(), StepError> {
    let Some(told) = payload::of(event) else { return Ok(()) };
    let mut body = None;
    for hook in listening.iter().filter(|hook| hook.after < event.seq && payload::wants(&hook.types, &told.kind)) {
        if body.is_none() {
            body = told.body();
        }
        let Some(body) = &body else { return Ok(()) };
        let (at, kind) = (ctx.now(), told.kind.as_str());
        let id = HookDeliveryId::new(at, ctx.rng);
        deliveries::insert(ctx.db, &deliveries::New { id, hook: hook.id, seq: Some(event.seq), kind, body, at })?;
    }
    Ok(())
}

/// Prepares for a hook that will listen from now on. If none did, the log was not read meanwhile, and need not be. It runs
/// in the transaction that makes or enables the hook.
pub(crate) fn begin(ctx: &Ctx<'_>) -> Result<(), StepError> {
    if hooks::listening(ctx.db)?.is_empty() {
        followers::advance(ctx.db, NAME, events::last(ctx.db)?)?;
    }
    Ok(())
}
