//! One person across channels: the proof by identifiers, merging customers, and undoing merges.
//!
//! Each channel identity gets its own customer record. The customer's messages are sealed under the customer's own key, and
//! replies go to that identity. A merge links two customer records and changes neither. A person is the set of customers
//! that the merges connect, without the undone ones. A merge therefore costs the same however much was written before,
//! cannot send a reply elsewhere, and leaves no trace when it is undone.
//!
//! Merges never form a ring: two customers who are one person already are not joined again. Undoing a merge therefore
//! always parts the customers that it joined.

use crate::store::people::{self, HOLDERS, Identifier, Merge};
use std::collections::{BTreeMap, BTreeSet};
use warmline_identity::NormalisedIdentifier;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing;
use warmline_kernel::tampering::{self, Broken, Value};
use warmline_model::{AgentId, Channel, CustomerId, EventBody, IdentifierKind, IdentityId, MergeId, Sender};
use warmline_privacy::{BlindIndex, CustomerKey, SealError};
use warmline_store::customers::{self, Contact};
use warmline_store::{StoreError, changes, events};

/// The source of an identifier that staff added.
pub const STAFF: &str = "staff";

/// The identifier that proves that two customers are one person.
pub type Proof = (IdentifierKind, [u8; 16]);

fn lookup(index: &BlindIndex, known: &NormalisedIdentifier) -> [u8; 16] {
    index.of(known.kind.as_str(), &[&known.platform, &known.value])
}

fn value_aad(lookup: &[u8; 16], customer: CustomerId) -> [u8; 32] {
    let mut aad = [0; 32];
    aad[..16].copy_from_slice(lookup);
    aad[16..].copy_from_slice(customer.as_bytes());
    aad
}

/// The digest of the identifiers that a sender brings, if they are not those that it brought last.
fn new_identifiers(index: &BlindIndex, contact: &Contact, sender: &Sender) -> Option<[u8; 16]> {
    if sender.union_id.is_none() && sender.identifiers.is_empty() {
        return None;
    }
    let told = sender_digest(index, sender);
    (contact.known.as_deref() != Some(&told)).then_some(told)
}

/// The tags that a sender brings and the person does not have.
fn new_tags(contact: &Contact, sender: &Sender) -> Vec<String> {
    sender.tags.iter().filter(|tag| !contact.tags.contains(tag)).cloned().collect()
}

/// Whether [`take_in`] has something to do.
pub fn has_news(index: &BlindIndex, contact: &Contact, sender: &Sender) -> bool {
    new_identifiers(index, contact, sender).is_some() || !new_tags(contact, sender).is_empty()
}

/// Takes in the identifiers and tags that a sender brings. The customer is joined with others whom the identifiers prove to
/// be the same person. Tags are added, since the channel trusts their source; only staff remove tags. Most messages bring
/// nothing new, and then this costs one hash.
pub fn take_in(
    ctx: &Ctx<'_>,
    index: &BlindIndex,
    contact: &mut Contact,
    key: &CustomerKey,
    channel: &Channel,
    sender: &Sender,
) -> Result<(), StepError> {
    if let Some(told) = new_identifiers(index, contact, sender) {
        let mut merged = false;
        for known in warmline_identity::of(channel, sender) {
            merged |= add(ctx, index, contact.customer, key, &known, channel.as_str(), None)?;
        }
        people::set_known(ctx.db, contact.identity, &told)?;
        if merged {
            let person = customers::get(ctx.db, contact.customer)?.ok_or(StoreError::Missing("customer"))?;
            (contact.person, contact.tags, contact.owner) = (person.person, person.tags, person.owner);
        }
    }
    let new = new_tags(contact, sender);
    if !new.is_empty() {
        add_tags(ctx, contact.customer, &new)?;
        contact.tags.extend(new);
    }
    Ok(())
}

/// A digest of all identifiers that a sender brings.
fn sender_digest(index: &BlindIndex, sender: &Sender) -> [u8; 16] {
    let mut parts = vec![sender.union_id.as_deref().unwrap_or_default()];
    for i in &sender.identifiers {
        parts.extend([i.kind.as_str(), &i.value, if i.verified { "1" } else { "0" }]);
    }
    index.of("told", &parts)
}

