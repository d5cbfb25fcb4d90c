//! Channel accounts, as administrators and operations see them: how they are connected, whether their platforms reach us and
//! take our messages, and what was given up. What adapters do with an account is in `warmline-transport`.

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
