//! The actions of agents and supervisors on a conversation. The caller runs each function in one immediate transaction,
//! together with the idempotency record of the request. [`read`] and [`medium`] are exceptions: they make their own.

use crate::model::DraftMode;
use crate::outgoing::{self, Author, Letter, Wait, refused};
use crate::store::held::Why;
use crate::store::{self, assignment, consults, marks};
use crate::{drafts, place, plan};
use warmline_gate::{Purpose, Refusal, Writer};
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{
    AgentId, Content, ConversationId, ConversationState, EventBody, GroupId, MessageId, Origin, Timestamp,
};
use warmline_routing::Cause;
use warmline_store::changes::{self, What};
use warmline_store::conversations::{self, Conversation};
use warmline_store::messages::{self, Message};
use warmline_store::{agents, events};
use warmline_transport::media;

pub use crate::outgoing::{Checked, Written};

/// How many messages are searched for the customer's last one.
const RECENT: i64 = 50;

/// Finds a conversation that the actor may see: supervisors see all; agents see their own and those that they put off, those queued
/// in their groups, and those that a colleague has asked them about.
///
/// # Errors
/// There is no such conversation, or the actor may not see it. Both get the same answer, so that nobody can find ids by
/// trial.
pub fn find(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId) -> Result<Conversation, StepError> {
    let missing = StepError::NotFound("conversation");
    let conversation = any(ctx, id)?;
    if actor.supervises() {
        return Ok(conversation);
    }
    let Some(me) = actor.agent else { return Err(missing) };
    let put_off = conversation.snooze.as_ref().is_some_and(|snooze| snooze.agent == me);
    if conversation.agent == Some(me) || put_off {
        return Ok(conversation);
    }
    match (&conversation.group, conversation.state) {
        (Some(group), ConversationState::Queued) if agents::serves(ctx.db, me, group)? => Ok(conversation),
        _ if consults::is_asked(ctx.db, id, me)? => Ok(conversation),
        _ => Err(missing),
    }
}

/// A conversation, whoever asks.
///
/// # Errors
/// There is no such conversation.
pub(crate) fn any(ctx: &Ctx<'_>, id: ConversationId) -> Result<Conversation, StepError> {
    conversations::get(ctx.db, id)?.ok_or(StepError::NotFound("conversation"))
}

/// Like [`find`], for reading the messages: the audit entry is stored first.
///
/// # Errors
/// As for [`find`].
pub fn read(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId) -> Result<Conversation, StepError> {
    let conversation = find(ctx, actor, id)?;
    noted(ctx, actor, Action::ReadConversation, &conversation)?;
    Ok(conversation)
}

/// The medium of a message in a conversation that the actor may see. The audit entry is stored first.
///
/// # Errors
/// As for [`find`]; also if there is no such message, or it has no medium.
pub fn medium(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId, n: i64) -> Result<media::Kept, StepError> {
    let conversation = find(ctx, actor, id)?;
    let kept = media::find(ctx, id, n)?;
    noted(ctx, actor, Action::ReadMedium, &conversation)?;
    Ok(kept)
}

/// Notes in the audit log that an actor reads something of a conversation.
fn noted(ctx: &Ctx<'_>, actor: &Actor, action: Action, conversation: &Conversation) -> Result<(), StepError> {
    let of = Subject { customer: Some(conversation.person), conversation: Some(conversation.id), ..Subject::default() };
    audit::record(ctx, actor, action, of)
}

pub(crate) fn open_only(conversation: &Conversation) -> Result<(), StepError> {
    if conversation.state == ConversationState::Closed {
        return Err(refused(Refusal::ConversationClosed));
    }
    Ok(())
}

/// Whether the actor may speak and act in a conversation.
pub(crate) fn is_theirs(actor: &Actor, conversation: &Conversation) -> bool {
    actor.supervises() || (actor.agent.is_some() && conversation.agent == actor.agent)
}

pub(crate) fn holder_only(actor: &Actor, conversation: &Conversation) -> Result<(), StepError> {
    if is_theirs(actor, conversation) { Ok(()) } else { Err(not_yours()) }
}

pub(crate) fn not_yours() -> StepError {
    refused(Refusal::NotYours)
}

