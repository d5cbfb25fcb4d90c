//! Metrics as a capability.

use crate::{api, steps};
use warmline_endpoint::capability::{Capability, Follower};
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::Personal;

/// Metrics. Its tables are among the core's, and hold numbers only.
pub const METRICS: Capability = Capability {
    name: "metrics",
    migrations: &[],
    routes: &[api::ROUTES],
    follower: Some(Follower { component: "metrics", path: "/fold", step: steps::advance }),
    due: &[],
    personal: Personal::None,
    figures: &[],
    gauges: no_gauges,
};
