//! Integration tests. They drive the real components over HTTP, signed as by the platforms, against a simulated platform.
//! Nothing is replaced but the platform itself. They are one binary, so that most tests share one server. Each test has a
//! shop of its own on it (`harness::Shop`).
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]
#![expect(clippy::disallowed_methods, reason = "real time is measured, and signed")]

mod harness;

mod accounts;
mod api;
mod app;
mod attacks;
mod audit;
mod bad_api_input;
mod bad_everywhere;
mod bad_input;
mod bridge;
mod channels;
mod crash;
mod delivery;
mod duplicates;
mod duties;
mod erasure;
mod grants;
mod guard;
mod isolation;
mod kinds;
mod levels;
mod mail;
mod openapi;
mod people;
mod privacy;
mod pushpin;
mod replay;
mod routing;
mod seats;
mod simulate;
mod sizes;
mod soak;
mod socket;
mod store_trouble;
mod tick;
mod upgrade;
mod webchat;
mod wechat;
mod words;
