//! The store: SQLite behind one small trait.
//!
//! * [`db`]: the [`Db`] trait ("one statement, parameters, rows"), values, rows, the transaction helper;
//! * [`kv`]: the [`Kv`] trait, for data that may be lost;
//! * [`migrate`]: numbered SQL files, applied at first use;
//! * one module per aggregate: named SQL, one statement each, next to the function that runs it.
//!
//! Look-ups return `Result<Option<T>>`. Writes that must change a row check that they did. Callers seal and open values:
//! this crate sees only bytes. All functions fail with a [`StoreError`]; a function's documentation names only other errors.
//! Adapters: `native` here (feature `native`, rusqlite), spin-sdk in `shared/spin`.

pub mod accounts;
pub mod agents;
pub mod approaches;
pub mod archive;
pub mod arrivals;
pub mod audit;
pub mod config;
pub mod consents;
pub mod conversations;
pub mod customers;
pub mod damage;
pub mod db;
pub mod dialect;
pub mod event_packs;
pub mod events;
pub mod failures;
pub mod followers;
pub mod idempotency;
pub mod inbox;
pub mod kv;
pub mod leases;
pub mod messages;
pub mod meta;
pub mod migrate;
#[cfg(feature = "native")]
pub mod native;
pub mod odd_items;
pub mod outages;
pub mod outbox;
pub mod platform_tokens;
pub mod pulls;
pub mod refusals;
pub mod sessions;
pub mod space;
pub mod tampering;
pub mod tokens;
pub mod vault;
pub mod waiting;
pub mod watched_words;

pub use db::{Db, Row, StoreError, Value, immediate};
pub use kv::Kv;
pub use migrate::migrate;
