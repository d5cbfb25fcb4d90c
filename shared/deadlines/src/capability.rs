//! This crate as a capability: the value that `warmline-app` lists.

use crate::clock::State;
use crate::store::deadlines;
use crate::{api, due, follow, personal};
use warmline_endpoint::capability::{Capability, Due, Follower};
use warmline_kernel::personal::Personal;
use warmline_kernel::{Ctx, StepError};
use warmline_model::EventBody;
use warmline_model::figure::{Figure, Gauge};
use warmline_store::migration;

/// Deadlines.
pub const DEADLINES: Capability = Capability {
    name: "deadlines",
    migrations: &[migration!("../migrations/0001_deadlines.sql"), migration!("../migrations/0002_promises.sql")],
    routes: &[api::ROUTES],
    // The router runs both: a component of its own would cost every tick one more call.
    follower: Some(Follower { component: "router", path: "", step: follow::follow }),
    due: &[Due { name: "deadlines", step: due::step }],
    personal: Personal::Kept(personal::DUTIES),
    figures: &[Figure {
        id: "deadlines.missed.v1",
        meaning: "deadlines that were missed, by metric and who set them",
        counts: |event| match &event.body {
            EventBody::Unknown { kind, data } if kind == "deadline.missed" => {
                let word = |name: &str| data.get(name).and_then(|value| value.as_str()).unwrap_or_default();
                Some(format!("{}/{}", word("metric"), word("source")))
            }
            _ => None,
        },
    }],
    gauges,
};

/// Deadlines are counted up to this many.
const MOST: i64 = 1_000_000;

fn gauges(ctx: &Ctx<'_>) -> Result<Vec<Gauge>, StepError> {
    let running = deadlines::in_state(ctx.db, State::Running, MOST)?;
    Ok(vec![Gauge::new("warmline_deadlines_running", "deadlines that run, counted up to 1,000,000", running)])
}
