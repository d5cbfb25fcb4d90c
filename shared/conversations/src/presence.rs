//! Presence in a conversation: which colleagues look at it or write in it, and how far each has read it. Colleagues learn of it
//! within the look of their stream. It counts for ten seconds and is in no log.

use crate::converse;
use crate::model::{Doing, PresenceView, PresentAgent};
use crate::store::marks::{self, Mark};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{AgentId, ConversationId, Timestamp};
use warmline_store::agents;
use warmline_store::changes::{self, What};

/// How long a sign of presence counts, in milliseconds.
pub const COUNTS_MS: i64 = 10_000;
/// A sign that says nothing new is stored only if the stored one counts for less than this.
const RENEW_MS: i64 = 6_000;

fn me(actor: &Actor) -> Result<AgentId, StepError> {
    actor.agent.ok_or(StepError::Forbidden("only agents and supervisors with a token of their own are present"))
}

/// The colleagues who are in a conversation at this instant, without one.
pub(crate) fn others(ctx: &Ctx<'_>, id: ConversationId, me: Option<AgentId>) -> Result<PresenceView, StepError> {
    let now = ctx.now();
    let mut present = Vec::new();
    for mark in marks::of_conversation(ctx.db, id)? {
        let Some((doing, until)) = mark.doing.filter(|(_, until)| *until > now) else { continue };
        if Some(mark.agent) == me {
            continue;
        }
        let name = agents::get(ctx.db, mark.agent)?.and_then(|agent| sealing::open_name(ctx, agent.id, &agent.name).ok());
        present.push(PresentAgent { agent: mark.agent, name, doing, until });
    }
    Ok(PresenceView { present })
}

/// The colleagues who are in a conversation now, without the actor.
///
/// # Errors
/// There is no such conversation, or the actor may not see it.
pub fn read(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId) -> Result<PresenceView, StepError> {
    converse::find(ctx, actor, id)?;
    others(ctx, id, actor.agent)
}

/// Notes what the actor does in a conversation, and how far they have read it. `doing` of `None`: the actor leaves. Runs in the
/// caller's transaction. Returns the colleagues who are there.
///
/// # Errors
/// There is no such conversation, or the actor may not see it.
pub fn note(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    doing: Option<Doing>,
    seen: Option<i64>,
) -> Result<PresenceView, StepError> {
    let me = me(actor)?;
    let conversation = converse::find(ctx, actor, id)?;
    let now = ctx.now();
    let before = marks::get(ctx.db, id, me)?.unwrap_or(Mark { agent: me, seen: 0, doing: None });
    let seen = seen.unwrap_or(0).min(conversation.messages).max(before.seen);
    let stands = before.doing.filter(|(_, until)| *until > now);
    let new = doing.map(|doing| (doing, now.plus_millis(COUNTS_MS)));
    let differs = stands.map(|(doing, _)| doing) != doing;
    let fades = stands.is_some_and(|(_, until): (Doing, Timestamp)| until.since(now) < RENEW_MS);
    if differs || fades || seen != before.seen {
        marks::put(ctx.db, id, &Mark { agent: me, seen, doing: new })?;
    }
    if differs {
        changes::note(ctx.db, now, id, What::Presence)?;
    }
    let mentioned = seen != before.seen && marks::read_to(ctx.db, me, id, seen)?;
    if mentioned || seen != before.seen {
        changes::note(ctx.db, now, id, What::Row)?;
    }
    others(ctx, id, Some(me))
}
