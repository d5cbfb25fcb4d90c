//! Applies the router's decisions. A contact goes to a seat or into a queue, and a seat that becomes free gets its next
//! contact in the same transaction. A queue therefore never waits while a free agent could serve it.

use crate::model::Standing;
use crate::outgoing::{self, Author, Letter};
use crate::seats::{SeatCache, StoreView};
use crate::store::{
    assignment::{self, Assigned, Queued},
    queues, rosters,
};
use warmline_kernel::consent;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::event::{RequeueReason, Work};
use warmline_model::{AgentId, AgentState, Content, ConversationState, EventBody, GroupId, Lane, Timestamp, Units};
use warmline_privacy::CustomerKey;
use warmline_routing::decide::Grouped;
use warmline_routing::estimate::Pace;
use warmline_routing::group::{Elsewhere, First, GroupSettings};
use warmline_routing::seat::{Amount, taken};
use warmline_routing::{Cause, Contact, Decision, Facts, Outcome, Placement, Ready, decide, rank, rules};
use warmline_store::agents::{self, Claim, Claimed};
use warmline_store::conversations::{self, Conversation};
use warmline_store::{StoreError, customers, events, waiting};
use warmline_transport::accounts;

/// How long an AI seat has to answer.
pub(crate) const AI_ANSWER_MS: i64 = 30_000;
/// The most contacts ahead that an estimate counts one by one. Beyond that, the estimate uses the queue's length.
const COUNTED: i64 = 500;

/// Places a conversation after the customer's first words; true if an AI seat has it now. If no group exists yet, or if too
/// many conversations of its account wait already, it stays open and the tick places it later.
pub fn first(
    ctx: &Ctx<'_>,
    plan: &Ready,
    conversation: &Conversation,
    key: &CustomerKey,
    content: &Content,
    kept: Option<&SeatCache>,
) -> Result<bool, StepError> {
    let now = ctx.now();
    let mut facts = facts(ctx, plan, conversation, content)?;
    let Some(mut placement) = plan.place(&facts, now) else { return Ok(false) };
    // Customers who want nothing automatic are answered by people. This is looked up only if an AI seat might be asked.
    let overflows = plan.settings(&placement.group).overflow.is_some_and(|o| o.to == Elsewhere::Ai);
    if (placement.first != First::People || overflows) && consent::refuses(ctx, conversation.person, &conversation.channel)?
    {
        facts.people_only = true;
        placement.first = First::People;
    }
    let greeting = plan.settings(&placement.group).greeting;
    let contact = Contact {
        id: conversation.id,
        channel: &conversation.channel,
        cause: Cause::Arrival,
        facts: Some(facts),
        placement,
        entered: now,
        except: None,
    };
    let Some(ai) = apply(ctx, plan, conversation, Some(key), contact, kept)? else { return Ok(false) };
    if !greeting.is_empty() {
        tell(ctx, conversation, Some(key), greeting)?;
    }
    Ok(ai)
}

/// The facts that the rules look at.
pub fn facts(ctx: &Ctx<'_>, plan: &Ready, conversation: &Conversation, content: &Content) -> Result<Facts, StepError> {
    let customer = customers::get(ctx.db, conversation.customer)?;
    let (mut tags, owner) = customer.map(|c| (c.tags, c.owner)).unwrap_or_default();
    // A decision is stored in the clear and for good, with its facts. Tags that the plan does not use are therefore left
    // out.
    tags.retain(|tag| plan.knows_tag(tag));
    let last = assignment::last_agent(ctx.db, conversation.person)?;
    let status = match content {
        Content::OrderCard { status, .. } => status.clone(),
        _ => None,
    };
    Ok(Facts {
        channel: conversation.channel.clone(),
        account: conversation.account.clone(),
        kind: content.kind().to_owned(),
        status,
        intent: None,
        language: None,
        terms: content.words().map(|words| plan.terms(words)).unwrap_or_default(),
        tags,
        account_group: account_group(ctx, conversation)?,
        owner,
        last: last.map(|(agent, closed_at)| rules::Last { agent, closed_at }),
        people_only: false,
    })
}

