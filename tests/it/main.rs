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
mod circles;
mod component_sizes;
mod content_kinds;
mod crash;
mod delivery;
mod duplicates;
mod erasure;
mod fermyon;
mod holds_and_consent;
mod hooks;
mod isolation;
mod levels;
mod mail;
mod metrics;
mod openapi;
mod opt_out;
mod outbound_hosts;
mod people;
mod privacy;
mod pushpin;
mod quality;
mod rate_limits;
mod replay;
mod retention;
mod routing;
mod seats;
mod simulate;
mod soak;
mod socket;
mod store_trouble;
mod tampering;
mod tick;
mod tokens;
mod upgrade;
mod webchat;
mod wechat;
mod worklist;
