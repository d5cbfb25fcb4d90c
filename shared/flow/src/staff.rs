//! Agents: adding them, and their presence.

use crate::ctx::{Ctx, FlowError};
use crate::{place, sealed};
use warmline_model::event::RequeueReason;
use warmline_model::{AgentId, AgentState, ConversationState, EventBody, GroupId, Role};
use warmline_privacy::{random_token, token_hash};
use warmline_store::agents::{self, Agent};
use warmline_store::conversations;
use warmline_store::{events, groups, tokens};

/// A member of staff to be added.
pub struct NewAgent<'a> {
    /// Name.
    pub name: &'a str,
    /// Role.
    pub role: Role,
    /// Groups.
    pub groups: &'a [GroupId],
    /// Conversations at once.
    pub capacity: i64,
    /// Serves VIP customers only.
    pub vip: bool,
}

/// Adds a member of staff and returns the token, which is shown this once.
///
/// # Errors
/// A group does not exist, or the store fails.
pub fn create(ctx: &Ctx<'_>, new: &NewAgent<'_>) -> Result<(AgentId, String), FlowError> {
    for (i, group) in new.groups.iter().enumerate() {
        groups::get(ctx.db, group)?.ok_or_else(|| FlowError::invalid(format!("groups[{i}]"), "there is no such group"))?;
    }
    let now = ctx.now();
    let id = AgentId::new(now, ctx.rng);
    let agent = Agent {
        id,
        name: sealed::seal_name(ctx, id, new.name)?,
        role: new.role,
        state: AgentState::Offline,
        state_reason: None,
        state_since: now,
        vip: new.vip,
        capacity: new.capacity,
        load: 0,
        last_assigned_at: warmline_model::Timestamp::default(),
        created_at: now,
    };
    agents::insert(ctx.db, &agent, new.groups)?;
    let token = random_token(ctx.rng);
    tokens::insert(ctx.db, &token_hash(&token), id, new.role, now)?;
    Ok((id, token))
}

/// Sets an agent's presence. Available: the queues fill what is free. Offline: what was not accepted yet goes back to its
/// queue at its old place; what was accepted stays with the agent.
///
/// # Errors
/// There is no such agent, or the store fails.
pub fn set_state(ctx: &Ctx<'_>, id: AgentId, state: AgentState, reason: Option<&str>) -> Result<Agent, FlowError> {
    let before = agents::get(ctx.db, id)?.ok_or(FlowError::NotFound("agent"))?;
    change_state(ctx, &before, state, reason)?;
    if state == AgentState::Offline {
        let held = conversations::list(ctx.db, None, i64::MAX, Some(ConversationState::Assigned), Some(id))?;
        for conversation in held.into_iter().filter(|c| c.accepted_at.is_none()) {
            put_back(ctx, &conversation, id, RequeueReason::AgentOffline)?;
        }
    }
    place::fill(ctx, id)?;
    agents::get(ctx.db, id)?.ok_or(FlowError::NotFound("agent"))
}

fn change_state(ctx: &Ctx<'_>, before: &Agent, to: AgentState, reason: Option<&str>) -> Result<(), FlowError> {
    let now = ctx.now();
    agents::set_state(ctx.db, before.id, to, reason, now)?;
    if before.state != to {
        let body = EventBody::AgentState { agent: before.id, from: before.state, to, reason: reason.map(str::to_owned) };
        events::append(ctx.db, now, None, &body)?;
    }
    Ok(())
}

/// An assigned conversation was not accepted in time: back to the queue, and the agent to 小休, so that the next one does not
/// wait in vain too.
///
/// # Errors
/// The store fails.
pub(crate) fn accept_timed_out(ctx: &Ctx<'_>, conversation: &conversations::Conversation) -> Result<(), FlowError> {
    let Some(agent) = conversation.agent else { return Ok(()) };
    if let Some(before) = agents::get(ctx.db, agent)?.filter(|a| a.state == AgentState::Available) {
        change_state(ctx, &before, AgentState::Break, Some("accept_timeout"))?;
    }
    put_back(ctx, conversation, agent, RequeueReason::AcceptTimeout)
}

fn put_back(
    ctx: &Ctx<'_>,
    conversation: &conversations::Conversation,
    agent: AgentId,
    reason: RequeueReason,
) -> Result<(), FlowError> {
    place::release(ctx, conversation, agent)?;
    let group =
        conversation.group.clone().ok_or(warmline_store::StoreError::Missing("group of an assigned conversation"))?;
    let settings = place::settings_of(ctx, &group)?;
    let why = conversation.why.as_deref().unwrap_or("requeued");
    place::into_group(ctx, &settings, conversation, &group, why, Some(reason))
}
