//! Quality: what is said to and by customers, inspected from the event log. [`steps`] follows the log; [`api`] has the routes.

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
mod capability;
pub mod model;
#[cfg(feature = "server")]
pub mod steps;

#[cfg(feature = "server")]
pub use capability::QUALITY;
