//! WeCom (企业微信, 微信客服): `/channels/wecom/<account>`.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_channels::wecom::WecomAdapter;
use warmline_spin::{IncomingRequest, ResponseOutparam, adapter};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    adapter::serve(&WecomAdapter, request, out).await;
}
