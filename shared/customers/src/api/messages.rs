//! Messages as the API shows them.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use warmline_kernel::{Ctx, StepError, sealed};
use warmline_model::{AgentId, Content, ConversationId, CustomerId, DeliveryState, MessageId, Origin, Timestamp};
use warmline_privacy::CustomerKey;
use warmline_store::messages::Message;
use warmline_store::outbox;

/// The state of an outgoing message's delivery.
#[derive(Serialize, JsonSchema)]
pub struct DeliveryView {
    /// State.
    pub state: DeliveryState,
    /// The reason, as a stable code: why it was given up, why the last try failed, or why the account's platform accepts
    /// nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The time of the next try, if the last try failed or the account's platform accepts nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// The direction of a message: `in` from the customer, `out` to the customer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the customer.
    In,
    /// To the customer.
    Out,
}

/// A message.
#[derive(Serialize, JsonSchema)]
pub struct MessageView {
    /// Id.
    pub id: MessageId,
    /// Number in the conversation, from 1.
    pub n: i64,
    /// Direction.
    pub direction: Direction,
    /// The author.
    pub from: Origin,
    /// The agent, if an agent wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The content; `null` if it can no longer be opened.
    pub content: Option<Content>,
    /// The path of the bytes of its picture, voice, film or file. The platform keeps them for some days only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// The time at which it was received or written.
    pub at: Timestamp,
    /// The state of its delivery to the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryView>,
}

/// Opens messages of one customer. A message that does not open (altered, erased) is shown without content and hides no
/// other.
pub fn messages(ctx: &Ctx<'_>, customer: CustomerId, stored: &[Message]) -> Result<Vec<MessageView>, StepError> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let key = sealed::customer_key(ctx, customer)?;
    let mut shown: Vec<MessageView> = stored.iter().map(|m| message(Some(&key), m)).collect();
    waiting(ctx, stored, &mut shown)?;
    Ok(shown)
}

/// Adds the time of the next try, and the reason for waiting, to messages that wait for delivery.
fn waiting(ctx: &Ctx<'_>, stored: &[Message], shown: &mut [MessageView]) -> Result<(), StepError> {
    let on_the_way = |m: &&Message| matches!(m.delivery, Some(DeliveryState::Pending | DeliveryState::Failed));
    let conversations: BTreeSet<ConversationId> = stored.iter().filter(on_the_way).map(|m| m.conversation).collect();
    for conversation in conversations {
        for row in outbox::standing(ctx.db, conversation)? {
            let is_it = |m: &Message| m.conversation == conversation && m.n == row.n;
            let Some(view) = stored.iter().position(is_it).and_then(|i| shown.get_mut(i)) else { continue };
            let Some(delivery) = &mut view.delivery else { continue };
            if row.outage.is_some() || matches!(delivery.state, DeliveryState::Failed) {
                delivery.retry_at = Some(row.next_at);
            }
            delivery.reason = delivery.reason.take().or(row.outage);
        }
    }
    Ok(())
}

/// The path of a message's medium.
fn medium(conversation: ConversationId, n: i64) -> String {
    format!("/api/media/{conversation}.{n}")
}

/// Opens a message.
pub fn message(key: Option<&CustomerKey>, m: &Message) -> MessageView {
    let content = key.and_then(|key| sealed::open_content(key, m).ok());
    MessageView {
        id: m.id,
        n: m.n,
        direction: if m.origin == Origin::Customer { Direction::In } else { Direction::Out },
        from: m.origin,
        agent: m.agent,
        media: content.as_ref().and_then(Content::media).map(|_| medium(m.conversation, m.n)),
        content,
        at: m.at,
        delivery: m.delivery.map(|state| DeliveryView { state, reason: m.reason.clone(), retry_at: None }),
    }
}
