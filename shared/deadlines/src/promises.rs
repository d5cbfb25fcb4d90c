//! The ledger of promises (承诺台账). What staff promise in their messages is found as the summary finds it, and is a deadline of the
//! source `promise` from then on. Staff can note one by hand, confirm, move, fulfil or drop it.

use crate::books;
use crate::clock::{Metric, Source, Track, until};
use crate::follow::LATE_MS;
use crate::model::PromiseView;
use crate::policy::Ready;
use crate::promise;
use crate::settle::settle;
use crate::store::deadlines::{self, Ask, Place, Stored};
use crate::store::promises::{self, Stored as Promise};
use crate::store::subjects;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use warmline_conversations::converse;
use warmline_kernel::audit::{self, Action};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::sealing::{self, Keys};
use warmline_language::said;
use warmline_model::{
    AgentId, Content, ConversationId, CustomerId, Event, EventBody, MessageId, Origin, PromiseId, Timestamp,
};
use warmline_store::conversations::{self, Conversation};
use warmline_store::{StoreError, events, messages};

/// The most promises of one message.
const MOST: usize = 3;

/// The events of promises.
#[derive(Serialize)]
#[serde(tag = "type", content = "data")]
enum Told {
    /// One was found in a message, or noted by hand.
    #[serde(rename = "promise.made")]
    Made { promise: PromiseId, message: Option<MessageId>, agent: Option<AgentId>, due_at: Option<Timestamp>, kind: String },
    /// A member of staff confirmed it.
    #[serde(rename = "promise.confirmed")]
    Confirmed { promise: PromiseId, by: Option<AgentId> },
    /// It is due at another instant.
    #[serde(rename = "promise.moved")]
    Moved { promise: PromiseId, by: Option<AgentId>, due_at: Timestamp },
    /// It was kept.
    #[serde(rename = "promise.fulfilled")]
    Fulfilled { promise: PromiseId, by: Option<AgentId> },
    /// It is none, or is no longer owed.
    #[serde(rename = "promise.dropped")]
    Dropped { promise: PromiseId, by: Option<AgentId> },
}

/// A promise that was found in a message.
pub(crate) struct Found {
    conversation: ConversationId,
    message: MessageId,
    agent: Option<AgentId>,
    at: Timestamp,
    text: String,
    customer: CustomerId,
    kind: String,
    due_at: Option<Timestamp>,
}

impl Found {
    /// The conversation in which it was made.
    pub(crate) const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// Its deadline.
    pub(crate) fn deadline(&self) -> crate::clock::Deadline {
        until(self.conversation, (Metric::Promise, Source::Promise), &self.kind, self.at, self.due_at)
    }

    /// Stores it under the number of its deadline.
    pub(crate) fn store(&self, ctx: &Ctx<'_>, k: i64) -> Result<(), StepError> {
        let key = sealing::customer_key(ctx, self.customer)?;
        let id = PromiseId::new(self.at, ctx.rng);
        let promise = Promise {
            id,
            conversation: self.conversation,
            k,
            agent: self.agent,
            message: Some(self.message),
            text: sealing::seal_promise(ctx, &key, self.conversation, id, &self.text)?,
            confirmed: false,
            made_at: self.at,
        };
        promises::insert(ctx.db, &promise)?;
        let told = Told::Made {
            promise: id,
            message: Some(self.message),
            agent: self.agent,
            due_at: self.due_at,
            kind: self.kind.clone(),
        };
        Ok(events::append(ctx.db, ctx.now(), Some(self.conversation), &told)?)
    }
}

/// The promises in the messages that people sent. They are read before the transaction, which then holds the write lock for the
/// writes only. A message that does not open promises nothing.
pub(crate) fn find(ctx: &Ctx<'_>, batch: &[Event], ready: &Ready) -> Result<Vec<Found>, StepError> {
    let zone = &ready.document.zone;
    let calendar = ready.calendar(ready.document.promise_calendar.as_deref());
    let (mut found, mut keys) = (Vec::new(), Keys::default());
    for event in batch {
        let EventBody::MessageSent { message, n, from: Origin::Agent, agent, .. } = &event.body else { continue };
        let Some(conversation) = event.conversation else { continue };
        let Some((stored, customer)) = messages::with_customer(ctx.db, conversation, *n)? else { continue };
        let Some(Content::Text { text, .. }) =
            keys.of(ctx, customer).and_then(|key| sealing::open_content(key, &stored).ok())
        else {
            continue;
        };
        let dated = said::sentences(&text).map(|sentence| (sentence, promise::due(sentence, event.at, zone, calendar)));
        for (sentence, due) in dated.filter(|(sentence, due)| promise::makes(sentence, due.as_ref())).take(MOST) {
            found.push(Found {
                conversation,
                message: *message,
                agent: *agent,
                at: event.at,
                text: sentence.to_owned(),
                customer,
                kind: due.map_or("open", |due| due.kind).to_owned(),
                due_at: due.map(|due| due.due_at),
            });
        }
    }
    Ok(found)
}

