//! Drafts, and who is in a conversation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, Timestamp};

/// What a draft is to become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DraftMode {
    /// A message to the customer.
    #[default]
    Reply,
    /// A note for colleagues.
    Note,
}

impl DraftMode {
    /// The word in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Note => "note",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Reply, Self::Note].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// A draft to save.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDraft {
    /// What it is to become.
    #[serde(default)]
    pub mode: DraftMode,
    /// The text; an empty one removes the draft.
    #[schemars(length(max = 4000))]
    pub text: String,
    /// The version that the writer has seen, 0 for none. The last writer wins all the same; the answer tells whether another
    /// version was overwritten.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub version: Option<i64>,
}

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DraftView {
    /// What it is to become.
    pub mode: DraftMode,
    /// The writer. Another than the caller has left the conversation, and their draft with it.
    pub agent: AgentId,
    /// The text; `null` if it does not open.
    pub text: Option<String>,
    /// Rises with every change.
    pub version: i64,
    /// The time of the last change.
    pub saved_at: Timestamp,
}

/// The drafts that the caller may take up in a conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Drafts {
    /// The caller's own, and those that agents left who no longer hold the conversation.
    pub drafts: Vec<DraftView>,
}

/// The outcome of saving a draft.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SavedDraft {
    /// The new version; `null` if the draft is gone.
    pub version: Option<i64>,
    /// Whether another version than the one that the writer had seen was overwritten: the same agent writes in two places.
    pub overwritten: bool,
}

/// What an agent does in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Looks at it.
    Viewing,
    /// Writes to the customer.
    Typing,
    /// Writes a note.
    Noting,
}

impl Doing {
    /// The word in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewing => "viewing",
            Self::Typing => "typing",
            Self::Noting => "noting",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Viewing, Self::Typing, Self::Noting].into_iter().find(|doing| doing.as_str() == word)
    }
}

/// A sign of presence in a conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPresence {
    /// What the caller does there. It counts for ten seconds.
    pub doing: Doing,
    /// The number of the newest message that the caller has on the screen. It never goes back.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub seen: Option<i64>,
}

/// A colleague in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PresentAgent {
    /// The colleague.
    pub agent: AgentId,
    /// Their name.
    pub name: Option<String>,
    /// What they do.
    pub doing: Doing,
    /// Until when this counts, unless they say so again.
    pub until: Timestamp,
}

/// Who is in a conversation now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PresenceView {
    /// The colleagues, without the caller.
    pub present: Vec<PresentAgent>,
}
