//! The one way out: every message to a customer passes the gate here. One that passes is stored and handed to the outbox. One
//! that has to wait is held, and passes the gate again in the transaction that sends it.

use crate::model::Finding;
use crate::store::held::{self, Held, State, Why};
use crate::{contact, place, words};
use serde::Serialize;
use warmline_channels::registry;
use warmline_gate::{Draft, Facts, Purpose, Refusal, Spoken, Verdict, Writer};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::{consent, sealing};
use warmline_language::Effect;
use warmline_model::{
    AgentId, Content, ConversationId, ConversationState, DeliveryState, EventBody, MessageId, Origin, Timestamp,
};
use warmline_privacy::CustomerKey;
use warmline_store::conversations::{self, Conversation};
use warmline_store::messages::{self, Message};
use warmline_store::{StoreError, accounts, events, outbox};
use warmline_transport::deliver;

/// The most messages of a conversation that are held at once.
const MOST_HELD: i64 = 20;
/// The reason for not sending a held message that does not open any more.
pub(crate) const UNREADABLE: &str = "content_unreadable";

/// The author of a message to a customer.
#[derive(Clone, Copy)]
pub(crate) struct Author {
    /// The kind of writer.
    pub(crate) writer: Writer,
    /// The agent; `None` for notices, and for supervisors who are no agents.
    pub(crate) agent: Option<AgentId>,
    /// Whether the writer may speak in the conversation. Notices always may.
    pub(crate) theirs: bool,
}

impl Author {
    /// Warmline itself.
    pub(crate) const NOTICE: Self = Self { writer: Writer::Notice, agent: None, theirs: true };

    const fn origin(self) -> Origin {
        match self.writer {
            Writer::Person => Origin::Agent,
            Writer::AiSeat => Origin::Bot,
            Writer::Notice => Origin::System,
        }
    }
}

/// The wait that a writer wants: why, and until when.
pub(crate) type Wait = Option<(Why, Timestamp)>;

/// What a writer wants to send. The contents are whole: they are cut for the channel here.
pub(crate) struct Letter {
    /// The contents.
    pub(crate) contents: Vec<Content>,
    /// The wait before they go.
    pub(crate) wait: Wait,
    /// The purpose; `None` for an answer.
    pub(crate) purpose: Option<Purpose>,
}

impl Letter {
    /// An answer that goes at once.
    pub(crate) const fn answer(contents: Vec<Content>) -> Self {
        Self { contents, wait: None, purpose: None }
    }
}

/// The outcome of writing to a customer.
pub enum Written {
    /// The messages are on their way: one, or several if a text was cut for the channel.
    Sent(Vec<Message>),
    /// They wait.
    Held(Held),
    /// Nothing was done: the customer or a colleague has written these messages, by their numbers, and the writer has not seen
    /// them.
    Unseen(Vec<i64>),
}

/// The gate's decision about contents, and what it saw.
pub struct Checked {
    /// The decision.
    pub verdict: Result<Verdict, Refusal>,
    /// The words found.
    pub findings: Vec<Finding>,
    /// The contents as the channel carries them.
    pub parts: Vec<Content>,
}