/// The group that an account names for conversations that no rule places.
fn account_group(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<Option<GroupId>, StepError> {
    Ok(accounts::routing(ctx, &conversation.channel, &conversation.account)?.and_then(|routing| routing.group()))
}

/// Whether the account has so many queued conversations that no further one may join them. A flood then holds up only its
/// own account, and not the others that the same agents serve.
fn is_full(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<bool, StepError> {
    let Some(routing) = accounts::routing(ctx, &conversation.channel, &conversation.account)? else { return Ok(false) };
    let most = routing.most_waiting();
    Ok(waiting::queued(ctx.db, &conversation.channel, &conversation.account, most)? >= most)
}

/// The demands of a conversation on a seat.
fn lane(conversation: &Conversation) -> Lane {
    conversation.lane.as_deref().and_then(Lane::parse).unwrap_or_else(|| Lane {
        channel: conversation.channel.clone(),
        priority_minutes: 0,
        dedicated: conversation.vip,
        skills: std::collections::BTreeMap::new(),
    })
}

/// The rule that chose the group, without the reason for the agent.
fn rule_of(why: &str) -> &str {
    why.split(", ").next().unwrap_or_default()
}

/// The reason for an agent, behind the reason for the group if there is one.
fn behind(rule: Option<&str>, why: &str) -> String {
    match rule.filter(|rule| !rule.is_empty()) {
        Some(rule) => format!("{rule}, {why}"),
        None => why.to_owned(),
    }
}

/// Seeks a seat in a group for a conversation that was placed before.
pub fn again(
    ctx: &Ctx<'_>,
    plan: &Ready,
    conversation: &Conversation,
    group: &GroupId,
    cause: Cause,
) -> Result<(), StepError> {
    let lane = lane(conversation);
    let (now, queued) = (ctx.now(), conversation.queued_at);
    let (why, entered, except) = match cause {
        // Back in the queue, the time already waited still counts: the contact gets the place of its first entry.
        Cause::AcceptTimeout | Cause::AgentOffline | Cause::AgentLost => {
            let first = queued.or(conversation.first_inbound_at).unwrap_or(conversation.opened_at);
            (conversation.why.clone().unwrap_or_default(), first, conversation.agent)
        }
        Cause::WaitedTooLong => (conversation.why.clone().unwrap_or_default(), queued.unwrap_or(now), None),
        Cause::Transfer => ("transfer".to_owned(), now, conversation.agent),
        Cause::HandOver(_) => ("hand-over".to_owned(), now, conversation.agent),
        Cause::Arrival | Cause::SeatFree => (String::new(), now, None),
    };
    let why = rule_of(&why).to_owned();
    let placement = Placement {
        group: group.clone(),
        why,
        skills: lane.skills,
        priority_minutes: lane.priority_minutes,
        dedicated: lane.dedicated,
        first: First::People,
        prefer: None,
    };
    let contact =
        Contact { id: conversation.id, channel: &conversation.channel, cause, facts: None, placement, entered, except };
    apply(ctx, plan, conversation, None, contact, None).map(drop)
}

/// Makes the decision and carries it out. Returns true if an AI seat has the conversation now, and `None` if the
/// conversation may not even wait.
fn apply(
    ctx: &Ctx<'_>,
    plan: &Ready,
    conversation: &Conversation,
    key: Option<&CustomerKey>,
    contact: Contact<'_>,
    kept: Option<&SeatCache>,
) -> Result<Option<bool>, StepError> {
    let now = ctx.now();
    let floor = StoreView { db: ctx.db, plan, kept };
    let (cause, entered, placement) = (contact.cause, contact.entered, contact.placement.clone());
    let decision = decide::arrive(plan, &floor, contact, now)?;
    // A contact that waited too long and stays in its queue gets no new message.
    let stays = |group: &GroupId| cause == Cause::WaitedTooLong && conversation.group.as_ref() == Some(group);
    if let Outcome::Queued { group, left_message: false, .. } = &decision.outcome
        && stays(group)
    {
        assignment::stays(ctx.db, conversation.id)?;
        return Ok(Some(false));
    }
    if cause == Cause::Arrival && matches!(decision.outcome, Outcome::Queued { .. }) && is_full(ctx, conversation)? {
        return Ok(None);
    }
    record(ctx, now, conversation, &decision, kept)?;
    let lane = Lane {
        channel: conversation.channel.clone(),
        priority_minutes: placement.priority_minutes,
        dedicated: placement.dedicated,
        skills: placement.skills,
    };
    let say = decision.say;
    let mut ai = false;
    match decision.outcome {
        Outcome::Assigned { group, agent, why, units } => {
            let claimed = claim(ctx, plan, now, conversation, (agent, units), false)?;
            let claimed = claimed.ok_or(StoreError::Missing("capacity that the decision saw"))?;
            let given = Assignment { at: now, group: &group, agent, units, why: &why, lane: &lane, entered };
            ai = give(ctx, plan, conversation, &claimed, &given)?;
            if let Some(kept) = kept {
                kept.renew(&floor, agent)?;
            }
        }
        Outcome::Queued { group, lane, rank, behind, left_message } => {
            let why = decision.steps.last().map_or("", |s| s.why.as_str());
            let into = QueueEntry { group: &group, lane: &lane, rank, entered, cause, why, left_message };
            let estimate = queue(ctx, plan, conversation, &into)?;
            if let Some(agent) = behind {
                fill(ctx, plan, agent)?;
                if let Some(kept) = kept {
                    kept.forget();
                }
            }
            let text = plan.settings(&group).waiting_text;
            if cause == Cause::Arrival
                && let Some(text) = waiting_text(&text, estimate)
            {
                tell(ctx, conversation, key, text)?;
            }
        }
    }
    if let Some(text) = say {
        tell(ctx, conversation, key, text)?;
    }
    Ok(Some(ai))
}

/// [`EventBody::RoutingDecided`], serialised straight into text, because it holds hundreds of verdicts.
#[derive(serde::Serialize)]
#[serde(tag = "type", content = "data")]
enum Recorded {
    #[serde(rename = "routing.decided")]
    RoutingDecided(Grouped),
}

/// The event's time is that of the decision, so that the decision can be made again.
fn record(
    ctx: &Ctx<'_>,
    now: Timestamp,
    conversation: &Conversation,
    decision: &Decision,
    kept: Option<&SeatCache>,
) -> Result<(), StepError> {
    for roster in decision.rosters() {
        if kept.is_none_or(|kept| kept.note_roster(roster.number)) {
            rosters::keep(ctx.db, &roster)?;
        }
    }
    let entry = Recorded::RoutingDecided(decision.grouped(now));
    Ok(events::append(ctx.db, now, Some(conversation.id), &entry)?)
}

/// Sends an automatic message, unless the gate refuses it: the customer wants none, for example, or the platform takes none now.
fn tell(ctx: &Ctx<'_>, conversation: &Conversation, key: Option<&CustomerKey>, text: String) -> Result<(), StepError> {
    outgoing::send(ctx, conversation, key, Author::NOTICE, Letter::answer(vec![Content::text(text)])).map(drop)
}

/// The standing of a rank in a group's queue.
pub fn standing(
    ctx: &Ctx<'_>,
    group: &GroupId,
    rank: i64,
    id: warmline_model::ConversationId,
) -> Result<Standing, StepError> {
    let queue = queues::get(ctx.db, group)?;
    let counted = queues::ahead(ctx.db, group, rank, id, COUNTED)?;
    let or_more = counted == COUNTED;
    let ahead = if or_more { queue.as_ref().map_or(counted, |q| q.waiting.max(counted)) } else { counted };
    let pace = queue.map(|q| Pace { last: q.left_at, gap_ms: q.gap_ms }).unwrap_or_default();
    Ok(Standing { position: ahead + 1, or_more, estimate_ms: pace.estimate(ahead, ctx.now()) })
}

fn waiting_text(text: &str, standing: Standing) -> Option<String> {
    if text.is_empty() || (text.contains("{minutes}") && standing.estimate_ms.is_none()) {
        return None;
    }
    let minutes = standing.estimate_ms.unwrap_or(0).saturating_add(59_999) / 60_000;
    Some(text.replace("{position}", &standing.position.to_string()).replace("{minutes}", &minutes.max(1).to_string()))
}

/// The entry of a contact into a queue.
struct QueueEntry<'a> {
    group: &'a GroupId,
    lane: &'a Lane,
    rank: i64,
    entered: Timestamp,
    cause: Cause,
    why: &'a str,
    left_message: bool,
}

fn queue(ctx: &Ctx<'_>, plan: &Ready, conversation: &Conversation, into: &QueueEntry<'_>) -> Result<Standing, StepError> {
    let now = ctx.now();
    let standing = standing(ctx, into.group, into.rank, conversation.id)?;
    let estimate_ms = standing.estimate_ms.filter(|_| !into.left_message);
    let wait_secs = plan.settings(into.group).overflow.and_then(|o| o.wait_secs);
    let overflow_at = wait_secs.map(|secs| into.entered.plus_millis(secs.saturating_mul(1000)));
    assignment::queue(
        ctx.db,
        conversation.id,
        &Queued {
            group: into.group,
            rank: into.rank,
            queued_at: into.entered,
            handle_ms: conversation.handle_ms + held_ms(conversation, now),
            why: into.why,
            lane: &into.lane.key(),
            overflow_at: overflow_at.filter(|_| !into.left_message),
            estimate_ms,
            left_message: into.left_message,
        },
    )?;
    let body = EventBody::ConversationQueued {
        group: into.group.clone(),
        priority: into.lane.priority_minutes,
        lane: into.lane.clone(),
        rank: into.rank,
        entered: into.entered,
        estimate_ms,
        requeued: match into.cause {
            Cause::AcceptTimeout => Some(RequeueReason::AcceptTimeout),
            Cause::AgentOffline => Some(RequeueReason::AgentOffline),
            Cause::AgentLost => Some(RequeueReason::AgentLost),
            _ => None,
        },
    };
    events::append(ctx.db, now, Some(conversation.id), &body)?;
    Ok(standing)
}

/// The milliseconds for which the present agent has held a conversation.
pub(crate) fn held_ms(conversation: &Conversation, now: Timestamp) -> i64 {
    match (conversation.state.holds_capacity(), conversation.assigned_at) {
        (true, Some(since)) => now.since(since).max(0),
        _ => 0,
    }
}

fn claim(
    ctx: &Ctx<'_>,
    plan: &Ready,
    at: Timestamp,
    conversation: &Conversation,
    (agent, units): (AgentId, Units),
    by_person: bool,
) -> Result<Option<Claimed>, StepError> {
    let cost = plan.cost(&conversation.channel);
    let only_beside = matches!(cost.units, Amount::All(_)).then_some(cost.interrupts.as_slice());
    let claim = Claim { agent, at, units, channel: &conversation.channel, only_beside, by_person };
    Ok(agents::claim(ctx.db, &claim)?)
}

/// A contact for an agent.
struct Assignment<'a> {
    at: Timestamp,
    group: &'a GroupId,
    agent: AgentId,
    units: Units,
    why: &'a str,
    lane: &'a Lane,
    entered: Timestamp,
}

