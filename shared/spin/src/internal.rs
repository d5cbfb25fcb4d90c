//! Calls from component to component ([`internal`]).

use crate::host::Spin;
use warmline_model::Channel;
use warmline_transport::internal;
use warmline_transport::outgoing::Answer;

/// Calls a component; `None` if it did not answer with success.
pub async fn call(component: &str, path_and_query: &str) -> Option<Answer> {
    internal::call(&Spin, component, path_and_query).await
}

/// Tells a channel's adapter that the outbox has messages for it.
pub async fn deliver(channel: &Channel) {
    internal::deliver(&Spin, channel).await;
}
