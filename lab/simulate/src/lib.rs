//! Simulated platforms, customers and agents, and the tools that drive a running server with them. Everything goes through
//! the same HTTP interfaces as in production, and no component knows about it.
//!
//! * [`channels`]: every platform, and the server that plays it;
//! * [`customers`], [`agents`], [`brand`], [`figures`]: the people and the brand, and the counts of what they see;
//! * [`load`], [`wire`], [`histogram`]: open-loop load at little cost, and its figures;
//! * [`demo`]: all of it against a running server; [`command`]: the parts on their own;
//! * [`server`], [`bed`], [`scratch`]: the common ground of the benchmark and the crash test: the server as a child
//!   process, the data that it starts with, and the working folder;
//! * [`rng`]: seeded randomness.
#![expect(clippy::disallowed_methods, reason = "measures real time")]

pub mod agents;
pub mod brand;
pub mod channel_under_test;
pub mod channels;
pub mod command;
pub mod customers;
pub mod demo;
pub mod figures;
pub mod fixture;
pub mod histogram;
mod listen;
pub mod live;
pub mod load;
pub mod rng;
pub mod scratch;
pub mod server;
pub mod wire;
