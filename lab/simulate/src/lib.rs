//! Simulated platforms, customers and agents, and what drives a running server with them. Everything goes through the same HTTP
//! interfaces that platforms, customers and agents use; no component knows of it.
//!
//! * [`channels`]: every platform, and the server that plays it;
//! * [`customers`], [`agents`], [`brand`], [`figures`]: the people, and what they experience;
//! * [`load`], [`wire`], [`histogram`]: open-loop load at little cost, and its figures;
//! * [`demo`]: all of it against a running server; [`command`]: the parts on their own;
//! * [`server`], [`bed`], [`scratch`]: what the benchmark and the crash test share: the server as a child process, what it is given
//!   before they begin, and the folder in which it works;
//! * [`rng`]: seeded randomness.
#![expect(clippy::disallowed_methods, reason = "measures real time")]

pub mod agents;
pub mod bed;
pub mod brand;
pub mod channels;
pub mod command;
pub mod customers;
pub mod demo;
pub mod entrance;
pub mod figures;
pub mod histogram;
mod listen;
pub mod live;
pub mod load;
pub mod rng;
pub mod scratch;
pub mod server;
pub mod wire;
