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

/// Where a customer is known.
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
    /// The value, masked; `null` where it can no longer be opened.
    pub value: Option<String>,
    /// Whether it proves who the customer is.
    pub strong: bool,
    /// Who told it: a channel, or `staff`.
    pub source: String,
    /// Since when it is known.
    pub at: Timestamp,
}

/// A merge.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MergeView {
    /// Id.
    pub id: MergeId,
    /// The two customers who were found to be one person.
    pub customers: [CustomerId; 2],
    /// The kind of identifier that both have; `null`: a member of staff said so.
    pub kind: Option<IdentifierKind>,
    /// The member of staff.
    pub agent: Option<AgentId>,
    /// When.
    pub at: Timestamp,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
}

/// Somebody who may be the same person.
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
    /// Id: that of the oldest customer that is this person.
    pub id: CustomerId,
    /// Tags.
    pub tags: Vec<String>,
    /// Where the customer is known.
    pub identities: Vec<IdentityView>,
    /// What tells who it is.
    pub identifiers: Vec<IdentifierView>,
    /// The merges that made this person, undone ones too.
    pub merges: Vec<MergeView>,
    /// Who may be the same person.
    pub suggestions: Vec<Suggestion>,
    /// The customer's own agent, who is asked before all others.
    pub owner: Option<AgentId>,
    /// The legal hold that keeps what is stored of the customer.
    pub hold: Option<HoldView>,
    /// Since when.
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
    /// Whether the customer proved it (called from it, answered a code); then it links by itself. Only a supervisor's word counts:
    /// what an agent adds suggests.
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
    /// The channel whose identifier it is, for kinds that are a platform's own.
    pub channel: Option<Channel>,
}

/// What a customer is really called.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// 1 to 100 characters; `null`: what the channels tell.
    pub name: Option<String>,
}

/// An identifier without a mask.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PlainIdentifier {
    /// Kind.
    pub kind: IdentifierKind,
    /// The value; `null` where it can no longer be opened.
    pub value: Option<String>,
}

/// Who a customer is, without a mask.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Unmasked {
    /// The names that channels tell.
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
    /// What quality found in it.
    pub findings: Vec<Finding>,
}

/// What quality found in a message.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The words, as they stand in the brand's list.
    pub words: Vec<String>,
    /// The highest severity among them: 1 (note) to 3 (act now).
    pub severity: i64,
    /// When it was found.
    pub at: Timestamp,
}

/// What somebody must know who takes a customer over.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SummaryView {
    /// The customer.
    pub customer: CustomerId,
    /// The names that channels tell, masked.
    pub names: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// What was said: each line a sentence of a message, which it names.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A customer's own agent.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The agent; `null`: none.
    pub agent: Option<AgentId>,
}
