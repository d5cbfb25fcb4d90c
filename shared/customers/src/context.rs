//! Session context: the part of a person's timeline that a summary needs, one digest for each message, in the key-value
//! store. It saves opening and reading the same messages again. Losing it costs time and never changes a result. It says up
//! to which message it reaches; later messages are read from the store, and without a context all messages are.

use crate::store::people;
use crate::summary::{Digest, LOOKED_AT};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{ConversationId, CustomerId, Timestamp};

/// How long an unchanged context is kept.
const KEPT_MS: i64 = 30 * 86_400_000;

/// The digests so far.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Context {
    /// The context is complete from this instant on, unless it is full.
    pub(crate) since: Timestamp,
    /// The newest messages, newest first. It is full when it has one more than a summary looks at.
    pub(crate) digests: Vec<Digest>,
}

impl Context {
    /// Whether the context can be continued. It must reach back far enough, and all its messages must belong to customers
    /// who are this person now.
    fn serves(&self, since: Timestamp, members: &BTreeSet<CustomerId>) -> bool {
        (self.since <= since || self.digests.len() > LOOKED_AT) && self.digests.iter().all(|d| members.contains(&d.customer))
    }

    /// The newest message of each customer in the context.
    pub(crate) fn covered(&self) -> BTreeMap<CustomerId, (ConversationId, i64)> {
        let mut covered = BTreeMap::new();
        for digest in &self.digests {
            let newest = covered.entry(digest.customer).or_insert((digest.conversation, digest.n));
            *newest = (*newest).max((digest.conversation, digest.n));
        }
        covered
    }

    /// Adds newer messages.
    pub(crate) fn add(&mut self, newer: Vec<Digest>) {
        self.digests.extend(newer);
        self.digests.sort_by_key(|d| std::cmp::Reverse(d.place()));
        self.digests.truncate(LOOKED_AT + 1);
    }
}

fn aad(person: CustomerId, until: i64) -> [u8; 31] {
    let mut aad = [0; 31];
    aad[..7].copy_from_slice(b"context");
    aad[7..23].copy_from_slice(person.as_bytes());
    aad[23..].copy_from_slice(&until.to_be_bytes());
    aad
}

/// A value begins with the instant of its end, in the clear. The sealed context follows.
fn split(value: &[u8]) -> Option<(i64, &[u8])> {
    let (until, sealed) = value.split_first_chunk()?;
    Some((i64::from_be_bytes(*until), sealed))
}

/// The number of keys is fixed, however many persons there are. Persons with the same key take turns.
fn key(ctx: &Ctx<'_>, drawn: u64) -> Option<String> {
    drawn.checked_rem(ctx.contexts).map(|place| format!("context/{place}"))
}

fn key_of(ctx: &Ctx<'_>, person: CustomerId) -> Option<String> {
    // The last bytes of an id are random.
    let random = person.as_bytes().last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    key(ctx, random)
}

/// A stored value that has not ended. An ended value is deleted.
fn get(ctx: &Ctx<'_>, key: &str) -> Option<Vec<u8>> {
    let value = ctx.kv.get(key)?;
    if split(&value).is_some_and(|(until, _)| until > ctx.now().millis()) {
        return Some(value);
    }
    ctx.kv.delete(key);
    None
}

/// The person's context, if one is stored and can be continued.
pub(crate) fn load(ctx: &Ctx<'_>, person: CustomerId, since: Timestamp) -> Result<Option<Context>, StepError> {
    let Some(value) = key_of(ctx, person).and_then(|key| get(ctx, &key)) else { return Ok(None) };
    let Some((until, sealed)) = split(&value) else { return Ok(None) };
    let Ok(key) = sealing::customer_key(ctx, person) else { return Ok(None) };
    let plain = key.open(&aad(person, until), sealed).ok();
    let context = plain.and_then(|plain| serde_json::from_slice::<Context>(&plain).ok());
    let members: BTreeSet<CustomerId> = people::members(ctx.db, person)?.into_iter().map(|m| m.id).collect();
    Ok(context.filter(|context| context.serves(since, &members)))
}

/// Stores the context. Also deletes another one, chosen at random, if that has ended.
pub(crate) fn save(ctx: &Ctx<'_>, person: CustomerId, context: &Context) {
    let until = ctx.now().plus_millis(KEPT_MS).millis();
    let Some(place) = key_of(ctx, person) else { return };
    if let Ok(key) = sealing::customer_key(ctx, person)
        && let Ok(plain) = serde_json::to_vec(context)
        && let Ok(sealed) = key.seal(&aad(person, until), &plain, ctx.rng)
    {
        ctx.kv.set(&place, &[&until.to_be_bytes(), sealed.as_slice()].concat());
    }
    let mut drawn = [0; 8];
    ctx.rng.fill(&mut drawn);
    if let Some(other) = key(ctx, u64::from_be_bytes(drawn)) {
        get(ctx, &other);
    }
}

/// Drops the contexts of the customer's person and of all customers merged with it. Call this before erasing a person or
/// undoing a merge, while the store still knows the person's customers.
pub(crate) fn forget(ctx: &Ctx<'_>, customer: CustomerId) -> Result<(), StepError> {
    let mut all = vec![customer];
    if let Some(person) = people::person(ctx.db, customer)? {
        all.extend(people::members(ctx.db, person)?.into_iter().map(|m| m.id));
    }
    for key in all.into_iter().filter_map(|id| key_of(ctx, id)) {
        ctx.kv.delete(&key);
    }
    Ok(())
}
