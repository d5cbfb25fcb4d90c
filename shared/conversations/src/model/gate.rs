//! The gate's answer about a message that is being written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{Content, ConversationId, Timestamp};

/// A message that is being written.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateCheck {
    /// The conversation.
    pub conversation: ConversationId,
    /// The content. Of a text's fields only `text` is accepted here.
    #[serde(deserialize_with = "warmline_model::content::request::one")]
    pub content: Content,
    /// Whether it also goes to all recipients of the customer's last mail.
    #[serde(default)]
    pub reply_all: bool,
}

/// What the gate would say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It goes out.
    Send,
    /// It is refused.
    Refuse,
}

/// The gate's answer about a message.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct GateAnswer {
    /// The verdict.
    pub verdict: Verdict,
    /// The stable code of the refusal, as sending would answer it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The advice to the writer, if it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The number of messages that the customer gets: a long text is cut on some channels.
    pub parts: usize,
    /// What the platform takes after these messages; `null` if it sets no limit, or if nothing can be sent.
    pub left: Option<Left>,
}

/// The replies that a platform still takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// Their number; `null` if the platform sets none.
    pub replies: Option<u32>,
    /// The number that each message of the customer allows.
    pub of: Option<u32>,
    /// The last instant at which it takes them.
    pub until: Timestamp,
}
