//! The due steps of conversations and agents. Every step is idempotent and checks again inside its transaction, so
//! overlapping ticks do no harm. Every step is bounded, and the next tick continues it.

use crate::store::{self, assignment, queues};
use crate::{ai, calls, converse, held, place, plan, staff, staffing};
use warmline_endpoint::capability::Due;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::personal::Counts;
use warmline_kernel::sealing;
use warmline_model::ConversationState;
use warmline_routing::Cause;
use warmline_store::conversations::{self, Conversation};
use warmline_store::{agents, immediate, messages};

/// The most conversations of a kind in one tick.
const BATCH: i64 = 64;
/// How long a conversation in which nobody has spoken stays open.
const IDLE_OPEN_MS: i64 = 24 * 3600 * 1000;

/// The steps, in the order in which they must run. Held messages come first: a conversation that ends by itself still sends
/// those that are due. Abandoned calls come first: otherwise their agents would be charged with
/// an accept time-out. Seats are filled after every step that may have queued a contact or changed who serves it.
pub(crate) const DUE: &[Due] = &[
    Due { name: "held", step: release_held },
    Due { name: "calls", step: rang_out },
    Due { name: "accept", step: not_accepted },
    Due { name: "wrap_up", step: wrap_up_over },
    Due { name: "place", step: place_left_open },
    Due { name: "presence", step: lost },
    Due { name: "overflow", step: overdue },
    Due { name: "ai", step: ai_silent },
    Due { name: "staffing", step: moved },
    Due { name: "fill", step: fill },
    Due { name: "idle", step: close_idle },
];

/// Sends messages whose time has come.
fn release_held(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let mut sent = 0;
    for id in store::held::due(ctx.db, ctx.now(), BATCH)? {
        sent += i64::from(held::release_due(ctx, id)?);
    }
    Ok(vec![("released", sent)])
}

/// Gives up calls that rang too long without a further event.
fn rang_out(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let mut done = 0;
    for due in assignment::ringing(ctx.db, ctx.now(), BATCH)? {
        let still = |c: &Conversation| {
            c.first_inbound_at.is_none() && c.accepted_at.is_none() && c.state != ConversationState::Closed
        };
        done += recheck(ctx, &due, still, |c| calls::given_up(ctx, c))?;
    }
    Ok(vec![("rang_out", done)])
}

/// Takes conversations back because nobody accepted them.
fn not_accepted(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let mut done = 0;
    for due in conversations::not_accepted(ctx.db, ctx.now(), BATCH)? {
        let still =
            |c: &Conversation| c.state == ConversationState::Assigned && c.accepted_at.is_none() && c.agent == due.agent;
        done += recheck(ctx, &due, still, |c| staff::accept_timed_out(ctx, c))?;
    }
    Ok(vec![("accept_timeouts", done)])
}

/// Closes conversations after their after-contact work.
fn wrap_up_over(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let mut done = 0;
    for due in conversations::wrap_over(ctx.db, ctx.now(), BATCH)? {
        let still = |c: &Conversation| c.state == ConversationState::WrapUp;
        done += recheck(ctx, &due, still, |c| converse::finish(ctx, c, None))?;
    }
    Ok(vec![("wrap_ups_ended", done)])
}

/// Seeks another place for contacts that waited too long.
fn overdue(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let mut done = 0;
    for due in assignment::overdue(ctx.db, ctx.now(), BATCH)? {
        let still = |c: &Conversation| c.state == ConversationState::Queued;
        done += recheck(ctx, &due, still, |c| overflow(ctx, c))?;
    }
    Ok(vec![("overflowed", done)])
}

/// Hands over conversations whose AI seat did not answer in time.
fn ai_silent(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let mut done = 0;
    for due in assignment::ai_waiting(ctx.db, ctx.now(), BATCH)? {
        let still = |c: &Conversation| c.ai && c.agent == due.agent && c.state.holds_capacity();
        done += recheck(ctx, &due, still, |c| ai::timed_out(ctx, c))?;
    }
    Ok(vec![("ai_timeouts", done)])
}

/// Moves seats between their groups according to staffing.
fn moved(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    Ok(vec![("moved", staffing::shift(ctx)?)])
}

/// Gives contacts to free seats that could not take them before: a ring opened, or business hours began.
fn fill(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let mut done = 0;
    for agent in queues::free_beside(ctx.db, BATCH)? {
        done += immediate(ctx.db, || place::fill(ctx, &*plan::current(ctx)?, agent))?;
    }
    Ok(vec![("matched", done)])
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

/// Handles agents without a sign of life, and the conversations of agents who did not come back in time.
fn lost(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let (now, mut lost, mut taken_back) = (ctx.now(), 0, 0);
    let plan = plan::current(ctx)?;
    plan::keep_presence(ctx, &plan)?;
    let secs = plan.presence.heartbeat_secs;
    if secs > 0 {
        let since = now.plus_millis(secs.saturating_mul(-1000));
        for agent in agents::unseen(ctx.db, since, BATCH)? {
            lost += i64::from(immediate(ctx.db, || staff::lose(ctx, agent, since))?);
        }
    }
    for due in assignment::lost(ctx.db, now, BATCH)? {
        let still = |c: &Conversation| c.agent == due.agent && c.state.holds_capacity();
        taken_back += recheck(ctx, &due, still, |c| staff::give_up(ctx, c))?;
    }
    Ok(vec![("lost_agents", lost), ("taken_back", taken_back)])
}

fn overflow(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    let Some(group) = &conversation.group else { return Ok(()) };
    place::again(ctx, &*plan::current(ctx)?, conversation, group, Cause::WaitedTooLong)
}

/// Places open conversations whose customer wrote before the first group existed, or while too many conversations of the
/// account waited.
fn place_left_open(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    if plan::current(ctx)?.groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut placed = 0;
    for due in assignment::unplaced(ctx.db, BATCH)? {
        let is_open = |c: &Conversation| c.state == ConversationState::Open;
        if recheck(ctx, &due, is_open, |c| place_now(ctx, c))? > 0 {
            placed += i64::from(!conversations::get(ctx.db, due.id)?.is_some_and(|c| is_open(&c)));
        }
    }
    Ok(vec![("placed", placed)])
}

/// Closes conversations in which nobody has ever spoken (only a follow or a scan).
fn close_idle(ctx: &Ctx<'_>) -> Result<Counts, StepError> {
    let now = ctx.now();
    for due in conversations::list(ctx.db, None, BATCH, Some(ConversationState::Open), None)? {
        let idle = |c: &Conversation| {
            c.state == ConversationState::Open && c.round_started_at.is_none() && now.since(c.last_message_at) > IDLE_OPEN_MS
        };
        if idle(&due) {
            recheck(ctx, &due, idle, |c| converse::finish(ctx, c, Some("nobody_spoke")))?;
        }
    }
    Ok(Vec::new())
}

fn place_now(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    let key = sealing::customer_key(ctx, conversation.customer)?;
    let plan = plan::current(ctx)?;
    // The rules look at the customer's newest words.
    let Some(last) = messages::get(ctx.db, conversation.id, conversation.messages)? else { return Ok(()) };
    let content = sealing::open_content(&key, &last)?;
    place::first(ctx, &plan, conversation, &key, &content, None).map(drop)
}
