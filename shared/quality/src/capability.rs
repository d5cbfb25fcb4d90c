//! This crate as a capability: the value that `warmline-app` lists.

use crate::{api, steps};
use warmline_endpoint::capability::{Capability, Follower};
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::Personal;
use warmline_model::{EventBody, Figure};

/// Quality. It stores nothing but its words: an alert is an event, and names a message by its id.
pub const QUALITY: Capability = Capability {
    name: "quality",
    migrations: &[],
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
