//! Hooks: signed webhooks to the brand's own systems, by the rules of [Standard Webhooks](https://www.standardwebhooks.com).
//!
//! A hook is a subscription: an address, and the types of events that it wants. A follower of the event log writes one
//! delivery for each event that a hook wants. The component `hooks` sends the deliveries that are due, and tries again what
//! failed. A delivery holds ids, codes, times and figures ([`payload`]), never what somebody said or is called.
//!
//! * [`steps`]: subscribing and what goes with it; [`follow`]: from the log to deliveries;
//! * [`deliver`]: claiming deliveries and noting their outcome, one transaction each; [`send`]: the calls between the two;
//! * [`target`]: which addresses may be called; [`signature`]; [`backoff`]: pure.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod backoff;
#[cfg(feature = "server")]
mod capability;
#[cfg(feature = "server")]
pub mod deliver;
#[cfg(feature = "server")]
pub mod follow;
pub mod model;
#[cfg(feature = "server")]
pub mod payload;
#[cfg(feature = "server")]
mod personal;
#[cfg(feature = "server")]
pub mod send;
#[cfg(feature = "server")]
pub mod signature;
#[cfg(feature = "server")]
pub mod steps;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod target;

#[cfg(feature = "server")]
pub use capability::{HOOKS, VERSION};
