//! Warmline on Spin: the only crate that touches spin-sdk.
//!
//! * [`host`]: Spin as the host of the shell, which is in the crate `transport`;
//! * [`world`]: store, keys, clock and randomness of one request;
//! * [`db`]: the store's `Db` on Spin's SQLite; [`kv`]: the key-value store, whose content may be lost;
//! * [`adapter`]: the components of channels;
//! * [`incoming`], [`outgoing`], [`internal`], [`media`]: the shell's functions for the other components.

pub mod adapter;
pub mod db;
pub mod environment;
pub mod host;
pub mod incoming;
pub mod internal;
pub mod kv;
pub mod media;
pub mod outgoing;

pub use environment::Environment;
pub use incoming::{IncomingRequest, ResponseOutparam};