/// Adds an identifier to a customer, from a channel or from staff. Returns whether it joined the customer with others.
pub fn add(
    ctx: &Ctx<'_>,
    index: &BlindIndex,
    customer: CustomerId,
    key: &CustomerKey,
    known: &NormalisedIdentifier,
    source: &str,
    by: Option<AgentId>,
) -> Result<bool, StepError> {
    let lookup = lookup(index, known);
    let new = Identifier {
        lookup,
        customer,
        kind: known.kind,
        platform: known.platform.clone(),
        value: key.seal(&value_aad(&lookup, customer), known.value.as_bytes(), ctx.rng)?,
        strong: known.strong,
        source: source.to_owned(),
        at: ctx.now(),
    };
    // It is known already, it is no proof, or it is distrusted.
    if !people::learn(ctx.db, &new)? || !known.strong || people::is_distrusted(ctx.db, &lookup)? {
        return Ok(false);
    }
    // All holders with proof are one person already, so the first one of another person is enough.
    let person = people::person(ctx.db, customer)?;
    let holders = people::holders(ctx.db, &lookup, HOLDERS)?;
    let Some(other) = holders.iter().find(|h| h.strong && Some(h.person) != person) else { return Ok(false) };
    Ok(merge(ctx, customer, other.customer, Some((known.kind, lookup)), by)?.is_some())
}

/// Joins two customers into one person; `None` if they are one already.
///
/// # Errors
/// There is no such customer.
pub fn merge(
    ctx: &Ctx<'_>,
    a: CustomerId,
    b: CustomerId,
    proof: Option<Proof>,
    by: Option<AgentId>,
) -> Result<Option<MergeId>, StepError> {
    let person = |id| people::person(ctx.db, id)?.ok_or(StepError::NotFound("customer"));
    let (one, other) = (person(a)?, person(b)?);
    if one == other {
        return Ok(None);
    }
    let (into, from) = (one.min(other), one.max(other));
    for member in people::members(ctx.db, from)? {
        people::set_person(ctx.db, member.id, into)?;
    }
    refresh_person(ctx, into)?;
    let (id, now) = (MergeId::new(ctx.now(), ctx.rng), ctx.now());
    let (kind, evidence) = proof.unzip();
    people::insert_merge(ctx.db, &Merge { id, a, b, kind, evidence, by, at: now, undone_at: None })?;
    events::append(ctx.db, now, None, &EventBody::CustomerMerged { merge: id, into, from, by: kind, agent: by })?;
    Ok(Some(id))
}

/// Undoes a merge: both sides become the persons that they were without it. Its proof is distrusted from now on, here and
/// elsewhere, so that the next message does not merge them again.
///
/// # Errors
/// There is no such merge, it is already undone.
pub fn unmerge(ctx: &Ctx<'_>, id: MergeId, by: Option<AgentId>) -> Result<(), StepError> {
    let merge = people::merge(ctx.db, id)?.ok_or(StepError::NotFound("merge"))?;
    let now = ctx.now();
    if !people::undo_merge(ctx.db, id, by, now)? {
        return Err(StepError::conflict("already_undone", "the merge was undone before; read the customer again"));
    }
    if let Some(evidence) = merge.evidence {
        people::distrust(ctx.db, &evidence, now)?;
    }
    let [one, other] = [merge.a, merge.b].map(|side| regroup(ctx, side));
    let (one, other) = (one?, other?);
    Ok(events::append(ctx.db, now, None, &EventBody::CustomerUnmerged { merge: id, one, other, agent: by })?)
}

