//! Customers: one person across channels.
//!
//! * [`people`]: identities, identifiers and merges; [`touch`]: which staff may read, join and part persons;
//! * [`timeline`]: a person's messages on every channel; [`summary`]: the summary for a colleague, with its cache
//!   [`context`]; [`orders`]: the orders that a message names;
//! * [`hold`]: legal holds; [`consents`]: statements of consent, and what a withdrawal takes back;
//! * [`store`]: their tables; [`api`]: their routes.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
mod capability;
#[cfg(feature = "server")]
pub mod consents;
#[cfg(feature = "server")]
pub mod context;
#[cfg(feature = "server")]
pub mod hold;
pub mod model;
#[cfg(feature = "server")]
pub mod orders;
#[cfg(feature = "server")]
pub mod people;
#[cfg(feature = "server")]
mod personal;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod summary;
#[cfg(feature = "server")]
pub mod timeline;
#[cfg(feature = "server")]
pub mod touch;

#[cfg(feature = "server")]
pub use capability::CUSTOMERS;
