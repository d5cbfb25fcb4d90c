//! The shapes of the audit log, of erasures and of keys in the API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warmline_model::{AgentId, ConversationId, CustomerId, ErasureId, Timestamp};

/// An entry of the audit log: who read or changed which data.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct EntryView {
    /// Number, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The member of staff; `null`: the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// The role of that member of staff.
    pub role: String,
    /// The action: `conversation.read`, `medium.read`, `timeline.read`, `summary.read`, `customer.unmasked`,
    /// `customer.exported`, `customer.corrected`, `customer.merged`, `customer.unmerged`, `customer.identified`,
    /// `customer.tagged`, `customer.owned`, `customer.erased`, `hold.placed`, `hold.lifted`, `consent.given`,
    /// `consent.withdrawn`, `retention.changed`, `deliveries.retried`, `account.created`, `account.changed`,
    /// `account.disabled`, `account.enabled`, `account.deleted`.
    pub action: String,
    /// The customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// All customers who were one person then; absent if there was only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<CustomerId>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The reason that was given, a hold's reason and reference, a consent's purpose, or the account as
    /// `<channel>/<account>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entry's hash, in hexadecimal.
    pub hash: String,
}

/// A fault of the log, and its place.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct FaultView {
    /// The entry.
    pub seq: i64,
    /// The kind of fault.
    pub problem: String,
}

/// The result of checking a part of the log.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CheckView {
    /// The number of entries that follow each other correctly.
    pub entries: i64,
    /// The number of the last of them; 0 if there are none.
    pub last: i64,
    /// Its hash. A copy of it elsewhere shows later that the log was not put back to an earlier day.
    pub hash: String,
    /// The number after which to continue; `null` at the end.
    pub next: Option<i64>,
    /// The first fault.
    pub fault: Option<FaultView>,
}

/// A receipt that anybody can check: `openssl dgst -sha256 -verify KEY -signature SIGNATURE TEXT`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ReceiptView {
    /// The signed text, to the letter. It states what was erased, and when.
    pub text: String,
    /// Its signature: ECDSA with P-256 and SHA-256, DER in base64.
    pub signature: String,
    /// The public key, PEM.
    pub public_key: String,
}

/// An erasure.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ErasureView {
    /// Id.
    pub id: ErasureId,
    /// The id under which the person was known.
    pub customer: CustomerId,
    /// The member of staff who asked; `null`: the administrator of the configuration.
    pub agent: Option<AgentId>,
    /// The reason.
    pub reason: String,
    /// The time since which nobody can find or read the person.
    pub asked_at: Timestamp,
    /// The time since which the data cannot be read, from older copies of the store either; `null` while work is left.
    pub done_at: Option<Timestamp>,
    /// The receipt, once the erasure is done.
    pub receipt: Option<ReceiptView>,
}

/// The keys. A master key is named by eight bytes, in hexadecimal.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct KeysView {
    /// The master key in force. It wraps new keys.
    pub master: String,
    /// The master key that wraps the root key.
    pub root: String,
    /// The number of customers' keys that each master key wraps.
    pub customers: BTreeMap<String, i64>,
    /// The public key that checks receipts of erasures, PEM.
    pub receipts: String,
}

/// The result of one step of a rotation.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct RotatedView {
    /// The number of keys that this call wrapped with the master key in force.
    pub rewrapped: usize,
    /// Whether more keys may be left to wrap. If so, call again.
    pub more: bool,
}
