//! How messages come in and go out, and the shell that turns a channel's [`warmline_channels::Adapter`] into a component.
//! Adapters link only this part of Warmline, and nothing of the desk.
//!
//! * [`ingest`]: from a verified webhook into the inbox; [`odd`]: items that cannot be read; [`pull`]: intake from platforms
//!   that keep messages until they are asked;
//! * [`deliver`]: from the outbox to the platform, sent by `send`; [`stream`]: replies for customers whose own client fetches
//!   them;
//! * [`media`]: references to media, whose bytes stay with the platform;
//! * [`accounts`] with their [`tokens`], [`refused`] (webhooks) and [`strangers`] (limits on senders who have proved
//!   nothing).
//!
//! The shell:
//!
//! * [`host`]: the services that it needs from its host; [`outgoing`]: calls with a deadline; [`incoming`]: requests as
//!   they come in; [`internal`]: calls from component to component; [`keyring`]: the store's keys;
//! * [`adapter`]: webhooks, and the component's own paths; `door`: the account that a request is for;
//! * [`client`]: channels whose customers use a client of the brand's own; `socket`, `gateway`: the WebSockets of those
//!   clients, and the gateway that holds them.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

pub mod accounts;
pub mod adapter;
pub mod client;
pub mod deliver;
mod door;
mod gateway;
pub mod host;
pub mod incoming;
pub mod ingest;
pub mod internal;
pub mod keyring;
pub mod media;
pub mod odd;
pub mod outgoing;
pub mod pull;
pub mod refused;
mod send;
mod socket;
pub mod strangers;
pub mod stream;
pub mod tokens;
