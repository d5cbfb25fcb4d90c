//! Waiting, and several calls at once.

use crate::host::Spin;
use warmline_transport::host::Host as _;
pub use warmline_transport::host::all;

/// Completes after a while.
pub async fn sleep(ms: u64) {
    Spin.sleep(ms).await;
}
