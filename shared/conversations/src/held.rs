//! Messages that wait to be sent: what their writers and supervisors do with them, and their release in time. The gate decides
//! again in the transaction that sends one ([`crate::outgoing`]). A message is sent, taken back, declined or refused once,
//! however many callers try it at the same moment: each step begins with the row as it is under the write lock.

use crate::converse::{self, leave_note};
use crate::outgoing::{self, Release};
use crate::store::held::{self, Held, State, Why};
use serde::Serialize;
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{AgentId, Channel, Content, MessageId};
use warmline_store::conversations::Conversation;
use warmline_store::{events, immediate, outbox};

/// The events of decisions about held messages.
#[derive(Serialize)]
#[serde(tag = "type", content = "data")]
enum Told {
    /// A supervisor does not let it go. The reason is a note in the conversation.
    #[serde(rename = "gate.declined")]
    Declined { message: MessageId, by: Option<AgentId> },
    /// It was taken back.
    #[serde(rename = "gate.withdrawn")]
    Withdrawn { message: MessageId, by: Option<AgentId> },
}

/// A held message, and its conversation. Its writer may see it, and all who may see the conversation.
///
/// # Errors
/// - It was sent already (`already_sent`).
/// - There is none, or the actor may not see it. Both get the same answer.
pub fn find(ctx: &Ctx<'_>, actor: &Actor, id: MessageId) -> Result<(Held, Conversation), StepError> {
    let missing = StepError::NotFound("held message");
    let Some(held) = held::get(ctx.db, id)? else {
        let Some((_, conversation, ..)) = outbox::find(ctx.db, id)? else { return Err(missing) };
        // To those who may not see the conversation, nothing tells that there was one.
        converse::find(ctx, actor, conversation).map_err(|_| missing)?;
        return Err(StepError::conflict("already_sent", "the message has been sent; it cannot be changed any more"));
    };
    let mine = actor.agent.is_some() && held.agent == actor.agent;
    let conversation = match converse::find(ctx, actor, held.conversation) {
        Ok(conversation) => conversation,
        Err(StepError::NotFound(_)) if mine => converse::any(ctx, held.conversation)?,
        Err(StepError::NotFound(_)) => return Err(missing),
        Err(e) => return Err(e),
    };
    Ok((held, conversation))
}

/// A held message with its contents. The audit entry is stored first.
///
/// # Errors
/// As for [`find`].
pub fn read(ctx: &Ctx<'_>, actor: &Actor, id: MessageId) -> Result<(Held, Vec<Content>), StepError> {
    let (held, conversation) = find(ctx, actor, id)?;
    let of = Subject { customer: Some(conversation.person), conversation: Some(conversation.id), ..Subject::default() };
    audit::record(ctx, actor, Action::Other("conversations.held_read"), of)?;
    let contents = open(ctx, &conversation, &held)?;
    Ok((held, contents))
}

fn open(ctx: &Ctx<'_>, conversation: &Conversation, held: &Held) -> Result<Vec<Content>, StepError> {
    sealing::open_held(&sealing::customer_key(ctx, conversation.customer)?, held.conversation, held.id, &held.contents)
}

/// Takes a message back: it is not sent, and the row goes. Its writer, the agent who holds the conversation, and supervisors
/// can do this. Runs in the caller's transaction.
///
/// # Errors
/// As for [`find`]; also if the message is neither the actor's nor in the actor's conversation.
pub fn withdraw(ctx: &Ctx<'_>, actor: &Actor, id: MessageId) -> Result<(Held, Vec<Content>), StepError> {
    let (held, conversation) = find(ctx, actor, id)?;
    if actor.agent.is_none() || held.agent != actor.agent {
        converse::holder_only(actor, &conversation)?;
    }
    let contents = match open(ctx, &conversation, &held) {
        Err(StepError::Seal(_)) => Vec::new(),
        opened => opened?,
    };
    held::delete(ctx.db, id)?;
    let event = Told::Withdrawn { message: id, by: actor.agent };
    events::append(ctx.db, ctx.now(), Some(conversation.id), &event)?;
    Ok((held, contents))
}

