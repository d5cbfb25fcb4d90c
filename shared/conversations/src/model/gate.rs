//! The gate's answer about a message that is being written.

pub use warmline_gate::Left;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_gate::ContactRules;
use warmline_language::Effect;
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
    /// The instant at which it is to go; otherwise now, or after the seconds for which the group lets agents take it back.
    #[serde(default)]
    pub send_at: Option<Timestamp>,
    /// The purpose, if it answers nobody, as in the message.
    #[serde(default)]
    #[schemars(regex(pattern = "^(service|survey|marketing)[.][a-z0-9_-]{1,24}$"))]
    pub purpose: Option<String>,
}

/// What the gate would say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It goes out.
    Send,
    /// It waits until an instant.
    Hold,
    /// It waits for a supervisor.
    Approve,
    /// It is refused.
    Refuse,
}

/// A word in a message of the brand that has an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The word, as the brand's list spells it.
    pub word: String,
    /// The brand's category for it.
    pub category: String,
    /// What it does: `warn` and the message goes out, `approve` and it waits for a supervisor, `block` and it is refused.
    pub effect: Effect,
    /// The word as the message spells it.
    pub found: String,
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
    /// The instant until which it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The words with an effect in it, in their order.
    pub findings: Vec<Finding>,
    /// What the platform takes after these messages; `null` if it sets no limit, or if nothing can be sent.
    pub left: Option<Left>,
}

/// The brand's rules for messages that answer nobody.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ContactRulesView {
    /// The rules.
    pub rules: ContactRules,
    /// Rises with every change; 0 before the first.
    pub version: i64,
}

/// New rules for messages that answer nobody.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContactRules {
    /// All rules from now on.
    pub rules: ContactRules,
}
