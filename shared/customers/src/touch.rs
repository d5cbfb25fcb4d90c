//! The rights of staff towards a person: to read their messages, join them with another person, part them, and correct
//! their identity. Each step here writes its own audit entry, so that no caller can leave it out. The entry for a read is
//! stored before the read.
//!
//! Supervisors may do all of this. An agent works with the persons whom they **serve**: those with whom they hold an open
//! conversation, and those about whom a colleague has asked them. Agents cannot make themselves serve a person: only
//! routing, a colleague or a supervisor can. A merge shows an agent the messages of both sides. It therefore takes both
//! sides, or one side and a suggestion that no member of staff made.

use crate::model::Summary;
use crate::store::people::{self as stored, HOLDERS};
use crate::timeline::{self, Entry, Place};
use crate::{hold, people, summary};
use warmline_identity::NormalisedIdentifier;
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{AgentId, CustomerId, MergeId, Role, Timestamp};
use warmline_store::{Db, StoreError, agents, customers};

const MISSING: StepError = StepError::NotFound("customer");

fn person(ctx: &Ctx<'_>, customer: CustomerId) -> Result<CustomerId, StepError> {
    stored::person(ctx.db, customer)?.ok_or(MISSING)
}

/// Whether the actor may read a person's messages: supervisors, and agents who serve the person.
pub fn serves(ctx: &Ctx<'_>, actor: &Actor, person: CustomerId) -> Result<bool, StepError> {
    may(ctx, actor, person, stored::served_by)
}

/// Whether the actor supervises, or is an agent for whom `is` holds.
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

/// The customer's person, if the actor serves them.
///
/// # Errors
/// There is no such customer, or the actor does not serve them (both get the same answer).
pub fn served(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId) -> Result<CustomerId, StepError> {
    let person = person(ctx, customer)?;
    if serves(ctx, actor, person)? { Ok(person) } else { Err(MISSING) }
}

/// The customer's person, if the actor may see the masked identity. Supervisors and privacy officers see everybody. Agents
/// see the persons whom they serve and those of whom they may read a conversation.
///
/// # Errors
/// As for [`served`].
pub fn seen(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId) -> Result<CustomerId, StepError> {
    let person = person(ctx, customer)?;
    if actor.role == Role::Privacy || serves(ctx, actor, person)? {
        return Ok(person);
    }
    match actor.agent {
        Some(agent) if stored::met_by(ctx.db, person, agent)? => Ok(person),
        _ => Err(MISSING),
    }
}

