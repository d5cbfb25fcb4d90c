//! Messages that wait to be sent, in the API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, Content, ConversationId, MessageId, Timestamp};

/// The reason why a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldWhy {
    /// Its writer can take it back for some seconds.
    Undo,
    /// Its writer wants it to go later.
    Later,
    /// It answers nobody, and nobody is approached at this hour.
    Quiet,
    /// A supervisor has to approve it.
    Approval,
}

/// The state of a held message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// It waits.
    Waiting,
    /// A supervisor has declined it. The reason is a note in the conversation.
    Declined,
    /// It could not be sent when its time had come.
    Refused,
}

/// A message that was written and is not sent yet.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct HeldView {
    /// Its id. The message that is sent in the end has the same.
    pub id: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The writer; `null` for supervisors who are no agents.
    pub agent: Option<AgentId>,
    /// Its purpose, if it answers nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The reason why it waits.
    pub why: HeldWhy,
    /// Its state.
    pub state: HeldState,
    /// The time at which it was written.
    pub held_at: Timestamp,
    /// The instant at which it goes; `null` while a supervisor has to decide, and when it is not sent.
    pub release_at: Option<Timestamp>,
    /// The stable code of the reason why it is not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its contents, when a single message is read or taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<Content>,
}

/// A supervisor's reason for declining a message.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    /// The reason. It becomes a note in the conversation; the customer never sees it.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}