/// A conversation in which the actor may write: an open one that they hold or supervise.
///
/// # Errors
/// There is no such conversation, the actor may not see it, it is closed, or it is another agent's.
pub fn may_write(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId) -> Result<Conversation, StepError> {
    let conversation = find(ctx, actor, id)?;
    open_only(&conversation)?;
    holder_only(actor, &conversation)?;
    Ok(conversation)
}

/// The agent accepts the conversation that was assigned to them, or takes one from the queue.
///
/// # Errors
/// The conversation is closed or another agent's, or the agent has no capacity left.
pub fn accept(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId) -> Result<Conversation, StepError> {
    let conversation = find(ctx, actor, id)?;
    open_only(&conversation)?;
    let me = actor.agent.ok_or(StepError::Forbidden("only an agent can accept a conversation"))?;
    match (&conversation.group, conversation.state) {
        (Some(group), ConversationState::Queued) => place::to_agent(ctx, &conversation, group, me, "taken from the queue")?,
        _ if conversation.agent == Some(me) => {}
        _ => return Err(StepError::conflict("not_yours", "the conversation is in another agent's hands")),
    }
    let now = ctx.now();
    if conversations::accept(ctx.db, id, now)? {
        let since = any(ctx, id)?.assigned_at.unwrap_or(now);
        let body = EventBody::ConversationAccepted { agent: me, waited_ms: now.since(since).max(0) };
        events::append(ctx.db, now, Some(id), &body)?;
    }
    any(ctx, id)
}

/// Stores a note for colleagues. It has no outbox row and no delivery state, so it cannot reach the customer.
fn note(ctx: &Ctx<'_>, conversation: &Conversation, agent: Option<AgentId>, text: &str) -> Result<Message, StepError> {
    let now = ctx.now();
    let key = sealing::customer_key(ctx, conversation.customer)?;
    let n = conversations::outbound(ctx.db, conversation.id, now)?;
    let id = MessageId::new(now, ctx.rng);
    let content = Content::Note { text: text.to_owned() };
    let message = Message {
        conversation: conversation.id,
        n,
        id,
        origin: Origin::Agent,
        agent,
        content: sealing::seal_content(ctx, &key, conversation.id, id, &content)?,
        at: now,
        delivery: None,
        reason: None,
    };
    messages::insert(ctx.db, &message)?;
    // A note is no event.
    changes::note(ctx.db, now, conversation.id, What::Row)?;
    Ok(message)
}

/// The time at which a reply is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After the seconds for which the group lets its agents take a message back.
    Usual,
    /// After this many seconds.
    In(i64),
    /// At an instant.
    At(Timestamp),
}

/// How a message is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct How {
    /// The time.
    pub when: When,
    /// The number of the newest message that the writer has seen. `None`: that is not compared.
    pub seen: Option<i64>,
    /// The purpose; `None` for an answer.
    pub purpose: Option<Purpose>,
}

impl How {
    /// An answer.
    pub const fn answer(when: When) -> Self {
        Self { when, seen: None, purpose: None }
    }
}

/// The agent writes to the customer. The text is cut for the channel if it is too long.
///
/// # Errors
/// - The conversation is closed or not the actor's, its account is disabled, or the platform accepts no reply then.
/// - The text contains words that the brand does not send.
/// - It answers nobody, and the customer does not want that, or was contacted often enough.
pub fn write(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    contents: Vec<Content>,
    how: How,
) -> Result<Written, StepError> {
    let How { when, seen, purpose } = how;
    let conversation = find(ctx, actor, id)?;
    if let Some(seen) = seen.filter(|seen| *seen < conversation.messages) {
        let theirs = |m: &Message| match m.origin {
            Origin::Customer | Origin::Bot => true,
            Origin::Agent => m.agent != actor.agent,
            Origin::System => false,
        };
        let newer = messages::list(ctx.db, id, seen, RECENT)?;
        let newer: Vec<i64> = newer.iter().filter(|m| theirs(m)).map(|m| m.n).collect();
        if !newer.is_empty() {
            return Ok(Written::Unseen(newer));
        }
    }
    let from = writer(actor, &conversation);
    let wait = wait(ctx, &conversation, from, when)?;
    let letter = Letter { contents, wait, purpose };
    let written = outgoing::send(ctx, &conversation, None, from, letter)?.map_err(refused)?;
    if from.writer == Writer::AiSeat {
        assignment::ai_answered(ctx.db, id, 0)?;
    } else if let Some(me) = actor.agent {
        drafts::drop_one(ctx, id, me, DraftMode::Reply)?;
    }
    Ok(written)
}

