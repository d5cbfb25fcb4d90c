//! The services that guests use. All instances share them, and they know nothing of calls between components.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use wasmtime::Engine;

use crate::client::Client;
use crate::key_value::KeyValue;
use crate::limits::Limits;
use crate::platform::Platform;
use crate::sqlite::Database;
use crate::ticker::Ticker;

/// Databases, stores, connections to other hosts, the clock and the bounds.
pub struct Services {
    /// The Wasm engine.
    pub engine: Engine,
    /// The databases by label.
    pub databases: BTreeMap<String, Arc<Database>>,
    /// The key-value stores.
    pub key_value: KeyValue,
    /// The client for calls to other hosts.
    pub client: Client,
    /// The bounds of each request.
    pub limits: Limits,
    /// Counts time for the CPU bound.
    pub ticker: Ticker,
    /// The address on which the runner listens, as `host:port`.
    pub authority: OnceLock<String>,
    /// The bounds of the platform that the runner stands for.
    pub platform: Platform,
}