/// Whether two persons share an identifier that allows an agent's merge. Each side must have it from a channel or with
/// proof, and no merge by it may have been undone. An identifier that staff typed without proof does not count: otherwise
/// an agent could type a stranger's number and read the stranger's messages.
fn suggested(ctx: &Ctx<'_>, one: CustomerId, other: CustomerId) -> Result<bool, StepError> {
    let told = |strong: bool, source: &str| strong || source != people::STAFF;
    for member in stored::members(ctx.db, one)? {
        for identifier in stored::identifiers(ctx.db, member.id)? {
            if !told(identifier.strong, &identifier.source) || stored::is_distrusted(ctx.db, &identifier.lookup)? {
                continue;
            }
            let holders = stored::holders(ctx.db, &identifier.lookup, HOLDERS)?;
            if holders.iter().any(|h| h.person == other && told(h.strong, &h.source)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether the actor may join a person with another. An agent who is only consulted may not: a merge would outlive the
/// consultation.
fn holds(ctx: &Ctx<'_>, actor: &Actor, person: CustomerId) -> Result<bool, StepError> {
    may(ctx, actor, person, stored::held_by)
}

/// A member of staff states that two customers are one person.
///
/// # Errors
/// - There is no such customer; or an agent talks with neither, or with one and nothing suggests the other. All of these
///   get the same answer.
/// - They are one person already (`same_person`).
pub fn join(ctx: &Ctx<'_>, actor: &Actor, a: CustomerId, b: CustomerId) -> Result<MergeId, StepError> {
    let (one, other) = (person(ctx, a)?, person(ctx, b)?);
    let (holds_one, holds_other) = (holds(ctx, actor, one)?, holds(ctx, actor, other)?);
    let may = (holds_one && holds_other) || ((holds_one || holds_other) && suggested(ctx, one, other)?);
    if !may {
        return Err(MISSING);
    }
    let merged = people::merge(ctx, a, b, None, actor.agent)?;
    let merge = merged.ok_or(StepError::conflict("same_person", "the two customers are one person already"))?;
    append(ctx, actor, Action::Merge, a)?;
    Ok(merge)
}

/// A member of staff undoes one of a person's merges.
///
/// # Errors
/// There is no such customer or merge, the actor does not serve the person, or the merge is undone already.
pub fn part(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, merge: MergeId) -> Result<(), StepError> {
    let person = served(ctx, actor, customer)?;
    if !people::merges(ctx, person)?.iter().any(|m| m.id == merge) {
        return Err(StepError::NotFound("merge of this customer"));
    }
    // The entry comes first, while it still names both sides.
    append(ctx, actor, Action::Unmerge, customer)?;
    people::unmerge(ctx, merge, actor.agent)
}

/// A member of staff adds an identifier. It counts as proof only if a supervisor states that the customer proved it; from an
/// agent it is a suggestion.
///
/// # Errors
/// There is no such customer, or the actor does not serve them.
pub fn identify(
    ctx: &Ctx<'_>,
    actor: &Actor,
    customer: CustomerId,
    known: NormalisedIdentifier,
    verified: bool,
) -> Result<(), StepError> {
    served(ctx, actor, customer)?;
    let key = sealing::customer_key(ctx, customer)?;
    let known = NormalisedIdentifier { strong: known.strong && verified && actor.supervises(), ..known };
    people::add(ctx, &ctx.keys.index(), customer, &key, &known, people::STAFF, actor.agent)?;
    append(ctx, actor, Action::Identify, customer)
}

/// A member of staff removes an identifier from a person (PIPL article 46). If staff typed it, only the typed one is
/// removed.
///
/// # Errors
/// There is no such customer, they have no such identifier, or a legal hold covers them.
pub fn forget_identifier(
    ctx: &Ctx<'_>,
    actor: &Actor,
    customer: CustomerId,
    known: &NormalisedIdentifier,
) -> Result<(), StepError> {
    let person = person(ctx, customer)?;
    hold::check(ctx, person)?;
    if !people::forget(ctx, &ctx.keys.index(), person, known)? {
        return Err(StepError::NotFound("identifier of this customer"));
    }
    append(ctx, actor, Action::Correct, person)
}

/// A member of staff corrects a person's name (PIPL article 46) on all channels; `None` goes back to the channels' names.
///
/// # Errors
/// There is no such customer, or a legal hold covers them.
pub fn rename(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, name: Option<&str>) -> Result<(), StepError> {
    let person = person(ctx, customer)?;
    // The name before would be lost.
    hold::check(ctx, person)?;
    people::set_name(ctx, person, name)?;
    append(ctx, actor, Action::Correct, person)
}

/// A member of staff gives a person an agent of their own, or none.
///
/// # Errors
/// There is no such customer or agent.
pub fn own(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, agent: Option<AgentId>) -> Result<(), StepError> {
    if let Some(agent) = agent
        && agents::get(ctx.db, agent)?.is_none_or(|a| a.removed_at.is_some())
    {
        return Err(StepError::invalid("agent", "there is no such agent"));
    }
    people::set_owner(ctx, customer, agent)?;
    append(ctx, actor, Action::Own, customer)
}

/// A member of staff replaces a person's tags.
///
/// # Errors
/// There is no such customer, or a tag would be removed although a legal hold covers them.
pub fn tag(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, tags: &[String]) -> Result<(), StepError> {
    let stored = customers::get(ctx.db, customer)?.ok_or(StepError::NotFound("customer"))?;
    if stored.tags.iter().any(|tag| !tags.contains(tag)) {
        hold::check(ctx, stored.person)?;
    }
    people::set_tags(ctx, customer, tags)?;
    append(ctx, actor, Action::Tag, customer)
}

fn append(ctx: &Ctx<'_>, actor: &Actor, action: Action, customer: CustomerId) -> Result<(), StepError> {
    audit::append(ctx, actor, action, Subject { customer: Some(customer), ..Subject::default() })
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
    audit::record(ctx, actor, Action::ReadTimeline, Subject { customer: Some(person), ..Subject::default() })?;
    timeline::page(ctx, person, since, before, limit)
}

/// A person, and a summary of what was said with them.
pub struct Summed {
    /// The customer that stands for the person.
    pub person: CustomerId,
    /// Their names, each once.
    pub names: Vec<String>,
    /// Their tags.
    pub tags: Vec<String>,
    /// The summary.
    pub summary: Summary,
}

/// The summary for an agent who takes over a served person. `of` names the customer and, if there is one, the conversation
/// and the reason.
///
/// # Errors
/// As for [`served`].
pub fn summary(ctx: &Ctx<'_>, actor: &Actor, of: Subject<'_>, since: Timestamp) -> Result<Summed, StepError> {
    let person = served(ctx, actor, of.customer.ok_or(MISSING)?)?;
    audit::record(ctx, actor, Action::ReadSummary, Subject { customer: Some(person), ..of })?;
    let tags = customers::get(ctx.db, person)?.ok_or(MISSING)?.tags;
    Ok(Summed { person, names: people::names(ctx, person)?, tags, summary: summary::of(ctx, person, since)? })
}

/// A person's names and identifiers, unmasked.
pub struct Unmasked {
    /// Their names, each once.
    pub names: Vec<String>,
    /// Their identifiers.
    pub identifiers: Vec<people::Opened>,
}

/// Shows a person's names and identifiers without a mask. Privacy officers see everybody's, because they answer for all
/// stored data and talk with no customer. Others see the persons whom they serve.
///
/// # Errors
/// As for [`served`].
pub fn unmask(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, reason: &str) -> Result<Unmasked, StepError> {
    let person = if actor.role == Role::Privacy { person(ctx, customer)? } else { served(ctx, actor, customer)? };
    audit::record(
        ctx,
        actor,
        Action::Unmask,
        Subject { customer: Some(person), reason: Some(reason), ..Subject::default() },
    )?;
    Ok(Unmasked { names: people::names(ctx, person)?, identifiers: people::identifiers(ctx, person)? })
}
