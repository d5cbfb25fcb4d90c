//! Claiming deliveries, and noting their outcome. Between the two is the call, outside of any transaction.
//!
//! A claim sets the time of the next try to the end of its lease. If the process ends during the try, the delivery is due
//! again then, with the same id, by which its receiver knows it.

use crate::backoff::{self, LONGEST_PAUSE};
use crate::steps;
use crate::store::{deliveries, hooks};
use warmline_kernel::{Ctx, StepError};
use warmline_model::{HookId, Timestamp};
use warmline_store::immediate;

pub use crate::store::deliveries::{Failed, Job};

/// How long a claim lasts, and the right to send a hook's deliveries: longer than a run with its last try.
pub const LEASE_MS: i64 = 45_000;
/// A hook that fails for so long is disabled.
const FAILING_MS: i64 = 5 * 24 * 3_600_000;
/// Tries after which a delivery is given up whatever they led to: a try that ends its process leaves no outcome.
const MOST_TRIES: i64 = 30;

/// The outcome of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it, with this status.
    Delivered(u16),
    /// The receiver wants nothing any more (410).
    Gone,
    /// It did not work.
    Failed {
        /// The status of the answer, if there was one.
        status: Option<u16>,
        /// The reason, as a stable code.
        reason: &'static str,
        /// The time before which the receiver wants no other try.
        not_before: Option<Timestamp>,
    },
}

impl Outcome {
    /// A failure without an answer.
    pub const fn failed(reason: &'static str) -> Self {
        Self::Failed { status: None, reason, not_before: None }
    }
}

/// Takes the right to send a hook's deliveries. Returns false if somebody has it.
pub fn lease(ctx: &Ctx<'_>, hook: HookId, owner: &[u8; 16]) -> Result<bool, StepError> {
    let now = ctx.now();
    Ok(hooks::lease(ctx.db, hook, owner, now, now.plus_millis(LEASE_MS))?)
}

/// Gives the right back.
pub fn release(ctx: &Ctx<'_>, hook: HookId, owner: &[u8; 16]) -> Result<(), StepError> {
    Ok(hooks::release(ctx.db, hook, owner, ctx.now())?)
}

/// Claims a hook's deliveries that are due, `limit` at most. Nobody else claims them before the lease is over.
pub fn claim(ctx: &Ctx<'_>, hook: HookId, owner: &[u8; 16], limit: i64) -> Result<Vec<Job>, StepError> {
    let now = ctx.now();
    Ok(deliveries::claim(ctx.db, hook, owner, now, now.plus_millis(LEASE_MS), limit)?)
}

/// Notes the outcome of a try. If the try outlived its lease and there was another one, its outcome no longer counts.
pub fn record(ctx: &Ctx<'_>, hook: HookId, job: &Job, outcome: Outcome) -> Result<(), StepError> {
    immediate(ctx.db, || match outcome {
        Outcome::Delivered(status) => {
            if deliveries::delivered(ctx.db, job, status, ctx.now())? {
                hooks::succeeded(ctx.db, hook)?;
            }
            Ok(())
        }
        Outcome::Gone => {
            if deliveries::dead(ctx.db, job, &Failed { status: Some(410), reason: "gone" }, ctx.now())? {
                steps::disable(ctx, hook, "gone")?;
            }
            Ok(())
        }
        Outcome::Failed { status, reason, not_before } => fail(ctx, hook, job, &Failed { status, reason }, not_before),
    })
}

fn fail(ctx: &Ctx<'_>, hook: HookId, job: &Job, why: &Failed<'_>, not_before: Option<Timestamp>) -> Result<(), StepError> {
    let now = ctx.now();
    let pause = not_before.map_or(now, |at| at.min(now.plus_millis(LONGEST_PAUSE)));
    let next = match backoff::wait(job.tries, ctx.rng) {
        Some(wait) if job.tries < MOST_TRIES => Some(now.plus_millis(wait).max(pause)),
        _ => None,
    };
    let counts = match next {
        Some(next) => deliveries::later(ctx.db, job, why, next)?,
        None => deliveries::dead(ctx.db, job, why, now)?,
    };
    if !counts {
        return Ok(());
    }
    let since = hooks::failed(ctx.db, hook, now, pause)?;
    if since.is_some_and(|since| now.since(since) >= FAILING_MS) {
        steps::disable(ctx, hook, "failing")?;
    }
    Ok(())
}
