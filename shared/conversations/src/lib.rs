//! Conversations: from the inbox to a seat, and all actions of agents, supervisors and AI seats on them.
//!
//! * [`drain`]: from the inbox into its conversation (the router's work); [`place`] finds the agent by the [`plan`] in force
//!   and the [`floor`] of seats and queues, also for [`calls`] that ring;
//! * [`cases`]: a person's conversations on one matter; [`ai`]: turns of AI seats, and the hand-over to people;
//! * [`converse`]: the actions of agents and supervisors on a conversation; [`staff`]: agents and their presence;
//! * [`staffing`]: the expected contacts, the agents they need, and seats that move; [`aging`]: the ageing of messages;
//! * [`store`]: their tables; [`api`]: their routes.
//!
//! Each step is one short transaction over the store. No step does network I/O, and each gets the time and randomness from
//! [`warmline_kernel::Ctx`], so every step runs in native tests. Every step fails if the store fails or a value does not
//! open. Its documentation names only other errors.

pub mod aging;
pub mod ai;
pub mod api;
pub mod calls;
pub mod cases;
pub mod converse;
pub mod drain;
mod due;
pub mod floor;
mod personal;
pub mod place;
pub mod plan;
pub mod staff;
pub mod staffing;
pub mod store;

use warmline_endpoint::capability::Capability;
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::Personal;
use warmline_store::migrate::Migrations;

/// Conversations, agents and queues. Their tables are among the core's.
pub const CONVERSATIONS: Capability = Capability {
    name: "conversations",
    migrations: Migrations::none("conversations"),
    routes: &[
        api::agents::ROUTES,
        api::cases::ROUTES,
        api::conversations::ROUTES,
        api::groups::ROUTES,
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
