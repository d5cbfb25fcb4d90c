//! The legal duties of a keeper of personal data. Erasing ([`erase`]), exporting and retention ([`retention`]) go through
//! the hooks of every capability ([`warmline_kernel::personal`]), so that none is left out.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
mod capability;
#[cfg(feature = "server")]
pub mod erase;
pub mod model;
#[cfg(feature = "server")]
pub mod retention;

#[cfg(feature = "server")]
pub use capability::COMPLIANCE;
