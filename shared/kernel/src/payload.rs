//! What an inbox row holds, and how its sender is found.

use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, Channel, Inbound};
use warmline_privacy::BlindIndex;

/// What the inbox holds, sealed.
#[derive(Serialize, Deserialize)]
pub struct Payload {
    /// The message.
    pub inbound: Inbound,
    /// Until when the webhook's own answer can still carry a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<i64>,
}

/// The blind index by which a sender is found.
pub fn sender_lookup(index: &BlindIndex, channel: &Channel, account: &AccountId, open_id: &str) -> [u8; 16] {
    index.of("identity", &[channel.as_str(), account.as_str(), open_id])
}
