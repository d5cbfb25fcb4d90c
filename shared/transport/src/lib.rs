//! How messages come in and go out: all that adapters link, and nothing of the desk.
//!
//! * [`ingest`]: a verified webhook into the inbox; [`odd`]: what of it could not be read; [`pull`]: the same for platforms that keep
//!   messages until they are asked;
//! * [`deliver`]: out of the outbox to the platform; [`stream`]: replies for customers whose own client fetches them;
//! * [`media`]: whose bytes stay with the platform;
//! * [`accounts`] with their [`tokens`], [`refused`] (webhooks) and [`strangers`] (bounds on those who prove nothing).
//!
//! Every step can fail because the store fails or a value does not open; its documentation says what else can.

pub mod accounts;
pub mod deliver;
pub mod ingest;
pub mod media;
pub mod odd;
pub mod pull;
pub mod refused;
pub mod strangers;
pub mod stream;
pub mod tokens;
