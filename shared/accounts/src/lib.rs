//! Channel accounts, as administrators and operations see them: how they are connected, whether their platforms reach us
//! and accept our messages, and which messages were given up. The adapters' use of an account is in `warmline-transport`.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
mod capability;
#[cfg(feature = "server")]
pub mod given_up;
pub mod model;
#[cfg(feature = "server")]
mod personal;

#[cfg(feature = "server")]
pub use capability::ACCOUNTS;
