//! This crate as a capability: the value that `warmline-app` lists.

use crate::{api, personal};
use warmline_endpoint::capability::Capability;
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::Personal;

/// Channel accounts. Their tables are among the core's.
pub const ACCOUNTS: Capability = Capability {
    name: "accounts",
    migrations: &[],
    routes: &[api::account_health::ROUTES, api::accounts::ROUTES, api::channels::ROUTES, api::outbox::ROUTES],
    follower: None,
    due: &[],
    personal: Personal::Kept(personal::HOOKS),
    figures: &[],
    gauges: no_gauges,
};
