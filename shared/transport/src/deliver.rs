//! From the outbox to the platform. A deliverer claims rows of an account, sends each through the platform's API, and
//! records the outcome. No transaction is open while it sends. If a deliverer dies meanwhile, its lease runs out, and the
//! next deliverer knows that the platform may already have the message.
//!
//! A message that the platform does not accept is tried until its time is over: the platform's window for replies, or
//! the channel's patience. If the outcome of a try is unknown, only a few tries follow, since each may reach the
//! customer again. An account whose platform fails several messages in a row is in an outage: its messages wait, and
//! one at a time probes.

use serde_json::Value;
use warmline_channels::registry::{self, Patience};
use warmline_channels::{GATEWAY_TIMEOUT, Outcome, PLATFORM_UNAVAILABLE};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::{consent, sealing};
use warmline_model::{
    AccountId, Channel, Content, ConversationId, CustomerId, Delivery, DeliveryState, IdentityId, MessageId, Origin,
    Timestamp,
};
use warmline_privacy::CustomerKey;
use warmline_store::approaches::{self, Made};
use warmline_store::conversations::{self, Conversation};
use warmline_store::outages::{self, Failure, OPEN_AFTER};
use warmline_store::outbox::{self, Claimed, TakenBack};
use warmline_store::{customers, events, immediate, messages};

/// The most tries of a message that may end with an unknown outcome. After these it is given up, and the agent finds
/// out whether the customer received it.
pub const MAX_DOUBTS: i64 = 3;
/// The reason for giving up a message after a try with an unknown outcome, whatever else ended it.
pub const PERHAPS_DELIVERED: &str = "perhaps_delivered";
/// The platform accepted the connection and did not answer.
const TIMEOUT: &str = "timeout";
/// The reason for giving up a message whose time is over.
pub const TOO_LATE: &str = "too_late";
/// How long a claimed row is left alone: longer than any try can take.
pub const LEASE_MS: i64 = 20_000;
/// The first pause; it doubles with every try.
const BACKOFF_MS: i64 = 1_000;
/// A platform's answer for a customer who has told the platform that they want no messages (Twilio's 21610, WeChat's
/// 48002).
const RECIPIENT_REFUSES: &str = "recipient_refuses";
/// The reason for taking back an automatic message.
const OPTED_OUT: &str = "customer_opted_out";
/// The longest pause among the first [`NEAR`] tries, which cover the first minutes of an outage.
const BACKOFF_NEAR_MS: i64 = 60_000;
/// The number of these tries.
const NEAR: i64 = 10;
/// The longest pause.
pub const BACKOFF_MAX_MS: i64 = 300_000;
/// The longest that an account or a message waits because its platform asked for a wait. If the platform named too long
/// a time, its recovery is noticed within the hour.
const HOLD_MAX_MS: i64 = 3_600_000;
/// The least time for which a row without a `give_up_at` is tried. The previous release wrote such rows.
const UNTOLD_MS: i64 = 24 * 3_600_000;

/// A message that a deliverer holds.
pub struct Job {
    /// The row.
    pub row: Claimed,
    /// The customer's open id: from the identity of the message's own conversation.
    pub to: String,
    /// The author of the message.
    pub from: Origin,
    /// The content of the message.
    pub content: Content,
    /// The time at which it was written.
    pub at: Timestamp,
    /// The place for replies that the customer's newest message named.
    pub reply_to: Option<serde_json::Value>,
    owner: [u8; 16],
    health: Health,
}

/// The state of the account's platform when a message was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// It accepted the last message.
    Good,
    /// It failed recently.
    Failing,
    /// It is in an outage, and this message probes it.
    Probed,
}

/// The most messages of a channel under way at once. A platform that answers slowly then delays only its own channel, and
/// does not use up the instances that other channels need.
const IN_FLIGHT: i64 = 96;
/// The most messages of one account under way at once.
const IN_FLIGHT_ACCOUNT: i64 = 24;
/// The number of messages that an account may always have under way, however busy the channel is.
const IN_FLIGHT_FIRST: i64 = 4;
/// The most messages that answer nobody of one person.
const MANY: i64 = 1_000;
/// The most overdue messages that one run gives up.
const LATE: i64 = 64;

/// The accounts of a channel that have messages due.
pub fn due(ctx: &Ctx<'_>, channel: &Channel) -> Result<Vec<AccountId>, StepError> {
    Ok(outbox::due_accounts(ctx.db, channel, ctx.now())?)
}