/// The gate's decision about contents that would be written now.
///
/// # Errors
/// The store fails.
pub fn check(
    ctx: &Ctx<'_>,
    actor: &Actor,
    conversation: &Conversation,
    contents: &[Content],
    how: &How,
) -> Result<Checked, StepError> {
    let from = writer(actor, conversation);
    let until = wait(ctx, conversation, from, how.when)?.map(|(_, until)| until);
    outgoing::check(ctx, conversation, from, contents, how.purpose.as_ref(), (false, until))
}

/// Contents with the label of a machine, if the actor is one and the channel shows no badge.
///
/// # Errors
/// The store fails.
pub fn labelled(
    ctx: &Ctx<'_>,
    actor: &Actor,
    conversation: &Conversation,
    contents: Vec<Content>,
) -> Result<Vec<Content>, StepError> {
    outgoing::labelled(ctx, conversation, writer(actor, conversation).writer, contents)
}

/// The wait before a message goes.
fn wait(ctx: &Ctx<'_>, conversation: &Conversation, from: Author, when: When) -> Result<Wait, StepError> {
    let secs = match (when, &conversation.group) {
        // A machine's customer is waiting.
        (When::At(_) | When::In(1..), _) if from.writer == Writer::AiSeat => {
            return Err(StepError::conflict("ai_seat", "an AI seat answers at once; leave send_at and undo_secs out"));
        }
        (When::At(at), _) => return Ok(Some((Why::Later, at))),
        (When::In(secs), _) => secs,
        // Nobody takes back what a machine says.
        (When::Usual, Some(group)) if from.writer == Writer::Person => {
            let settings = place::settings_of(ctx, group)?;
            if conversation.channel.as_str() == "email" { settings.undo_mail_secs } else { settings.undo_chat_secs }
        }
        (When::Usual, _) => 0,
    };
    Ok((secs > 0).then(|| (Why::Undo, ctx.now().plus_millis(secs.saturating_mul(1000)))))
}

/// The actor as the writer of a message in a conversation.
fn writer(actor: &Actor, conversation: &Conversation) -> Author {
    let theirs = is_theirs(actor, conversation);
    // What an AI seat writes is a machine's, by whichever call.
    let writer = if conversation.ai && actor.agent.is_some() && conversation.agent == actor.agent {
        Writer::AiSeat
    } else {
        Writer::Person
    };
    Author { writer, agent: actor.agent, theirs }
}

/// Addresses a text to everybody who received the customer's last mail. No other address can be named.
///
/// # Errors
/// The customer's last mail went to nobody else, or the content is not a text.
pub fn to_all(ctx: &Ctx<'_>, conversation: &Conversation, content: Content) -> Result<Content, StepError> {
    let key = sealing::customer_key(ctx, conversation.customer)?;
    let recent = messages::before(ctx.db, conversation.id, i64::MAX, RECENT)?;
    let said = recent.iter().filter(|m| m.origin == Origin::Customer).filter_map(|m| sealing::open_content(&key, m).ok());
    let mail = said.into_iter().find(|content| matches!(content, Content::Text { .. }));
    match (mail, content) {
        (Some(Content::Text { to, cc, .. }), Content::Text { text, .. }) if !(to.is_empty() && cc.is_empty()) => {
            let cc = to.into_iter().chain(cc).collect();
            Ok(Content::Text { text, quoted: None, to: Vec::new(), cc, reply_to: None })
        }
        _ => Err(StepError::conflict(
            "nobody_else",
            "the customer's last message went to nobody else, or this is no text; send it without reply_all",
        )),
    }
}

/// The target of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To one agent.
    Agent(AgentId),
    /// To the next free agent of a group.
    Group(GroupId),
}

/// Hands the conversation to another agent or group.
///
/// # Errors
/// - The conversation is closed or not the actor's.
/// - The target does not exist, is the present agent, is offline, or has no capacity left.
/// - The gate refuses a message now that could still be taken back.
pub fn transfer(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    to: &Target,
    text: Option<&str>,
) -> Result<Conversation, StepError> {
    let conversation = find(ctx, actor, id)?;
    open_only(&conversation)?;
    holder_only(actor, &conversation)?;
    hand_on(ctx, actor, &conversation, to, text, "transfer")
}

