//! Out of the outbox. A deliverer claims rows, sends each through the platform's API, and records what came of it. The sending
//! stands between two transactions; a deliverer that dies in between leaves a lease that runs out, and the next one knows that
//! the platform may have the message already.

use crate::ctx::{Ctx, FlowError};
use crate::sealed;
use warmline_channels::Outcome;
use warmline_model::{Channel, Content, ConversationId, Delivery, DeliveryState, MessageId, Origin, Timestamp};
use warmline_store::outbox::{self, Claimed};
use warmline_store::{conversations, customers, events, immediate, messages};

/// Tries before a message is given up.
pub const MAX_ATTEMPTS: i64 = 8;
/// How long a claimed row is left alone: longer than any call to a platform may take.
pub const LEASE_MS: i64 = 20_000;
/// First pause; it doubles with every try.
const BACKOFF_MS: i64 = 1_000;
/// The longest pause.
pub(crate) const BACKOFF_MAX_MS: i64 = 300_000;

/// A message that a deliverer holds.
pub struct Job {
    /// The row.
    pub row: Claimed,
    /// The customer's open id: from the identity of the message's own conversation.
    pub to: String,
    /// Who speaks.
    pub from: Origin,
    /// What it says.
    pub content: Content,
    /// When it was written.
    pub at: Timestamp,
    /// What the customer's newest message said about where replies go.
    pub reply_to: Option<serde_json::Value>,
    owner: [u8; 16],
}

/// Messages of a channel that may be on their way at the same moment. A platform that answers slowly then holds up its own
/// channel, and not the instances that the others need.
const IN_FLIGHT: i64 = 96;

