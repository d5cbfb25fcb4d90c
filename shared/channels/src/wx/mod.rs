//! What WeChat's own channels share: official accounts and mini programs word for word, WeCom in part.
//!
//! * `gate`: which webhooks an account takes: plain and encrypted modes, signed as [`crate::wx_crypto`] says;
//! * `payload`: a body in XML or JSON as named fields; `message`: the kinds and events that all of them have;
//! * `settings`: what settings mean on all of them; `app`: the settings of an app on that API;
//! * `api`: access tokens, calls that carry one, temporary media, and what error codes mean;
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
