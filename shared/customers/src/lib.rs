//! Customers: one person across channels.
//!
//! * [`people`]: identities, identifiers and merges; [`touch`]: which staff may read, join and part persons;
//! * [`timeline`]: a person's messages on every channel; [`summary`]: the summary for a colleague, with its cache
//!   [`context`]; [`orders`]: the orders that a message names;
//! * [`hold`]: legal holds;
//! * [`store`]: their tables; [`api`]: their routes.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

pub mod api;
pub mod context;
pub mod hold;
pub mod orders;
pub mod people;
pub mod store;
pub mod summary;
pub mod timeline;
pub mod touch;

mod personal;

use warmline_endpoint::capability::Capability;
use warmline_kernel::installed::no_gauges;
use warmline_kernel::personal::Personal;
use warmline_store::migrate::Migrations;

/// Customers. Their tables are among the core's.
pub const CUSTOMERS: Capability = Capability {
    name: "customers",
    migrations: Migrations::none("customers"),
    routes: &[api::customers::ROUTES, api::holds::ROUTES, api::consents::ROUTES],
    follower: None,
    due: &[],
    personal: Personal::Kept(personal::HOOKS),
    figures: &[],
    gauges: no_gauges,
};
