//! Quality: inspects the messages of customers and staff, following the event log. [`steps`] follows the log; [`api`] has
//! the routes.
//!
//! Every step fails if the store fails. Its documentation names only other errors.

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
mod capability;
pub mod model;
#[cfg(feature = "server")]
pub mod steps;

#[cfg(feature = "server")]
pub use capability::QUALITY;
