//! From events to figures. [`fold`] gives the samples of one event. [`cell`] adds them up by hour. [`histogram`] keeps
//! durations in buckets. [`figures`] prints cells as JSON and as OpenMetrics. Everything is computed from the event's own
//! time, so folding the log again gives the same figures to the digit.
//!
//! These modules are pure, and the only ones without the feature `server`. With it, [`store`] keeps the cells, [`steps`]
//! follow the event log and read figures, and [`api`] has the routes.

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
