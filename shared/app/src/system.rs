//! The upkeep of the data that no capability owns.

use warmline_endpoint::capability::{Capability, Due};
use warmline_kernel::personal::{Counts, Personal};
use warmline_kernel::{Ctx, StepError, transient_keys};
use warmline_model::figure::Gauge;
use warmline_store::{idempotency, space};

/// The system itself.
pub const SYSTEM: Capability = Capability {
    name: "system",
    migrations: &[],
    // They read the list of capabilities, so they stand above it, in `routes`.
    routes: &[],
    follower: None,
    due: &[Due { name: "answers", step: answers }, Due { name: "keys", step: keys }, Due { name: "space", step: give_back }],
    // Answers that are kept for repeated calls are sealed under transient keys, which an erasure destroys.
    personal: Personal::None,
    figures: &[],
    gauges,
};

/// The most rows of a kind in one tick.
const ANSWERS: i64 = 256;
const KEYS: i64 = 64;

/// Removes answers that were kept long enough for repeated calls.
fn answers(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    idempotency::prune(ctx.db, ctx.now().plus_millis(-transient_keys::KEEP_ANSWERS_MS), ANSWERS)?;
    Ok(Counts::new())
}

/// Moves keys that an earlier version stored beside the data, and renews transient keys.
fn keys(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    transient_keys::move_keys(ctx, KEYS)?;
    transient_keys::tick(ctx)?;
    Ok(Counts::new())
}

/// Makes the file smaller if much of it is free.
fn give_back(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    space::give_back(ctx.db)?;
    Ok(Counts::new())
}

fn gauges(ctx: &Ctx<'_>) -> Result<Vec<Gauge>, StepError> {
    let (name, meaning) = ("warmline_store_bytes", "what the store takes, by kind, about");
    let gauge = |(kind, bytes)| Gauge { kind: Some(kind), ..Gauge::new(name, meaning, bytes) };
    Ok(space::kinds(ctx.db)?.into_iter().map(gauge).collect())
}
