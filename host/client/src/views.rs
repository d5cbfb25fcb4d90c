//! The API's views, as far as the tools use them.

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
    /// The agent who holds it.
    #[serde(default)]
    pub agent: Option<AgentId>,
    /// The units that it takes of that agent's capacity.
    #[serde(default)]
    pub units: Units,
    /// The customer.
    pub customer: Customer,
}

/// The state of a reply's delivery.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    /// State.
    pub state: DeliveryState,
    /// The reason why it failed.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A message.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    /// Id.
    pub id: MessageId,
    /// The author.
    pub from: Origin,
    /// The content; absent if it can no longer be opened.
    pub content: Option<Content>,
    /// For a reply, the state of its delivery.
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
