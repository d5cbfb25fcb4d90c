//! Media for readers of the desk ([`media`]).

use crate::host::Spin;
use crate::incoming::ResponseOutparam;
use warmline_model::Channel;
use warmline_transport::media;

/// Passes on a medium that the channel's adapter fetches.
pub async fn relay(channel: &Channel, path: &str, out: ResponseOutparam) {
    media::relay(&Spin, channel, path, out).await;
}
