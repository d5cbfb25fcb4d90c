//! What follows from changed deadlines, in the transaction that changes them: the looks whose time has come are done and told,
//! once each; the next look is noted; and the nearest deadline stands in the conversation's row.

use crate::clock::{Books, Deadline, Metric, Source, State};
use crate::look::{self, Look, looks};
use crate::policy::ToldRole;
use crate::store::deadlines::{self, Stored};
use crate::store::subjects::{self, Subject};
use serde::Serialize;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::{GroupId, MessageId, Timestamp};
use warmline_store::changes::{self, What};
use warmline_store::events;

/// A deadline in an event.
#[derive(Serialize)]
struct About<'a> {
    /// Its number in the conversation.
    deadline: i64,
    metric: &'static str,
    source: &'static str,
    rule: &'a str,
    version: i64,
    due_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consequence: Option<&'a str>,
}

/// The events of deadlines. `due_at` is exact, whenever the event comes.
#[derive(Serialize)]
#[serde(tag = "type", content = "data")]
enum Told<'a> {
    /// It will be missed soon.
    #[serde(rename = "deadline.warned")]
    Warned(About<'a>),
    /// It was missed.
    #[serde(rename = "deadline.missed")]
    Missed(About<'a>),
    /// Somebody else is to know of it.
    #[serde(rename = "deadline.escalated")]
    Escalated {
        #[serde(flatten)]
        about: About<'a>,
        /// Minutes after the deadline; below 0 before it.
        minutes: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<ToldRole>,
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<&'a GroupId>,
    },
}

fn about<'a>(k: i64, deadline: &'a Deadline) -> About<'a> {
    About {
        deadline: k,
        metric: deadline.metric.as_str(),
        source: deadline.source.as_str(),
        rule: &deadline.rule,
        version: deadline.version,
        due_at: deadline.due_at.unwrap_or(deadline.starts_at),
        message: deadline.message,
        consequence: deadline.consequence.as_deref(),
    }
}

/// Does the looks at a deadline whose time has come, tells of them, and notes the next one. `sure` is the instant up to which
/// everything that happened is known: a deadline is missed only before it.
fn look_at(ctx: &Ctx<'_>, books: &Books, stored: &mut Stored, sure: Timestamp) -> Result<(), StepError> {
    let (now, subject) = (ctx.now(), stored.deadline.subject);
    if stored.deadline.is_live() {
        stored.deadline.notice(sure);
    }
    if stored.deadline.state == State::Missed && stored.done & Look::Due.bit() == 0 {
        stored.done |= Look::Due.bit();
        events::append(ctx.db, now, Some(subject), &Told::Missed(about(stored.k, &stored.deadline)))?;
    }
    for (at, look) in looks(&stored.deadline, books, stored.done) {
        if at > now {
            break;
        }
        match look {
            // It waits until everything before it is known.
            Look::Due => continue,
            Look::Warn(_) => {
                events::append(ctx.db, now, Some(subject), &Told::Warned(about(stored.k, &stored.deadline)))?;
            }
            Look::Escalate(n) => {
                if let Some(step) = look::step(&stored.deadline, books, n) {
                    let about = about(stored.k, &stored.deadline);
                    let (minutes, role, group) = (step.minutes, step.role, step.group.as_ref());
                    events::append(ctx.db, now, Some(subject), &Told::Escalated { about, minutes, role, group })?;
                }
            }
        }
        stored.done |= look.bit();
    }
    stored.look_at = looks(&stored.deadline, books, stored.done).first().map(|(at, _)| *at);
    Ok(())
}

/// Whether a deadline is shown in the conversation's row: one that can still be met, and a missed one that an answer would end.
fn shows(deadline: &Deadline) -> bool {
    deadline.is_live() || (deadline.is_open() && deadline.metric != Metric::Resolution)
}

/// Settles the deadlines of a conversation: `all` are its open ones, and those that just ended. `before` says how each was stored,
/// if it was.
pub(crate) fn settle(
    ctx: &Ctx<'_>,
    books: &Books,
    subject: &Subject,
    all: &mut [Stored],
    before: &[Stored],
    sure: Timestamp,
) -> Result<(), StepError> {
    for stored in all.iter_mut() {
        if stored.deadline.is_open() {
            (stored.agent, stored.group) = (subject.agent, subject.facts.group.clone());
        }
        look_at(ctx, books, stored, sure)?;
        if before.iter().find(|old| old.k == stored.k) != Some(stored) {
            deadlines::put(ctx.db, stored)?;
        }
    }
    let shown = all.iter().map(|stored| &stored.deadline).filter(|deadline| shows(deadline) && !subject.closed);
    let nearest = shown.filter_map(|d| Some((d.due_at?, d.metric, d.source))).min();
    let told = |(at, metric, source): (Timestamp, Metric, Source)| (at, metric.as_str(), source.as_str());
    let nearest = nearest.map(told);
    let stands = subject.due.as_ref().map(|(at, metric, source)| (*at, metric.as_str(), source.as_str()));
    if nearest != stands {
        subjects::set_nearest(ctx.db, subject.id, nearest)?;
        changes::note(ctx.db, ctx.now(), subject.id, What::Row)?;
    }
    Ok(())
}
