//! How messages come in and go out. Adapters link only this part of Warmline, and nothing of the desk.
//!
//! * [`ingest`]: from a verified webhook into the inbox; [`odd`]: items that cannot be read; [`pull`]: intake from platforms
//!   that keep messages until they are asked;
//! * [`deliver`]: from the outbox to the platform; [`stream`]: replies for customers whose own client fetches them;
//! * [`media`]: references to media, whose bytes stay with the platform;
//! * [`accounts`] with their [`tokens`], [`refused`] (webhooks) and [`strangers`] (limits on senders who have proved
//!   nothing).
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

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
