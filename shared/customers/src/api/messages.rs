//! Messages as the API shows them.

use crate::model::{DeliveryView, Direction, MessageView};
use std::collections::BTreeSet;
use warmline_kernel::{Ctx, StepError, sealing};
use warmline_model::{Content, ConversationId, CustomerId, DeliveryState, Origin};
use warmline_privacy::CustomerKey;
use warmline_store::messages::Message;
use warmline_store::outbox;

/// Opens messages of one customer. A message that does not open (altered, erased) is shown without content and hides no
/// other.
pub fn messages(ctx: &Ctx<'_>, customer: CustomerId, stored: &[Message]) -> Result<Vec<MessageView>, StepError> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let key = sealing::customer_key(ctx, customer)?;
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
    let content = key.and_then(|key| sealing::open_content(key, m).ok());
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
