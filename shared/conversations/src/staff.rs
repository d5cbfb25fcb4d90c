//! Agents: adding, changing and removing them, and their presence.

use crate::store::{assignment, groups};
use crate::{place, plan};
use std::collections::BTreeMap;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{
    AgentId, AgentState, ConversationState, EventBody, GroupId, Profile, Role, Scope, Timestamp, TokenId, Units,
};
use warmline_privacy::{random_token, token_hash};
use warmline_routing::{Cause, Ready};
use warmline_store::agents::{self, Agent, Can};
use warmline_store::conversations::{self, Conversation};
use warmline_store::events;
use warmline_store::tokens::{self, Token};

/// A member of staff to add.
pub struct NewAgent<'a> {
    /// Name.
    pub name: &'a str,
    /// Role.
    pub role: Role,
    /// Whether it is an AI seat.
    pub ai: bool,
    /// The agent's duties.
    pub can: Duties,
}

/// An agent's duties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    /// Groups, with the level in each.
    pub groups: BTreeMap<GroupId, u8>,
    /// Capacity.
    pub capacity: Units,
    /// Whether the agent serves VIP customers only.
    pub vip: bool,
    /// Skills and limits by channel.
    pub can: Can,
}

/// Adds a member of staff and returns the token, which is shown only this once.
///
/// # Errors
/// A group does not exist.
pub fn create(ctx: &Ctx<'_>, new: &NewAgent<'_>) -> Result<(AgentId, String), StepError> {
    check_groups(ctx, &new.can.groups)?;
    let now = ctx.now();
    let id = AgentId::new(now, ctx.rng);
    let agent = Agent {
        id,
        name: sealing::seal_name(ctx, id, new.name)?,
        role: new.role,
        state: AgentState::Offline,
        state_reason: None,
        state_since: now,
        vip: new.can.vip,
        ai: new.ai,
        capacity: new.can.capacity,
        load: Units::ZERO,
        last_assigned_at: Timestamp::default(),
        freed_at: Timestamp::default(),
        can: new.can.can.clone(),
        created_at: now,
        removed_at: None,
        held: agents::Held::new(),
    };
    agents::insert(ctx.db, &agent, &new.can.groups)?;
    tell(ctx, &agent, &new.can.groups)?;
    let (_, token) = new_token(ctx, id, new.role, &NewToken::default())?;
    Ok((id, token))
}

/// The time for which replaced tokens still work.
const GRACE_MS: i64 = 600_000;

/// A token to make.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// The number of days after which it ends; `None`: never.
    pub days: Option<i64>,
    /// Whether the agent's earlier tokens end soon.
    pub replaces: bool,
    /// The scopes that it is narrowed to; `None`: all that its role may do.
    pub scopes: Option<Vec<Scope>>,
}

/// Makes a token. Returns its description, and the secret, which is shown once.
pub fn new_token(ctx: &Ctx<'_>, agent: AgentId, role: Role, new: &NewToken) -> Result<(Token, String), StepError> {
    let now = ctx.now();
    if new.replaces {
        tokens::end_by(ctx.db, agent, now.plus_millis(GRACE_MS))?;
    }
    let about = Token {
        id: TokenId::new(now, ctx.rng),
        created_at: now,
        scopes: new.scopes.clone(),
        expires_at: new.days.map(|days| now.plus_millis(days.saturating_mul(86_400_000))),
    };
    let token = random_token(ctx.rng);
    tokens::insert(ctx.db, &token_hash(&token), agent, role, &about)?;
    Ok((about, token))
}

fn check_groups(ctx: &Ctx<'_>, wanted: &BTreeMap<GroupId, u8>) -> Result<(), StepError> {
    for group in wanted.keys() {
        groups::get(ctx.db, group)?.ok_or_else(|| StepError::invalid("groups", format!("there is no group {group}")))?;
    }
    Ok(())
}

/// Reports an agent's profile in the event log.
fn tell(ctx: &Ctx<'_>, agent: &Agent, groups: &BTreeMap<GroupId, u8>) -> Result<(), StepError> {
    let profile = Profile {
        agent: agent.id,
        ai: agent.ai,
        dedicated: agent.vip,
        capacity: agent.capacity,
        caps: agent.can.caps.clone(),
        skills: agent.can.skills.clone(),
        groups: groups.clone(),
    };
    Ok(events::append(ctx.db, ctx.now(), None, &EventBody::AgentProfile(profile))?)
}

/// Changes an agent's name or duties. If the new capacity is below the present load, no conversation is taken away, and
/// none is added until the load has fallen.
///
/// # Errors
/// There is no such agent or group.
pub fn change(ctx: &Ctx<'_>, id: AgentId, name: Option<&str>, duties: &Duties) -> Result<(), StepError> {
    check_groups(ctx, &duties.groups)?;
    let mut agent = at_work(ctx, id)?;
    if let Some(name) = name {
        agent.name = sealing::seal_name(ctx, id, name)?;
    }
    (agent.vip, agent.capacity, agent.can) = (duties.vip, duties.capacity, duties.can.clone());
    agents::update(ctx.db, &agent, &duties.groups)?;
    tell(ctx, &agent, &duties.groups)?;
    place::fill(ctx, &*plan::current(ctx)?, id)?;
    Ok(())
}

/// An agent's present duties.
///
/// # Errors
/// There is no such agent.
pub fn duties(ctx: &Ctx<'_>, id: AgentId) -> Result<Duties, StepError> {
    let agent = at_work(ctx, id)?;
    let groups = agents::groups_of(ctx.db, id)?.into_iter().map(|m| (m.group, m.level)).collect();
    Ok(Duties { groups, capacity: agent.capacity, vip: agent.vip, can: agent.can })
}

