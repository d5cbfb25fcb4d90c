//! Cases (一事一案): a person's conversations on one matter, on whatever channels.

use crate::channel::Channel;
use crate::ids::{CaseId, ConversationId};
use crate::time::Timestamp;

/// An order's key for comparison: a blind index of its number.
pub type OrderKey = [u8; 16];

/// The part of a conversation that shows what its case is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its case.
    pub case: CaseId,
    /// Its channel.
    pub channel: Channel,
    /// The time at which its last message was stored.
    pub last: Timestamp,
    /// The orders named in it.
    pub orders: Vec<OrderKey>,
}
