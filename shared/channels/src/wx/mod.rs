//! The common ground of WeChat's own channels: official accounts and mini programs share all of it, WeCom a part.
//!
//! * `gate`: the webhooks that an account accepts: plain and encrypted modes, signed as in [`crate::wx_crypto`];
//! * `payload`: a body in XML or JSON as named fields; `message`: the kinds and events that all of them have;
//! * `settings`: the common settings; `app`: the settings of an app on that API;
//! * `api`: access tokens, calls that carry one, temporary media, and the meaning of error codes;
//! * `page`: a page of a mini program as a link;
//! * `sign`: signed requests for tests and simulators.

pub(crate) mod api;
pub(crate) mod app;
pub(crate) mod gate;
pub(crate) mod message;
pub(crate) mod page;
pub(crate) mod payload;
pub(crate) mod settings;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
