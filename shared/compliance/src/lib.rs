//! The legal duties of a keeper of personal data. Erasing ([`erase`]), exporting and retention ([`retention`]) go through
//! the hooks of every capability ([`warmline_kernel::personal`]), so that none is left out.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

pub mod api;
pub mod erase;
pub mod retention;

use warmline_endpoint::capability::{Capability, Due};
use warmline_kernel::personal::Personal;
use warmline_kernel::{Ctx, StepError};
use warmline_model::figure::Gauge;
use warmline_store::migrate::Migrations;

/// Compliance. Its tables are among the core's.
pub const COMPLIANCE: Capability = Capability {
    name: "compliance",
    migrations: Migrations::none("compliance"),
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
    Ok(vec![Gauge {
        name: "warmline_erasures_running",
        meaning: "erasures that have begun and are not done",
        value: running,
    }])
}
