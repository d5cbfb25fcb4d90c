//! What every HTTP surface of Warmline has in common.
//!
//! * [`message`]: a request and a response as plain values;
//! * [`problem`]: the one mapping from errors to RFC 9457 problem+json;
//! * [`auth`]: bearer tokens to actors; [`pace`]: how much a token may send;
//! * [`route`]: what is served where, to whom, by which function, and the dispatch; [`sse`]: server-sent events;
//! * [`page`]: limits and cursors;
//! * [`idempotency`]: the same Idempotency-Key, the same answer, one effect.

pub mod auth;
pub mod idempotency;
pub mod message;
pub mod pace;
pub mod page;
pub mod problem;
pub mod route;
pub mod sse;

pub use message::{Request, Response};
pub use problem::Problem;

/// The most bytes of a request body that are read: a megabyte, far above any webhook or message.
pub const BODY_LIMIT: usize = 1024 * 1024;