/// A promise with its deadline and its conversation, if the actor may act on it.
fn theirs(ctx: &Ctx<'_>, actor: &Actor, id: PromiseId) -> Result<(Promise, Conversation), StepError> {
    let missing = StepError::NotFound("promise");
    let promise = promises::get(ctx.db, id)?.ok_or_else(|| missing.clone())?;
    let mine = actor.agent.is_some() && promise.agent == actor.agent;
    let conversation = match converse::find(ctx, actor, promise.conversation) {
        Err(StepError::NotFound(_)) if mine => conversations::get(ctx.db, promise.conversation)?.ok_or(missing)?,
        Err(StepError::NotFound(_)) => return Err(missing),
        found => found?,
    };
    let holds = actor.agent.is_some() && conversation.agent == actor.agent;
    if !(actor.supervises() || mine || holds) {
        return Err(StepError::conflict("not_yours", "the promise is another agent's; supervisors may decide about it"));
    }
    Ok((promise, conversation))
}

/// Changes the deadline of a promise.
///
/// # Errors
/// It has ended (`promise_ended`).
fn change(ctx: &Ctx<'_>, promise: &Promise, with: impl FnOnce(&mut Stored)) -> Result<(), StepError> {
    let before = deadlines::open(ctx.db, &[promise.conversation])?;
    let mut all = before.clone();
    let Some(stored) = all.iter_mut().find(|stored| stored.k == promise.k) else {
        return Err(StepError::conflict("promise_ended", "the promise was fulfilled or dropped already; read it again"));
    };
    with(stored);
    let versions: BTreeSet<i64> = all.iter().map(|stored| stored.deadline.version).collect();
    let books = books::of(ctx, &versions)?;
    for subject in subjects::some(ctx.db, &[promise.conversation])? {
        settle(ctx, &books, &subject, &mut all, &before, ctx.now().plus_millis(-LATE_MS))?;
    }
    Ok(())
}

/// Notes a promise by hand. Runs in the caller's transaction.
///
/// # Errors
/// There is no such conversation, it is closed, or not the actor's.
pub fn make(
    ctx: &Ctx<'_>,
    actor: &Actor,
    id: ConversationId,
    text: &str,
    due_at: Option<Timestamp>,
) -> Result<PromiseView, StepError> {
    let conversation = converse::may_write(ctx, actor, id)?;
    let Some(subject) = subjects::some(ctx.db, &[id])?.into_iter().next() else {
        return Err(StepError::NotFound("conversation"));
    };
    let (track, k) = subject.track.clone().unwrap_or_else(|| (Track::new(id), 0));
    subjects::put(ctx.db, &track, k + 1)?;
    let (now, promise) = (ctx.now(), PromiseId::new(ctx.now(), ctx.rng));
    let deadline = until(id, (Metric::Promise, Source::Promise), "by_hand", now, due_at);
    let before = deadlines::open(ctx.db, &[id])?;
    let mut all = before.clone();
    all.push(Stored { k, deadline, agent: None, group: None, look_at: None, done: 0 });
    let versions: BTreeSet<i64> = all.iter().map(|stored| stored.deadline.version).collect();
    settle(ctx, &books::of(ctx, &versions)?, &subject, &mut all, &before, now.plus_millis(-LATE_MS))?;
    let key = sealing::customer_key(ctx, conversation.customer)?;
    let stored = Promise {
        id: promise,
        conversation: id,
        k,
        agent: actor.agent,
        message: None,
        text: sealing::seal_promise(ctx, &key, id, promise, text)?,
        confirmed: true,
        made_at: now,
    };
    promises::insert(ctx.db, &stored)?;
    let told = Told::Made { promise, message: None, agent: actor.agent, due_at, kind: "by_hand".to_owned() };
    events::append(ctx.db, now, Some(id), &told)?;
    shown(ctx, promise)
}

/// Confirms a promise that was found. Runs in the caller's transaction, as the next three do.
///
/// # Errors
/// There is no such promise, it is another agent's, or it has ended.
pub fn confirm(ctx: &Ctx<'_>, actor: &Actor, id: PromiseId) -> Result<PromiseView, StepError> {
    let (promise, _) = theirs(ctx, actor, id)?;
    change(ctx, &promise, |_| ())?;
    promises::confirm(ctx.db, id)?;
    let told = Told::Confirmed { promise: id, by: actor.agent };
    events::append(ctx.db, ctx.now(), Some(promise.conversation), &told)?;
    shown(ctx, id)
}

