//! Customers.

use super::{HoldView, MessageView, Summary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, AgentId, Channel, ConversationId, CustomerId, IdentifierKind, MergeId, Timestamp};

/// A customer's tags.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tags {
    /// At most 20, each of 1 to 40 characters. `vip` makes the customer a VIP.
    #[schemars(length(max = 20))]
    pub tags: Vec<String>,
}

/// A place where a customer is known.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct IdentityView {
    /// Channel.
    pub channel: Channel,
    /// The brand's account.
    pub account: AccountId,
}

/// An identifier of a customer.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct IdentifierView {
    /// Kind.
    pub kind: IdentifierKind,
    /// The value, masked; `null` if it can no longer be opened.
    pub value: Option<String>,
    /// Whether it proves the customer's identity.
    pub strong: bool,
    /// The source: a channel, or `staff`.
    pub source: String,
    /// The time since which it is known.
    pub at: Timestamp,
}

/// A merge.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MergeView {
    /// Id.
    pub id: MergeId,
    /// The two customers who were found to be one person.
    pub customers: [CustomerId; 2],
    /// The kind of identifier that both have; `null` if a member of staff made the merge.
    pub kind: Option<IdentifierKind>,
    /// The member of staff.
    pub agent: Option<AgentId>,
    /// The time of the report.
    pub at: Timestamp,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
}

/// Another customer who may be the same person.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// The customer.
    pub customer: CustomerId,
    /// The kinds of identifier that both have.
    pub kinds: Vec<IdentifierKind>,
}

/// A customer: one person, on all channels.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CustomerView {
    /// Id: that of the person's oldest customer.
    pub id: CustomerId,
    /// Tags.
    pub tags: Vec<String>,
    /// The places where the customer is known.
    pub identities: Vec<IdentityView>,
    /// The identifiers of the customer.
    pub identifiers: Vec<IdentifierView>,
    /// The merges that made this person, undone ones too.
    pub merges: Vec<MergeView>,
    /// Other customers who may be the same person.
    pub suggestions: Vec<Suggestion>,
    /// The customer's own agent, who is asked before all others.
    pub owner: Option<AgentId>,
    /// The legal hold that keeps the customer's data.
    pub hold: Option<HoldView>,
    /// The time since which the customer is known.
    pub created_at: Timestamp,
}

/// Another customer who is the same person.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeWith {
    /// The other customer.
    pub customer: CustomerId,
}

/// A merge to undo.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unmerge {
    /// The merge.
    pub merge: MergeId,
}

/// An identifier that a member of staff adds.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIdentifier {
    /// Its kind.
    pub kind: IdentifierKind,
    /// The value as the customer told it.
    pub value: String,
    /// Whether the customer proved it (called from it, answered a code); then it joins customers by itself. This counts
    /// only from a supervisor. An identifier that an agent adds only suggests.
    #[serde(default)]
    pub verified: bool,
}

/// An identifier that is wrong.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OldIdentifier {
    /// Its kind.
    pub kind: IdentifierKind,
    /// The wrong value.
    pub value: String,
    /// The channel that the identifier belongs to, for kinds that are a platform's own.
    pub channel: Option<Channel>,
}

/// A customer's corrected name.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// 1 to 100 characters; `null` goes back to the channels' names.
    pub name: Option<String>,
}

/// An identifier without a mask.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PlainIdentifier {
    /// Kind.
    pub kind: IdentifierKind,
    /// The value; `null` if it can no longer be opened.
    pub value: Option<String>,
}

/// A customer's names and identifiers without a mask.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Unmasked {
    /// The names that the channels report.
    pub names: Vec<String>,
    /// The identifiers.
    pub identifiers: Vec<PlainIdentifier>,
}

/// A message in a customer's timeline.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its channel.
    pub channel: Channel,
    /// Its account.
    pub account: AccountId,
    /// The message.
    #[serde(flatten)]
    pub message: MessageView,
    /// The findings of quality about it.
    pub findings: Vec<Finding>,
}

/// A finding of quality in a message.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The words, as the brand's list spells them.
    pub words: Vec<String>,
    /// The highest severity among them: 1 (note) to 3 (act now).
    pub severity: i64,
    /// The time at which it was found.
    pub at: Timestamp,
}

/// The summary for a colleague who takes a customer over.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SummaryView {
    /// The customer.
    pub customer: CustomerId,
    /// The names that the channels report, masked.
    pub names: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// The summary. Each line is a sentence of a message, and names the message.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A customer's own agent.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The agent; `null` for none.
    pub agent: Option<AgentId>,
}
