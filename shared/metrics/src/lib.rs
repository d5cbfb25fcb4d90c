//! From events to figures. [`fold`] says what one event counts for; [`cell`] adds that up by hour; [`histogram`] keeps durations in buckets;
//! [`figures`] reads cells out as JSON and as OpenMetrics. Everything is computed from the event's own time, so folding the log anew gives
//! the same figures to the digit.
//!
//! That much is pure, and all that there is without the feature `server`. With it: [`store`] keeps the cells, [`steps`] follow the event log
//! and read figures, [`api`] has the routes.

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
mod capability;
pub mod cell;
pub mod figures;
pub mod fold;
pub mod histogram;
#[cfg(feature = "server")]
pub mod steps;
#[cfg(feature = "server")]
pub mod store;

#[cfg(feature = "server")]
pub use capability::METRICS;
pub use cell::Cell;
pub use figures::{Figures, Gauges, OfAccount};
pub use fold::{Sample, fold};
