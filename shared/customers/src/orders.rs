//! The orders that a message names.

use warmline_channels::kit::Carries;
use warmline_channels::registry;
use warmline_language::said;
use warmline_model::case::OrderKey;
use warmline_model::{Channel, Content};
use warmline_privacy::BlindIndex;

/// Whether a channel carries a kind of conversation: orders, calls or talks.
pub fn carries(channel: &Channel, what: Carries) -> bool {
    registry::capabilities(channel.as_str()).is_some_and(|c| c.carries == what)
}

/// The order that a message reports, with its status or its event. In an event of a marketplace's channel, the key is the
/// order.
pub fn told<'a>(channel: &Channel, content: &'a Content) -> Option<(&'a str, &'a str)> {
    match content {
        Content::OrderCard { order_id, status, .. } => Some((order_id, status.as_deref().unwrap_or_default())),
        Content::Event { event, key: Some(order), .. } if carries(channel, Carries::Orders) => Some((order, event)),
        _ => None,
    }
}

/// The orders that a message names: the one it reports, and those in its words.
pub fn named<'a>(channel: &Channel, content: &'a Content) -> impl Iterator<Item = &'a str> {
    let told = told(channel, content).map(|(order, _)| order);
    told.into_iter().chain(content.words().into_iter().flat_map(said::orders))
}

/// The same orders as keys for comparison. Order numbers are never stored in the clear.
pub fn keys(index: &BlindIndex, channel: &Channel, content: &Content) -> Vec<OrderKey> {
    named(channel, content).map(|order| index.of("order", &[&order.trim().to_uppercase()])).collect()
}
