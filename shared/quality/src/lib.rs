//! Quality: inspects the messages of customers and staff, following the event log. [`steps`] follows the log; [`api`] has
//! the routes.
//!
//! Every step fails if the store fails. Its documentation names only other errors.

pub mod api;
pub mod steps;

use warmline_endpoint::capability::{Capability, Follower};
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::Personal;
use warmline_model::{EventBody, Figure};
use warmline_store::migrate::Migrations;

/// Quality. It stores nothing but its words: an alert is an event, and names a message by its id.
pub const QUALITY: Capability = Capability {
    name: "quality",
    migrations: Migrations::none("quality"),
    routes: &[api::ROUTES],
    follower: Some(Follower { component: "quality", path: "/inspect", step: steps::inspect }),
    due: &[],
    personal: Personal::None,
    figures: &[Figure {
        id: "quality.alerts.v1",
        meaning: "messages with sensitive words",
        counts: |event| matches!(event.body, EventBody::QualityAlert { .. }).then(String::new),
    }],
    gauges: no_gauges,
};
