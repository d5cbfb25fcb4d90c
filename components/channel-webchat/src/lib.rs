//! Chat on the brand's web pages: `/channels/webchat/<account>`.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_channels::webchat::WebchatAdapter;
use warmline_spin::{IncomingRequest, ResponseOutparam, adapter};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    adapter::serve_client(&WebchatAdapter, request, out).await;
}