/// Lets a promise be due at another instant.
///
/// # Errors
/// As for [`confirm`]; also if it was missed already (`promise_missed`).
pub fn put_off(ctx: &Ctx<'_>, actor: &Actor, id: PromiseId, due_at: Timestamp) -> Result<PromiseView, StepError> {
    let (promise, _) = theirs(ctx, actor, id)?;
    let mut missed = false;
    change(ctx, &promise, |stored| {
        missed = !stored.deadline.is_live();
        if !missed {
            stored.deadline.due_at = Some(due_at);
            stored.deadline.target_ms = due_at.since(stored.deadline.starts_at);
        }
    })?;
    if missed {
        return Err(StepError::conflict("promise_missed", "the promise was missed already; fulfil or drop it"));
    }
    promises::confirm(ctx.db, id)?;
    let told = Told::Moved { promise: id, by: actor.agent, due_at };
    events::append(ctx.db, ctx.now(), Some(promise.conversation), &told)?;
    shown(ctx, id)
}

/// Notes that a promise was kept.
///
/// # Errors
/// As for [`confirm`].
pub fn fulfil(ctx: &Ctx<'_>, actor: &Actor, id: PromiseId) -> Result<PromiseView, StepError> {
    let (promise, _) = theirs(ctx, actor, id)?;
    change(ctx, &promise, |stored| stored.deadline.answer(ctx.now()))?;
    let told = Told::Fulfilled { promise: id, by: actor.agent };
    events::append(ctx.db, ctx.now(), Some(promise.conversation), &told)?;
    shown(ctx, id)
}

/// Drops a promise: it is none, or is no longer owed. One that was missed stays missed.
///
/// # Errors
/// As for [`confirm`].
pub fn drop_it(ctx: &Ctx<'_>, actor: &Actor, id: PromiseId) -> Result<PromiseView, StepError> {
    let (promise, _) = theirs(ctx, actor, id)?;
    change(ctx, &promise, |stored| stored.deadline.cancel(ctx.now(), "dropped"))?;
    let told = Told::Dropped { promise: id, by: actor.agent };
    events::append(ctx.db, ctx.now(), Some(promise.conversation), &told)?;
    shown(ctx, id)
}

fn shown(ctx: &Ctx<'_>, id: PromiseId) -> Result<PromiseView, StepError> {
    let promise = promises::get(ctx.db, id)?.ok_or(StepError::NotFound("promise"))?;
    let conversation = conversations::get(ctx.db, promise.conversation)?.ok_or(StoreError::Missing("conversation"))?;
    let stored = deadlines::of(ctx.db, promise.conversation, promise.k - 1, 1)?.into_iter().next();
    let stored = stored.filter(|stored| stored.k == promise.k).ok_or(StoreError::Missing("deadline"))?;
    Ok(view(ctx, &mut Keys::default(), conversation.customer, promise, stored))
}

fn view(ctx: &Ctx<'_>, keys: &mut Keys, customer: CustomerId, promise: Promise, stored: Stored) -> PromiseView {
    let opened = keys
        .of(ctx, customer)
        .and_then(|key| sealing::open_promise(key, promise.conversation, promise.id, &promise.text).ok());
    let deadline = stored.deadline;
    PromiseView {
        id: promise.id,
        conversation: promise.conversation,
        message: promise.message,
        agent: promise.agent,
        text: opened,
        kind: deadline.rule,
        confirmed: promise.confirmed,
        state: deadline.state,
        made_at: promise.made_at,
        due_at: deadline.due_at,
        ended_at: deadline.ended_at,
    }
}

/// Promises of a state by their due instants, each with its place in the list. The audit entry with the customers comes first.
pub fn list(ctx: &Ctx<'_>, actor: &Actor, ask: &Ask<'_>) -> Result<Vec<(Place, PromiseView)>, StepError> {
    let found = deadlines::list(ctx.db, ask)?;
    let ids: Vec<ConversationId> =
        found.iter().map(|stored| stored.deadline.subject).collect::<BTreeSet<_>>().into_iter().collect();
    let mut ledger: BTreeMap<(ConversationId, i64), Promise> =
        promises::of(ctx.db, &ids)?.into_iter().map(|promise| ((promise.conversation, promise.k), promise)).collect();
    let mut customers = BTreeMap::new();
    for id in ids {
        if let Some(conversation) = conversations::get(ctx.db, id)? {
            customers.insert(id, conversation.customer);
        }
    }
    if !customers.is_empty() {
        let of: BTreeSet<CustomerId> = customers.values().copied().collect();
        audit::record_list(ctx, actor, Action::Other("deadlines.promises_read"), of.into_iter().collect())?;
    }
    let mut keys = Keys::default();
    let mut items = Vec::with_capacity(found.len());
    for stored in found {
        let (subject, k) = (stored.deadline.subject, stored.k);
        let due = stored.deadline.due_at.map_or(i64::MAX, Timestamp::millis);
        if let (Some(promise), Some(customer)) = (ledger.remove(&(subject, k)), customers.get(&subject)) {
            let place = (due, subject.as_bytes().to_vec(), k);
            items.push((place, view(ctx, &mut keys, *customer, promise, stored)));
        }
    }
    Ok(items)
}
