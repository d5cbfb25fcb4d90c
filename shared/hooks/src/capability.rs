//! This crate as a capability: the value that `warmline-app` lists.

use crate::model::State;
use crate::store::deliveries;
use crate::{api, follow, personal};
use warmline_endpoint::capability::{Capability, Due, Follower};
use warmline_kernel::personal::Personal;
use warmline_kernel::{Ctx, StepError};
use warmline_model::EventBody;
use warmline_model::figure::{Figure, Gauge};
use warmline_store::migration;

/// Hooks.
pub const HOOKS: Capability = Capability {
    name: "hooks",
    migrations: &[migration!("../migrations/0001_hooks.sql")],
    routes: &[api::ROUTES],
    follower: Some(Follower { component: "hooks", path: "/follow", step: follow::follow }),
    due: &[Due { name: "hooks", step: personal::sweep }],
    personal: Personal::Kept(personal::DUTIES),
    figures: &[Figure {
        id: "hooks.disabled.v1",
        meaning: "hooks that were disabled",
        counts: |event| matches!(&event.body, EventBody::Unknown { kind, .. } if kind == "hooks.disabled").then(String::new),
    }],
    gauges,
};

/// The name and the latest version of the tables, for the component that does not contain them.
pub const VERSION: (&str, i64) = (HOOKS.name, HOOKS.migrations.len() as i64);

/// Deliveries are counted up to this many.
const MOST: i64 = 100_000;

fn gauges(ctx: &Ctx<'_>) -> Result<Vec<Gauge>, StepError> {
    let waiting = deliveries::in_state(ctx.db, State::Waiting, MOST)?;
    let since = deliveries::oldest(ctx.db, State::Waiting)?;
    let age = since.map_or(0, |since| ctx.now().since(since).max(0) / 1_000);
    let dead = deliveries::in_state(ctx.db, State::Dead, MOST)?;
    Ok(vec![
        Gauge::new("warmline_hooks_waiting", "deliveries to hooks that wait, counted up to 100,000", waiting),
        Gauge::new("warmline_hooks_oldest_seconds", "age of the oldest delivery that waits", age),
        Gauge::new("warmline_hooks_dead", "deliveries to hooks that were given up, counted up to 100,000", dead),
    ])
}
