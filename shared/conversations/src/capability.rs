//! This crate as a capability: the value that `warmline-app` lists.

use crate::{api, due, personal};
use warmline_endpoint::capability::Capability;
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::Personal;
use warmline_store::migration;

/// Conversations, agents and queues. Most of their tables are among the core's.
pub const CONVERSATIONS: Capability = Capability {
    name: "conversations",
    migrations: &[migration!("../migrations/0001_held_messages.sql")],
    routes: &[
        api::agents::ROUTES,
        api::cases::ROUTES,
        api::conversations::ROUTES,
        api::gate::ROUTES,
        api::groups::ROUTES,
        api::held::ROUTES,
        api::media::ROUTES,
        api::queues::ROUTES,
        api::routing::ROUTES,
        api::seats::ROUTES,
        api::tokens::ROUTES,
    ],
    follower: None,
    due: due::DUE,
    personal: Personal::Kept(personal::HOOKS),
    figures: &[],
    gauges: no_gauges,
};
