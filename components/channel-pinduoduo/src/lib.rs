//! Pinduoduo (拼多多): `/channels/pinduoduo/<account>`.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_channels::pinduoduo::PinduoduoAdapter;
use warmline_spin::{IncomingRequest, ResponseOutparam, adapter};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    adapter::serve(&PinduoduoAdapter, request, out).await;
}
