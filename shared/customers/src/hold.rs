//! Legal holds: a person's stored data stays as long as a dispute, an investigation, a regulator or a court needs it.
//!
//! A hold covers a person. It is written to each of the person's customers, so that a customer stays held after a merge is
//! undone. It is looked up among all of them, so that a customer who is merged with a held one is held too.

use crate::store::{
    holds::{self, Hold},
    people,
};
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_model::CustomerId;
use warmline_transport::deliver;

/// The reasons of holds, as stable codes, each with the text for a caller who tries to remove held data.
pub const REASONS: [(&str, &str); 4] = [
    ("dispute", "a legal hold (dispute) keeps what is stored of this customer; it has to be lifted first"),
    ("investigation", "a legal hold (investigation) keeps what is stored of this customer; it has to be lifted first"),
    ("regulator", "a legal hold (regulator) keeps what is stored of this customer; it has to be lifted first"),
    ("court", "a legal hold (court) keeps what is stored of this customer; it has to be lifted first"),
];

/// Fails if a hold covers a person. The person's data must then not be removed.
///
/// # Errors
/// The conflict `legal_hold`, which names the reason.
pub fn check(ctx: &Ctx<'_>, person: CustomerId) -> Result<(), StepError> {
    let Some(hold) = holds::of_person(ctx.db, person)? else { return Ok(()) };
    let known = REASONS.iter().find(|(code, _)| *code == hold.reason);
    let detail = known.map_or("a legal hold keeps what is stored of this customer", |(_, detail)| detail);
    Err(StepError::conflict("legal_hold", detail))
}

/// Places a hold on a person, or changes it. Repeating the present hold changes nothing and is not logged again.
///
/// # Errors
/// The reason is none of [`REASONS`].
pub fn place(
    ctx: &Ctx<'_>,
    actor: &Actor,
    person: CustomerId,
    reason: &str,
    reference: Option<&str>,
) -> Result<(), StepError> {
    if !REASONS.iter().any(|(code, _)| *code == reason) {
        let codes = REASONS.map(|(code, _)| code).join(", ");
        return Err(StepError::invalid("reason", format!("a hold has one of these reasons: {codes}")));
    }
    let hold = Hold { reason: reason.into(), reference: reference.map(str::to_owned), by: actor.agent, at: ctx.now() };
    let stands = holds::of_person(ctx.db, person)?
        .is_some_and(|h| (h.reason, h.reference) == (hold.reason.clone(), hold.reference.clone()));
    // The hold is written even if it exists already, so that customers merged since then get it too.
    for member in people::members(ctx.db, person)? {
        holds::place(ctx.db, member.id, &hold)?;
    }
    if stands {
        return Ok(());
    }
    // From now on, only the person's own messages are answered.
    deliver::take_back_approaches(ctx, person, "legal_hold", |_| true)?;
    let filed = reference.map(|reference| format!("{reason}/{reference}"));
    let of = Subject { customer: Some(person), reason: Some(filed.as_deref().unwrap_or(reason)), ..Subject::default() };
    audit::append(ctx, actor, Action::PlaceHold, of)
}

/// Lifts a person's hold. It does nothing if there is none.
pub fn lift(ctx: &Ctx<'_>, actor: &Actor, person: CustomerId) -> Result<(), StepError> {
    let Some(hold) = holds::of_person(ctx.db, person)? else { return Ok(()) };
    for member in people::members(ctx.db, person)? {
        holds::lift(ctx.db, member.id)?;
    }
    audit::append(
        ctx,
        actor,
        Action::LiftHold,
        Subject { customer: Some(person), reason: Some(&hold.reason), ..Subject::default() },
    )
}
