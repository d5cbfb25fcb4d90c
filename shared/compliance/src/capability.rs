//! This crate as a capability: the value that `warmline-app` lists.

use crate::{api, erase, retention};
use warmline_endpoint::capability::{Capability, Due};
use warmline_kernel::personal::Personal;
use warmline_kernel::{Ctx, StepError};
use warmline_model::figure::Gauge;

/// Compliance. Its tables are among the core's.
pub const COMPLIANCE: Capability = Capability {
    name: "compliance",
    migrations: &[],
    routes: &[api::audit::ROUTES, api::erasures::ROUTES, api::export::ROUTES, api::keys::ROUTES],
    follower: None,
    due: &[
        Due { name: "retention", step: retention::step },
        Due { name: "erase", step: |ctx| Ok(vec![("erased", erase::go_on(ctx)?)]) },
    ],
    // Erasures and the audit log hold ids, and must stay.
    personal: Personal::None,
    figures: &[],
    gauges,
};

fn gauges(ctx: &Ctx<'_>) -> Result<Vec<Gauge>, StepError> {
    let running = warmline_customers::store::erasures::count_running(ctx.db)?;
    Ok(vec![Gauge::new("warmline_erasures_running", "erasures that have begun and are not done", running)])
}