fn at_work(ctx: &Ctx<'_>, id: AgentId) -> Result<Agent, StepError> {
    agents::get(ctx.db, id)?.filter(|a| a.removed_at.is_none()).ok_or(StepError::NotFound("agent"))
}

/// Removes an agent. With `requeue`, the agent's conversations go back to the queues.
///
/// # Errors
/// There is no such agent; the agent holds conversations and `requeue` is false.
pub fn remove(ctx: &Ctx<'_>, id: AgentId, requeue: bool) -> Result<(), StepError> {
    let agent = at_work(ctx, id)?;
    let held = in_hand(ctx, id)?;
    if !held.is_empty() && !requeue {
        return Err(StepError::conflict(
            "agent_has_conversations",
            "the agent has conversations in hand; transfer them first, or repeat with ?requeue=true",
        ));
    }
    change_state(ctx, &agent, AgentState::Offline, Some("removed"))?;
    let plan = plan::current(ctx)?;
    for conversation in held {
        put_back(ctx, &plan, &conversation, id, Cause::AgentOffline)?;
    }
    agents::remove(ctx.db, id, ctx.now())?;
    Ok(events::append(ctx.db, ctx.now(), None, &EventBody::AgentRemoved { agent: id })?)
}

fn in_hand(ctx: &Ctx<'_>, id: AgentId) -> Result<Vec<Conversation>, StepError> {
    let mut held = Vec::new();
    for state in ConversationState::ALL.into_iter().filter(|s| s.holds_capacity()) {
        held.extend(conversations::list(ctx.db, None, i64::MAX, Some(state), Some(id))?);
    }
    Ok(held)
}

/// Sets an agent's presence. An available agent's free capacity is filled from the queues. When an agent goes offline,
/// conversations that they have not accepted go back to their queues at their old places. Accepted ones stay with the
/// agent.
/// # Errors
/// There is no such agent.
pub fn set_state(ctx: &Ctx<'_>, id: AgentId, state: AgentState, reason: Option<&str>) -> Result<Agent, StepError> {
    let before = at_work(ctx, id)?;
    change_state(ctx, &before, state, reason)?;
    let plan = plan::current(ctx)?;
    if state == AgentState::Offline {
        for conversation in in_hand(ctx, id)?.into_iter().filter(unaccepted) {
            put_back(ctx, &plan, &conversation, id, Cause::AgentOffline)?;
        }
    } else {
        assignment::keep(ctx.db, id)?;
    }
    place::fill(ctx, &plan, id)?;
    at_work(ctx, id)
}

fn unaccepted(conversation: &Conversation) -> bool {
    conversation.state == ConversationState::Assigned && conversation.accepted_at.is_none()
}

fn change_state(ctx: &Ctx<'_>, before: &Agent, to: AgentState, reason: Option<&str>) -> Result<(), StepError> {
    let now = ctx.now();
    agents::set_state(ctx.db, before.id, to, reason, now)?;
    if before.state != to {
        let body = EventBody::AgentState { agent: before.id, from: before.state, to, reason: reason.map(str::to_owned) };
        events::append(ctx.db, now, None, &body)?;
    }
    Ok(())
}

/// Handles an assigned conversation that was not accepted in time. It goes back to the queue, and the agent's presence
/// becomes `break` (小休), so that the next conversation does not wait in vain too.
pub(crate) fn accept_timed_out(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    let Some(agent) = conversation.agent else { return Ok(()) };
    if let Some(before) = agents::get(ctx.db, agent)?.filter(|a| a.state == AgentState::Available) {
        change_state(ctx, &before, AgentState::Break, Some("accept_timeout"))?;
    }
    put_back(ctx, &*plan::current(ctx)?, conversation, agent, Cause::AcceptTimeout)
}

/// Handles an agent without a sign of life: the agent becomes offline. Conversations that wait for an answer go back to the
/// head of their queues. The others are kept for a while, in case the agent comes back.
pub(crate) fn lose(ctx: &Ctx<'_>, id: AgentId, since: Timestamp) -> Result<bool, StepError> {
    let Some(agent) = agents::get(ctx.db, id)?.filter(|a| a.state != AgentState::Offline) else { return Ok(false) };
    if agents::seen(ctx.db, id)?.is_none_or(|seen| seen >= since) {
        return Ok(false);
    }
    change_state(ctx, &agent, AgentState::Offline, Some("lost"))?;
    let plan = plan::current(ctx)?;
    for conversation in in_hand(ctx, id)?.into_iter().filter(|c| c.state == ConversationState::Assigned) {
        put_back(ctx, &plan, &conversation, id, Cause::AgentLost)?;
    }
    assignment::keep_until(ctx.db, id, ctx.now().plus_millis(plan.presence.keep_secs.saturating_mul(1000)))?;
    Ok(true)
}

/// Puts back a conversation whose lost agent did not return in time.
pub(crate) fn give_up(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<(), StepError> {
    let Some(agent) = conversation.agent else { return Ok(()) };
    put_back(ctx, &*plan::current(ctx)?, conversation, agent, Cause::AgentLost)
}

fn put_back(
    ctx: &Ctx<'_>,
    plan: &Ready,
    conversation: &Conversation,
    agent: AgentId,
    cause: Cause,
) -> Result<(), StepError> {
    let group =
        conversation.group.clone().ok_or(warmline_store::StoreError::Missing("group of an assigned conversation"))?;
    place::take_back(ctx, conversation, agent)?;
    place::again(ctx, plan, conversation, &group, cause)
}
