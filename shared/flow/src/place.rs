//! Finding the agent: new conversations to whoever is free, the rest into a queue; and whoever becomes free gets the first in
//! line, in the same transaction. So a queue never stands beside free capacity that could serve it.

use crate::converse;
use crate::ctx::{Ctx, FlowError};
use std::collections::BTreeMap;
use warmline_model::event::RequeueReason;
use warmline_model::{AccountId, AgentId, AgentState, Channel, Content, EventBody, GroupId, Origin, Timestamp};
use warmline_privacy::CustomerKey;
use warmline_routing::{Candidate, Facts, GroupSettings, Rules, choose, rank};
use warmline_store::agents::{self, Claimed};
use warmline_store::conversations::{self, Assigned, Conversation, Queued};
use warmline_store::{StoreError, accounts, config, events, groups};

/// The document that holds the rules.
pub const RULES: &str = "routing_rules";

/// Rules and groups, as they are now.
pub struct Plan {
    rules: Rules,
    groups: BTreeMap<GroupId, GroupSettings>,
    /// The group that an account names for what no rule places.
    accounts: BTreeMap<(Channel, AccountId), GroupId>,
    /// The oldest group: where conversations go that no rule and no account places.
    fallback: Option<GroupId>,
}

impl Plan {
    /// Reads the present rules and groups.
    ///
    /// # Errors
    /// The store fails or holds rules that cannot be read.
    pub fn load(ctx: &Ctx<'_>) -> Result<Self, FlowError> {
        let rules = match config::get(ctx.db, RULES)? {
            Some((text, _)) => serde_json::from_str(&text).map_err(|_| StoreError::Shape(0))?,
            None => Rules::default(),
        };
        let stored = groups::list(ctx.db)?;
        let fallback = stored.first().map(|g| g.id.clone());
        let groups = stored
            .into_iter()
            .map(|g| Ok((g.id, serde_json::from_str(&g.settings).map_err(|_| StoreError::Shape(2))?)))
            .collect::<Result<_, StoreError>>()?;
        let accounts = accounts::list(ctx.db)?
            .into_iter()
            .filter_map(|a| {
                let settings: serde_json::Value = serde_json::from_str(&a.settings).ok()?;
                Some(((a.channel, a.account), GroupId::new(settings.get("group")?.as_str()?).ok()?))
            })
            .collect();
        Ok(Self { rules, groups, accounts, fallback })
    }

    /// A group's settings.
    pub fn settings(&self, group: &GroupId) -> GroupSettings {
        self.groups.get(group).cloned().unwrap_or_default()
    }

    fn group(&self, conversation: &Conversation, content: &Content) -> Option<(GroupId, String)> {
        let facts = Facts {
            channel: &conversation.channel,
            account: &conversation.account,
            kind: content.kind(),
            words: content.words(),
            vip: conversation.vip,
        };
        if let Some((group, n)) = self.rules.group(&facts).filter(|(g, _)| self.groups.contains_key(g)) {
            return Some((group.clone(), format!("rule-{n}")));
        }
        let named = self.accounts.get(&(conversation.channel.clone(), conversation.account.clone()));
        if let Some(group) = named.filter(|g| self.groups.contains_key(g)) {
            return Some((group.clone(), "account".to_owned()));
        }
        self.fallback.clone().map(|g| (g, "fallback".to_owned()))
    }
}

/// Places a conversation after the customer's first words. Where no group exists yet it stays open and is placed by the tick.
///
/// # Errors
/// The store fails.
pub fn first(
    ctx: &Ctx<'_>,
    plan: &Plan,
    conversation: &Conversation,
    key: &CustomerKey,
    content: &Content,
) -> Result<(), FlowError> {
    let Some((group, why)) = plan.group(conversation, content) else { return Ok(()) };
    let settings = plan.settings(&group);
    into_group(ctx, &settings, conversation, &group, &why, None)?;
    if !settings.greeting.is_empty() {
        converse::say(ctx, conversation, key, Origin::System, None, &Content::text(settings.greeting))?;
    }
    Ok(())
}

/// Gives a conversation that holds no capacity to an agent of the group, or puts it into the group's queue.
///
/// # Errors
/// The store fails.
pub fn into_group(
    ctx: &Ctx<'_>,
    settings: &GroupSettings,
    conversation: &Conversation,
    group: &GroupId,
    why: &str,
    requeued: Option<RequeueReason>,
) -> Result<(), FlowError> {
    let now = ctx.now();
    // Back in the queue, the time already waited still counts: the place is that of the first entry.
    let entered = match (requeued, conversation.queued_at) {
        (Some(_), Some(before)) => before,
        _ => now,
    };
    // Those who wait already come first: where there is a queue, nobody goes past it.
    let waiting = conversations::anyone_waits(ctx.db, group)?;
    if !waiting && to_free_agent(ctx, settings, conversation, group, why, entered)? {
        return Ok(());
    }
    let priority = if conversation.vip { settings.vip_priority_minutes } else { 0 };
    let handle_ms = conversation.handle_ms + held_ms(conversation, now);
    let queued = Queued { group, rank: rank(entered, priority), queued_at: entered, handle_ms, why };
    conversations::queue(ctx.db, conversation.id, &queued)?;
    let body = EventBody::ConversationQueued { group: group.clone(), priority, requeued };
    events::append(ctx.db, now, Some(conversation.id), &body)?;
    if waiting {
        // A free VIP-dedicated agent may stand beside a queue of others: a VIP who joins that queue is served at once.
        if let Some(head) = conversations::head(ctx.db, group, conversation.vip)?.filter(|(h, _)| h.id == conversation.id) {
            to_free_agent(ctx, settings, &head.0, group, why, entered)?;
        }
    }
    Ok(())
}

