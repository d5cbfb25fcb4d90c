//! A component that can be called.

use std::sync::Arc;

use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::grants::Grants;
use crate::guest::Guest;
use crate::share::Share;

/// A component that can be called.
pub struct Component {
    /// Its share of the places for instances.
    pub share: Share,
    /// The largest body that it accepts from outside.
    pub body: u64,
    /// Its code, linked and ready for instances.
    pub pre: ProxyPre<Guest>,
    /// The grants of its instances.
    pub grants: Arc<Grants>,
}

impl Component {
    /// Its id in the manifest.
    pub fn id(&self) -> &str {
        &self.grants.id
    }
}
