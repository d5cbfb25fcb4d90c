//! A capability: one subject of the product with its tables, routes, follower of the event log, and duties. Its crate
//! exports one [`Capability`], and `warmline-app` lists it. The migrator, the dispatch, the tick, the OpenAPI
//! description, erasing, exporting, retention and the metrics use that list. No other list of the product names a
//! capability.

use crate::route::Route;
use warmline_kernel::installed::ReadGauges;
use warmline_kernel::personal::{Counts, Personal};
use warmline_kernel::{Ctx, StepError};
use warmline_model::{Figure, Timestamp};

/// The parts of one capability. Every field must be given, so that none is forgotten.
pub struct Capability {
    /// Its name: the prefix of its events, and the name of its migrations.
    pub name: &'static str,
    /// Its tables: SQL files, each made with [`migration!`](warmline_store::migration). To add one, append it. Never change a
    /// file that has been applied anywhere.
    pub migrations: &'static [&'static str],
    /// Its routes, resource by resource.
    pub routes: &'static [&'static [Route]],
    /// Its follower of the event log, if it has one.
    pub follower: Option<Follower>,
    /// Its steps of the tick. The tick runs them in order; each is bounded and idempotent.
    pub due: &'static [Due],
    /// Its hooks for personal data.
    pub personal: Personal,
    /// The figures that it counts from its own events.
    pub figures: &'static [Figure],
    /// Its present gauges.
    pub gauges: ReadGauges,
}

/// A follower of the event log. Its step handles the next events; its effect and its position are written in one
/// transaction, so overlapping runs have one effect.
#[derive(Clone, Copy)]
pub struct Follower {
    /// The component that runs it.
    pub component: &'static str,
    /// The private path at which that component runs it.
    pub path: &'static str,
    /// The step.
    pub step: Follow,
}

/// Handles the next events. Returns true if more wait.
pub type Follow = fn(&Ctx<'_>) -> Result<bool, StepError>;

/// Lets a follower handle events until none waits, or until an instant. True if more wait.
///
/// # Errors
/// The step fails. What it committed before stays.
pub fn follow(ctx: &Ctx<'_>, step: Follow, until: Timestamp) -> Result<bool, StepError> {
    while step(ctx)? {
        if ctx.now() >= until {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A step of the tick.
#[derive(Clone, Copy)]
pub struct Due {
    /// Its name.
    pub name: &'static str,
    /// Does a bounded part of the due work, and returns its counts.
    pub step: fn(&Ctx<'_>) -> Result<Counts, StepError>,
}