/// Claims due messages of an account. It claims none if enough are under way already, and at most one if the platform
/// is in an outage. It gives up messages that cannot be opened, whose time is over or that may not be sent any more, so
/// that they do not block others.
pub fn claim(
    ctx: &Ctx<'_>,
    (channel, account): (&Channel, &AccountId),
    patience: Patience,
    limit: i64,
) -> Result<Vec<Job>, StepError> {
    let load = outbox::load(ctx.db, channel, account, ctx.now())?;
    let room = match load.account {
        0 => IN_FLIGHT_FIRST.max(IN_FLIGHT - load.channel),
        under_way => (IN_FLIGHT - load.channel).min(IN_FLIGHT_ACCOUNT - under_way),
    };
    let limit = limit.min(room).min(IN_FLIGHT_ACCOUNT);
    if limit <= 0 {
        return Ok(Vec::new());
    }
    let (owner, now) = (ctx.owner(), ctx.now());
    let until = now.plus_millis(LEASE_MS);
    let place = (channel, account);
    let (health, rows) = match load.failures {
        0 => (Health::Good, outbox::claim(ctx.db, place, &owner, now, until, limit)?),
        OPEN_AFTER.. => (Health::Probed, claim_probe(ctx, place, &owner, now, until)?),
        _ => (Health::Failing, outbox::claim(ctx.db, place, &owner, now, until, limit)?),
    };
    let claimed = !rows.is_empty();
    let jobs = opened(ctx, &rows, &owner, patience, health).inspect_err(|_| {
        // No deliverer has begun to send them. If the store does not accept this either, their leases run out.
        rows.iter().for_each(|row| drop(outbox::later(ctx.db, row.seq, &owner, now, row.doubts, None)));
    })?;
    if health == Health::Probed && claimed && jobs.is_empty() {
        // The probe was not sent, so the next message may probe at once.
        outages::hold(ctx.db, channel, account, now, true)?;
    }
    Ok(jobs)
}

/// Opens claimed rows and returns those to send. The others are given up.
fn opened(
    ctx: &Ctx<'_>,
    rows: &[Claimed],
    owner: &[u8; 16],
    patience: Patience,
    health: Health,
) -> Result<Vec<Job>, StepError> {
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        let mut row = row.clone();
        if row.in_doubt {
            let body = Delivery::InDoubt { message: row.message, channel: row.channel.clone(), attempts: row.attempts - 1 };
            events::append(ctx.db, ctx.now(), Some(row.conversation), &body)?;
        }
        if row.doubts >= MAX_DOUBTS {
            immediate(ctx.db, || bury(ctx, &row, owner, PERHAPS_DELIVERED))?;
            continue;
        }
        if is_late(ctx, &mut row, patience)? {
            immediate(ctx.db, || bury(ctx, &row, owner, TOO_LATE))?;
            continue;
        }
        jobs.extend(open_or_bury(ctx, row, *owner, health)?);
    }
    Ok(jobs)
}

