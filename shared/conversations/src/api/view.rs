//! Conversations as the API shows them.

use schemars::JsonSchema;
use serde::Serialize;
use warmline_customers::api::messages::MessageView;
use warmline_model::{
    AccountId, AgentId, CaseId, Channel, ConversationId, ConversationState, CustomerId, GroupId, Timestamp, Units,
};
use warmline_store::archive::Stage;
use warmline_store::conversations::Conversation;

/// The customer of a conversation.
#[derive(Serialize, JsonSchema)]
pub struct CustomerRef {
    /// Id.
    pub id: CustomerId,
    /// The name that the channel reports, masked. Only when a single conversation is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A conversation.
#[derive(Serialize, JsonSchema)]
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

impl From<Conversation> for ConversationView {
    fn from(c: Conversation) -> Self {
        Self {
            id: c.id,
            channel: c.channel,
            account: c.account,
            state: c.state,
            group: c.group,
            agent: c.agent,
            ai: c.ai,
            units: c.units,
            customer: CustomerRef { id: c.person, name: None },
            case: c.case,
            vip: c.vip,
            opened_at: c.opened_at,
            last_message_at: c.last_message_at,
            queued_at: c.queued_at,
            assigned_at: c.assigned_at,
            accepted_at: c.accepted_at,
            unanswered_since: c.round_started_at,
            closed_at: c.closed_at,
            disposition: c.disposition,
            message_count: c.messages,
            why: c.why,
        }
    }
}

/// The place of a conversation's messages.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// At hand.
    Hot,
    /// In the archive. They read the same, only slower.
    Archived,
    /// Gone. Their retention period is over, or the customer was erased.
    Gone,
}

impl From<Stage> for Kept {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Rows => Self::Hot,
            Stage::Packs => Self::Archived,
            Stage::Gone => Self::Gone,
        }
    }
}

/// A conversation with the beginning of its messages.
#[derive(Serialize, JsonSchema)]
pub struct ConversationDetail {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: ConversationView,
    /// The place of its messages.
    pub kept: Kept,
    /// Its first messages. The others are at `/messages?after=<next>`.
    pub messages: Vec<MessageView>,
    /// The number after which the others begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
