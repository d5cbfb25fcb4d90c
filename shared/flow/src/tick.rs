//! What happens because time passes. Every step is idempotent and checks again inside its transaction, so overlapping ticks
//! do no harm. Every step is bounded, and the next tick continues it.

use crate::{ai, calls, converse, erase, place, plan, retention, staff, staffing};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::{passing, sealed};
use warmline_model::{ConversationState, Timestamp};
use warmline_routing::Cause;
use warmline_store::conversations::{self, Conversation};
use warmline_store::{agents, idempotency, immediate, messages, placing, queues};

/// The most conversations of a kind in one tick.
const BATCH: i64 = 64;
/// How long a conversation in which nobody has spoken stays open.
const IDLE_OPEN_MS: i64 = 24 * 3600 * 1000;

/// What a tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Ticked {
    /// Calls that rang without a further event.
    pub rang_out: i64,
    /// Conversations taken back because nobody accepted them.
    pub accept_timeouts: i64,
    /// Conversations closed after their after-contact work.
    pub wrap_ups_ended: i64,
    /// Conversations placed that had waited for a group to exist, or for room in the queues.
    pub placed: i64,
    /// Agents who gave no sign of life and are offline now.
    pub lost_agents: i64,
    /// Conversations taken back from lost agents who did not return in time.
    pub taken_back: i64,
    /// Contacts that waited too long and for which another place was sought.
    pub overflowed: i64,
    /// Contacts given to free seats that could not take them before: a ring opened, or business hours began.
    pub matched: i64,
    /// Conversations whose AI seat did not answer in time.
    pub ai_timeouts: i64,
    /// Seats that staffing moved between their groups.
    pub moved: i64,
    /// Customers whose erasure was completed.
    pub erased: i64,
    /// Messages moved into the archive.
    pub archived: i64,
    /// Conversations whose messages were removed.
    pub removed: i64,
}

/// Does what is due.
///
/// # Errors
/// The store fails. Committed steps stay, and the next tick does the rest.
pub fn tick(ctx: &Ctx<'_>) -> Result<Ticked, StepError> {
    let mut done = Ticked::default();
    let now = ctx.now();
    // Abandoned calls first: otherwise their agents would be charged with an accept time-out.
    for due in placing::ringing(ctx.db, now, BATCH)? {
        let still = |c: &Conversation| {
            c.first_inbound_at.is_none() && c.accepted_at.is_none() && c.state != ConversationState::Closed
        };
        done.rang_out += recheck(ctx, &due, still, |c| calls::given_up(ctx, c))?;
    }
    for due in conversations::not_accepted(ctx.db, now, BATCH)? {
        let still =
            |c: &Conversation| c.state == ConversationState::Assigned && c.accepted_at.is_none() && c.agent == due.agent;
        done.accept_timeouts += recheck(ctx, &due, still, |c| staff::accept_timed_out(ctx, c))?;
    }
    for due in conversations::wrap_over(ctx.db, now, BATCH)? {
        let still = |c: &Conversation| c.state == ConversationState::WrapUp;
        done.wrap_ups_ended += recheck(ctx, &due, still, |c| converse::finish(ctx, c, None))?;
    }
    done.placed = place_left_open(ctx)?;
    lost(ctx, now, &mut done)?;
    for due in placing::overdue(ctx.db, now, BATCH)? {
        let still = |c: &Conversation| c.state == ConversationState::Queued;
        done.overflowed += recheck(ctx, &due, still, |c| overflow(ctx, c))?;
    }
    for due in placing::ai_waiting(ctx.db, now, BATCH)? {
        let still = |c: &Conversation| c.ai && c.agent == due.agent && c.state.holds_capacity();
        done.ai_timeouts += recheck(ctx, &due, still, |c| ai::timed_out(ctx, c))?;
    }
    done.moved = staffing::shift(ctx)?;
    // After every step that may have queued a contact or changed who serves it.
    for agent in queues::free_beside(ctx.db, BATCH)? {
        done.matched += immediate(ctx.db, || place::fill(ctx, &plan::current(ctx)?, agent))?;
    }
    close_idle(ctx, now)?;
    (done.archived, done.removed) = retention::step(ctx)?;
    idempotency::prune(ctx.db, now.plus_millis(-passing::KEEP_ANSWERS_MS), 256)?;
    passing::move_keys(ctx, BATCH)?;
    passing::tick(ctx)?;
    done.erased = erase::go_on(ctx)?;
    Ok(done)
}

