//! The content of an inbox row, and the look-up of its sender.

use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, Channel, Inbound};
use warmline_privacy::BlindIndex;

/// The content of an inbox row, before it is sealed.
#[derive(Serialize, Deserialize)]
pub struct Payload {
    /// The message.
    pub inbound: Inbound,
    /// The time until which the webhook's own answer can still carry a reply, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<i64>,
}

/// The blind index of a sender.
pub fn sender_lookup(index: &BlindIndex, channel: &Channel, account: &AccountId, open_id: &str) -> [u8; 16] {
    index.of("identity", &[channel.as_str(), account.as_str(), open_id])
}