/// The gate's own events. They name words as the brand's list spells them, never the writer's text.
#[derive(Serialize)]
#[serde(tag = "type", content = "data")]
enum Told<'a> {
    /// A message went out although it contains words of which the writer is warned.
    #[serde(rename = "gate.warned")]
    Warned { message: MessageId, from: Origin, words: Vec<&'a str> },
    /// A message waits.
    #[serde(rename = "gate.held")]
    Held { message: MessageId, agent: Option<AgentId>, why: &'a str, until: Option<Timestamp>, words: Vec<&'a str> },
    /// A message that answers nobody went out.
    #[serde(rename = "gate.approached")]
    Approached { message: MessageId, purpose: &'a str },
    /// A held message went out, under its own id. `by` released it before its time, or approved it.
    #[serde(rename = "gate.released")]
    Released { message: MessageId, by: Option<AgentId> },
    /// A message was not sent: a notice, or a held message whose time had come.
    #[serde(rename = "gate.refused")]
    Refused { message: Option<MessageId>, from: Origin, code: &'a str, words: Vec<&'a str> },
}

fn named(findings: &[Finding]) -> Vec<&str> {
    let mut words: Vec<&str> = findings.iter().map(|found| found.word.as_str()).collect();
    words.dedup();
    words
}

/// The conflict that a refusal is to a caller.
pub(crate) fn refused(refusal: Refusal) -> StepError {
    StepError::conflict(refusal.code(), refusal.advice())
}

/// Contents with the label that an AI seat's messages need where the customer sees no badge beside them. It stands before the
/// first text, or in a text of its own. Labelling twice changes nothing.
///
/// # Errors
/// The store fails.
pub(crate) fn labelled(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    writer: Writer,
    mut contents: Vec<Content>,
) -> Result<Vec<Content>, StepError> {
    let badge = registry::capabilities(conversation.channel.as_str()).is_none_or(|capabilities| capabilities.badge);
    let (Writer::AiSeat, false, Some(group)) = (writer, badge || contents.is_empty(), &conversation.group) else {
        return Ok(contents);
    };
    let label = place::settings_of(ctx, group)?.ai_label;
    let first = contents.iter_mut().find_map(|content| match content {
        Content::Text { text, .. } => Some(text),
        _ => None,
    });
    match first {
        Some(text) if text.starts_with(&label) => {}
        Some(text) => text.insert_str(0, &label),
        None => contents.insert(0, Content::text(label)),
    }
    Ok(contents)
}

/// The gate's decision about contents that are to go now, or not before an instant.
///
/// # Errors
/// The store fails. A refusal is a decision.
pub(crate) fn check(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    from: Author,
    contents: &[Content],
    purpose: Option<&Purpose>,
    (approved, not_before): (bool, Option<Timestamp>),
) -> Result<Checked, StepError> {
    let Conversation { channel, account, .. } = conversation;
    let capabilities = registry::capabilities(channel.as_str());
    let mut parts = Vec::with_capacity(contents.len());
    for content in contents {
        // What the channel does not carry is refused before, or by the adapter.
        match capabilities.as_ref().map(|capabilities| capabilities.parts(content.clone())) {
            Some(Ok(cut)) => parts.extend(cut),
            _ => parts.push(content.clone()),
        }
    }
    let findings = words::findings(ctx, contents)?;
    let window = capabilities.as_ref().and_then(|capabilities| capabilities.window);
    let spoken = match window {
        Some(_) => messages::since_spoken(ctx.db, conversation.id)?,
        None => None,
    };
    let approach = purpose.map(|purpose| contact::Known::of(ctx, conversation, purpose)).transpose()?;
    let facts = Facts {
        now: ctx.now(),
        closed: conversation.state == ConversationState::Closed,
        theirs: from.theirs,
        account_disabled: accounts::is_disabled(ctx.db, channel, account)?,
        opted_out: from.writer.is_automatic() && consent::refuses(ctx, conversation.person, channel)?,
        window,
        spoken: spoken.map(|(at, replies)| Spoken { at, replies }),
        approach: approach.as_ref().map(contact::Known::approach),
    };
    let effect = findings.iter().map(|found| found.effect).max().unwrap_or(Effect::Info);
    let draft = Draft { writer: from.writer, messages: parts.len(), effect, approved, not_before };
    Ok(Checked { verdict: warmline_gate::decide(&draft, &facts), findings, parts })
}

/// Sends contents to the customer of a conversation if the gate lets all of them out, or holds them if they have to wait. They
/// go to the identity of the conversation; no other recipient can be named.
///
/// # Errors
/// The store fails, or too many messages of the conversation wait. A refusal is the inner error; nothing is stored then.
pub(crate) fn send(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    key: Option<&CustomerKey>,
    from: Author,
    letter: Letter,
) -> Result<Result<Written, Refusal>, StepError> {
    let Letter { contents, wait, purpose } = letter;
    let contents = labelled(ctx, conversation, from.writer, contents)?;
    let wanted = wait.map(|(_, until)| until);
    let checked = check(ctx, conversation, from, &contents, purpose.as_ref(), (false, wanted))?;
    let until = match checked.verdict {
        Ok(Verdict::Send { .. }) => {
            return Ok(Ok(Written::Sent(all(ctx, conversation, key, from, &checked, purpose.as_ref(), None)?)));
        }
        Ok(Verdict::Hold { until, .. }) => Some(until),
        Ok(Verdict::Approve { .. }) => None,
        Err(refusal) => {
            if from.writer == Writer::Notice {
                let (from, code) = (from.origin(), refusal.code());
                let event = Told::Refused { message: None, from, code, words: named(&checked.findings) };
                events::append(ctx.db, ctx.now(), Some(conversation.id), &event)?;
            }
            return Ok(Err(refusal));
        }
    };
    let (id, now) = (MessageId::new(ctx.now(), ctx.rng), ctx.now());
    if held::of_conversation(ctx.db, conversation.id, MOST_HELD)?.len() >= usize::try_from(MOST_HELD).unwrap_or(0) {
        let advice = "too many messages of this conversation wait; send, take back or decide some of them first";
        return Err(StepError::conflict("too_many_held", advice));
    }
    let opened;
    let key = match key {
        Some(key) => key,
        None => {
            opened = sealing::customer_key(ctx, conversation.customer)?;
            &opened
        }
    };
    let why = match (until, wait) {
        (None, _) => Why::Approval,
        (Some(until), Some((why, wanted))) if until == wanted => why,
        (Some(_), _) => Why::Quiet,
    };
    let row = Held {
        id,
        conversation: conversation.id,
        agent: from.agent,
        contents: sealing::seal_held(ctx, key, conversation.id, id, &contents)?,
        purpose: purpose.map(|purpose| purpose.to_string()),
        why,
        state: State::Waiting,
        approved: false,
        held_at: now,
        not_before: wait.filter(|(why, _)| *why == Why::Later).map(|(_, until)| until),
        release_at: until,
        reason: None,
        decided_by: None,
    };
    held::insert(ctx.db, &row)?;
    let words = named(&checked.findings);
    let event = Told::Held { message: id, agent: from.agent, why: why.as_str(), until, words };
    events::append(ctx.db, now, Some(conversation.id), &event)?;
    // Who has written an answer has accepted the conversation, whenever the answer goes.
    accepted(ctx, conversation, from)?;
    Ok(Ok(Written::Held(row)))
}

/// The outcome of looking at a held message again.
pub(crate) enum Release {
    /// It went out.
    Sent,
    /// It waits for something else.
    Waits,
    /// The gate refuses it. It waits as before.
    Refused(Refusal),
    /// It does not open. It waits as before.
    Unreadable,
}

/// Lets the gate decide again about a waiting message: because its time has come, because a supervisor has approved it, or
/// because it is to go at once. Runs in the caller's transaction.
pub(crate) fn release(
    ctx: &Ctx<'_>,
    held: &Held,
    approved: bool,
    at_once: bool,
    by: Option<AgentId>,
) -> Result<Release, StepError> {
    let (id, now) = (held.id, ctx.now());
    let conversation = conversations::get(ctx.db, held.conversation)?.ok_or(StepError::NotFound("conversation"))?;
    let opened = sealing::customer_key(ctx, conversation.customer).and_then(|key| {
        let contents = sealing::open_held(&key, held.conversation, id, &held.contents)?;
        Ok((key, contents))
    });
    let (key, contents) = match opened {
        Ok(opened) => opened,
        Err(StepError::Seal(_)) => return Ok(Release::Unreadable),
        Err(e) => return Err(e),
    };
    // It was theirs when they wrote it.
    let from = Author { writer: Writer::Person, agent: held.agent, theirs: true };
    let approved = approved || held.approved;
    let not_before = if at_once { None } else { held.not_before };
    let purpose = held.purpose.as_deref().map(|text| Purpose::parse(text).ok_or(StoreError::Shape(0))).transpose()?;
    let checked = check(ctx, &conversation, from, &contents, purpose.as_ref(), (approved, not_before))?;
    match checked.verdict {
        Ok(Verdict::Send { .. }) => {
            if !held::delete(ctx.db, id)? {
                return Err(StepError::NotFound("held message"));
            }
            all(ctx, &conversation, Some(&key), from, &checked, purpose.as_ref(), Some(id))?;
            events::append(ctx.db, now, Some(conversation.id), &Told::Released { message: id, by })?;
            Ok(Release::Sent)
        }
        Ok(Verdict::Hold { until, .. }) => {
            let why = if Some(until) == not_before { Why::Later } else { Why::Quiet };
            held::wait(ctx.db, id, why, approved, Some(until))?;
            Ok(Release::Waits)
        }
        Ok(Verdict::Approve { .. }) => {
            held::wait(ctx.db, id, Why::Approval, false, None)?;
            Ok(Release::Waits)
        }
        Err(refusal) => Ok(Release::Refused(refusal)),
    }
}

/// Sends what can only still be taken back in a conversation that its agent leaves: the agent meant it to go. Returns whether
/// other messages wait. Runs in the caller's transaction.
///
/// # Errors
/// The gate refuses one of them now, so that its writer would not learn it.
pub(crate) fn settle(ctx: &Ctx<'_>, conversation: ConversationId) -> Result<bool, StepError> {
    let mut others = false;
    for held in held::of_conversation(ctx.db, conversation, MOST_HELD)? {
        match (held.state, held.why) {
            (State::Waiting, Why::Undo) => {
                if let Release::Refused(refusal) = release(ctx, &held, false, true, None)? {
                    return Err(refused(refusal));
                }
            }
            (State::Waiting, Why::Later | Why::Quiet | Why::Approval) => others = true,
            (State::Declined | State::Refused, _) => {}
        }
    }
    Ok(others)
}

/// Ends what waits in a conversation that closes.
pub(crate) fn end_all(ctx: &Ctx<'_>, conversation: ConversationId) -> Result<(), StepError> {
    for held in held::of_conversation(ctx.db, conversation, MOST_HELD)? {
        if held.state == State::Waiting {
            end(ctx, &held, Refusal::ConversationClosed.code())?;
        }
    }
    Ok(())
}

/// Ends a waiting message that is not sent.
pub(crate) fn end(ctx: &Ctx<'_>, held: &Held, code: &str) -> Result<(), StepError> {
    held::end(ctx.db, held.id, State::Refused, code, None, ctx.now())?;
    let event = Told::Refused { message: Some(held.id), from: Origin::Agent, code, words: Vec::new() };
    Ok(events::append(ctx.db, ctx.now(), Some(held.conversation), &event)?)
}

/// Stores all parts of what has passed the gate.
fn all(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    key: Option<&CustomerKey>,
    from: Author,
    checked: &Checked,
    purpose: Option<&Purpose>,
    id: Option<MessageId>,
) -> Result<Vec<Message>, StepError> {
    let opened;
    let key = match key {
        Some(key) => key,
        None => {
            opened = sealing::customer_key(ctx, conversation.customer)?;
            &opened
        }
    };
    let mut said = Vec::with_capacity(checked.parts.len());
    for content in &checked.parts {
        let first = said.is_empty();
        let id = id.filter(|_| first).unwrap_or_else(|| MessageId::new(ctx.now(), ctx.rng));
        said.push(say(ctx, conversation, key, from, (id, first && purpose.is_none()), content)?);
    }
    if let (Some(first), Some(purpose)) = (said.first(), purpose) {
        contact::note(ctx, conversation, first.id, purpose)?;
        let approached = Told::Approached { message: first.id, purpose: purpose.as_str() };
        events::append(ctx.db, ctx.now(), Some(conversation.id), &approached)?;
    }
    if let (Some(first), false) = (said.first(), checked.findings.is_empty()) {
        let warned = Told::Warned { message: first.id, from: from.origin(), words: named(&checked.findings) };
        events::append(ctx.db, ctx.now(), Some(conversation.id), &warned)?;
    }
    Ok(said)
}

/// Stores a message that has passed the gate, and hands it to the outbox. Only the first part of an answer answers the
/// customer.
fn say(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    key: &CustomerKey,
    from: Author,
    (id, answers): (MessageId, bool),
    content: &Content,
) -> Result<Message, StepError> {
    let (origin, agent) = (from.origin(), from.agent);
    let now = ctx.now();
    let n = conversations::outbound(ctx.db, conversation.id, now)?;
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
    let answers = origin == Origin::Agent && answers;
    let body = EventBody::MessageSent {
        message: id,
        n,
        channel: conversation.channel.clone(),
        from: origin,
        agent,
        first_response_ms: match (answers, conversation.first_response_at, conversation.first_inbound_at) {
            (true, None, Some(first)) => Some(now.since(first).max(0)),
            _ => None,
        },
        response_ms: match (answers, conversation.round_started_at) {
            (true, Some(round)) => Some(now.since(round).max(0)),
            _ => None,
        },
    };
    events::append(ctx.db, now, Some(conversation.id), &body)?;
    if answers {
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

/// Notes that the author of a held message has accepted the conversation.
fn accepted(ctx: &Ctx<'_>, conversation: &Conversation, from: Author) -> Result<(), StepError> {
    let now = ctx.now();
    if let (Some(me), Some(since), None) = (from.agent, conversation.assigned_at, conversation.accepted_at)
        && conversation.agent == from.agent
        && conversations::accept(ctx.db, conversation.id, now)?
    {
        let body = EventBody::ConversationAccepted { agent: me, waited_ms: now.since(since).max(0) };
        events::append(ctx.db, now, Some(conversation.id), &body)?;
    }
    Ok(())
}
