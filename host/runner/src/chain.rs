//! Calls between components of the application. The server answers them. An instance knows only this trait, and not the
//! server that makes instances.

use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use wasmtime_wasi_http::WasiBody;

/// The answer of a called component; `None` if it does not exist, or if no place for an instance became free.
pub type Chained = Pin<Box<dyn Future<Output = Option<Response<WasiBody>>> + Send>>;

/// Passes calls on to other components, in process.
pub trait Chain: Send + Sync {
    /// Whether there is such a component.
    fn knows(&self, component: &str) -> bool;

    /// Calls it.
    fn call(self: Arc<Self>, component: String, request: Request<WasiBody>) -> Chained;
}
