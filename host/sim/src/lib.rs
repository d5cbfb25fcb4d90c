//! Simulated platforms, customers and agents, and the tools that drive a running server with them: the demo, the load
//! generator, the benchmark and the crash test. Everything goes through the same HTTP interfaces that platforms, customers
//! and agents use; no component knows of it.
//!
//! * [`platform`]: an HTTP server that plays WeChat's API and remembers what it took;
//! * [`client`], [`tail`]: a client of Warmline's API, and a follower of its event log;
//! * [`customers`], [`agents`], [`brand`], [`figures`]: the people, and what they experience;
//! * [`load`], [`wire`], [`histogram`]: open-loop load at little cost, and its figures;
//! * [`demo`]: all of it against a running server;
//! * [`server`], [`bench`]: the server as a child process, and its figures beside their baselines;
//! * [`chaos`]: the crash test; [`simulate`]: the parts on their own;
//! * [`export`]: a server's event log, for replay; [`audit`]: whether the log of who read what is whole;
//!   [`keys`]: master keys;
//! * [`state`], [`rng`]: the server's state directory; seeded randomness.
#![expect(clippy::disallowed_methods, reason = "measures real time")]

pub mod agents;
pub mod audit;
pub mod bench;
pub mod brand;
pub mod channels;
pub mod chaos;
pub mod client;
pub mod customers;
pub mod demo;
pub mod entrance;
pub mod export;
pub mod figures;
pub mod histogram;
pub mod keys;
mod listen;
pub mod live;
pub mod load;
pub mod platform;
pub mod rng;
pub mod server;
pub mod simulate;
pub mod state;
pub mod tail;
pub mod wire;
