//! Conversations and cases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_customers::model::MessageView;
use warmline_model::{
    AccountId, AgentId, CaseId, Channel, Content, ConversationId, ConversationState, CustomerId, GroupId, Timestamp, Units,
};

/// Which case a conversation is.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCase {
    /// The case; `null`: one of its own.
    pub case: Option<CaseId>,
}

/// A case.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CaseView {
    /// Id.
    pub id: CaseId,
    /// The customer.
    pub customer: CustomerId,
    /// The conversations with this customer that are it, oldest first; the first 200.
    pub conversations: Vec<ConversationView>,
}

/// A message to the customer.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// What it says. Of a text's fields only `text` is taken here.
    #[serde(deserialize_with = "warmline_model::content::request::one")]
    pub content: Content,
    /// Also to everybody whom the customer's last mail went to; without it, to the customer alone.
    #[serde(default)]
    pub reply_all: bool,
}

/// Where a transfer goes: an agent or a group.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum TransferTarget {
    /// To one agent.
    Agent(AgentId),
    /// To whoever is next in a group.
    Group(GroupId),
}

/// A transfer.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Where it goes.
    pub to: TransferTarget,
    /// For the colleague; the customer never sees it.
    #[serde(default)]
    pub note: Option<String>,
}

/// The end of a talk.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// How it ended, as a code of the brand's own list: `solved`, `spam`, …
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub disposition: Option<String>,
}

/// The customer of a conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CustomerRef {
    /// Id.
    pub id: CustomerId,
    /// Name, where the channel tells it, masked. Only when a single conversation is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ConversationView {
    /// Id.
    pub id: ConversationId,
    /// Channel.
    pub channel: Channel,
    /// The brand's account.
    pub account: AccountId,
    /// State.
    pub state: ConversationState,
    /// Skill group.
    pub group: Option<GroupId>,
    /// The agent who holds or held it.
    pub agent: Option<AgentId>,
    /// Whether that is an AI seat.
    pub ai: bool,
    /// What it takes of the agent's capacity.
    pub units: Units,
    /// The customer.
    pub customer: CustomerRef,
    /// The case: this person's conversations on one matter.
    pub case: CaseId,
    /// Whether the customer was a VIP when it was opened.
    pub vip: bool,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the last message of either side was stored.
    pub last_message_at: Timestamp,
    /// When it entered its present or last queue.
    pub queued_at: Option<Timestamp>,
    /// When the agent was given it.
    pub assigned_at: Option<Timestamp>,
    /// When the agent accepted it.
    pub accepted_at: Option<Timestamp>,
    /// The first message of the customer that no human has answered yet.
    pub unanswered_since: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// How it ended.
    pub disposition: Option<String>,
    /// Number of messages.
    pub message_count: i64,
    /// Why it is where it is: the rule that chose the group, and why this agent.
    pub why: Option<String>,
}

/// Where a conversation's messages are.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// At hand.
    Hot,
    /// In the archive: read the same, only slower.
    Archived,
    /// Gone: the time for which they are kept is over, or the customer was erased.
    Gone,
}

/// A conversation with the beginning of its messages.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ConversationDetail {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: ConversationView,
    /// Where its messages are.
    pub kept: Kept,
    /// Its first messages; the rest is at `/messages?after=<next>`.
    pub messages: Vec<MessageView>,
    /// Where the rest begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
