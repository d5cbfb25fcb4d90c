//! The hooks for the personal data of customers: erasing, exporting and retention.

use crate::people;
use crate::store::erasures;
use serde::Serialize;
use warmline_kernel::personal::{Erasing, Exported, Hooks, Retain};
use warmline_kernel::{Ctx, StepError, consent};
use warmline_model::{AccountId, Channel, CustomerId, IdentifierKind, MessageId, Timestamp};
use warmline_store::customers;

pub(crate) const HOOKS: Hooks =
    Hooks { begin, erase: None, export, retain: Retain { days: &[], step: |_, _| Ok(Vec::new()) } };

fn begin(ctx: &Ctx<'_>, erasing: &Erasing<'_>) -> Result<(), StepError> {
    erasing.customers.iter().try_for_each(|customer| Ok(erasures::unname(ctx.db, *customer, erasing.id)?))
}

fn export(ctx: &Ctx<'_>, person: CustomerId, after: Option<&str>) -> Result<Option<Exported>, StepError> {
    if after.is_some() {
        return Ok(None);
    }
    Exported::json("customer", 1, &customer(ctx, person)?, None).map(Some)
}

#[derive(Serialize)]
struct Identity {
    channel: Channel,
    account: AccountId,
    /// The person's id there, and the channel's other data about them.
    sender: Option<warmline_model::Sender>,
}

#[derive(Serialize)]
struct Identifier {
    kind: IdentifierKind,
    value: Option<String>,
    source: String,
    at: Timestamp,
}

#[derive(Serialize)]
struct Customer {
    customer: CustomerId,
    since: Timestamp,
    names: Vec<String>,
    tags: Vec<String>,
    identities: Vec<Identity>,
    identifiers: Vec<Identifier>,
    /// The person's present consent: given or withdrawn, by purpose.
    consents: Vec<Consent>,
}

#[derive(Serialize)]
struct Consent {
    purpose: String,
    version: String,
    given: bool,
    source: String,
    /// The person's own words, if they chose in a message.
    wording: Option<String>,
    message: Option<MessageId>,
    at: Timestamp,
}

fn customer(ctx: &Ctx<'_>, id: CustomerId) -> Result<Customer, StepError> {
    let stored = customers::get(ctx.db, id)?.ok_or(StepError::NotFound("customer"))?;
    let mut identities = Vec::new();
    for (identity, channel, account) in customers::identities(ctx.db, id)? {
        identities.push(Identity { channel, account, sender: people::sender(ctx, identity).ok() });
    }
    let identifiers = people::identifiers(ctx, id)?.into_iter().map(|i| Identifier {
        kind: i.stored.kind,
        value: i.value,
        source: i.stored.source,
        at: i.stored.at,
    });
    let consents = consent::standing(ctx, id)?.into_iter().map(|c| Consent {
        purpose: c.purpose,
        version: c.version,
        given: c.given,
        source: c.source,
        wording: c.wording,
        message: c.message,
        at: c.at,
    });
    Ok(Customer {
        customer: id,
        since: stored.created_at,
        names: people::names(ctx, id)?,
        tags: stored.tags,
        identities,
        identifiers: identifiers.collect(),
        consents: consents.collect(),
    })
}