/// Computes again which customers are one person with this one, and which customer stands for the person.
fn regroup(ctx: &Ctx<'_>, customer: CustomerId) -> Result<CustomerId, StepError> {
    let mut found = BTreeSet::from([customer]);
    let mut open = vec![customer];
    while let Some(next) = open.pop() {
        for merge in people::merges(ctx.db, next)?.into_iter().filter(|m| m.undone_at.is_none()) {
            open.extend([merge.a, merge.b].into_iter().filter(|side| found.insert(*side)));
        }
    }
    let person = found.first().copied().unwrap_or(customer);
    for member in found {
        people::set_person(ctx.db, member, person)?;
    }
    refresh_person(ctx, person)?;
    Ok(person)
}

/// Stores the tags and own agent of all the person's customers with the customer that stands for the person, where messages
/// read them.
fn refresh_person(ctx: &Ctx<'_>, person: CustomerId) -> Result<(), StepError> {
    let members = people::members(ctx.db, person)?;
    let mut tags: Vec<String> = Vec::new();
    for tag in members.iter().flat_map(|m| &m.tags) {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    let owner = members.iter().find_map(|m| m.owner);
    people::set_summary(ctx.db, person, &tags, owner)?;
    Ok(changes::note_person(ctx.db, ctx.now(), person)?)
}

/// Adds tags to a customer.
fn add_tags(ctx: &Ctx<'_>, customer: CustomerId, new: &[String]) -> Result<(), StepError> {
    let stored = customers::get(ctx.db, customer)?.ok_or(StepError::NotFound("customer"))?;
    let mut tags = stored.own_tags;
    tags.extend(new.iter().filter(|t| !tags.contains(t)).cloned().collect::<Vec<_>>());
    customers::set_tags(ctx.db, customer, &tags)?;
    refresh_person(ctx, stored.person)
}

/// Replaces a person's tags. The customer that stands for the person gets them all. The others keep those of their own tags
/// that are among them.
///
/// # Errors
/// There is no such customer.
pub(crate) fn set_tags(ctx: &Ctx<'_>, customer: CustomerId, tags: &[String]) -> Result<(), StepError> {
    let person = people::person(ctx.db, customer)?.ok_or(StepError::NotFound("customer"))?;
    for member in people::members(ctx.db, person)? {
        let kept: Vec<String> = member.tags.into_iter().filter(|t| tags.contains(t)).collect();
        customers::set_tags(ctx.db, member.id, if member.id == person { tags } else { &kept })?;
    }
    refresh_person(ctx, person)
}

/// Gives a person an agent of their own, or none.
///
/// # Errors
/// There is no such customer.
pub(crate) fn set_owner(ctx: &Ctx<'_>, customer: CustomerId, owner: Option<AgentId>) -> Result<(), StepError> {
    let person = people::person(ctx.db, customer)?.ok_or(StepError::NotFound("customer"))?;
    for member in people::members(ctx.db, person)? {
        customers::set_owner(ctx.db, member.id, owner.filter(|_| member.id == person))?;
    }
    refresh_person(ctx, person)
}

/// An opened identifier of a person.
pub struct Opened {
    /// The stored row.
    pub stored: Identifier,
    /// The value; `None` if it does not open.
    pub value: Option<String>,
}

/// The identifiers of a person, those of the oldest customer first.
pub fn identifiers(ctx: &Ctx<'_>, person: CustomerId) -> Result<Vec<Opened>, StepError> {
    let mut all = Vec::new();
    for member in people::members(ctx.db, person)? {
        let key = sealing::customer_key(ctx, member.id);
        for stored in people::identifiers(ctx.db, member.id)? {
            let open = |key: &CustomerKey| key.open(&value_aad(&stored.lookup, member.id), &stored.value).ok();
            let value = key.as_ref().ok().and_then(open).and_then(|v| String::from_utf8(v).ok());
            all.push(Opened { stored, value });
        }
    }
    Ok(all)
}

/// The sender of an identity, as its channel describes them.
///
/// # Errors
/// There is no such identity, it does not open.
pub fn sender(ctx: &Ctx<'_>, identity: IdentityId) -> Result<Sender, StepError> {
    let (sealed_sender, customer) = customers::sender(ctx.db, identity)?.ok_or(StepError::NotFound("identity"))?;
    sealing::open_sender(&sealing::customer_key(ctx, customer)?, identity, &sealed_sender)
}

/// The name of an identity: the name that staff corrected it to, or the channel's. `None` also if the customer was erased,
/// or if the name was altered, which is reported to the log. Do not call it inside a transaction.
pub fn name(ctx: &Ctx<'_>, identity: IdentityId) -> Result<Option<String>, StepError> {
    let Some((sealed_sender, customer)) = customers::sender(ctx.db, identity)? else { return Ok(None) };
    let key = match sealing::customer_key(ctx, customer) {
        Err(StepError::Seal(SealError::Erased)) => return Ok(None),
        key => key?,
    };
    let opened = match customers::get(ctx.db, customer)?.and_then(|c| c.name) {
        Some(corrected) => sealing::open_corrected(&key, customer, &corrected).map(Some),
        None => sealing::open_sender(&key, identity, &sealed_sender).map(|sender| sender.name),
    };
    if let Ok(name) = opened {
        return Ok(name);
    }
    tampering::tell(ctx, &[Broken { customer, conversation: None, what: Value::Name(identity) }])?;
    Ok(None)
}

/// Corrects the name of a person (PIPL article 46) on all channels; `None` goes back to the channels' names.
///
/// # Errors
/// There is no such customer.
pub(crate) fn set_name(ctx: &Ctx<'_>, person: CustomerId, name: Option<&str>) -> Result<(), StepError> {
    for member in people::members(ctx.db, person)? {
        let seal = |name| sealing::seal_corrected(ctx, &sealing::customer_key(ctx, member.id)?, member.id, name);
        customers::set_name(ctx.db, member.id, name.map(seal).transpose()?.as_deref())?;
    }
    Ok(changes::note_person(ctx.db, ctx.now(), people::person(ctx.db, person)?.unwrap_or(person))?)
}

/// Removes an identifier from a person. Returns false if the person does not have it. If staff typed it, only the typed one
/// is removed: a customer of the same person who has it from a channel may be its true owner. Merges that it proved stay
/// until they are undone.
pub(crate) fn forget(
    ctx: &Ctx<'_>,
    index: &BlindIndex,
    person: CustomerId,
    known: &NormalisedIdentifier,
) -> Result<bool, StepError> {
    let (lookup, members) = (lookup(index, known), people::members(ctx.db, person)?);
    for forget in [people::forget_typed, people::forget] {
        let mut found = false;
        for member in &members {
            found |= forget(ctx.db, &lookup, member.id)?;
        }
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names of a person, each once. A name that does not open hides no other. Do not call it inside a transaction.
pub fn names(ctx: &Ctx<'_>, person: CustomerId) -> Result<Vec<String>, StepError> {
    let mut names = Vec::new();
    for (identity, ..) in customers::identities(ctx.db, person)? {
        match name(ctx, identity) {
            Ok(name) => names.extend(name.filter(|name| !names.contains(name))),
            Err(StepError::Store(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(names)
}

/// The merges of a person, present and undone, by time.
pub fn merges(ctx: &Ctx<'_>, person: CustomerId) -> Result<Vec<Merge>, StepError> {
    let mut all = BTreeMap::new();
    for member in people::members(ctx.db, person)? {
        all.extend(people::merges(ctx.db, member.id)?.into_iter().map(|m| (m.id, m)));
    }
    Ok(all.into_values().collect())
}

/// Other persons who share an identifier with this one that is no proof, each with the kinds of identifier.
pub fn suggestions(ctx: &Ctx<'_>, person: CustomerId) -> Result<BTreeMap<CustomerId, BTreeSet<IdentifierKind>>, StepError> {
    let mut found: BTreeMap<CustomerId, BTreeSet<IdentifierKind>> = BTreeMap::new();
    for member in people::members(ctx.db, person)? {
        for identifier in people::identifiers(ctx.db, member.id)? {
            for holder in people::holders(ctx.db, &identifier.lookup, HOLDERS)? {
                if holder.person != person {
                    found.entry(holder.person).or_default().insert(identifier.kind);
                }
            }
        }
    }
    Ok(found)
}