/// Gives a contact to an agent. Returns true if the agent is an AI seat.
fn give(
    ctx: &Ctx<'_>,
    plan: &Ready,
    conversation: &Conversation,
    claimed: &Claimed,
    given: &Assignment<'_>,
) -> Result<bool, StepError> {
    let now = given.at;
    let waited_ms = now.since(given.entered).max(0);
    if conversation.state == ConversationState::Queued
        && let Some(group) = &conversation.group
    {
        left_queue(ctx, group, conversation, waited_ms)?;
    }
    let ai = agents::get(ctx.db, given.agent)?.is_some_and(|a| a.ai);
    let accept_secs = plan.settings(given.group).accept_secs;
    let accept_by = (accept_secs > 0 && !ai).then(|| now.plus_millis(accept_secs * 1000));
    assignment::assign(
        ctx.db,
        conversation.id,
        &Assigned {
            group: given.group,
            agent: given.agent,
            at: now,
            accept_by,
            handle_ms: conversation.handle_ms + held_ms(conversation, now),
            why: given.why,
            lane: &given.lane.key(),
            units: given.units,
            ai_due: ai.then(|| now.plus_millis(AI_ANSWER_MS)),
            ai,
        },
    )?;
    let body = EventBody::ConversationAssigned {
        group: given.group.clone(),
        agent: given.agent,
        channel: conversation.channel.clone(),
        units: given.units,
        load: claimed.load,
        capacity: claimed.capacity,
        waited_ms,
        why: given.why.to_owned(),
        ai,
    };
    events::append(ctx.db, now, Some(conversation.id), &body)?;
    Ok(ai)
}

