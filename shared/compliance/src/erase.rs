//! Erasing a person (PIPL article 47). From the first step on, nobody can find or read them. In later steps, which the tick
//! takes, their keys are destroyed, the data sealed under these keys is deleted, and transient copies become unreadable.
//! There is a receipt only when all of this is done. Conversations and events stay as rows of ids, times and codes, from
//! which figures are made.

use serde::Serialize;
use std::collections::BTreeSet;
use warmline_customers::hold;
use warmline_customers::store::{
    erasures::{self, Erasure},
    people,
};
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::installed::hooks;
use warmline_kernel::personal::{Erase, Erased, Erasing};
use warmline_kernel::transient_keys;
use warmline_model::{CustomerId, ErasureId, EventBody, Timestamp};
use warmline_store::{customers, events, immediate, inbox, migrate, vault};

/// The reasons for which a person can be erased.
pub const REASONS: [&str; 4] = ["request", "consent_withdrawn", "purpose_served", "unlawful"];

/// The most erasures that one tick works on.
const AT_ONCE: i64 = 8;
/// Unreadable items that are emptied in one transaction.
const BATCH: i64 = 500;
/// The time for which one tick deletes messages of one person.
const BUDGET_MS: i64 = 1_000;

/// The customers that only merges made by hand join with this customer.
pub fn by_hand(ctx: &Ctx<'_>, customer: CustomerId) -> Result<Vec<CustomerId>, StepError> {
    let Some(person) = people::person(ctx.db, customer)? else { return Ok(Vec::new()) };
    let (mut proved, mut open) = (BTreeSet::from([customer]), vec![customer]);
    while let Some(next) = open.pop() {
        for merge in people::merges(ctx.db, next)?.into_iter().filter(|m| m.undone_at.is_none()) {
            if !people::is_by_hand(ctx.db, &merge)? {
                open.extend([merge.a, merge.b].into_iter().filter(|side| proved.insert(*side)));
            }
        }
    }
    let members = people::members(ctx.db, person)?.into_iter().map(|m| m.id);
    Ok(members.filter(|id| !proved.contains(id)).collect())
}

/// Begins to erase a person, named by any of their customers. If the person was erased before, that erasure is returned.
/// `include` names the customers who are joined only by merges made by hand and are to be erased too. They must be named
/// because an erasure cannot be undone, and a merge can be a mistake.
///
/// # Errors
/// - There is no such customer.
/// - A legal hold covers them (`legal_hold`).
/// - Customers merged by hand are not named.
pub fn begin(
    ctx: &Ctx<'_>,
    customer: CustomerId,
    actor: &Actor,
    reason: &str,
    include: &[CustomerId],
) -> Result<Erasure, StepError> {
    let of = Subject { customer: Some(customer), reason: Some(reason), ..Subject::default() };
    if let Some(before) = erasures::of(ctx.db, customer)? {
        audit::append(ctx, actor, Action::Erase, of)?;
        return Ok(before);
    }
    let person = people::person(ctx.db, customer)?.ok_or(StepError::NotFound("customer"))?;
    hold::check(ctx, person)?;
    let along = by_hand(ctx, customer)?;
    if along.iter().any(|id| !include.contains(id)) {
        return Err(StepError::MergedByHand(along));
    }
    // This must happen while the person still has customers that the entry can name.
    audit::append(ctx, actor, Action::Erase, of)?;
    let now = ctx.now();
    let new = Erasure {
        id: ErasureId::new(now, ctx.rng),
        person,
        asked_by: actor.agent,
        reason: reason.to_owned(),
        asked_at: now,
        inbox_from: None,
        messages: 0,
        done_at: None,
        receipt: None,
    };
    erasures::insert(ctx.db, &new)?;
    let members: Vec<CustomerId> = people::members(ctx.db, person)?.into_iter().map(|m| m.id).collect();
    let erasing = Erasing { id: new.id, customers: &members };
    // Capabilities that build on others come first: a conversation ends while its customer can still be found.
    hooks(ctx)?.rev().try_for_each(|hooks| (hooks.begin)(ctx, &erasing))?;
    Ok(new)
}

