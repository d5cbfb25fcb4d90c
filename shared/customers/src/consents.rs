//! Statements of consent that staff note, and their effect on messages that are on their way.
//!
//! A withdrawal of `contact` is a do-not-contact: it covers all messages that answer nobody. One of a class (`service`,
//! `survey`, `marketing`) covers all of its purposes, and one of `messages-<channel>` all on that channel.

use warmline_gate::{Purpose, Stance};
use warmline_kernel::consent::{self, Said, messages_on};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_model::{Channel, CustomerId};
use warmline_store::consents;
use warmline_transport::deliver;

/// The reason for taking back a message that answers nobody.
const WITHDRAWN: &str = "do_not_contact";

/// Notes a customer's statement. A withdrawal takes back the messages that it covers and that no deliverer has begun to send.
/// Runs in the caller's transaction.
///
/// # Errors
/// There is no such customer.
pub fn note(
    ctx: &Ctx<'_>,
    actor: &Actor,
    (person, customer): (CustomerId, CustomerId),
    said: &Said<'_>,
) -> Result<(), StepError> {
    consent::note(ctx, actor, customer, said)?;
    if said.given {
        return Ok(());
    }
    let covers = |purpose: &str| Purpose::parse(purpose).is_some_and(|p| p.decided_by().contains(&said.purpose));
    deliver::take_back_approaches(ctx, person, WITHDRAWN, |made| {
        covers(&made.purpose) || messages_on(&made.channel) == said.purpose
    })
}

/// Takes back the messages to a person on a channel that answer nobody, since the person wants no more there. The caller notes
/// the choice in the same transaction.
pub fn refused_on(ctx: &Ctx<'_>, person: CustomerId, channel: &Channel) -> Result<(), StepError> {
    deliver::take_back_approaches(ctx, person, WITHDRAWN, |made| made.channel == *channel)
}

/// A person's statement about a purpose on a channel.
pub fn stance(ctx: &Ctx<'_>, person: CustomerId, channel: &Channel, purpose: &Purpose) -> Result<Stance, StepError> {
    let mut given = false;
    for decides in purpose.decided_by() {
        match consents::of_person(ctx.db, person, decides)? {
            Some(false) => return Ok(Stance::Withdrawn),
            // Who allows contact in general has not agreed to advertising.
            Some(true) => given |= decides != warmline_gate::EVERYTHING,
            None => {}
        }
    }
    if consent::refuses(ctx, person, channel)? {
        return Ok(Stance::Withdrawn);
    }
    Ok(if given { Stance::Given } else { Stance::Silent })
}
