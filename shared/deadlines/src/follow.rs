//! From the event log to deadlines.

use crate::books;
use crate::clock::{Books, By, Entry, Input, Track, fold};
use crate::policy::Ready;
use crate::promises::{self, Found};
use crate::settle::settle;
use crate::store::deadlines::{self, Stored};
use crate::store::subjects::{self, Subject};
use std::collections::{BTreeMap, BTreeSet};
use warmline_kernel::{Ctx, StepError};
use warmline_model::{ConversationId, Event, EventBody, Origin, Timestamp};
use warmline_store::{events, followers, immediate};

/// The follower's name in the store.
pub const NAME: &str = "deadlines";
/// Events that are handled in one transaction.
const BATCH: i64 = 128;
/// The longest time between the instant that an event has and its commit: a writer waits five seconds at the most.
pub(crate) const LATE_MS: i64 = 6_000;

/// Handles the next events. Returns true if more may wait. Deadlines and position are written in one transaction, so each event
/// counts once.
pub fn follow(ctx: &Ctx<'_>) -> Result<bool, StepError> {
    let from = followers::position(ctx.db, NAME)?;
    let batch = events::after(ctx.db, from, BATCH)?;
    let Some(last) = batch.last() else { return Ok(false) };
    let seq = last.seq;
    let (document, version) = books::current(ctx)?;
    let found = promises::find(ctx, &batch, &Ready::new(document, version))?;
    immediate(ctx.db, || {
        // Another run was here.
        if followers::position(ctx.db, NAME)? == from {
            take(ctx, &batch, &found)?;
            followers::advance(ctx.db, NAME, seq)?;
        }
        Ok::<_, StepError>(())
    })?;
    Ok(true)
}

/// Whether an event may mean something to deadlines.
fn concerns(event: &Event) -> bool {
    match &event.body {
        EventBody::MessageReceived { kind, .. } => kind != "event",
        EventBody::MessageSent { .. }
        | EventBody::ConversationQueued { .. }
        | EventBody::ConversationAssigned { .. }
        | EventBody::ConversationAccepted { .. }
        | EventBody::ConversationTransferred { .. }
        | EventBody::ConversationClosed { .. } => true,
        _ => false,
    }
}

fn take(ctx: &Ctx<'_>, batch: &[Event], found: &[Found]) -> Result<(), StepError> {
    let mut by_subject: BTreeMap<ConversationId, Vec<&Event>> = BTreeMap::new();
    for event in batch.iter().filter(|event| concerns(event)) {
        if let Some(id) = event.conversation {
            by_subject.entry(id).or_default().push(event);
        }
    }
    if by_subject.is_empty() {
        return Ok(());
    }
    let (document, _) = books::current(ctx)?;
    let ids: Vec<ConversationId> = by_subject.keys().copied().collect();
    let mut subjects = subjects::some(ctx.db, &ids)?;
    // Where no policy can match and no clock can run, nothing is written.
    let clocked =
        |subject: &Subject| document.platform.iter().any(|clock| Some(&clock.channel) == subject.facts.channel.as_ref());
    let promised = |subject: &Subject| found.iter().any(|found| found.conversation() == subject.id);
    subjects
        .retain(|subject| subject.track.is_some() || !document.policies.is_empty() || clocked(subject) || promised(subject));
    let ids: Vec<ConversationId> = subjects.iter().map(|subject| subject.id).collect();
    let mut open: BTreeMap<ConversationId, Vec<Stored>> = BTreeMap::new();
    for stored in deadlines::open(ctx.db, &ids)? {
        open.entry(stored.deadline.subject).or_default().push(stored);
    }
    let versions: BTreeSet<i64> = open.values().flatten().map(|stored| stored.deadline.version).collect();
    let books = books::of(ctx, &versions)?;
    for mut subject in subjects {
        let events = by_subject.remove(&subject.id).unwrap_or_default();
        let mut before = open.remove(&subject.id).unwrap_or_default();
        before.sort_unstable_by_key(|stored| stored.k);
        let found: Vec<&Found> = found.iter().filter(|found| found.conversation() == subject.id).collect();
        one(ctx, &books, &mut subject, (&events, &found), &before)?;
    }
    Ok(())
}