/// Updates the queue's pace after a contact left it, and notes the error of its estimate.
fn left_queue(ctx: &Ctx<'_>, group: &GroupId, conversation: &Conversation, waited_ms: i64) -> Result<(), StepError> {
    let Some(queue) = queues::get(ctx.db, group)? else { return Ok(()) };
    let busy = queue.left_at.zip(conversation.queued_at).is_some_and(|(left, entered)| entered <= left);
    let pace = Pace { last: queue.left_at, gap_ms: queue.gap_ms }.left(ctx.now(), busy);
    let error_ms = conversation.estimate_ms.map(|estimate| (estimate - waited_ms).abs());
    Ok(queues::left(ctx.db, group, ctx.now(), pace.gap_ms, error_ms)?)
}

/// Gives a conversation to one agent because a person decided so.
///
/// # Errors
/// There is no such agent, the agent is offline or has no capacity left for it.
pub fn to_agent(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    group: &GroupId,
    agent: AgentId,
    why: &str,
) -> Result<(), StepError> {
    let plan = crate::plan::current(ctx)?;
    let found = agents::get(ctx.db, agent)?.filter(|a| a.removed_at.is_none());
    let target = found.ok_or_else(|| StepError::invalid("agent", "there is no such agent"))?;
    if target.state == AgentState::Offline {
        return Err(StepError::conflict("agent_offline", "the agent is not at work; choose another agent or a group"));
    }
    let units = taken(&plan.cost(&conversation.channel), target.capacity, target.load);
    let now = ctx.now();
    let claimed = claim(ctx, &plan, now, conversation, (agent, units), true)?.ok_or(StepError::conflict(
        "agent_full",
        "the agent has no capacity left for this conversation; end or hand on another one first, or choose somebody else",
    ))?;
    let entered = match conversation.state {
        ConversationState::Queued => conversation.queued_at.unwrap_or(now),
        _ => now,
    };
    let lane = lane(conversation);
    // The rule that chose the group stays in front: it is the reason again if this agent does not keep the contact.
    let chosen = conversation.why.as_deref().filter(|_| conversation.group.as_ref() == Some(group));
    let why = behind(chosen.map(rule_of), why);
    let given = Assignment { at: now, group, agent, units, why: &why, lane: &lane, entered };
    give(ctx, &plan, conversation, &claimed, &given).map(drop)
}