/// A supervisor gives a conversation to an agent: from a queue or from another agent.
///
/// # Errors
/// - The conversation is closed.
/// - The agent does not exist, has it already, is offline, or has no capacity left.
pub fn assign(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId, agent: AgentId) -> Result<Conversation, StepError> {
    let conversation = find(ctx, actor, id)?;
    open_only(&conversation)?;
    hand_on(ctx, actor, &conversation, &Target::Agent(agent), None, "assigned by a supervisor")
}

fn hand_on(
    ctx: &Ctx<'_>,
    actor: &Actor,
    conversation: &Conversation,
    to: &Target,
    text: Option<&str>,
    why: &str,
) -> Result<Conversation, StepError> {
    outgoing::settle(ctx, conversation.id)?;
    // What went out has changed it.
    let conversation = &any(ctx, conversation.id)?;
    let plan = plan::current(ctx)?;
    let from = conversation.agent.filter(|_| conversation.state.holds_capacity());
    let (to_agent, group) = match to {
        Target::Agent(agent) => {
            if from == Some(*agent) {
                return Err(StepError::conflict("same_agent", "the conversation is in that agent's hands already"));
            }
            agents::get(ctx.db, *agent)?
                .filter(|a| a.removed_at.is_none())
                .ok_or(StepError::invalid("to.agent", "there is no such agent"))?;
            let group = match &conversation.group {
                Some(group) => group.clone(),
                None => agents::groups_of(ctx.db, *agent)?
                    .into_iter()
                    .next()
                    .map(|m| m.group)
                    .ok_or(StepError::invalid("to.agent", "the agent serves no group"))?,
            };
            (Some(*agent), group)
        }
        Target::Group(group) => {
            plan.group(group).ok_or(StepError::invalid("to.group", "there is no such group"))?;
            (None, group.clone())
        }
    };
    let body = EventBody::ConversationTransferred { from, to_agent, group: group.clone(), note: text.is_some() };
    events::append(ctx.db, ctx.now(), Some(conversation.id), &body)?;
    if let Some(text) = text {
        note(ctx, conversation, actor.agent, text)?;
    }
    // If the target cannot take it, the error rolls back the transaction, and this change with it.
    if let Some(agent) = from {
        place::take_back(ctx, conversation, agent)?;
    }
    match to_agent {
        Some(agent) => place::to_agent(ctx, conversation, &group, agent, why)?,
        None => place::again(ctx, &plan, conversation, &group, Cause::Transfer)?,
    }
    if let Some(agent) = from {
        place::fill(ctx, &plan, agent)?;
    }
    any(ctx, conversation.id)
}

/// Asks a colleague about a conversation. It stays with its agent; the colleague can read it and write notes.
///
/// # Errors
/// - The conversation is closed or not the actor's.
/// - The colleague does not exist, or holds the conversation already.
pub fn consult(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    agent: AgentId,
    text: Option<&str>,
) -> Result<Conversation, StepError> {
    let conversation = find(ctx, actor, id)?;
    open_only(&conversation)?;
    holder_only(actor, &conversation)?;
    if conversation.agent == Some(agent) {
        return Err(StepError::conflict("same_agent", "the conversation is in that agent's hands already"));
    }
    agents::get(ctx.db, agent)?
        .filter(|a| a.removed_at.is_none())
        .ok_or(StepError::invalid("agent", "there is no such agent"))?;
    if consults::add(ctx.db, id, agent, actor.agent, ctx.now())? {
        let body = EventBody::ConversationConsulted { agent, by: actor.agent };
        events::append(ctx.db, ctx.now(), Some(id), &body)?;
    }
    if let Some(text) = text {
        note(ctx, &conversation, actor.agent, text)?;
    }
    any(ctx, id)
}

/// Ends a colleague's consultation. The conversation's agent, a supervisor or the colleague can do this.
///
/// # Errors
/// The colleague was not asked, or the actor may not end it.
pub fn end_consult(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId, agent: AgentId) -> Result<(), StepError> {
    let conversation = find(ctx, actor, id)?;
    if actor.agent != Some(agent) {
        holder_only(actor, &conversation)?;
    }
    if !consults::end(ctx.db, id, agent)? {
        return Err(StepError::NotFound("consultation"));
    }
    Ok(changes::note(ctx.db, ctx.now(), id, What::Row)?)
}

