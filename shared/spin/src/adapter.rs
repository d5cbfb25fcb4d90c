//! The components of channels: the shell of the crate `transport`, on Spin.

use crate::host::Spin;
use crate::incoming::{self, IncomingRequest, ResponseOutparam};
use warmline_channels::{Adapter, ClientAdapter};
use warmline_transport::{adapter, client};

/// Serves a channel's component.
pub async fn serve<A: Adapter>(channel: &A, incoming: IncomingRequest, out: ResponseOutparam) {
    adapter::serve(&Spin, channel, incoming::of(incoming), out).await;
}

/// Serves the component of a channel whose customers use a client of the brand's own.
pub async fn serve_client<A: ClientAdapter>(channel: &A, incoming: IncomingRequest, out: ResponseOutparam) {
    client::serve(&Spin, channel, incoming::of(incoming), out).await;
}
