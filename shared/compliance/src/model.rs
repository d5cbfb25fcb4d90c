//! The shapes of the audit log, of erasures and of keys in the API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warmline_model::{AgentId, ConversationId, CustomerId, ErasureId, Timestamp};

/// Who read what of whom.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct EntryView {
    /// Number, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The member of staff; `null`: the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// In which role.
    pub role: String,
    /// `conversation.read`, `medium.read`, `timeline.read`, `summary.read`, `customer.unmasked`, `customer.exported`,
    /// `customer.corrected`, `customer.merged`, `customer.unmerged`, `customer.identified`, `customer.tagged`, `customer.owned`,
    /// `customer.erased`, `hold.placed`, `hold.lifted`, `consent.given`, `consent.withdrawn`,
    /// `retention.changed`, `deliveries.retried`, `account.created`, `account.changed`, `account.disabled`, `account.enabled`,
    /// `account.deleted`.
    pub action: String,
    /// The customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// All customers who were one person then; absent where it was one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<CustomerId>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// Why: the reason that was given, a hold's reason and reference, a consent's purpose; the account, as `<channel>/<account>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entry's hash, in hexadecimal.
    pub hash: String,
}

/// What is wrong with the log, and where.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct FaultView {
    /// The entry.
    pub seq: i64,
    /// What is wrong there.
    pub problem: String,
}

/// A part of the log, checked.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CheckView {
    /// Entries that follow each other as they were written.
    pub entries: i64,
    /// The last of them; 0: none.
    pub last: i64,
    /// Its hash: noted elsewhere, it shows later that the log was not put back to an earlier day.
    pub hash: String,
    /// Where to go on; `null` at the end.
    pub next: Option<i64>,
    /// The first fault.
    pub fault: Option<FaultView>,
}

/// A receipt that anybody can check: `openssl dgst -sha256 -verify KEY -signature SIGNATURE TEXT`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ReceiptView {
    /// What was erased and when: the text, to the letter, that is signed.
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
    /// Who the person was known as.
    pub customer: CustomerId,
    /// The member of staff who asked; `null`: the administrator of the configuration.
    pub agent: Option<AgentId>,
    /// Why.
    pub reason: String,
    /// Since when nobody can find or read the person.
    pub asked_at: Timestamp,
    /// Since when nothing can be read, from older copies of the store either; `null` while something is left to do.
    pub done_at: Option<Timestamp>,
    /// The receipt, then.
    pub receipt: Option<ReceiptView>,
}

/// The keys. Master keys are named by the eight bytes, in hexadecimal, that tell them apart.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct KeysView {
    /// The master key in force: what new keys are wrapped by.
    pub master: String,
    /// The master key that wraps the root key.
    pub root: String,
    /// How many customers' keys each master key wraps.
    pub customers: BTreeMap<String, i64>,
    /// What receipts of erasures are checked with, PEM.
    pub receipts: String,
}

/// A step of wrapping keys anew.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct RotatedView {
    /// Keys that are wrapped by the master key in force now, and were not.
    pub rewrapped: usize,
    /// Whether there may be more: call again.
    pub more: bool,
}
