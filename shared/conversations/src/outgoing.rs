//! The one way out: every message to a customer passes the gate here, is stored, and is handed to the outbox.

use warmline_channels::registry;
use warmline_gate::{Facts, Left, Refusal, Spoken, Writer};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::{consent, sealing};
use warmline_model::{AgentId, Content, ConversationState, DeliveryState, EventBody, MessageId, Origin};
use warmline_privacy::CustomerKey;
use warmline_store::conversations::{self, Conversation};
use warmline_store::messages::{self, Message};
use warmline_store::{accounts, events, outbox};
use warmline_transport::deliver;

/// The author of a message to a customer.
#[derive(Clone, Copy)]
pub(crate) struct Author {
    /// The kind of writer.
    pub(crate) writer: Writer,
    /// The agent; `None` for notices, and for supervisors who are no agents.
    pub(crate) agent: Option<AgentId>,
    /// Whether the writer may speak in the conversation.
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

/// The conflict that a refusal is to a caller.
pub(crate) fn refused(refusal: Refusal) -> StepError {
    StepError::conflict(refusal.code(), refusal.advice())
}

/// Whether the gate lets a number of messages out now. Returns what the platform takes after them.
///
/// # Errors
/// The store fails. A refusal is the inner error.
pub(crate) fn passes(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    from: Author,
    messages: usize,
) -> Result<Result<Option<Left>, Refusal>, StepError> {
    let Conversation { channel, account, .. } = conversation;
    let window = registry::capabilities(channel.as_str()).and_then(|capabilities| capabilities.window);
    let spoken = match window {
        Some(_) => messages::since_spoken(ctx.db, conversation.id)?,
        None => None,
    };
    let facts = Facts {
        now: ctx.now(),
        closed: conversation.state == ConversationState::Closed,
        theirs: from.theirs,
        account_disabled: accounts::is_disabled(ctx.db, channel, account)?,
        opted_out: from.writer.is_automatic() && consent::refuses(ctx, conversation.person, channel)?,
        window,
        spoken: spoken.map(|(at, replies)| Spoken { at, replies }),
    };
    Ok(warmline_gate::decide(from.writer, messages, &facts))
}

/// Sends messages to the customer of a conversation, if the gate lets all of them out. They go to the identity of the
/// conversation; no other recipient can be named.
///
/// # Errors
/// The store fails. A refusal is the inner error; nothing is stored then.
pub(crate) fn send(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    key: Option<&CustomerKey>,
    from: Author,
    contents: &[Content],
) -> Result<Result<Vec<Message>, Refusal>, StepError> {
    if let Err(refusal) = passes(ctx, conversation, from, contents.len())? {
        return Ok(Err(refusal));
    }
    let opened;
    let key = match key {
        Some(key) => key,
        None => {
            opened = sealing::customer_key(ctx, conversation.customer)?;
            &opened
        }
    };
    contents.iter().map(|content| say(ctx, conversation, key, from, content)).collect::<Result<_, _>>().map(Ok)
}

/// Stores a message that has passed the gate, and hands it to the outbox.
fn say(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    key: &CustomerKey,
    from: Author,
    content: &Content,
) -> Result<Message, StepError> {
    let (origin, agent) = (from.origin(), from.agent);
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
