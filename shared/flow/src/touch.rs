//! Who may touch a person: read what they said, join them with another, part them, say who they are. Each step here notes in the audit log
//! what it did, so that no caller can leave the note out. What is read is noted before it is read.
//!
//! Supervisors may do all of it. An agent works with the persons whom they **serve**: those with whom they hold an open conversation, or
//! about whom a colleague asks them. Nothing that an agent may do makes them serve somebody; only routing, a colleague or a supervisor
//! does. A merge shows an agent what both sides said, so it takes both, or one and a suggestion that no member of staff made.

use crate::people as flow;
use crate::summary::{self, Summary};
use crate::timeline::{self, Entry, Place};
use warmline_identity::Known;
use warmline_kernel::audit::{self, Action, Of};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealed;
use warmline_model::{AgentId, CustomerId, MergeId, Role, Timestamp};
use warmline_store::erasures::{self, Erasure};
use warmline_store::people::{self, HOLDERS};
use warmline_store::{Db, StoreError, agents, customers};

const MISSING: StepError = StepError::NotFound("customer");

fn person(ctx: &Ctx<'_>, customer: CustomerId) -> Result<CustomerId, StepError> {
    people::person(ctx.db, customer)?.ok_or(MISSING)
}

/// Whether what a person said is an actor's business: a supervisor's, or of those who talk with them now.
pub fn serves(ctx: &Ctx<'_>, actor: &Actor, person: CustomerId) -> Result<bool, StepError> {
    may(ctx, actor, person, people::served_by)
}

