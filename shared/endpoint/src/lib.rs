//! The common ground of all HTTP interfaces of Warmline.
//!
//! * [`message`]: a request and a response as plain values;
//! * [`problem`]: the one mapping from errors to RFC 9457 problem+json;
//! * [`auth`]: from bearer tokens to actors; [`pace`]: how many requests a token may send;
//! * [`route`]: the path, access and function of each route, and the dispatch; [`sse`]: server-sent events;
//! * [`page`]: limits, cursors, and lists that come in pages; [`body`]: from the text of a body to values;
//! * [`capability`]: the parts of a capability;
//! * [`idempotency`]: a repeated `Idempotency-Key` gets the same answer and one effect.

pub mod auth;
pub mod body;
pub mod capability;
pub mod idempotency;
pub mod message;
pub mod pace;
pub mod page;
pub mod problem;
pub mod route;
pub mod sse;

pub use message::{Request, Response};
pub use problem::Problem;

/// The longest request body that is read: a megabyte, far above any webhook or message.
pub const BODY_LIMIT: usize = 1024 * 1024;
