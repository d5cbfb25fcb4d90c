//! WeChat mini programs (微信小程序客服消息): `/channels/miniprogram/<account>`.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_channels::miniprogram::MiniprogramAdapter;
use warmline_spin::{IncomingRequest, ResponseOutparam, adapter};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    adapter::serve(&MiniprogramAdapter, request, out).await;
}