/// Milliseconds that the present agent has held a conversation.
pub(crate) fn held_ms(conversation: &Conversation, now: Timestamp) -> i64 {
    match (conversation.state.holds_capacity(), conversation.assigned_at) {
        (true, Some(since)) => now.since(since).max(0),
        _ => 0,
    }
}

fn to_free_agent(
    ctx: &Ctx<'_>,
    settings: &GroupSettings,
    conversation: &Conversation,
    group: &GroupId,
    why: &str,
    entered: Timestamp,
) -> Result<bool, FlowError> {
    let mut candidates: Vec<Candidate> = agents::free_in(ctx.db, group, conversation.vip)?
        .into_iter()
        .map(|a| Candidate {
            id: a.id,
            vip: a.vip,
            load: a.load,
            capacity: a.capacity,
            last_assigned_at: a.last_assigned_at,
        })
        .collect();
    while let Some(choice) = choose(&candidates, conversation.vip, conversation.id.as_bytes()) {
        let why = format!("{why}, {}", choice.why);
        if let Some(claimed) = agents::claim(ctx.db, choice.agent, ctx.now())? {
            give(ctx, settings, conversation, group, choice.agent, &claimed, entered, &why)?;
            return Ok(true);
        }
        candidates.retain(|c| c.id != choice.agent);
    }
    Ok(false)
}

#[expect(clippy::too_many_arguments, reason = "one row of the decision, written in one place")]
fn give(
    ctx: &Ctx<'_>,
    settings: &GroupSettings,
    conversation: &Conversation,
    group: &GroupId,
    agent: AgentId,
    claimed: &Claimed,
    entered: Timestamp,
    why: &str,
) -> Result<(), FlowError> {
    let now = ctx.now();
    let accept_by = (settings.accept_secs > 0).then(|| now.plus_millis(settings.accept_secs * 1000));
    let handle_ms = conversation.handle_ms + held_ms(conversation, now);
    conversations::assign(ctx.db, conversation.id, &Assigned { group, agent, at: now, accept_by, handle_ms, why })?;
    let body = EventBody::ConversationAssigned {
        group: group.clone(),
        agent,
        load: claimed.load,
        capacity: claimed.capacity,
        waited_ms: now.since(entered).max(0),
        why: why.to_owned(),
    };
    Ok(events::append(ctx.db, now, Some(conversation.id), &body)?)
}

/// Gives a conversation that holds no capacity to one agent by a person's decision.
///
/// # Errors
/// The agent is offline or has no capacity left, or the store fails.
pub fn to_agent(ctx: &Ctx<'_>, conversation: &Conversation, group: &GroupId, agent: AgentId) -> Result<(), FlowError> {
    let now = ctx.now();
    let claimed = agents::claim_directly(ctx.db, agent, now)?.ok_or(FlowError::conflict(
        "agent_full",
        "the agent is offline or has no capacity left; choose another agent or a group",
    ))?;
    let settings = settings_of(ctx, group)?;
    give(ctx, &settings, conversation, group, agent, &claimed, now, "transfer")
}

/// A group's settings, from the store.
///
/// # Errors
/// The store fails.
pub fn settings_of(ctx: &Ctx<'_>, group: &GroupId) -> Result<GroupSettings, FlowError> {
    match groups::get(ctx.db, group)? {
        Some(g) => Ok(serde_json::from_str(&g.settings).map_err(|_| StoreError::Shape(2))?),
        None => Ok(GroupSettings::default()),
    }
}

/// Gives back the unit of capacity that a conversation held.
///
/// # Errors
/// None was claimed, or the store fails.
pub fn release(ctx: &Ctx<'_>, conversation: &Conversation, agent: AgentId) -> Result<(), FlowError> {
    let load = agents::release(ctx.db, agent)?;
    let body = EventBody::CapacityReleased { agent, load };
    Ok(events::append(ctx.db, ctx.now(), Some(conversation.id), &body)?)
}

/// Fills an agent's free capacity from the queues of the agent's groups: whoever is first in line over all of them.
///
/// # Errors
/// The store fails.
pub fn fill(ctx: &Ctx<'_>, agent: AgentId) -> Result<i64, FlowError> {
    let groups = agents::groups_of(ctx.db, agent)?;
    let mut given = 0;
    loop {
        let Some(now) = agents::get(ctx.db, agent)? else { return Ok(given) };
        if now.state != AgentState::Available || now.load >= now.capacity {
            return Ok(given);
        }
        let mut next: Option<(Conversation, i64, GroupId)> = None;
        for group in &groups {
            // Dedicated agents serve VIPs only.
            for vip in if now.vip { &[true][..] } else { &[true, false][..] } {
                if let Some((c, rank)) = conversations::head(ctx.db, group, *vip)?
                    && next.as_ref().is_none_or(|(best, r, _)| (rank, c.id) < (*r, best.id))
                {
                    next = Some((c, rank, group.clone()));
                }
            }
        }
        let Some((conversation, _, group)) = next else { return Ok(given) };
        let Some(claimed) = agents::claim(ctx.db, agent, ctx.now())? else { return Ok(given) };
        let settings = settings_of(ctx, &group)?;
        let entered = conversation.queued_at.unwrap_or(conversation.opened_at);
        let why = format!("{}, next-in-queue", conversation.why.as_deref().unwrap_or("queue"));
        give(ctx, &settings, &conversation, &group, agent, &claimed, entered, &why)?;
        given += 1;
    }
}
