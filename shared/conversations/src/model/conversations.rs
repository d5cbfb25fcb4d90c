//! Conversations and cases.

use crate::model::HeldView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_customers::model::MessageView;
use warmline_model::{
    AccountId, AgentId, CaseId, Channel, Content, ConversationId, ConversationState, CustomerId, GroupId, Timestamp, Units,
};

/// The case to set for a conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCase {
    /// The case; `null` for a case of its own.
    pub case: Option<CaseId>,
}

/// A case.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CaseView {
    /// Id.
    pub id: CaseId,
    /// The customer.
    pub customer: CustomerId,
    /// The conversations with this customer that belong to the case, oldest first; the first 200.
    pub conversations: Vec<ConversationView>,
}

/// A message to the customer.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The content. Of a text's fields only `text` is accepted here.
    #[serde(deserialize_with = "warmline_model::content::request::one")]
    pub content: Content,
    /// Whether it also goes to all recipients of the customer's last mail; otherwise it goes to the customer alone.
    #[serde(default)]
    pub reply_all: bool,
    /// The instant at which it is to go, at most 30 days ahead; otherwise at once, or after the seconds in which it can be taken
    /// back.
    #[serde(default)]
    pub send_at: Option<Timestamp>,
    /// The seconds in which it can be taken back; otherwise those of the group.
    #[serde(default)]
    #[schemars(range(min = 0, max = 120))]
    pub undo_secs: Option<i64>,
    /// The purpose, if it answers nobody: `service`, `survey` or `marketing`, a dot, and the brand's own code
    /// (`service.order`). Quiet hours, limits and consent then apply. Left out, it answers the customer.
    #[serde(default)]
    #[schemars(regex(pattern = "^(service|survey|marketing)[.][a-z0-9_-]{1,24}$"))]
    pub purpose: Option<String>,
    /// The number of the newest message that the writer has seen. If the customer or a colleague has written since, nothing is
    /// sent. Left out, nothing is compared.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub seen: Option<i64>,
}

/// The target of a transfer: an agent or a group.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum TransferTarget {
    /// To one agent.
    Agent(AgentId),
    /// To the next free agent of a group.
    Group(GroupId),
}

/// A transfer.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Where it goes.
    pub to: TransferTarget,
    /// A note for the colleague. The customer never sees it.
    #[serde(default)]
    pub note: Option<String>,
}

/// The end of a talk.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The way in which it ended, as a code of the brand's own list: `solved`, `spam`, …
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub disposition: Option<String>,
}

/// The customer of a conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CustomerRef {
    /// Id.
    pub id: CustomerId,
    /// The name that the channel reports, masked. Only when a single conversation is read.
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
    /// The units that it takes of the agent's capacity.
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
    /// The way in which it ended.
    pub disposition: Option<String>,
    /// Number of messages.
    pub message_count: i64,
    /// The reason for its place: the rule that chose the group, and the choice of the agent.
    pub why: Option<String>,
}

/// The place of a conversation's messages.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// At hand.
    Hot,
    /// In the archive. They read the same, only slower.
    Archived,
    /// Gone. Their retention period is over, or the customer was erased.
    Gone,
}

/// A conversation with the beginning of its messages.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ConversationDetail {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: ConversationView,
    /// The place of its messages.
    pub kept: Kept,
    /// Messages to the customer that are not sent yet, or were declined; without their texts.
    pub held: Vec<HeldView>,
    /// Its first messages. The others are at `/messages?after=<next>`.
    pub messages: Vec<MessageView>,
    /// The number after which the others begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