/// Whether an actor supervises, or is an agent of whom that is true.
fn may(
    ctx: &Ctx<'_>,
    actor: &Actor,
    person: CustomerId,
    is: impl FnOnce(&dyn Db, CustomerId, AgentId) -> Result<bool, StoreError>,
) -> Result<bool, StepError> {
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
pub fn served(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId) -> Result<CustomerId, StepError> {
    let person = person(ctx, customer)?;
    if serves(ctx, actor, person)? { Ok(person) } else { Err(MISSING) }
}

/// The person whom a customer is, where the actor may see who they are, masked: supervisors and privacy officers everybody; agents
/// those whom they serve and those of whom they may read a conversation.
///
/// # Errors
/// As for [`served`].
pub fn seen(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId) -> Result<CustomerId, StepError> {
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
fn suggested(ctx: &Ctx<'_>, one: CustomerId, other: CustomerId) -> Result<bool, StepError> {
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
fn holds(ctx: &Ctx<'_>, actor: &Actor, person: CustomerId) -> Result<bool, StepError> {
    may(ctx, actor, person, people::held_by)
}

/// A member of staff says that two customers are one person.
///
/// # Errors
/// There is no such customer, or an agent talks with neither, or with one and nothing suggests the other (all told the same way); they are one
/// person already (`same_person`); or the store fails.
pub fn join(ctx: &Ctx<'_>, actor: &Actor, a: CustomerId, b: CustomerId) -> Result<MergeId, StepError> {
    let (one, other) = (person(ctx, a)?, person(ctx, b)?);
    let (holds_one, holds_other) = (holds(ctx, actor, one)?, holds(ctx, actor, other)?);
    let may = (holds_one && holds_other) || ((holds_one || holds_other) && suggested(ctx, one, other)?);
    if !may {
        return Err(MISSING);
    }
    let merged = flow::merge(ctx, a, b, None, actor.agent)?;
    let merge = merged.ok_or(StepError::conflict("same_person", "the two customers are one person already"))?;
    append(ctx, actor, Action::Merge, a)?;
    Ok(merge)
}

/// A member of staff undoes one of a person's merges.
///
/// # Errors
/// There is no such customer or merge, or the actor does not serve the person; it is undone already; or the store fails.
pub fn part(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, merge: MergeId) -> Result<(), StepError> {
    let person = served(ctx, actor, customer)?;
    if !flow::merges(ctx, person)?.iter().any(|m| m.id == merge) {
        return Err(StepError::NotFound("merge of this customer"));
    }
    // Before it is undone: the entry names both sides.
    append(ctx, actor, Action::Unmerge, customer)?;
    flow::unmerge(ctx, merge, actor.agent)
}

/// A member of staff adds an identifier. It is proof only where a supervisor says that the customer proved it: an agent's word suggests.
///
/// # Errors
/// There is no such customer, or the actor does not serve them; or the store fails.
pub fn identify(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, known: Known, verified: bool) -> Result<(), StepError> {
    served(ctx, actor, customer)?;
    let key = sealed::customer_key(ctx, customer)?;
    let known = Known { strong: known.strong && verified && actor.supervises(), ..known };
    flow::add(ctx, &ctx.keys.index(), customer, &key, &known, flow::STAFF, actor.agent)?;
    append(ctx, actor, Action::Identify, customer)
}

/// A member of staff takes an identifier away from a person (PIPL article 46). Where staff typed it, only that goes.
///
/// # Errors
/// There is no such customer, or they have no such identifier; or the store fails.
pub fn forget_identifier(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, known: &Known) -> Result<(), StepError> {
    let person = person(ctx, customer)?;
    if !flow::forget(ctx, &ctx.keys.index(), person, known)? {
        return Err(StepError::NotFound("identifier of this customer"));
    }
    append(ctx, actor, Action::Correct, person)
}

/// A member of staff corrects a person's name (PIPL article 46), on all channels; `None` goes back to what the channels tell.
///
/// # Errors
/// There is no such customer, or the store fails.
pub fn rename(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, name: Option<&str>) -> Result<(), StepError> {
    let person = person(ctx, customer)?;
    flow::set_name(ctx, person, name)?;
    append(ctx, actor, Action::Correct, person)
}

/// A member of staff gives a person an own agent, or none.
///
/// # Errors
/// There is no such customer or agent, or the store fails.
pub fn own(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, agent: Option<AgentId>) -> Result<(), StepError> {
    if let Some(agent) = agent
        && agents::get(ctx.db, agent)?.is_none_or(|a| a.removed_at.is_some())
    {
        return Err(StepError::invalid("agent", "there is no such agent"));
    }
    flow::set_owner(ctx, customer, agent)?;
    append(ctx, actor, Action::Own, customer)
}

/// A member of staff replaces a person's tags.
///
/// # Errors
/// There is no such customer, or the store fails.
pub fn tag(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, tags: &[String]) -> Result<(), StepError> {
    flow::set_tags(ctx, customer, tags)?;
    append(ctx, actor, Action::Tag, customer)
}

fn append(ctx: &Ctx<'_>, actor: &Actor, action: Action, customer: CustomerId) -> Result<(), StepError> {
    audit::append(ctx, actor, action, Of { customer: Some(customer), ..Of::default() })
}

/// A page of a served person's timeline: at most `limit` messages stored before a place and not before an instant.
///
/// # Errors
/// As for [`served`].
pub fn timeline(
    ctx: &Ctx<'_>,
    actor: &Actor,
    customer: CustomerId,
    since: Timestamp,
    before: Option<Place>,
    limit: usize,
) -> Result<Vec<Entry>, StepError> {
    let person = served(ctx, actor, customer)?;
    audit::record(ctx, actor, Action::ReadTimeline, Of { customer: Some(person), ..Of::default() })?;
    timeline::page(ctx, person, since, before, limit)
}

/// A person, and what was said with them.
pub struct Summed {
    /// The customer that stands for the person.
    pub person: CustomerId,
    /// Their names, each once.
    pub names: Vec<String>,
    /// Their tags.
    pub tags: Vec<String>,
    /// What was said.
    pub summary: Summary,
}

/// What an agent must know who takes a served person over; `of` names the customer, and for which conversation and why where there is one.
///
/// # Errors
/// As for [`served`].
pub fn summary(ctx: &Ctx<'_>, actor: &Actor, of: Of<'_>, since: Timestamp) -> Result<Summed, StepError> {
    let person = served(ctx, actor, of.customer.ok_or(MISSING)?)?;
    audit::record(ctx, actor, Action::ReadSummary, Of { customer: Some(person), ..of })?;
    let tags = customers::get(ctx.db, person)?.ok_or(MISSING)?.tags;
    Ok(Summed { person, names: flow::names(ctx, person)?, tags, summary: summary::of(ctx, person, since)? })
}

/// Who a person is, in the clear.
pub struct Unmasked {
    /// Their names, each once.
    pub names: Vec<String>,
    /// Their identifiers.
    pub identifiers: Vec<flow::Opened>,
}

/// Shows who a person is without a mask. A privacy officer talks with nobody, and answers for what is kept of everybody; others see whom
/// they serve.
///
/// # Errors
/// As for [`served`].
pub fn unmask(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, reason: &str) -> Result<Unmasked, StepError> {
    let person = if actor.role == Role::Privacy { person(ctx, customer)? } else { served(ctx, actor, customer)? };
    audit::record(ctx, actor, Action::Unmask, Of { customer: Some(person), reason: Some(reason), ..Of::default() })?;
    Ok(Unmasked { names: flow::names(ctx, person)?, identifiers: flow::identifiers(ctx, person)? })
}

/// Begins to export all that is known of a person: the customer that stands for them, or their erasure where they were erased.
///
/// # Errors
/// There is no such customer, or the store fails.
pub fn export(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId) -> Result<(CustomerId, Option<Erasure>), StepError> {
    let found = match erasures::of(ctx.db, customer)? {
        Some(erasure) => (erasure.person, Some(erasure)),
        None => (person(ctx, customer)?, None),
    };
    audit::record(ctx, actor, Action::Export, Of { customer: Some(found.0), ..Of::default() })?;
    Ok(found)
}
