//! The brand's own app: `/channels/app/<account>`.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_channels::app::AppAdapter;
use warmline_spin::{IncomingRequest, ResponseOutparam, adapter};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    adapter::serve_client(&AppAdapter, request, out).await;
}