/// Claims messages of a channel that are due, none where enough are on their way already. Those that cannot be opened are given up, so that they block nobody.
///
/// # Errors
/// The store fails.
pub fn claim(ctx: &Ctx<'_>, channel: &Channel, limit: i64) -> Result<Vec<Job>, FlowError> {
    let limit = limit.min(IN_FLIGHT - outbox::sending(ctx.db, channel)?);
    if limit <= 0 {
        return Ok(Vec::new());
    }
    let (owner, now) = (ctx.owner(), ctx.now());
    let rows = outbox::claim(ctx.db, channel, &owner, now, now.plus_millis(LEASE_MS), limit)?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        if row.in_doubt {
            let body = Delivery::InDoubt { message: row.message, channel: row.channel.clone(), attempts: row.attempts - 1 };
            events::append(ctx.db, now, Some(row.conversation), &body)?;
        }
        if let Some(job) = open_or_bury(ctx, row, owner)? {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// Claims the reply that answers the webhook in that inbox row, if one is ready.
///
/// # Errors
/// The store fails.
pub fn claim_answer(ctx: &Ctx<'_>, conversation: ConversationId, inbox: i64) -> Result<Option<Job>, FlowError> {
    let (owner, now) = (ctx.owner(), ctx.now());
    match outbox::claim_answer(ctx.db, conversation, &owner, now.plus_millis(LEASE_MS), inbox)? {
        Some(row) => open_or_bury(ctx, row, owner),
        None => Ok(None),
    }
}

/// The reply that was given to that webhook before: the platform retries when it did not hear the first answer.
///
/// # Errors
/// The store fails.
pub fn repeat_answer(ctx: &Ctx<'_>, inbox: i64) -> Result<Option<Job>, FlowError> {
    match outbox::answer_of(ctx.db, inbox)? {
        Some(row) => Ok(open(ctx, row, ctx.owner()).ok()),
        None => Ok(None),
    }
}

fn open_or_bury(ctx: &Ctx<'_>, row: Claimed, owner: [u8; 16]) -> Result<Option<Job>, FlowError> {
    match open(ctx, row.clone(), owner) {
        Ok(job) => Ok(Some(job)),
        Err(FlowError::Store(e)) => Err(e.into()),
        Err(_) => {
            immediate(ctx.db, || bury(ctx, &row, &owner, "content_unreadable"))?;
            Ok(None)
        }
    }
}

fn open(ctx: &Ctx<'_>, row: Claimed, owner: [u8; 16]) -> Result<Job, FlowError> {
    let (sender, customer) = customers::sender(ctx.db, row.identity)?.ok_or(FlowError::NotFound("identity"))?;
    let key = sealed::customer_key(ctx, customer)?;
    let message = messages::get(ctx.db, row.conversation, row.n)?.ok_or(FlowError::NotFound("message"))?;
    let to = sealed::open_sender(&key, row.identity, &sender)?.open_id;
    let reply_to = conversations::reply_to(ctx.db, row.conversation)?
        .map(|sealed| sealed::open_reply_to(&key, row.conversation, &sealed))
        .transpose()?;
    let content = sealed::open_content(&key, &message)?;
    Ok(Job { to, from: message.origin, content, at: message.at, reply_to, row, owner })
}

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The platform answered.
    Answered(Outcome),
    /// It was never reached.
    NotReached(&'static str),
    /// The connection broke, or time ran out, after the request had left: the platform may have the message.
    Unknown(&'static str),
}

/// Records what a try came to. Where the lease ran out meanwhile, somebody else has the row and nothing is changed.
///
/// # Errors
/// The store fails: the lease runs out, and the message is tried again.
pub fn record(ctx: &Ctx<'_>, job: &Job, attempt: &Attempt) -> Result<(), FlowError> {
    immediate(ctx.db, || match attempt {
        Attempt::Answered(Outcome::Sent) => sent(ctx, job),
        Attempt::Answered(Outcome::Permanent(reason)) => bury(ctx, &job.row, &job.owner, reason),
        Attempt::Answered(Outcome::Retry(reason)) | Attempt::NotReached(reason) => again(ctx, job, reason, false),
        Attempt::Answered(Outcome::RefreshToken) => again(ctx, job, "token_refused", false),
        Attempt::Unknown(reason) => again(ctx, job, reason, true),
    })
}

/// Puts a claimed message back at once, untried.
///
/// # Errors
/// The store fails.
pub fn put_back(ctx: &Ctx<'_>, job: &Job) -> Result<(), FlowError> {
    outbox::later(ctx.db, job.row.seq, &job.owner, ctx.now())?;
    Ok(())
}

fn sent(ctx: &Ctx<'_>, job: &Job) -> Result<(), FlowError> {
    let (row, now) = (&job.row, ctx.now());
    if !outbox::sent(ctx.db, row.seq, &job.owner)? {
        return Ok(());
    }
    messages::set_delivery(ctx.db, row.conversation, row.n, DeliveryState::Sent, None)?;
    let body = Delivery::Sent {
        message: row.message,
        channel: row.channel.clone(),
        attempts: row.attempts,
        took_ms: now.since(row.created_at).max(0),
    };
    Ok(events::append(ctx.db, now, Some(row.conversation), &body)?)
}

fn again(ctx: &Ctx<'_>, job: &Job, reason: &str, in_doubt: bool) -> Result<(), FlowError> {
    let (row, now) = (&job.row, ctx.now());
    if in_doubt {
        let body = Delivery::InDoubt { message: row.message, channel: row.channel.clone(), attempts: row.attempts };
        events::append(ctx.db, now, Some(row.conversation), &body)?;
    }
    if row.attempts >= MAX_ATTEMPTS {
        return bury(ctx, row, &job.owner, reason);
    }
    let retry_at = now.plus_millis(backoff(ctx, row.attempts));
    if !outbox::later(ctx.db, row.seq, &job.owner, retry_at)? {
        return Ok(());
    }
    messages::set_delivery(ctx.db, row.conversation, row.n, DeliveryState::Failed, Some(reason))?;
    let body = Delivery::Failed {
        message: row.message,
        channel: row.channel.clone(),
        attempts: row.attempts,
        reason: reason.to_owned(),
        retry_at,
    };
    Ok(events::append(ctx.db, now, Some(row.conversation), &body)?)
}

/// The pause after so many failures in a row, in milliseconds: it doubles with each, up to a limit.
pub(crate) fn doubled(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    BACKOFF_MS.saturating_mul(1 << doublings).min(BACKOFF_MAX_MS)
}

/// Doubling pauses with a quarter of jitter either way, so that a platform that comes back is not met by everybody at once.
fn backoff(ctx: &Ctx<'_>, attempts: i64) -> i64 {
    let base = doubled(attempts);
    let mut byte = [0u8; 1];
    ctx.rng.fill(&mut byte);
    base * 3 / 4 + base / 2 * i64::from(byte[0]) / 255
}

fn bury(ctx: &Ctx<'_>, row: &Claimed, owner: &[u8; 16], reason: &str) -> Result<(), FlowError> {
    let now = ctx.now();
    if !outbox::dead(ctx.db, row.seq, owner)? {
        return Ok(());
    }
    messages::set_delivery(ctx.db, row.conversation, row.n, DeliveryState::Dead, Some(reason))?;
    let body = Delivery::Dead {
        message: row.message,
        channel: row.channel.clone(),
        attempts: row.attempts,
        reason: reason.to_owned(),
    };
    Ok(events::append(ctx.db, now, Some(row.conversation), &body)?)
}

/// Makes a message that was given up due again. Runs in the caller's transaction.
///
/// # Errors
/// There is no such message, or it was not given up.
pub fn retry(ctx: &Ctx<'_>, message: MessageId) -> Result<Channel, FlowError> {
    let now = ctx.now();
    match outbox::revive(ctx.db, message, now)? {
        Some((conversation, n, channel)) => {
            if !messages::set_delivery(ctx.db, conversation, n, DeliveryState::Pending, None)? {
                // No row, though it was sent: retention was there.
                return Err(FlowError::conflict("archived", "the message is in the archive and is not sent any more"));
            }
            Ok(channel)
        }
        None if outbox::find(ctx.db, message)?.is_some() => {
            Err(FlowError::conflict("not_dead", "only a message that was given up can be retried"))
        }
        None => Err(FlowError::NotFound("outgoing message")),
    }
}
