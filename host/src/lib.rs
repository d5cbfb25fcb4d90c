//! The embedded runner of `spin.toml` and the tools around it.

#![expect(clippy::disallowed_methods, reason = "a runner and its tools measure real time")]

pub mod bridge;
pub mod conformance;
pub mod runner;
