//! Warmline on Spin: the only crate that touches spin-sdk.
//!
//! * [`world`]: store, keys, clock and randomness of one request;
//! * [`db`]: the store's `Db` on Spin's SQLite; [`kv`]: the key-value store, whose content may be lost;
//! * [`incoming`]: requests in, responses out, streams; [`outgoing`]: calls to platforms, with a deadline;
//! * [`internal`]: calls from component to component;
//! * [`adapter`]: the shell that turns a channel's [`warmline_channels::Adapter`] into a component; [`deliver`] and
//!   [`tokens`] for replies, [`pull`] for platforms that are polled, [`media`] for bytes that platforms keep, and [`client`]
//!   for channels whose customers use a client of the brand's own;
//! * `socket`, `gateway`: the WebSockets of those clients, and the gateway that holds them.

pub mod adapter;
pub mod client;
pub mod db;
pub mod deliver;
mod gateway;
pub mod incoming;
pub mod internal;
pub mod kv;
pub mod media;
pub mod outgoing;
pub mod pull;
mod socket;
pub mod tokens;
pub mod world;

pub use incoming::{IncomingRequest, ResponseOutparam};
pub use world::World;