/// Gives back the capacity that a conversation took from an agent.
///
/// # Errors
/// No capacity was claimed.
pub fn release(ctx: &Ctx<'_>, conversation: &Conversation, agent: AgentId) -> Result<(), StepError> {
    let now = ctx.now();
    let load = agents::release(ctx.db, agent, conversation.units, &conversation.channel, now)?;
    let group = conversation.group.clone().filter(|_| conversation.accepted_at.is_some() && !conversation.ai);
    let work = group.map(|group| Work { group, ms: held_ms(conversation, now), units: conversation.units });
    let body = EventBody::CapacityReleased { agent, load, work };
    Ok(events::append(ctx.db, now, Some(conversation.id), &body)?)
}

/// Takes a conversation from its agent, before it is placed again in the same transaction.
///
/// # Errors
/// No capacity was claimed.
pub fn take_back(ctx: &Ctx<'_>, conversation: &Conversation, agent: AgentId) -> Result<(), StepError> {
    assignment::detach(ctx.db, conversation.id)?;
    release(ctx, conversation, agent)
}

/// Fills an agent's free capacity from the queues of the agent's groups. Returns how many contacts the agent got.
pub fn fill(ctx: &Ctx<'_>, plan: &Ready, agent: AgentId) -> Result<i64, StepError> {
    let floor = StoreView { db: ctx.db, plan, kept: None };
    let mut given = 0;
    while let Some((seat, weights)) = floor.seat_of(agent)? {
        // AI seats get new conversations only; they take none from a queue for people.
        if seat.ai || seat.state != AgentState::Available || seat.load >= seat.capacity {
            break;
        }
        let now = ctx.now();
        let Some((id, decision)) = decide::next(plan, &floor, &seat, &weights, now)? else { break };
        let Outcome::Assigned { group, agent, why, units } = &decision.outcome else { break };
        let conversation = conversations::get(ctx.db, id)?.ok_or(StoreError::Missing("head of a queue"))?;
        record(ctx, now, &conversation, &decision, None)?;
        let claimed = claim(ctx, plan, now, &conversation, (*agent, *units), false)?;
        let claimed = claimed.ok_or(StoreError::Missing("capacity that the decision saw"))?;
        let why = behind(conversation.why.as_deref(), why);
        let (lane, entered) = (lane(&conversation), conversation.queued_at.unwrap_or(conversation.opened_at));
        let next = Assignment { at: now, group, agent: *agent, units: *units, why: &why, lane: &lane, entered };
        give(ctx, plan, &conversation, &claimed, &next)?;
        given += 1;
    }
    Ok(given)
}

/// The rank of a queued conversation; `None` if it is not queued.
pub fn rank_of(conversation: &Conversation) -> Option<i64> {
    let entered = conversation.queued_at.filter(|_| conversation.state == ConversationState::Queued)?;
    Some(rank(entered, lane(conversation).priority_minutes))
}

/// A group's settings in the plan in force.
pub fn settings_of(ctx: &Ctx<'_>, group: &GroupId) -> Result<GroupSettings, StepError> {
    Ok(crate::plan::current(ctx)?.settings(group))
}