/// The outcome of releasing a message.
pub enum Released {
    /// It went out, on this channel.
    Sent(Channel),
    /// It is approved, and waits for the instant that its writer named.
    Waits(Held),
}

/// Lets a waiting message go. A supervisor approves one that waits for approval; one that only waits for its time is sent at
/// once, by its writer, by the agent who holds the conversation, or by a supervisor. Runs in the caller's transaction.
///
/// # Errors
/// - As for [`find`]; also if the actor may not do this.
/// - The message does not wait any more (`already_decided`).
/// - The gate refuses it now. It stays, so that its writer can take it back.
pub fn release(ctx: &Ctx<'_>, actor: &Actor, id: MessageId) -> Result<Released, StepError> {
    let (held, conversation) = find(ctx, actor, id)?;
    waits(&held)?;
    let approves = held.why == Why::Approval;
    if approves {
        supervisor_only(actor)?;
    } else if actor.agent.is_none() || held.agent != actor.agent {
        converse::holder_only(actor, &conversation)?;
    }
    match outgoing::release(ctx, &held, approves, !approves, actor.agent)? {
        Release::Sent => Ok(Released::Sent(conversation.channel)),
        Release::Waits => Ok(Released::Waits(held::get(ctx.db, id)?.ok_or(StepError::NotFound("held message"))?)),
        // The caller rolls this back: the row waits as before.
        Release::Refused(refusal) => Err(outgoing::refused(refusal)),
        Release::Unreadable => Err(StepError::conflict("content_unreadable", "the message does not open; take it back")),
    }
}

/// Declines a message that waits for approval. The reason becomes a note in the conversation, where the writer reads it. Runs
/// in the caller's transaction.
///
/// # Errors
/// As for [`find`]; also if the actor is no supervisor, or the message does not wait for approval any more.
pub fn decline(ctx: &Ctx<'_>, actor: &Actor, id: MessageId, reason: &str) -> Result<Held, StepError> {
    let (held, conversation) = find(ctx, actor, id)?;
    supervisor_only(actor)?;
    waits(&held)?;
    if held.why != Why::Approval {
        return Err(StepError::conflict("no_approval_needed", "the message does not wait for a supervisor; take it back"));
    }
    held::end(ctx.db, id, State::Declined, "declined", actor.agent, ctx.now())?;
    leave_note(ctx, actor, conversation.id, reason)?;
    let event = Told::Declined { message: id, by: actor.agent };
    events::append(ctx.db, ctx.now(), Some(conversation.id), &event)?;
    held::get(ctx.db, id)?.ok_or(StepError::NotFound("held message"))
}

fn supervisor_only(actor: &Actor) -> Result<(), StepError> {
    if actor.supervises() { Ok(()) } else { Err(StepError::Forbidden("only a supervisor decides about it")) }
}

fn waits(held: &Held) -> Result<(), StepError> {
    if held.state == State::Waiting {
        return Ok(());
    }
    Err(StepError::conflict("already_decided", "the message does not wait any more; read it to learn why"))
}

/// Looks again at a message whose time has come, in a transaction of its own. Returns whether it went out.
pub(crate) fn release_due(ctx: &Ctx<'_>, id: MessageId) -> Result<bool, StepError> {
    immediate(ctx.db, || {
        // Another run, or its writer, may have been here meanwhile.
        let due = |held: &Held| held.state == State::Waiting && held.release_at.is_some_and(|at| at <= ctx.now());
        match held::get(ctx.db, id)?.filter(due) {
            Some(held) => match outgoing::release(ctx, &held, false, false, None)? {
                Release::Sent => Ok(true),
                Release::Waits => Ok(false),
                Release::Refused(refusal) => outgoing::end(ctx, &held, refusal.code()).map(|()| false),
                Release::Unreadable => outgoing::end(ctx, &held, outgoing::UNREADABLE).map(|()| false),
            },
            None => Ok(false),
        }
    })
}
