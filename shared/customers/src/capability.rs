//! This crate as a capability: the value that `warmline-app` lists.

use crate::{api, personal};
use warmline_endpoint::capability::Capability;
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::Personal;

/// Customers. Their tables are among the core's.
pub const CUSTOMERS: Capability = Capability {
    name: "customers",
    migrations: &[],
    routes: &[api::customers::ROUTES, api::holds::ROUTES, api::consents::ROUTES],
    follower: None,
    due: &[],
    personal: Personal::Kept(personal::HOOKS),
    figures: &[],
    gauges: no_gauges,
};
