//! Turns of AI seats. An AI seat is an agent like any other: it has a token, a presence and a capacity. Only its answers
//! differ: it answers in turns that state how sure it is, and the group's policy hands them over to people.

use crate::outgoing::{self, Author, Letter, Written, refused};
use crate::store::assignment;
use crate::{converse, place, plan};
use warmline_gate::{Refusal, Writer};
use warmline_kernel::consent;
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_model::{Content, ConversationId, EventBody};
use warmline_routing::handover::{HandOverReason, Turn};
use warmline_routing::{Cause, Ready};
use warmline_store::conversations::{self, Conversation};
use warmline_store::messages::Message;
use warmline_store::{StoreError, events};

/// Reacts to a customer's message to an AI seat. The seat has to answer, unless the policy hands over to people at once.
pub(crate) fn spoken_to(
    ctx: &Ctx<'_>,
    plan: &Ready,
    conversation: &Conversation,
    content: &Content,
) -> Result<(), StepError> {
    if consent::refuses(ctx, conversation.person, &conversation.channel)? {
        return hand_over(ctx, plan, conversation, HandOverReason::Unavailable);
    }
    let policy = conversation.group.as_ref().map(|g| plan.settings(g).hand_over).unwrap_or_default();
    let terms = content.words().map(|words| plan.terms(words)).unwrap_or_default();
    match policy.before(conversation.vip, &terms) {
        Some(reason) => hand_over(ctx, plan, conversation, reason),
        None => Ok(assignment::ai_turn(ctx.db, conversation.id, ctx.now().plus_millis(place::AI_ANSWER_MS))?),
    }
}

/// The outcome of an AI seat's turn.
pub enum Answered {
    /// Its messages go to the customer.
    Said(Vec<Message>),
    /// People take over. Its messages were not sent.
    HandedOver(HandOverReason),
}

/// Takes an AI seat's answer.
///
/// # Errors
/// The conversation is closed or not (or no longer) this seat's, the customer wants no automatic messages, or the platform
/// accepts no reply now.
pub fn turn(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    turn: &Turn,
    contents: &[Content],
) -> Result<Answered, StepError> {
    let conversation = converse::find(ctx, actor, id)?;
    let theirs = conversation.ai && conversation.agent == actor.agent && conversation.state.holds_capacity();
    if !theirs {
        return Err(refused(Refusal::NotYours));
    }
    let plan = plan::current(ctx)?;
    let policy = conversation.group.as_ref().map(|g| plan.settings(g).hand_over).unwrap_or_default();
    let failed = if turn.failed { conversation.ai_failed + 1 } else { 0 };
    if let Some(reason) = policy.after(turn, failed) {
        hand_over(ctx, &plan, &conversation, reason)?;
        return Ok(Answered::HandedOver(reason));
    }
    let from = Author { writer: Writer::AiSeat, agent: actor.agent, theirs };
    let written = outgoing::send(ctx, &conversation, None, from, Letter::answer(contents.to_vec()))?.map_err(refused)?;
    assignment::ai_answered(ctx.db, id, failed)?;
    match written {
        Written::Sent(said) => Ok(Answered::Said(said)),
        Written::Held(_) | Written::Unseen(_) => {
            Err(StoreError::Other("the gate holds no message of an AI seat".into()).into())
        }
    }
}

/// Hands over a conversation whose AI seat did not answer in time.
pub(crate) fn timed_out(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    hand_over(ctx, &*plan::current(ctx)?, conversation, HandOverReason::Unavailable)
}

fn hand_over(ctx: &Ctx<'_>, plan: &Ready, conversation: &Conversation, reason: HandOverReason) -> Result<(), StepError> {
    // The row may have changed in this transaction, when the customer's message was stored.
    let conversation = &conversations::get(ctx.db, conversation.id)?.ok_or(StoreError::Missing("conversation"))?;
    let from = conversation.agent.ok_or(StoreError::Missing("AI seat of a conversation"))?;
    let group = conversation.group.clone().ok_or(StoreError::Missing("group of an assigned conversation"))?;
    let word = serde_json::to_value(reason).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let body = EventBody::ConversationHandedOver { from, reason: word };
    events::append(ctx.db, ctx.now(), Some(conversation.id), &body)?;
    place::take_back(ctx, conversation, from)?;
    place::again(ctx, plan, conversation, &group, Cause::HandOver(reason))
}
