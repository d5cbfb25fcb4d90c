//! Calls that ring. The conversation gets its seat before anybody answers, so that the agent sees the caller. A call that
//! nobody answers does not keep the seat: it ends when the caller hangs up, or after a time if the telephone system does
//! not report that.

use crate::store::assignment;
use crate::{converse, place};
use warmline_channels::kit::Carries;
use warmline_customers::orders::carries;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::{AgentId, Channel, Content, ConversationState, EventBody};
use warmline_privacy::CustomerKey;
use warmline_routing::{Cause, Ready};
use warmline_store::conversations::{self, Conversation};
use warmline_store::{StoreError, events};
use warmline_transport::accounts;

/// How long a call may ring without a further event before it is given up.
const RINGS_MS: i64 = 180_000;
/// The disposition of a call that nobody answered.
const GIVEN_UP: &str = "given_up";

/// A telephone system's report of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallEvent {
    Rings,
    Answered,
    Over,
}

/// The words are those of our contract, of Huawei AICC and of Twilio.
fn call_event(event: &str) -> Option<CallEvent> {
    match event {
        "ring" | "ringing" => Some(CallEvent::Rings),
        "answer" | "answered" | "in-progress" => Some(CallEvent::Answered),
        "hangup" | "release" | "completed" | "no-answer" | "busy" | "failed" | "canceled" => Some(CallEvent::Over),
        _ => None,
    }
}

/// Whether a channel carries calls.
pub fn on(channel: &Channel) -> bool {
    carries(channel, Carries::Calls)
}

/// Takes in a report of a call, after the report was stored.
pub(crate) fn heard(
    ctx: &Ctx<'_>,
    plan: &Ready,
    conversation: &Conversation,
    key: &CustomerKey,
    content: &Content,
) -> Result<(), StepError> {
    let Content::Event { event, data, .. } = content else { return Ok(()) };
    let Some(told) = call_event(event).filter(|_| on(&conversation.channel)) else { return Ok(()) };
    let nobody_yet = conversation.accepted_at.is_none() && conversation.first_inbound_at.is_none();
    match told {
        CallEvent::Rings | CallEvent::Answered => {
            let named = named(ctx, conversation, data.get("agent").and_then(|a| a.as_str()))?;
            if told == CallEvent::Rings && nobody_yet {
                assignment::rings(ctx.db, conversation.id, Some(ctx.now().plus_millis(RINGS_MS)))?;
            }
            if conversation.accepted_at.is_none() {
                seat(ctx, plan, conversation, key, content, named)?;
            }
            if told == CallEvent::Answered { answered(ctx, conversation) } else { Ok(()) }
        }
        // If no seat was sought for it, there is no capacity to give back.
        CallEvent::Over if nobody_yet && conversation.state != ConversationState::Open => given_up(ctx, conversation),
        CallEvent::Over => Ok(()),
    }
}

/// Closes a call that nobody answered and nobody will answer.
pub(crate) fn given_up(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    converse::finish(ctx, conversation, Some(GIVEN_UP))
}

/// The agent whom the telephone system names, by our id or by a name listed in the account's `extensions`.
fn named(ctx: &Ctx<'_>, conversation: &Conversation, name: Option<&str>) -> Result<Option<AgentId>, StepError> {
    let Some(name) = name else { return Ok(None) };
    if let Ok(agent) = name.parse() {
        return Ok(Some(agent));
    }
    let routing = accounts::routing(ctx, &conversation.channel, &conversation.account)?;
    Ok(routing.and_then(|routing| routing.extension(name)))
}

/// Gives the call to the agent named by the telephone system, if they can take it, and otherwise to the agent that the
/// router finds.
fn seat(
    ctx: &Ctx<'_>,
    plan: &Ready,
    conversation: &Conversation,
    key: &CustomerKey,
    content: &Content,
    named: Option<AgentId>,
) -> Result<(), StepError> {
    let from = conversation.agent.filter(|_| conversation.state.holds_capacity());
    if let Some(agent) = named.filter(|agent| from != Some(*agent)) {
        let group = match &conversation.group {
            Some(group) => Some(group.clone()),
            None => plan.place(&place::facts(ctx, plan, conversation, content)?, ctx.now()).map(|p| p.group),
        };
        if let Some(group) = group {
            if let Some(before) = from {
                let body =
                    EventBody::ConversationTransferred { from, to_agent: Some(agent), group: group.clone(), note: false };
                events::append(ctx.db, ctx.now(), Some(conversation.id), &body)?;
                place::take_back(ctx, conversation, before)?;
            }
            let given = taken(place::to_agent(ctx, conversation, &group, agent, "the telephone system says so"))?;
            if let Some(before) = from {
                if !given {
                    place::again(ctx, plan, conversation, &group, Cause::Transfer)?;
                }
                place::fill(ctx, plan, before)?;
            }
            if given || from.is_some() {
                return Ok(());
            }
        }
    }
    if conversation.state == ConversationState::Open {
        place::first(ctx, plan, conversation, key, content, None)?;
    }
    Ok(())
}

/// Whether the agent could take it. A refusal on the agent's side must not fail the call's step.
fn taken(given: Result<(), StepError>) -> Result<bool, StepError> {
    match given {
        Ok(()) => Ok(true),
        Err(StepError::Conflict { .. } | StepError::Invalid { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Notes that the agent who has the call's seat answered it.
fn answered(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    let now = ctx.now();
    assignment::rings(ctx.db, conversation.id, None)?;
    let conversation = conversations::get(ctx.db, conversation.id)?.ok_or(StoreError::Missing("conversation"))?;
    if let (Some(agent), Some(since)) =
        (conversation.agent.filter(|_| conversation.state.holds_capacity()), conversation.assigned_at)
        && conversations::accept(ctx.db, conversation.id, now)?
    {
        let body = EventBody::ConversationAccepted { agent, waited_ms: now.since(since).max(0) };
        events::append(ctx.db, now, Some(conversation.id), &body)?;
    }
    Ok(())
}
