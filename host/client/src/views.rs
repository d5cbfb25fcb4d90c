//! What the API shows, as far as it is used here.

use serde::Deserialize;
use warmline_model::{AgentId, Content, ConversationId, ConversationState, DeliveryState, MessageId, Origin, Units};

/// One page of a list.
#[derive(Clone, Debug, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// An agent.
#[derive(Clone, Debug, Deserialize)]
pub struct Agent {
    /// Id.
    pub id: AgentId,
    /// Name.
    pub name: String,
    /// Capacity in use.
    #[serde(default)]
    pub load: Units,
    /// Capacity.
    #[serde(default)]
    pub capacity: Units,
}

/// An account of a channel.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    /// Channel.
    pub channel: String,
    /// Id.
    pub account: String,
    /// Name.
    pub name: String,
}

/// A conversation's customer.
#[derive(Clone, Debug, Deserialize)]
pub struct Customer {
    /// Id.
    pub id: String,
}

/// A conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct Conversation {
    /// Id.
    pub id: ConversationId,
    /// Channel.
    pub channel: String,
    /// State.
    pub state: ConversationState,
    /// Skill group.
    #[serde(default)]
    pub group: Option<String>,
    /// Who holds it.
    #[serde(default)]
    pub agent: Option<AgentId>,
    /// What it takes of that agent's capacity.
    #[serde(default)]
    pub units: Units,
    /// Whose it is.
    pub customer: Customer,
}

/// How far a reply came.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    /// State.
    pub state: DeliveryState,
    /// Why it failed.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A message.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    /// Id.
    pub id: MessageId,
    /// Who speaks.
    pub from: Origin,
    /// What it says; absent where it can no longer be opened.
    pub content: Option<Content>,
    /// Of a reply: how far it came.
    #[serde(default)]
    pub delivery: Option<Delivery>,
}

impl Message {
    /// The text of a text message.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Some(Content::Text { text, .. }) => Some(text),
            _ => None,
        }
    }
}
