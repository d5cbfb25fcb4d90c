//! The REST API for agents, supervisors and operations.
//!
//! [`routes`] is one table: requests are dispatched from it and [`openapi`] is generated from it, so the description cannot
//! differ from what is served. The handlers are in one module per resource; each is a function from a [`Call`] to a response,
//! and runs in a transaction where it writes.

pub mod account_health;
pub mod accounts;
pub mod agents;
pub mod audit;
pub mod body;
mod carry;
pub mod cases;
pub mod channels;
pub mod conversations;
pub mod customers;
pub mod documents;
pub mod duties;
pub mod erasures;
pub mod events;
pub mod export;
pub mod groups;
pub mod handover;
pub mod health;
pub mod keys;
pub mod media;
pub mod openapi;
pub mod outbox;
pub mod queues;
pub mod refusals;
pub mod routes;
pub mod routing;
pub mod seats;
pub mod tokens;
pub mod view;

pub use routes::{Call, Wake, dispatch};
