//! What a channel's parser yields: one customer message or event, in Warmline's words.

use crate::content::Content;
use crate::identifier::Identifier;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who sent it, as the platform names them. All of it is personal data: it is sealed before it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The sender's id on this channel account (open id, visitor id, member id). Replies go to it.
    pub open_id: String,
    /// The sender's id across the platform's accounts, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub union_id: Option<String>,
    /// The sender's name, where the platform tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Tags that a trusted party vouches for (`vip` in the claims of the brand's own app), lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What else tells who it is, beside the two ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// Somebody is told of, who need not have written: where we do not know them, or have no conversation with them, none begins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_known: bool,
}

/// One message or event from a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// The platform's own key of this message: the same for each retry, different for each message of the account.
    pub key: String,
    /// The key that the release before this one made of the same message, where it was another: the intake looks for it too, so
    /// that a repeat of what was delivered before an upgrade is stored once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_key: Option<String>,
    /// Who sent it.
    pub sender: Sender,
    /// When the platform says it was sent.
    pub at: Timestamp,
    /// What it says.
    pub content: Content,
    /// What the platform wants to hear again in a reply, where the sender's id is not enough: a conversation's id, the message
    /// that is answered. Sealed like everything else; only the adapter that wrote it reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Value>,
}