/// Runs `act` in a transaction if the conversation is still as it was found.
fn recheck(
    ctx: &Ctx<'_>,
    due: &Conversation,
    still: impl Fn(&Conversation) -> bool,
    act: impl Fn(&Conversation) -> Result<(), StepError>,
) -> Result<i64, StepError> {
    immediate(ctx.db, || match conversations::get(ctx.db, due.id)? {
        Some(c) if still(&c) => act(&c).map(|()| 1),
        _ => Ok(0),
    })
}

/// Handles agents without a sign of life, and the conversations for which they did not come back.
fn lost(ctx: &Ctx<'_>, now: Timestamp, done: &mut Ticked) -> Result<(), StepError> {
    let plan = plan::current(ctx)?;
    plan::keep_presence(ctx, &plan)?;
    let secs = plan.presence.heartbeat_secs;
    if secs > 0 {
        let since = now.plus_millis(secs.saturating_mul(-1000));
        for agent in agents::unseen(ctx.db, since, BATCH)? {
            done.lost_agents += i64::from(immediate(ctx.db, || staff::lose(ctx, agent, since))?);
        }
    }
    for due in placing::lost(ctx.db, now, BATCH)? {
        let still = |c: &Conversation| c.agent == due.agent && c.state.holds_capacity();
        done.taken_back += recheck(ctx, &due, still, |c| staff::give_up(ctx, c))?;
    }
    Ok(())
}

fn overflow(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    let Some(group) = &conversation.group else { return Ok(()) };
    place::again(ctx, &plan::current(ctx)?, conversation, group, Cause::WaitedTooLong)
}

/// Places open conversations whose customer spoke before the first group existed, or when too many conversations of the
/// account waited.
fn place_left_open(ctx: &Ctx<'_>) -> Result<i64, StepError> {
    if plan::current(ctx)?.groups.is_empty() {
        return Ok(0);
    }
    let mut placed = 0;
    for due in placing::unplaced(ctx.db, BATCH)? {
        let is_open = |c: &Conversation| c.state == ConversationState::Open;
        if recheck(ctx, &due, is_open, |c| place_now(ctx, c))? > 0 {
            placed += i64::from(!conversations::get(ctx.db, due.id)?.is_some_and(|c| is_open(&c)));
        }
    }
    Ok(placed)
}

/// Closes conversations in which nobody has ever spoken (followed or scanned, and no more).
fn close_idle(ctx: &Ctx<'_>, now: Timestamp) -> Result<(), StepError> {
    for due in conversations::list(ctx.db, None, BATCH, Some(ConversationState::Open), None)? {
        let idle = |c: &Conversation| {
            c.state == ConversationState::Open && c.round_started_at.is_none() && now.since(c.last_message_at) > IDLE_OPEN_MS
        };
        if idle(&due) {
            recheck(ctx, &due, idle, |c| converse::finish(ctx, c, Some("nobody_spoke")))?;
        }
    }
    Ok(())
}

fn place_now(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    let key = sealed::customer_key(ctx, conversation.customer)?;
    let plan = plan::current(ctx)?;
    // The rules look at the customer's newest words.
    let Some(last) = messages::get(ctx.db, conversation.id, conversation.messages)? else { return Ok(()) };
    let content = sealed::open_content(&key, &last)?;
    place::first(ctx, &plan, conversation, &key, &content, None).map(drop)
}
