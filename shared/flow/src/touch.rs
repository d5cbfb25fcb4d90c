//! Who may touch a person: read what they said, join them with another, part them, say who they are.
//!
//! Supervisors may do all of it. An agent works with the persons whom they **serve**: those with whom they hold an open conversation, or
//! about whom a colleague asks them. Nothing that an agent may do makes them serve somebody; only routing, a colleague or a supervisor
//! does. A merge shows an agent what both sides said, so it takes both, or one and a suggestion that no member of staff made.

use crate::audit::{self, Action, Of};
use crate::ctx::{Actor, Ctx, FlowError};
use crate::{people as flow, sealed};
use warmline_identity::Known;
use warmline_model::{AgentId, CustomerId, MergeId, Role};
use warmline_store::people::{self, HOLDERS};
use warmline_store::{Db, StoreError};

const MISSING: FlowError = FlowError::NotFound("customer");

fn person(ctx: &Ctx<'_>, customer: CustomerId) -> Result<CustomerId, FlowError> {
    people::person(ctx.db, customer)?.ok_or(MISSING)
}

/// Whether what a person said is an actor's business: a supervisor's, or of those who talk with them now.
///
/// # Errors
/// The store fails.
pub fn serves(ctx: &Ctx<'_>, actor: &Actor, person: CustomerId) -> Result<bool, FlowError> {
    may(ctx, actor, person, people::served_by)
}

/// Whether an actor supervises, or is an agent of whom that is true.
fn may(
    ctx: &Ctx<'_>,
    actor: &Actor,
    person: CustomerId,
    is: impl FnOnce(&dyn Db, CustomerId, AgentId) -> Result<bool, StoreError>,
) -> Result<bool, FlowError> {
    match actor.agent {
        _ if actor.supervises() => Ok(true),
        Some(agent) => Ok(is(ctx.db, person, agent)?),
        None => Ok(false),
    }
}

/// The person whom a customer is, where the actor serves them.
///
/// # Errors
/// There is no such customer or the actor does not serve them, which is told the same way; or the store fails.
pub fn served(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId) -> Result<CustomerId, FlowError> {
    let person = person(ctx, customer)?;
    if serves(ctx, actor, person)? { Ok(person) } else { Err(MISSING) }
}

/// The person whom a customer is, where the actor may see who they are, masked: supervisors and privacy officers everybody; agents
/// those whom they serve and those of whom they may read a conversation.
///
/// # Errors
/// As for [`served`].
pub fn seen(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId) -> Result<CustomerId, FlowError> {
    let person = person(ctx, customer)?;
    if actor.role == Role::Privacy || serves(ctx, actor, person)? {
        return Ok(person);
    }
    match actor.agent {
        Some(agent) if people::met_by(ctx.db, person, agent)? => Ok(person),
        _ => Err(MISSING),
    }
}

/// Whether two persons share an identifier that is a ground for an agent's merge: each side has it from a channel or with proof, and no
/// merge by it was undone. What staff typed without proof is none, or an agent could type a stranger's number and read the stranger.
fn suggested(ctx: &Ctx<'_>, one: CustomerId, other: CustomerId) -> Result<bool, FlowError> {
    let told = |strong: bool, source: &str| strong || source != flow::STAFF;
    for member in people::members(ctx.db, one)? {
        for identifier in people::identifiers(ctx.db, member.id)? {
            if !told(identifier.strong, &identifier.source) || people::is_distrusted(ctx.db, &identifier.lookup)? {
                continue;
            }
            let holders = people::holders(ctx.db, &identifier.lookup, HOLDERS)?;
            if holders.iter().any(|h| h.person == other && told(h.strong, &h.source)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether an actor may join a person with another. An agent who is only asked for advice may not: a merge would outlive the advice.
fn holds(ctx: &Ctx<'_>, actor: &Actor, person: CustomerId) -> Result<bool, FlowError> {
    may(ctx, actor, person, people::held_by)
}

/// A member of staff says that two customers are one person.
///
/// # Errors
/// There is no such customer, or an agent talks with neither, or with one and nothing suggests the other (all told the same way); they are one
/// person already (`same_person`); or the store fails.
pub fn join(ctx: &Ctx<'_>, actor: &Actor, a: CustomerId, b: CustomerId) -> Result<MergeId, FlowError> {
    let (one, other) = (person(ctx, a)?, person(ctx, b)?);
    let (holds_one, holds_other) = (holds(ctx, actor, one)?, holds(ctx, actor, other)?);
    let may = (holds_one && holds_other) || ((holds_one || holds_other) && suggested(ctx, one, other)?);
    if !may {
        return Err(MISSING);
    }
    let merged = flow::merge(ctx, a, b, None, actor.agent)?;
    let merge = merged.ok_or(FlowError::conflict("same_person", "the two customers are one person already"))?;
    audit::append(ctx, actor, Action::Merge, Of { customer: Some(a), ..Of::default() })?;
    Ok(merge)
}

/// A member of staff undoes one of a person's merges.
///
/// # Errors
/// There is no such customer or merge, or the actor does not serve the person; it is undone already; or the store fails.
pub fn part(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, merge: MergeId) -> Result<(), FlowError> {
    let person = served(ctx, actor, customer)?;
    if !flow::merges(ctx, person)?.iter().any(|m| m.id == merge) {
        return Err(FlowError::NotFound("merge of this customer"));
    }
    // Before it is undone: the entry names both sides.
    audit::append(ctx, actor, Action::Unmerge, Of { customer: Some(customer), ..Of::default() })?;
    flow::unmerge(ctx, merge, actor.agent)
}

/// A member of staff adds an identifier. It is proof only where a supervisor says that the customer proved it: an agent's word suggests.
///
/// # Errors
/// There is no such customer, or the actor does not serve them; or the store fails.
pub fn identify(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, known: Known, verified: bool) -> Result<(), FlowError> {
    served(ctx, actor, customer)?;
    let key = sealed::customer_key(ctx, customer)?;
    let known = Known { strong: known.strong && verified && actor.supervises(), ..known };
    flow::add(ctx, &ctx.keys.index(), customer, &key, &known, flow::STAFF, actor.agent)?;
    audit::append(ctx, actor, Action::Identify, Of { customer: Some(customer), ..Of::default() })
}