fn claim_probe(
    ctx: &Ctx<'_>,
    (channel, account): (&Channel, &AccountId),
    owner: &[u8; 16],
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Claimed>, StepError> {
    immediate(ctx.db, || {
        if !outages::probe(ctx.db, channel, account, now, until)? {
            return Ok(Vec::new());
        }
        let rows = outbox::claim(ctx.db, (channel, account), owner, now, until, 1)?;
        if rows.is_empty() {
            outages::hold(ctx.db, channel, account, now, true)?;
        }
        Ok(rows)
    })
}

/// Gives up a channel's overdue messages. This reaches accounts in an outage too, whose rows are not claimed.
pub fn give_up_late(ctx: &Ctx<'_>, channel: &Channel, patience: Patience) -> Result<(), StepError> {
    let (owner, now) = (ctx.owner(), ctx.now());
    if !outbox::is_late(ctx.db, channel, now)? {
        return Ok(());
    }
    for mut row in outbox::claim_late(ctx.db, channel, &owner, now, now.plus_millis(LEASE_MS), LATE)? {
        if is_late(ctx, &mut row, patience)? {
            immediate(ctx.db, || bury(ctx, &row, &owner, TOO_LATE))?;
        } else {
            outbox::later(ctx.db, row.seq, &owner, now, row.doubts, None)?;
        }
    }
    Ok(())
}

/// Whether a message's time is over. A customer who has written since has opened the platform's window again.
fn is_late(ctx: &Ctx<'_>, row: &mut Claimed, patience: Patience) -> Result<bool, StepError> {
    let now = ctx.now();
    if now < row.give_up_at.unwrap_or_else(|| row.created_at.plus_millis(UNTOLD_MS)) {
        return Ok(false);
    }
    if patience.window.is_none() {
        return Ok(true);
    }
    let until = ends_at(ctx, row.conversation, patience, row.created_at)?;
    if now < until {
        outbox::extend(ctx.db, row.seq, until)?;
        row.give_up_at = Some(until);
    }
    Ok(now >= until)
}

/// The instant from which on a message is no longer sent.
pub fn ends_at(
    ctx: &Ctx<'_>,
    conversation: ConversationId,
    patience: Patience,
    written_at: Timestamp,
) -> Result<Timestamp, StepError> {
    let spoke_at = match patience.window {
        Some(_) => messages::since_spoken(ctx.db, conversation)?.map(|(at, _)| at),
        None => None,
    };
    Ok(patience.ends_at(written_at, spoke_at))
}

/// Claims the reply to the webhook of an inbox row, if one is ready.
pub fn claim_answer(ctx: &Ctx<'_>, conversation: ConversationId, inbox: i64) -> Result<Option<Job>, StepError> {
    let (owner, now) = (ctx.owner(), ctx.now());
    match outbox::claim_answer(ctx.db, conversation, &owner, now.plus_millis(LEASE_MS), inbox)? {
        Some(row) => open_or_bury(ctx, row, owner, Health::Good),
        None => Ok(None),
    }
}

/// The reply that was already given to that webhook. A platform that did not receive the first answer retries.
pub fn repeat_answer(ctx: &Ctx<'_>, inbox: i64) -> Result<Option<Job>, StepError> {
    match outbox::answer_of(ctx.db, inbox)? {
        Some(row) => Ok(open(ctx, row, ctx.owner(), Health::Good).ok()),
        None => Ok(None),
    }
}

fn open_or_bury(ctx: &Ctx<'_>, row: Claimed, owner: [u8; 16], health: Health) -> Result<Option<Job>, StepError> {
    match open(ctx, row.clone(), owner, health) {
        // A reply under way could not be taken back when the customer opted out. It returns here if its try failed or
        // crashed.
        Ok(job) if unwanted(ctx, job.row.conversation, job.from)? => {
            immediate(ctx.db, || bury(ctx, &job.row, &owner, OPTED_OUT))?;
            Ok(None)
        }
        Ok(job) => Ok(Some(job)),
        Err(StepError::Store(e)) => Err(e.into()),
        Err(_) => {
            immediate(ctx.db, || bury(ctx, &row, &owner, "content_unreadable"))?;
            Ok(None)
        }
    }
}

/// The place to which the replies of a conversation go.
pub struct Address {
    /// The open id of the conversation's own identity.
    pub to: String,
    /// The value that the channel's adapter needs besides the open id.
    pub reply_to: Option<Value>,
}

/// The place to which a conversation's replies go.
///
/// # Errors
/// The store fails, the identity does not exist, or the customer was erased.
pub fn address(ctx: &Ctx<'_>, conversation: ConversationId, identity: IdentityId) -> Result<Address, StepError> {
    open_address(ctx, conversation, identity).map(|(address, _)| address)
}

fn open_address(
    ctx: &Ctx<'_>,
    conversation: ConversationId,
    identity: IdentityId,
) -> Result<(Address, CustomerKey), StepError> {
    let (sender, customer) = customers::sender(ctx.db, identity)?.ok_or(StepError::NotFound("identity"))?;
    let key = sealing::customer_key(ctx, customer)?;
    let to = sealing::open_sender(&key, identity, &sender)?.open_id;
    let reply_to = conversations::reply_to(ctx.db, conversation)?
        .map(|sealed| sealing::open_reply_to(&key, conversation, &sealed))
        .transpose()?;
    Ok((Address { to, reply_to }, key))
}

fn open(ctx: &Ctx<'_>, row: Claimed, owner: [u8; 16], health: Health) -> Result<Job, StepError> {
    let (Address { to, reply_to }, key) = open_address(ctx, row.conversation, row.identity)?;
    let message = messages::get(ctx.db, row.conversation, row.n)?.ok_or(StepError::NotFound("message"))?;
    let content = sealing::open_content(&key, &message)?;
    Ok(Job { to, from: message.origin, content, at: message.at, reply_to, row, owner, health })
}

/// The outcome of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The platform answered.
    Answered(Outcome),
    /// The platform did not accept the message, and named the time of the next try.
    NotBefore(&'static str, Timestamp),
    /// The platform was never reached.
    NotReached(&'static str),
    /// The connection broke, or time ran out, after the request had been sent. The platform may have the message.
    Unknown(&'static str),
}

/// A failed try that may be repeated.
#[derive(Clone, Copy)]
struct Miss<'a> {
    reason: &'a str,
    /// The time that the platform named for the next try, at most an hour from now.
    not_before: Option<Timestamp>,
    /// Whether the platform may have the message.
    doubt: bool,
}

/// Records the outcome of a try. If the lease has run out, another deliverer may hold the row, and only a success is
/// recorded.
///
/// # Errors
/// The store fails. The lease then runs out, and the message is tried again.
pub fn record(ctx: &Ctx<'_>, job: &Job, attempt: &Attempt) -> Result<(), StepError> {
    let miss = |reason| Miss { reason, not_before: None, doubt: false };
    immediate(ctx.db, || match attempt {
        Attempt::Answered(Outcome::Sent) => sent(ctx, job),
        Attempt::Answered(Outcome::Permanent(reason)) => {
            works(ctx, job)?;
            bury(ctx, &job.row, &job.owner, reason)?;
            if *reason == RECIPIENT_REFUSES
                && let Some(conversation) = conversations::get(ctx.db, job.row.conversation)?
            {
                // The platform reports that the customer wants no more messages.
                let choice = consent::Choice { given: false, wording: RECIPIENT_REFUSES.to_owned() };
                choose(ctx, &conversation, job.row.message, choice)?;
            }
            Ok(())
        }
        Attempt::Answered(outcome @ Outcome::Retry(reason)) => {
            // If the platform accepts everything else and fails this message again, it may in fact deliver it each time.
            let alone = *reason == PLATFORM_UNAVAILABLE && job.row.attempts > 1 && job.health == Health::Good;
            again(ctx, job, Miss { doubt: alone || outcome.leaves_doubt(), ..miss(reason) })
        }
        Attempt::Answered(Outcome::RefreshToken) => again(ctx, job, miss("token_refused")),
        Attempt::NotBefore(reason, at) => {
            let at = (*at).min(ctx.now().plus_millis(HOLD_MAX_MS));
            again(ctx, job, Miss { not_before: Some(at), ..miss(reason) })
        }
        Attempt::NotReached(reason) => again(ctx, job, miss(reason)),
        Attempt::Unknown(reason) => again(ctx, job, Miss { doubt: true, ..miss(reason) }),
    })
}

/// Puts a claimed message back at once, without a try.
pub fn put_back(ctx: &Ctx<'_>, job: &Job) -> Result<(), StepError> {
    outbox::later(ctx.db, job.row.seq, &job.owner, ctx.now(), job.row.doubts, None)?;
    Ok(())
}

/// Ends the account's outage, if it was in one: its platform answers.
fn works(ctx: &Ctx<'_>, job: &Job) -> Result<(), StepError> {
    if job.health != Health::Good {
        outages::clear(ctx.db, &job.row.channel, &job.row.account)?;
    }
    Ok(())
}

/// Counts a failure of the account's platform, and sets when it is probed next.
fn fails(ctx: &Ctx<'_>, job: &Job, miss: Miss<'_>) -> Result<(), StepError> {
    let (row, now, probe) = (&job.row, ctx.now(), job.health == Health::Probed);
    // A platform that names a time for the next try means the whole account.
    let least = if miss.not_before.is_some() { OPEN_AFTER } else { 0 };
    let failure = Failure { seq: row.seq, reason: miss.reason, probe, least };
    let failures = outages::failed(ctx.db, &row.channel, &row.account, failure, now)?;
    let probe_at = match miss.not_before {
        Some(at) => at,
        None if failures >= OPEN_AFTER => {
            let pause = doubled(failures - OPEN_AFTER + 1).min(BACKOFF_NEAR_MS);
            now.plus_millis(jittered(ctx, pause))
        }
        None => return Ok(()),
    };
    Ok(outages::hold(ctx.db, &row.channel, &row.account, probe_at, probe)?)
}

/// Parks a claimed message without a try, until its account is enabled.
pub fn park(ctx: &Ctx<'_>, job: &Job) -> Result<(), StepError> {
    let row = &job.row;
    let parked = immediate(ctx.db, || {
        let parked = outbox::park(ctx.db, row.seq, &job.owner)?;
        if parked {
            let reason = Some("account_disabled");
            messages::set_delivery(ctx.db, row.conversation, row.n, DeliveryState::Pending, reason)?;
        }
        Ok::<_, StepError>(parked)
    })?;
    // The account was enabled meanwhile.
    if parked { Ok(()) } else { put_back(ctx, job) }
}

fn sent(ctx: &Ctx<'_>, job: &Job) -> Result<(), StepError> {
    let (row, now) = (&job.row, ctx.now());
    if !outbox::sent(ctx.db, row.seq)? {
        return Ok(());
    }
    works(ctx, job)?;
    messages::set_delivery(ctx.db, row.conversation, row.n, DeliveryState::Sent, None)?;
    let body = Delivery::Sent {
        message: row.message,
        channel: row.channel.clone(),
        attempts: row.attempts,
        took_ms: now.since(row.created_at).max(0),
    };
    Ok(events::append(ctx.db, now, Some(row.conversation), &body)?)
}

fn again(ctx: &Ctx<'_>, job: &Job, miss: Miss<'_>) -> Result<(), StepError> {
    let (row, now, reason) = (&job.row, ctx.now(), miss.reason);
    let doubts = row.doubts + i64::from(miss.doubt);
    let give_up_at = row.give_up_at.unwrap_or_else(|| row.created_at.plus_millis(UNTOLD_MS));
    let pause = if miss.doubt { doubtful(reason, doubts) } else { spaced(row.attempts) };
    // A message whose time is over becomes due once more, and is given up then.
    let retry_at = miss.not_before.unwrap_or_else(|| now.plus_millis(jittered(ctx, pause))).min(give_up_at.max(now));
    let last = doubts >= MAX_DOUBTS;
    let held = match last {
        true => outbox::holds(ctx.db, row.seq, &job.owner)?,
        false => outbox::later(ctx.db, row.seq, &job.owner, retry_at, doubts, Some(reason))?,
    };
    if !held {
        return Ok(());
    }
    if miss.doubt {
        let body = Delivery::InDoubt { message: row.message, channel: row.channel.clone(), attempts: row.attempts };
        events::append(ctx.db, now, Some(row.conversation), &body)?;
    }
    fails(ctx, job, miss)?;
    if last {
        return bury(ctx, &Claimed { doubts, ..row.clone() }, &job.owner, PERHAPS_DELIVERED);
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

/// The pause in milliseconds after this many failures in a row. It doubles with each, up to a limit.
pub fn doubled(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    BACKOFF_MS.saturating_mul(1 << doublings).min(BACKOFF_MAX_MS)
}

/// The pause after this many tries of a message. It stays at a minute at most early in an outage, so that the end of a
/// short outage is noticed soon.
fn spaced(attempts: i64) -> i64 {
    if attempts <= NEAR { doubled(attempts).min(BACKOFF_NEAR_MS) } else { BACKOFF_MAX_MS }
}

/// The pause after a try with an unknown outcome. In an outage a try may only reach a gateway that gives up on the
/// platform, or a platform that accepts connections and does not answer. The last try therefore comes after some
/// minutes.
fn doubtful(reason: &str, doubts: i64) -> i64 {
    match (reason, doubts) {
        (GATEWAY_TIMEOUT | PLATFORM_UNAVAILABLE | TIMEOUT, ..=1) => 15_000,
        (GATEWAY_TIMEOUT | PLATFORM_UNAVAILABLE | TIMEOUT, _) => BACKOFF_MAX_MS,
        (_, ..=1) => 2_000,
        _ => 15_000,
    }
}

/// Adds jitter of a quarter either way, so that callers do not all return to a recovered platform at the same moment.
pub fn jittered(ctx: &Ctx<'_>, pause: i64) -> i64 {
    let mut byte = [0u8; 1];
    ctx.rng.fill(&mut byte);
    pause * 3 / 4 + pause / 2 * i64::from(byte[0]) / 255
}

/// Gives up a claimed message. If the outcome of a try is unknown, this is recorded as the reason, since the agent must
/// know it.
fn bury(ctx: &Ctx<'_>, row: &Claimed, owner: &[u8; 16], reason: &str) -> Result<(), StepError> {
    let (now, reason) = (ctx.now(), if row.doubts > 0 { PERHAPS_DELIVERED } else { reason });
    if !outbox::dead(ctx.db, row, owner, reason, now)? {
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

/// Notes a customer's choice about automatic messages on the conversation's channel, with the message that shows it.
/// Takes back the messages that the customer no longer wants. It runs in the caller's transaction.
pub fn choose(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    message: MessageId,
    choice: consent::Choice,
) -> Result<(), StepError> {
    if !choice.given {
        take_back(ctx, conversation.id)?;
    }
    let Conversation { person, customer, channel, .. } = conversation;
    let by = consent::Chooser { person: *person, customer: *customer, channel, message: Some(message) };
    consent::chosen(ctx, by, choice)
}

/// Takes back the automatic messages of a conversation that no deliverer has begun to send. It runs in the caller's
/// transaction.
pub fn take_back(ctx: &Ctx<'_>, conversation: ConversationId) -> Result<(), StepError> {
    for taken in outbox::take_back(ctx.db, conversation, OPTED_OUT, ctx.now())? {
        taken_back(ctx, conversation, taken, OPTED_OUT)?;
    }
    Ok(())
}

fn taken_back(ctx: &Ctx<'_>, conversation: ConversationId, taken: TakenBack, reason: &str) -> Result<(), StepError> {
    messages::set_delivery(ctx.db, conversation, taken.n, DeliveryState::Dead, Some(reason))?;
    let (message, channel, attempts) = (taken.message, taken.channel, taken.attempts);
    let body = Delivery::Dead { message, channel, attempts, reason: reason.to_owned() };
    Ok(events::append(ctx.db, ctx.now(), Some(conversation), &body)?)
}

/// The days for which a message that answers nobody is remembered: more than any limit on contacts looks back.
pub const APPROACH_DAYS: i64 = 31;

/// Takes back the messages to a person that answer nobody and that no deliverer has begun to send, if `which` says so. It runs in the transaction of the withdrawal, or of the legal hold.
pub fn take_back_approaches(
    ctx: &Ctx<'_>,
    person: CustomerId,
    reason: &str,
    which: impl Fn(&Made) -> bool,
) -> Result<(), StepError> {
    let since = ctx.now().plus_millis(-APPROACH_DAYS * 86_400_000);
    for made in approaches::of_person(ctx.db, person, since, MANY)? {
        if which(&made)
            && let Some(taken) = outbox::take_back_one(ctx.db, made.message, reason, ctx.now())?
        {
            taken_back(ctx, made.conversation, taken, reason)?;
        }
    }
    Ok(())
}

/// Whether a message is automatic (from the system or an AI seat) and the customer wants no such messages on that channel.
pub fn unwanted(ctx: &Ctx<'_>, conversation: ConversationId, from: Origin) -> Result<bool, StepError> {
    if !matches!(from, Origin::System | Origin::Bot) {
        return Ok(false);
    }
    match conversations::get(ctx.db, conversation)? {
        Some(conversation) => consent::refuses(ctx, conversation.person, &conversation.channel),
        None => Ok(false),
    }
}

/// Makes a message due again that was given up, as if it had never been tried. It runs in the caller's transaction.
///
/// # Errors
/// - There is no such message, it was not given up, or it is in the archive.
/// - The platform no longer accepts a reply to the customer.
/// - The message is automatic and the customer wants no such messages.
pub fn retry(ctx: &Ctx<'_>, message: MessageId) -> Result<Channel, StepError> {
    let now = ctx.now();
    let Some((state, conversation, n, channel)) = outbox::find(ctx.db, message)? else {
        return Err(StepError::NotFound("outgoing message"));
    };
    if state != "dead" {
        return Err(StepError::conflict("not_dead", "only a message that was given up can be retried"));
    }
    let archived = || StepError::conflict("archived", "the message is in the archive and is not sent any more");
    // Retention has removed the row.
    let message = messages::get(ctx.db, conversation, n)?.ok_or_else(archived)?;
    if unwanted(ctx, conversation, message.origin)? {
        return Err(StepError::conflict(OPTED_OUT, "the customer wants no automatic messages on this channel"));
    }
    let until = ends_at(ctx, conversation, registry::patience(channel.as_str()), now)?;
    if until <= now {
        return Err(StepError::conflict(
            "reply_window_closed",
            "the customer wrote too long ago for this platform; it takes replies again once they write",
        ));
    }
    if revive(ctx, message.id, until)? { Ok(channel) } else { Err(archived()) }
}

/// Makes a message that was given up due again, until a given time. Returns false if there is no such message, or if it
/// is in the archive. It runs in the caller's transaction.
pub fn revive(ctx: &Ctx<'_>, message: MessageId, until: Timestamp) -> Result<bool, StepError> {
    let Some((conversation, n)) = outbox::revive(ctx.db, message, ctx.now(), until)? else { return Ok(false) };
    Ok(messages::set_delivery(ctx.db, conversation, n, DeliveryState::Pending, None)?)
}
