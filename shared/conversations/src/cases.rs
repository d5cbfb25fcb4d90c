//! Cases: a person's conversations on one matter. The plan's rules decide which case a conversation continues when it is
//! opened, and again when it first names an order. Staff can decide otherwise; their decision then stays.
//!
//! A case is a mark on conversations. It is always read within one person: it means the conversations with that mark of
//! customers who are that person now. A merge therefore joins only what it shows anyway, and after it is undone nobody sees
//! the other person's messages.

use crate::converse::{self, holder_only};
use crate::store::cases;
use warmline_customers::touch;
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_model::case::{OrderKey, Part};
use warmline_model::{CaseId, Channel, ConversationId, CustomerId, EventBody, Timestamp};
use warmline_routing::Plan;
use warmline_store::conversations::{self, Conversation};
use warmline_store::events;

/// Conversations opened longer than this before the window are not searched, even if they have messages in it.
const OPEN_MS: i64 = 30 * 86_400_000;
/// The most orders kept for a conversation.
const ORDERS: usize = 16;

/// The case that a person's next conversation continues.
pub(crate) fn continued(
    ctx: &Ctx<'_>,
    plan: &Plan,
    person: CustomerId,
    channel: &Channel,
    orders: &[OrderKey],
    at: Timestamp,
) -> Result<Option<CaseId>, StepError> {
    Ok(plan.cases.continued(channel, orders, at, &parts(ctx, plan, person, at)?))
}

/// The conversations of the cases that the person wrote about within the window.
fn parts(ctx: &Ctx<'_>, plan: &Plan, person: CustomerId, at: Timestamp) -> Result<Vec<Part>, StepError> {
    let since = at.plus_millis(-plan.cases.window_ms());
    let mut found = cases::recent(ctx.db, person, ConversationId::last_of(since.plus_millis(-OPEN_MS)), since)?;
    found.sort_unstable();
    found.dedup();
    let mut parts = Vec::new();
    for case in found {
        parts.extend(cases::parts(ctx.db, case, person)?);
    }
    Ok(parts)
}

/// Takes in the orders that a message names. The first ones can move the conversation to another case.
pub(crate) fn named(ctx: &Ctx<'_>, plan: &Plan, conversation: &Conversation, orders: &[OrderKey]) -> Result<(), StepError> {
    let (mut known, fixed) = cases::orders_of(ctx.db, conversation.id)?;
    let first = known.is_empty();
    let new: Vec<OrderKey> = orders.iter().filter(|o| !known.contains(*o)).copied().collect();
    if new.is_empty() || known.len() >= ORDERS {
        return Ok(());
    }
    known.extend(new);
    known.truncate(ORDERS);
    cases::set_orders(ctx.db, conversation.id, &known)?;
    if !first || fixed {
        return Ok(());
    }
    let mut parts = parts(ctx, plan, conversation.person, conversation.opened_at)?;
    parts.retain(|part| part.conversation != conversation.id);
    let alone = !parts.iter().any(|part| part.case == conversation.case);
    match plan.cases.continued(&conversation.channel, &known, conversation.opened_at, &parts) {
        Some(case) => put(ctx, conversation, Some(case), false, None),
        None if alone => Ok(()),
        None => put(ctx, conversation, None, false, None),
    }
}

/// Puts a conversation into a case, or into a new one if `into` is `None`.
fn put(
    ctx: &Ctx<'_>,
    conversation: &Conversation,
    into: Option<CaseId>,
    fixed: bool,
    agent: Option<warmline_model::AgentId>,
) -> Result<(), StepError> {
    let (now, from) = (ctx.now(), conversation.case);
    let case = into.unwrap_or_else(|| CaseId::new(now, ctx.rng));
    cases::put(ctx.db, conversation.id, case, fixed)?;
    let body = match into {
        Some(case) if case == from => return Ok(()),
        Some(case) => EventBody::CaseLinked { case, from: Some(from), agent },
        None => EventBody::CaseSplit { case, from, agent },
    };
    Ok(events::append(ctx.db, now, Some(conversation.id), &body)?)
}

/// Sets a conversation's case for staff: one of the same person's cases, or one of its own.
///
/// # Errors
/// There is no such conversation or case, the case belongs to another person, or the conversation is not the actor's.
pub fn set(ctx: &Ctx<'_>, actor: &Actor, id: ConversationId, case: Option<CaseId>) -> Result<Conversation, StepError> {
    let conversation = converse::find(ctx, actor, id)?;
    holder_only(actor, &conversation)?;
    let own = case.unwrap_or(conversation.case);
    let others = cases::parts(ctx.db, own, conversation.person)?;
    let into = match case {
        Some(case) if others.is_empty() => {
            cases::persons(ctx.db, case)?.first().ok_or(StepError::NotFound("case"))?;
            return Err(StepError::conflict(
                "other_person",
                "the case is another person's; where both are one person, merge the customers first",
            ));
        }
        // A conversation that is alone in its case keeps that case.
        None if others.len() == 1 => Some(own),
        _ => case,
    };
    put(ctx, &conversation, into, true, actor.agent)?;
    conversations::get(ctx.db, id)?.ok_or(StepError::NotFound("conversation"))
}

/// A case's conversations with one person, oldest first. An undone merge can leave a case with several persons. The answer
/// is then the `customer`'s person or, without `customer`, the first person whom the actor may see.
/// # Errors
/// There is no such case, or the actor may see none of its persons.
pub fn of(
    ctx: &Ctx<'_>,
    actor: &Actor,
    case: CaseId,
    customer: Option<CustomerId>,
) -> Result<(CustomerId, Vec<Conversation>), StepError> {
    let wanted = match customer {
        Some(customer) => Some(warmline_store::customers::person(ctx.db, customer)?.ok_or(StepError::NotFound("customer"))?),
        None => None,
    };
    for person in cases::persons(ctx.db, case)? {
        if wanted.is_none_or(|wanted| wanted == person) && touch::serves(ctx, actor, person)? {
            return Ok((person, cases::of(ctx.db, case, person)?));
        }
    }
    Err(StepError::NotFound("case"))
}
