//! The one way out: every message to a customer is stored and handed to the outbox here.

use warmline_channels::registry;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{AgentId, Content, ConversationState, DeliveryState, EventBody, MessageId, Origin};
use warmline_privacy::CustomerKey;
use warmline_store::conversations::{self, Conversation};
use warmline_store::messages::{self, Message};
use warmline_store::{events, outbox};
use warmline_transport::deliver;

/// Stores a message to the customer and hands it to the outbox. It goes to the identity of its own conversation; no other
/// recipient can be named.
pub(crate) fn say(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    key: &CustomerKey,
    origin: Origin,
    agent: Option<AgentId>,
    content: &Content,
) -> Result<Message, StepError> {
    let now = ctx.now();
    let n = conversations::outbound(ctx.db, conversation.id, now)?;
    let id = MessageId::new(now, ctx.rng);
    let message = Message {
        conversation: conversation.id,
        n,
        id,
        origin,
        agent,
        content: sealing::seal_content(ctx, key, conversation.id, id, content)?,
        at: now,
        delivery: Some(DeliveryState::Pending),
        reason: None,
    };
    messages::insert(ctx.db, &message)?;
    let patience = registry::patience(conversation.channel.as_str());
    outbox::enqueue(
        ctx.db,
        &outbox::NewRow {
            message: id,
            conversation: conversation.id,
            n,
            identity: conversation.identity,
            channel: &conversation.channel,
            account: &conversation.account,
            at: now,
            not_before: conversation.answer_until.map_or(now, |until| until.max(now)),
            give_up_at: deliver::ends_at(ctx, conversation.id, patience, now)?,
        },
    )?;
    let human = origin == Origin::Agent;
    let body = EventBody::MessageSent {
        message: id,
        n,
        channel: conversation.channel.clone(),
        from: origin,
        agent,
        first_response_ms: match (human, conversation.first_response_at, conversation.first_inbound_at) {
            (true, None, Some(first)) => Some(now.since(first).max(0)),
            _ => None,
        },
        response_ms: match (human, conversation.round_started_at) {
            (true, Some(round)) => Some(now.since(round).max(0)),
            _ => None,
        },
    };
    events::append(ctx.db, now, Some(conversation.id), &body)?;
    if human {
        let state = match conversation.state {
            ConversationState::Assigned | ConversationState::WrapUp => ConversationState::WaitingOnCustomer,
            other => other,
        };
        conversations::answered(ctx.db, conversation.id, now, state)?;
        if let (Some(me), Some(since), None) = (agent, conversation.assigned_at, conversation.accepted_at) {
            // A reply accepts the conversation.
            let body = EventBody::ConversationAccepted { agent: me, waited_ms: now.since(since).max(0) };
            events::append(ctx.db, now, Some(conversation.id), &body)?;
        }
    }
    Ok(message)
}
