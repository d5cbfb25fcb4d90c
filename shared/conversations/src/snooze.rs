//! Snoozing (稍后处理): an agent puts a conversation off until an instant, until the customer writes, or until something happens to
//! an order that it names. It leaves its seat, so that others get the capacity, and it stands in no queue. When it wakes, the same
//! agent gets it if they are at work and have room; otherwise it is placed in its group again.

use crate::store::cases;
use crate::{calls, converse, outgoing, place, plan};
use serde::Serialize;
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_model::case::OrderKey;
use warmline_model::{AgentId, AgentState, ConversationId, ConversationState, CustomerId, Timestamp};
use warmline_routing::Cause;
use warmline_store::conversations::{self, Conversation, Snooze};
use warmline_store::{StoreError, agents, events, immediate};

/// The longest time ahead, in days.
pub const MOST_DAYS: i64 = 366;

/// The events of snoozing.
#[derive(Serialize)]
#[serde(tag = "type", content = "data")]
enum Told {
    /// An agent put it off; without an instant, until the customer writes.
    #[serde(rename = "conversation.snoozed")]
    Snoozed { agent: AgentId, until: Option<Timestamp>, orders: bool },
    /// It woke.
    #[serde(rename = "conversation.woken")]
    Woken { agent: AgentId, why: Why },
}

/// The reason for which a conversation wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its time has come.
    Time,
    /// The customer wrote.
    Customer,
    /// Something happened to an order.
    Order,
    /// A member of staff wanted it.
    Staff,
}

/// Puts a conversation off. The customer's next message wakes it in any case. Runs in the caller's transaction.
///
/// # Errors
/// - The conversation is closed or not the actor's, or it is none that can be put off: a call, an AI seat's, one without an
///   agent, or one in its after-contact work.
/// - The gate refuses a message now that could still be taken back.
pub fn snooze(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    until: Option<Timestamp>,
    orders: bool,
) -> Result<Conversation, StepError> {
    let conversation = converse::find(ctx, actor, id)?;
    converse::open_only(&conversation)?;
    converse::holder_only(actor, &conversation)?;
    let held = matches!(conversation.state, ConversationState::Assigned | ConversationState::WaitingOnCustomer);
    let (Some(agent), true) = (conversation.agent, held && !conversation.ai && !calls::on(&conversation.channel)) else {
        let advice = "only a conversation that a person holds can be put off, and no call and no after-contact work";
        return Err(StepError::conflict("not_snoozable", advice));
    };
    outgoing::settle(ctx, id)?;
    let conversation = converse::any(ctx, id)?;
    let snooze = Snooze { agent, until, orders };
    let handle_ms = conversation.handle_ms + place::held_ms(&conversation, ctx.now());
    conversations::snooze(ctx.db, id, &snooze, handle_ms)?;
    events::append(ctx.db, ctx.now(), Some(id), &Told::Snoozed { agent, until, orders })?;
    place::release(ctx, &conversation, agent)?;
    place::fill(ctx, &*plan::current(ctx)?, agent)?;
    converse::any(ctx, id)
}

/// Wakes a conversation because a member of staff wants it: for the actor if they are an agent, otherwise for the agent who put it
/// off. Runs in the caller's transaction.
///
/// # Errors
/// - It is not put off (`not_snoozed`), or was put off by somebody else.
/// - The actor is not at work, or has no room for it.
pub fn wake_for(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId) -> Result<Conversation, StepError> {
    let conversation = converse::find(ctx, actor, id)?;
    let Some(snooze) = conversation.snooze else {
        return Err(StepError::conflict("not_snoozed", "the conversation is not put off; read it again"));
    };
    match actor.agent.filter(|me| *me == snooze.agent) {
        Some(me) => {
            let group = conversation.group.clone().ok_or(StoreError::Missing("group of a snoozed conversation"))?;
            events::append(ctx.db, ctx.now(), Some(id), &Told::Woken { agent: snooze.agent, why: Why::Staff })?;
            place::to_agent(ctx, &conversation, &group, me, WOKEN)?;
        }
        None if actor.supervises() => wake(ctx, &conversation, Why::Staff)?,
        None => return Err(converse::not_yours()),
    }
    converse::any(ctx, id)
}

const WOKEN: &str = "woken";

/// Wakes a conversation. Does nothing if it is not put off.
pub(crate) fn wake(ctx: &Ctx<'_>, conversation: &Conversation, why: Why) -> Result<(), StepError> {
    let (Some(snooze), Some(group)) = (&conversation.snooze, &conversation.group) else { return Ok(()) };
    events::append(ctx.db, ctx.now(), Some(conversation.id), &Told::Woken { agent: snooze.agent, why })?;
    let at_work = agents::get(ctx.db, snooze.agent)?
        .is_some_and(|agent| agent.removed_at.is_none() && agent.state != AgentState::Offline);
    if at_work {
        match place::to_agent(ctx, conversation, group, snooze.agent, WOKEN) {
            // The agent has no room: others have.
            Err(StepError::Conflict { .. }) => {}
            given => return given,
        }
    }
    place::again(ctx, &*plan::current(ctx)?, conversation, group, Cause::Transfer)
}

/// Wakes the person's conversations that were put off until something happens to one of these orders, which they name. Returns
/// whether any did.
pub(crate) fn wake_by_order(ctx: &Ctx<'_>, person: CustomerId, orders: &[OrderKey]) -> Result<bool, StepError> {
    let mut woken = false;
    for id in conversations::snoozed_for_orders(ctx.db, person)? {
        let (named, _) = cases::orders_of(ctx.db, id)?;
        if named.iter().any(|order| orders.contains(order))
            && let Some(conversation) = conversations::get(ctx.db, id)?
        {
            wake(ctx, &conversation, Why::Order)?;
            woken = true;
        }
    }
    Ok(woken)
}

/// Wakes a conversation whose time has come, in a transaction of its own. Returns whether it did.
pub(crate) fn wake_due(ctx: &Ctx<'_>, id: ConversationId) -> Result<bool, StepError> {
    immediate(ctx.db, || {
        let due = |c: &Conversation| c.snooze.as_ref().and_then(|s| s.until).is_some_and(|until| until <= ctx.now());
        match conversations::get(ctx.db, id)?.filter(due) {
            Some(conversation) => wake(ctx, &conversation, Why::Time).map(|()| true),
            None => Ok(false),
        }
    })
}
