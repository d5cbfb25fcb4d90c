//! What the law asks of a keeper of personal data. Erasing ([`erase`]), exporting and retention ([`retention`]) go through the
//! hooks of every capability ([`warmline_kernel::personal`]), so that none is left out.

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
