//! From events to figures. [`fold`] says what one event counts for; [`histogram`] keeps durations in buckets; [`figures`] reads
//! rollups out as JSON and as OpenMetrics. Everything is computed from the event's own time, so folding the log anew gives the
//! same figures to the digit.

pub mod figures;
pub mod fold;
pub mod histogram;

pub use figures::{Cell, Figures, Gauges, OfAccount};
pub use fold::{Sample, fold};
