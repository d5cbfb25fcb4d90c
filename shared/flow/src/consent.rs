//! What customers agreed to. A record is never changed: withdrawing is another record, and the newest of a purpose stands, whichever of
//! the person's customers said it.

use crate::audit::{self, Action, Of};
use crate::ctx::{Actor, Ctx, FlowError};
use std::collections::BTreeMap;
use warmline_model::CustomerId;
use warmline_store::consents::{self, Consent};
use warmline_store::people;

/// What was said.
pub struct Said<'a> {
    /// What for, as a code of the brand's list.
    pub purpose: &'a str,
    /// The version of the text agreed to.
    pub version: &'a str,
    /// Given, or withdrawn.
    pub given: bool,
    /// Where: a channel, or `staff`.
    pub source: &'a str,
}

/// Appends a record of what a customer said.
///
/// # Errors
/// There is no such customer, or the store fails.
pub fn note(ctx: &Ctx<'_>, actor: &Actor, customer: CustomerId, said: &Said<'_>) -> Result<(), FlowError> {
    let new = Consent {
        seq: 0,
        customer,
        purpose: said.purpose.to_owned(),
        version: said.version.to_owned(),
        given: said.given,
        source: said.source.to_owned(),
        by: actor.agent,
        at: ctx.now(),
    };
    consents::append(ctx.db, &new)?;
    let action = if said.given { Action::GiveConsent } else { Action::WithdrawConsent };
    audit::append(ctx, actor, action, Of { customer: Some(customer), reason: Some(said.purpose), ..Of::default() })
}

/// Whether a person agreed to a purpose: the newest record decides, and without one they did not.
///
/// # Errors
/// The store fails.
pub fn allows(ctx: &Ctx<'_>, person: CustomerId, purpose: &str) -> Result<bool, FlowError> {
    let mut newest: Option<Consent> = None;
    for member in people::members(ctx.db, person)? {
        newest = newest.into_iter().chain(consents::newest(ctx.db, member.id, purpose)?).max_by_key(|c| c.seq);
    }
    Ok(newest.is_some_and(|c| c.given))
}

/// What stands of each purpose that a person ever said something about.
///
/// # Errors
/// The store fails.
pub fn standing(ctx: &Ctx<'_>, person: CustomerId) -> Result<Vec<Consent>, FlowError> {
    let mut newest: BTreeMap<String, Consent> = BTreeMap::new();
    for member in people::members(ctx.db, person)? {
        for record in consents::standing(ctx.db, member.id)? {
            if newest.get(&record.purpose).is_none_or(|other| other.seq < record.seq) {
                newest.insert(record.purpose.clone(), record);
            }
        }
    }
    Ok(newest.into_values().collect())
}

/// A person's records before a position, the newest first.
///
/// # Errors
/// The store fails.
pub fn before(ctx: &Ctx<'_>, person: CustomerId, seq: i64, limit: i64) -> Result<Vec<Consent>, FlowError> {
    let mut all = Vec::new();
    for member in people::members(ctx.db, person)? {
        all.extend(consents::before(ctx.db, member.id, seq, limit)?);
    }
    all.sort_unstable_by_key(|c| std::cmp::Reverse(c.seq));
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(all)
}
