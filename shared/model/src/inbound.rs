//! The result of a channel's parser: one customer message or event, in Warmline's words.

use crate::content::Content;
use crate::identifier::Identifier;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The sender, as the platform names them. All of it is personal data, and is sealed before it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The sender's id on this channel account (open id, visitor id, member id). Replies go to it.
    pub open_id: String,
    /// The sender's id across the platform's accounts, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub union_id: Option<String>,
    /// The sender's name, if the platform reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Tags that a trusted party vouches for (`vip` in the claims of the brand's own app), lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Further identifiers of the sender, besides the two ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// Whether this is a report about a person who need not have written. If the person is unknown, or has no conversation,
    /// it begins none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_known: bool,
}

/// One message or event from a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// The platform's own key of this message: the same for each retry, different for each message of the account.
    pub key: String,
    /// The key that the previous release made for the same message, if it was another. The intake also looks for it, so
    /// that a message that is repeated across an upgrade is stored once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_key: Option<String>,
    /// The sender.
    pub sender: Sender,
    /// The time of sending, by the platform's clock.
    pub at: Timestamp,
    /// The content.
    pub content: Content,
    /// Data that the platform needs in a reply besides the sender's id: a conversation's id, or the message that is
    /// answered. It is sealed like everything else, and only the adapter that wrote it reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Value>,
}