/// Continues the erasures that have begun. Returns how many were completed.
///
/// # Errors
/// The store fails. Committed steps stay, and the next tick does the rest.
pub fn go_on(ctx: &Ctx<'_>) -> Result<i64, StepError> {
    let mut done = 0;
    for running in erasures::running(ctx.db, AT_ONCE)? {
        done += i64::from(step(ctx, &running)?);
    }
    Ok(done)
}

fn step(ctx: &Ctx<'_>, running: &Erasure) -> Result<bool, StepError> {
    let customers = erasures::customers(ctx.db, running.id)?;
    for customer in &customers {
        vault::destroy(ctx.vault, *customer)?;
    }
    let from = match running.inbox_from {
        Some(from) => from,
        None => {
            let from = transient_keys::turn_over(ctx)?;
            // The senders of these items are unknown, so they may be this person's.
            while inbox::empty_odd(ctx.db, running.asked_at, BATCH)? == usize::try_from(BATCH).unwrap_or(0) {}
            erasures::set_inbox_from(ctx.db, running.id, from)?;
            from
        }
    };
    let until = ctx.now().plus_millis(BUDGET_MS);
    for erase in hooks(ctx)?.filter_map(|hooks| hooks.erase) {
        for customer in &customers {
            while immediate(ctx.db, || part(ctx, running.id, *customer, erase))? {
                if ctx.now() > until {
                    return Ok(false);
                }
            }
        }
    }
    if !transient_keys::gone(ctx, from)? || !vault::settle(ctx.vault)? {
        return Ok(false);
    }
    // A capability that only a newer program knows may still hold data of the person.
    if migrate::capabilities(ctx.db)?.iter().any(|of| !ctx.installed.names.contains(&of.as_str())) {
        return Ok(false);
    }
    immediate(ctx.db, || complete(ctx, running.id, customers))
}

/// Erases one part of one customer, and counts it. Returns true if more is left.
fn part(ctx: &Ctx<'_>, erasure: ErasureId, customer: CustomerId, erase: Erase) -> Result<bool, StepError> {
    let Erased { messages, more } = erase(ctx, customer)?;
    if messages > 0 {
        erasures::count(ctx.db, erasure, messages)?;
    }
    Ok(more)
}

/// The receipt, for the person who asked and for an auditor.
#[derive(Serialize)]
struct Receipt<'a> {
    /// The format of this text.
    receipt: &'static str,
    erasure: ErasureId,
    reason: &'a str,
    asked_at: Timestamp,
    done_at: Timestamp,
    /// The customers that were this person. Their keys are destroyed.
    customers: Vec<CustomerId>,
    identities: usize,
    messages: i64,
    statement: &'static str,
}

const STATEMENT: &str = "The keys under which these customers' names, identifiers and messages were sealed are destroyed, and what was \
                         sealed under them is deleted. Copies of the store made before cannot be read without those keys.";

fn complete(ctx: &Ctx<'_>, id: ErasureId, customers: Vec<CustomerId>) -> Result<bool, StepError> {
    let now = ctx.now();
    let erased = erasures::get(ctx.db, id)?.ok_or(StepError::NotFound("erasure"))?;
    let receipt = Receipt {
        receipt: "warmline erasure 1",
        erasure: id,
        reason: &erased.reason,
        asked_at: erased.asked_at,
        done_at: now,
        identities: customers::identities(ctx.db, erased.person)?.len(),
        customers,
        messages: erased.messages,
        statement: STATEMENT,
    };
    let text = serde_json::to_string(&receipt).map_err(|_| warmline_privacy::SealError::Format)?;
    if !erasures::done(ctx.db, id, now, &text)? {
        return Ok(false);
    }
    let body = EventBody::CustomerErased { erasure: id, customer: erased.person, messages: erased.messages };
    events::append(ctx.db, now, None, &body)?;
    Ok(true)
}

/// Begins the export of a person's data. Returns the customer that stands for the person, and the erasure if they were
/// erased.
/// # Errors
/// There is no such customer.
pub fn exported(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId) -> Result<(CustomerId, Option<Erasure>), StepError> {
    let found = match erasures::of(ctx.db, customer)? {
        Some(erasure) => (erasure.person, Some(erasure)),
        None => (people::person(ctx.db, customer)?.ok_or(StepError::NotFound("customer"))?, None),
    };
    audit::record(ctx, actor, Action::Export, Subject { customer: Some(found.0), ..Subject::default() })?;
    Ok(found)
}
