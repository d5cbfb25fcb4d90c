//! The worklist: a row for each open conversation.

use crate::model::{CustomerRef, SnoozeView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warmline_gate::Left;
use warmline_model::{AccountId, AgentId, CaseId, Channel, ConversationId, ConversationState, GroupId, Origin, Timestamp};

/// A view of the worklist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorklistView {
    /// The caller holds them.
    Mine,
    /// Those of them whose customer waits for a reply; for supervisors, all such.
    Unanswered,
    /// They wait in the queue of a group of the caller's; for supervisors, in any.
    Queue,
    /// The caller has put them off; for supervisors, anybody has.
    Snoozed,
    /// A note names the caller, who has not read it.
    Mentions,
    /// A message of the caller's waits for a supervisor; for supervisors, anybody's.
    Approvals,
    /// All that the caller may see at least in part.
    All,
}

impl WorklistView {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Mine, Self::Unanswered, Self::Queue, Self::Snoozed, Self::Mentions, Self::Approvals, Self::All];

    /// The word in JSON and in the query.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Unanswered => "unanswered",
            Self::Queue => "queue",
            Self::Snoozed => "snoozed",
            Self::Mentions => "mentions",
            Self::Approvals => "approvals",
            Self::All => "all",
        }
    }
}

/// The last message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastMessage {
    /// Its number.
    pub n: i64,
    /// Its author.
    pub from: Origin,
    /// The kind of its content; `note` for a note between colleagues.
    pub kind: String,
    /// Its words, cut after 60 characters; none if it has no words, or does not open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When it was stored.
    pub at: Timestamp,
}

/// The nearest deadline of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NearestDeadline {
    /// When it is due.
    pub at: Timestamp,
    /// What it measures.
    pub metric: String,
    /// Who set it: `policy`, `platform`, `law` or `promise`.
    pub source: String,
}

/// A row of the worklist. A conversation that the caller may not read shows its channel, group, state and clocks only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorklistRow {
    /// The conversation.
    pub id: ConversationId,
    /// Channel.
    pub channel: Channel,
    /// The brand's account.
    pub account: AccountId,
    /// State.
    pub state: ConversationState,
    /// Skill group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// The agent who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Whether that is an AI seat.
    pub ai: bool,
    /// The views in which it stands, besides `all`.
    pub views: Vec<WorklistView>,
    /// Whether the caller may read it. If not, all that follows but the clocks is left out.
    pub readable: bool,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the last message of either side was stored.
    pub last_message_at: Timestamp,
    /// When it entered its present or last queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// The first message of the customer that no human has answered yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered_since: Option<Timestamp>,
    /// Who put it off, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snoozed: Option<SnoozeView>,
    /// The nearest deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<NearestDeadline>,
    /// What the platform still takes, if it sets a limit: the number of replies, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
    /// The customer, with a masked name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerRef>,
    /// Whether the customer was a VIP when it was opened.
    pub vip: bool,
    /// The person's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// The last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<LastMessage>,
    /// The customer's messages since the caller last read or wrote, among the last 50 messages.
    pub unread: i64,
    /// Whether the caller has a draft in it.
    pub draft: bool,
    /// Messages in it that wait for their time or for a supervisor.
    pub held: i64,
    /// The reason for its place: the rule that chose the group, and the choice of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A page of the worklist.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Worklist {
    /// The rows of the view, in the order that was asked for.
    pub items: Vec<WorklistRow>,
    /// Where the next page begins. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The number of conversations in each view, with the same group, channel and tag.
    pub counts: BTreeMap<String, usize>,
    /// With `q`: the conversations that were looked through; those beyond the first 1000 of the view were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searched: Option<usize>,
    /// The position of this answer among all changes. A stream with it goes on from there.
    pub cursor: String,
}

/// What has changed in the worklist.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorklistChanges {
    /// The rows as they are now.
    pub rows: Vec<WorklistRow>,
    /// Conversations that the caller's list no longer has.
    pub gone: Vec<ConversationId>,
    /// Whether the list has to be read anew: the position is too old, or the caller's own groups have changed.
    pub reset: bool,
    /// The position after these changes.
    pub cursor: String,
}