/// Folds a conversation's events into its deadlines, and adds the promises that were found in them.
fn one(
    ctx: &Ctx<'_>,
    books: &Books,
    subject: &mut Subject,
    (events, found): (&[&Event], &[&Found]),
    before: &[Stored],
) -> Result<(), StepError> {
    let was = subject.track.clone();
    let (mut track, first) = subject.track.take().unwrap_or_else(|| {
        // It began before there were policies. A reply of a person may have come then.
        let began = events.iter().any(|event| matches!(event.body, EventBody::MessageReceived { n: 1, .. }));
        let replied = subject.human_replied && !began;
        (Track { human_replied: replied, replied, ..Track::new(subject.id) }, 0)
    });
    track.deadlines = before.iter().map(|stored| stored.deadline.clone()).collect();
    let mut sure = Timestamp::default();
    for event in events {
        let facts = subject.facts.clone();
        for (at, input) in inputs(subject, event) {
            fold(&mut track, books, &Entry { at, input, facts: facts.clone() });
        }
        sure = sure.max(event.at);
    }
    let (known, folded) = (before.len(), track.deadlines.len());
    track.deadlines.extend(found.iter().map(|found| found.deadline()));
    let mut all: Vec<Stored> = Vec::with_capacity(track.deadlines.len());
    let mut next = first;
    for (i, deadline) in track.deadlines.drain(..).enumerate() {
        match before.get(i).filter(|_| i < known) {
            Some(stored) => all.push(Stored { deadline, ..stored.clone() }),
            None => {
                all.push(Stored { k: next, deadline, agent: None, group: None, look_at: None, done: 0 });
                next += 1;
            }
        }
    }
    settle(ctx, books, subject, &mut all, before, sure.plus_millis(-LATE_MS))?;
    for (found, stored) in found.iter().zip(all.iter().skip(folded)) {
        found.store(ctx, stored.k)?;
    }
    let over = track.closed && !all.iter().any(|stored| stored.deadline.is_open());
    match was {
        // Nothing happens in it any more.
        Some(_) if over => subjects::remove(ctx.db, subject.id)?,
        None if over => {}
        Some(was) if was == (track.clone(), next) => {}
        _ => subjects::put(ctx.db, &track, next)?,
    }
    Ok(())
}

/// What an event means to a conversation's deadlines.
fn inputs(subject: &Subject, event: &Event) -> Vec<(Timestamp, Input)> {
    let at = event.at;
    match &event.body {
        // The customer's clock runs from the webhook.
        EventBody::MessageReceived { message, received_at, .. } => vec![(*received_at, Input::Customer(Some(*message)))],
        EventBody::MessageSent { from: Origin::System, .. } => vec![(at, Input::Reply(By::Notice))],
        EventBody::MessageSent { from: Origin::Bot, .. } => {
            vec![(at, Input::Reply(By::Bot)), (at, Input::WaitingOnCustomer)]
        }
        // A message that answers nobody ends no round. Who answers has accepted.
        EventBody::MessageSent { response_ms: Some(_), .. } => {
            vec![(at, Input::Accepted), (at, Input::Reply(By::Human)), (at, Input::WaitingOnCustomer)]
        }
        EventBody::ConversationQueued { .. } => vec![(at, Input::Queued)],
        EventBody::ConversationAssigned { agent, ai, .. } => {
            let mut all = vec![(at, Input::Assigned { ai: *ai })];
            // An AI seat accepts at once, and so does everybody in a group without a time for it.
            let at_once = subject.agent == Some(*agent) && subject.accepted_at.is_some_and(|accepted| accepted <= at);
            if *ai || at_once {
                all.push((at, Input::Accepted));
            }
            all
        }
        EventBody::ConversationAccepted { .. } => vec![(at, Input::Accepted)],
        EventBody::ConversationTransferred { .. } => vec![(at, Input::Transferred)],
        EventBody::ConversationClosed { .. } => vec![(at, Input::Closed)],
        _ => Vec::new(),
    }
}
