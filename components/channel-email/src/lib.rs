//! Mail (邮件): `/channels/email/<account>`.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_channels::email::EmailAdapter;
use warmline_spin::{IncomingRequest, ResponseOutparam, adapter};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    adapter::serve(&EmailAdapter, request, out).await;
}
