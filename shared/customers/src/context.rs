//! Session context: the part of a person's timeline that a summary needs, one digest for each message, in the key-value
//! store. It saves opening and reading the same messages again. Losing it costs time and never changes a result. It says up
//! to which message it reaches; later messages are read from the store, and without a context all messages are.
//!
//! Nobody has to delete a context. It is sealed under the keys of all customers who are the person, one around the other: if
//! one of them is erased, or a merge is undone, it does not open any more.
//!
//! A key-value store on another machine may be gone. A component that asks it then gets no answer for minutes, and no time-out
//! either. So nothing asks it in a transaction, and a stream never does. Of all others, those who ask within seconds of its last
//! answer find out that it is gone, and one more. While that one's question is open, and for a while after it, everybody does
//! without contexts.

use crate::store::people;
use crate::summary::{Digest, LOOKED_AT};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing;
use warmline_model::{ConversationId, CustomerId, Timestamp};
use warmline_privacy::CustomerKey;
use warmline_store::{Kv, leases};

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

/// The lease that says that the key-value store answered lately.
const ANSWERS: &str = "context/answers";
/// The lease of the one who asks when nobody knows whether it answers.
const ASKED: &str = "context/asked";
/// For how long an answer is believed. Everybody who asks in this time may find that the store is gone.
const BELIEVED_MS: i64 = 5_000;
/// An answer that takes longer counts as none.
const SLOW_MS: i64 = 1_000;
/// For how long nobody asks after that.
const PAUSE_MS: i64 = 60_000;
/// The longest that anybody waits for an answer: Spin's Redis client gives up after eight minutes.
const ASKING_MS: i64 = 600_000;

/// Asks the key-value store, if it answered lately or nobody else is finding out whether it does; `None` if it was not asked.
fn ask<T>(ctx: &Ctx<'_>, question: impl FnOnce(&dyn Kv) -> T) -> Result<Option<T>, StepError> {
    let (now, owner) = (ctx.now(), ctx.owner());
    let answers = leases::is_held(ctx.db, ANSWERS, now)?;
    if !answers && !leases::claim(ctx.db, ASKED, &owner, now, now.plus_millis(ASKING_MS))? {
        return Ok(None);
    }
    let answer = question(ctx.kv);
    let then = ctx.now();
    let slow = then >= now.plus_millis(SLOW_MS);
    if slow && answers {
        leases::claim(ctx.db, ASKED, &owner, then, then.plus_millis(PAUSE_MS))?;
    } else if slow {
        leases::renew(ctx.db, ASKED, &owner, then, then.plus_millis(PAUSE_MS))?;
    } else if !answers {
        leases::claim(ctx.db, ANSWERS, &owner, then, then.plus_millis(BELIEVED_MS))?;
        leases::release(ctx.db, ASKED, &owner)?;
    }
    Ok(Some(answer))
}

/// A stored value that has not ended. An ended value is deleted.
fn get(kv: &dyn Kv, key: &str, now: Timestamp) -> Option<Vec<u8>> {
    let value = kv.get(key)?;
    if split(&value).is_some_and(|(until, _)| until > now.millis()) {
        return Some(value);
    }
    kv.delete(key);
    None
}

/// The keys of all customers who are the person; `None` if one does not open.
fn keys(ctx: &Ctx<'_>, members: &BTreeSet<CustomerId>) -> Option<Vec<CustomerKey>> {
    members.iter().map(|member| sealing::customer_key(ctx, *member).ok()).collect()
}

fn members(ctx: &Ctx<'_>, person: CustomerId) -> Result<BTreeSet<CustomerId>, StepError> {
    Ok(people::members(ctx.db, person)?.into_iter().map(|member| member.id).collect())
}

/// The person's context, if one is stored and can be continued.
pub(crate) fn load(ctx: &Ctx<'_>, person: CustomerId, since: Timestamp) -> Result<Option<Context>, StepError> {
    let Some(place) = key_of(ctx, person) else { return Ok(None) };
    let Some(value) = ask(ctx, |kv| get(kv, &place, ctx.now()))?.flatten() else { return Ok(None) };
    let Some((until, sealed)) = split(&value) else { return Ok(None) };
    let members = members(ctx, person)?;
    let Some(keys) = keys(ctx, &members) else { return Ok(None) };
    let aad = aad(person, until);
    let plain = keys.iter().rev().try_fold(sealed.to_vec(), |sealed, key| key.open(&aad, &sealed)).ok();
    let context = plain.and_then(|plain| serde_json::from_slice::<Context>(&plain).ok());
    Ok(context.filter(|context| context.serves(since, &members)))
}

/// Stores the context. Also deletes another one, chosen at random, if that has ended.
pub(crate) fn save(ctx: &Ctx<'_>, person: CustomerId, context: &Context) -> Result<(), StepError> {
    let (now, mut drawn) = (ctx.now(), [0; 8]);
    let until = now.plus_millis(KEPT_MS).millis();
    let Some(place) = key_of(ctx, person) else { return Ok(()) };
    let (aad, keys) = (aad(person, until), keys(ctx, &members(ctx, person)?));
    let sealed = keys
        .zip(serde_json::to_vec(context).ok())
        .and_then(|(keys, plain)| keys.iter().try_fold(plain, |plain, key| key.seal(&aad, &plain, ctx.rng)).ok());
    ctx.rng.fill(&mut drawn);
    let other = key(ctx, u64::from_be_bytes(drawn));
    ask(ctx, |kv| {
        if let Some(sealed) = sealed {
            kv.set(&place, &[&until.to_be_bytes(), sealed.as_slice()].concat());
        }
        if let Some(other) = other {
            get(kv, &other, now);
        }
    })?;
    Ok(())
}