/// Leaves a note for colleagues. Those that it names are asked about the conversation, so that they can read it, and find it under
/// their mentions.
///
/// # Errors
/// - The conversation is closed, or the actor neither holds it, nor supervises, nor was asked about it.
/// - It names somebody who does not exist.
pub fn leave_note(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    text: &str,
    mentions: &[AgentId],
) -> Result<Message, StepError> {
    let conversation = find(ctx, actor, id)?;
    open_only(&conversation)?;
    let asked = match actor.agent {
        Some(me) => consults::is_asked(ctx.db, id, me)?,
        None => false,
    };
    if !asked {
        holder_only(actor, &conversation)?;
    }
    let message = note(ctx, &conversation, actor.agent, text)?;
    for (i, agent) in mentions.iter().enumerate() {
        agents::get(ctx.db, *agent)?
            .filter(|agent| agent.removed_at.is_none())
            .ok_or_else(|| StepError::invalid(format!("mentions[{i}]"), "there is no such agent"))?;
        if Some(*agent) == actor.agent {
            continue;
        }
        marks::mention(ctx.db, *agent, id, message.n, ctx.now())?;
        if conversation.agent != Some(*agent) && consults::add(ctx.db, id, *agent, actor.agent, ctx.now())? {
            let body = EventBody::ConversationConsulted { agent: *agent, by: actor.agent };
            events::append(ctx.db, ctx.now(), Some(id), &body)?;
        }
    }
    if let Some(me) = actor.agent {
        drafts::drop_one(ctx, id, me, DraftMode::Note)?;
    }
    Ok(message)
}

/// Ends the talk. The conversation goes into wrap-up if the group has it, and is closed otherwise.
///
/// # Errors
/// The conversation is closed already or not the actor's, or messages in it wait for their time or for a supervisor.
pub fn close(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    disposition: Option<&str>,
) -> Result<Conversation, StepError> {
    let conversation = find(ctx, actor, id)?;
    open_only(&conversation)?;
    holder_only(actor, &conversation)?;
    if outgoing::settle(ctx, id)? {
        let advice = "messages of this conversation wait for their time or for a supervisor; send or take them back first";
        return Err(StepError::conflict("messages_held", advice));
    }
    // What went out has changed it.
    let conversation = any(ctx, id)?;
    let wrap_up_secs = match &conversation.group {
        Some(group) => place::settings_of(ctx, group)?.wrap_up_secs,
        None => 0,
    };
    match conversation.agent {
        Some(agent)
            if wrap_up_secs > 0
                && conversation.state != ConversationState::WrapUp
                && conversation.state.holds_capacity() =>
        {
            let until = ctx.now().plus_millis(wrap_up_secs * 1000);
            conversations::wrap_up(ctx.db, id, until, disposition)?;
            let body = EventBody::ConversationWrapUp { agent, until };
            events::append(ctx.db, ctx.now(), Some(id), &body)?;
        }
        _ => finish(ctx, &conversation, disposition)?,
    }
    any(ctx, id)
}

/// Closes an open conversation and gives its capacity to the next contact in line.
pub(crate) fn finish(ctx: &Ctx<'_>, conversation: &Conversation, disposition: Option<&str>) -> Result<(), StepError> {
    let now = ctx.now();
    outgoing::end_all(ctx, conversation.id)?;
    let handle_ms = conversation.handle_ms + place::held_ms(conversation, now);
    conversations::close(ctx.db, conversation.id, now, disposition, handle_ms)?;
    let body = EventBody::ConversationClosed {
        agent: conversation.agent,
        group: conversation.group.clone(),
        disposition: disposition.map(str::to_owned).or_else(|| conversation.disposition.clone()),
        handle_ms,
        messages: conversation.messages,
    };
    events::append(ctx.db, now, Some(conversation.id), &body)?;
    consults::end_all(ctx.db, conversation.id)?;
    store::drafts::delete_all(ctx.db, conversation.id)?;
    marks::delete_all(ctx.db, conversation.id)?;
    if let Some(agent) = conversation.agent.filter(|_| conversation.state.holds_capacity()) {
        place::release(ctx, conversation, agent)?;
        place::fill(ctx, &*plan::current(ctx)?, agent)?;
    }
    Ok(())
}
