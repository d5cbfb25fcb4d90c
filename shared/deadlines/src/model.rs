//! The shapes of deadlines in the API.

use crate::clock::{Metric, Source, State};
use crate::policy::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, ConversationId, GroupId, MessageId, PromiseId, Timestamp};

/// The document of service levels in force.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PoliciesView {
    /// Rises with every change; 0 before the first.
    pub version: i64,
    /// The document.
    pub document: Document,
}

/// A version of the document.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PoliciesVersion {
    /// The version.
    pub version: i64,
    /// Since when it was in force.
    pub at: Timestamp,
    /// Its author; `null`: the administrator.
    pub author: Option<AgentId>,
}

/// A deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadlineView {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its number in the conversation.
    pub deadline: i64,
    /// The customer's message, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// What it measures.
    pub metric: Metric,
    /// Who set it.
    pub source: Source,
    /// The policy's name, the formula's id, or the kind of promise.
    pub rule: String,
    /// The version of the document under which it started.
    pub version: i64,
    /// The state.
    pub state: State,
    /// When it started.
    pub starts_at: Timestamp,
    /// When it is due; `null`: a promise that names no time. While it is paused: for the longest pause.
    pub due_at: Option<Timestamp>,
    /// The milliseconds for which it was paused so far.
    pub paused_ms: i64,
    /// Whether only a person can meet it.
    pub human_only: bool,
    /// When it was answered, in time or late.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it was cancelled: `closed`, `merged`, `erased` or `dropped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What follows if it is missed, as a code of the brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consequence: Option<String>,
    /// The conversation's agent when it last changed.
    pub agent: Option<AgentId>,
    /// The conversation's group when it last changed.
    pub group: Option<GroupId>,
}

/// A promise to note by hand.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = NewPromise::example())]
pub struct NewPromise {
    /// What was promised, in a sentence of 1 to 200 characters.
    #[schemars(length(min = 1, max = 200))]
    pub text: String,
    /// When it is due: after now, at most 366 days ahead. Left out, it has no time.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

impl NewPromise {
    fn example() -> Self {
        Self { text: "明天补发一袋".to_owned(), due_at: None }
    }
}

/// Another instant for a promise.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MovedPromise {
    /// When it is due: after now, at most 366 days ahead.
    pub due_at: Timestamp,
}

/// A promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromiseView {
    /// Its id.
    pub id: PromiseId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The message in which it was found; `null`: it was noted by hand.
    pub message: Option<MessageId>,
    /// Who made it; `null`: the administrator.
    pub agent: Option<AgentId>,
    /// What was promised; `null` if it does not open.
    pub text: Option<String>,
    /// The kind of phrase that names the time: `today`, `hours`, …; `open`: it names none; `by_hand`.
    pub kind: String,
    /// Whether a member of staff noted, confirmed or moved it.
    pub confirmed: bool,
    /// `running`, `met` (fulfilled in time), `missed` or `cancelled` (dropped).
    pub state: State,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it is due; `null`: it has no time.
    pub due_at: Option<Timestamp>,
    /// When it was fulfilled or dropped.
    pub ended_at: Option<Timestamp>,
}
