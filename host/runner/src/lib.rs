//! The embedded runner: serves a `spin.toml` on Wasmtime as Spin does, for newcomers, tests and benchmarks.
//!
//! | module | task |
//! |---|---|
//! | [`up`] | the command: starts, serves, stops |
//! | [`manifest`], [`variables`], [`hosts`], [`routes`] | the content of `spin.toml`, checked |
//! | [`engine`] | the Wasm engine, compiled code kept on disk |
//! | [`app`], [`component`] | the served application: its components, and all that their instances need |
//! | [`serve`], [`handle`], [`spin_headers`] | the HTTP server; one request from outside |
//! | [`slots`], [`share`], [`limits`], [`ticker`] | places for instances, and the bounds that they run in |
//! | [`connections`], [`gather`], [`answers`], [`bounds`] | bounds on clients: connections, bodies, unread answers, long
//! answers of one caller |
//! | [`call`] | one call of a component: a fresh instance and its life |
//! | [`guest`], [`guest_sqlite`], [`guest_kv`], [`outbound`], [`logs`], [`vitals`] | the abilities of an instance |
//! | [`grants`], [`services`], [`key_value`], [`client`] | its permissions, and the services behind its abilities |
//! | [`chain`] | its way to other components. The server implements it, so that no instance knows the server |
//! | [`sqlite`] | databases: pooled connections, writers in order, shared commits |
//! | [`gateway`] | WebSockets, by the protocols of Pushpin |
//! | `private` | files and folders for their owner alone |
//! | [`tick`] | the call once a second |

#![expect(clippy::disallowed_methods, reason = "a runner measures real time")]

pub mod answers;
pub mod app;
pub mod bindings;
pub mod bounds;
pub mod call;
pub mod chain;
pub mod client;
pub mod component;
pub mod connections;
pub mod engine;
pub mod gateway;
pub mod gather;
pub mod grants;
pub mod guest;
pub mod guest_kv;
pub mod guest_sqlite;
pub mod handle;
pub mod hosts;
pub mod key_value;
pub mod limits;
pub mod logs;
pub mod manifest;
pub mod outbound;
pub mod platform;
mod private;
pub mod problem;
pub mod routes;
pub mod serve;
pub mod services;
pub mod share;
pub mod slots;
pub mod spin_headers;
pub mod sqlite;
pub mod tick;
pub mod ticker;
pub mod told;
pub mod up;
pub mod variables;
pub mod vitals;
