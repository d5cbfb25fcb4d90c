//! When to look at a deadline again: its warnings, its due instant, and the steps of its escalation.

use crate::calendar::Calendar;
use crate::clock::{Books, Deadline, Source, State};
use crate::policy::{Escalation, Policy};
use warmline_model::Timestamp;

/// Something that is to be done about a deadline at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// The warning with that number, in the policy's order.
    Warn(u8),
    /// It is due.
    Due,
    /// The step of the escalation with that number.
    Escalate(u8),
}

impl Look {
    /// Its bit in the set of looks that are done.
    pub const fn bit(self) -> i64 {
        match self {
            Self::Warn(n) => 1 << (n & 15),
            Self::Due => 1 << 16,
            Self::Escalate(n) => 1 << (17 + (n & 15)),
        }
    }
}

/// The looks at a deadline that are not in `done`, in order of time. A paused deadline has its due instant only. A missed one
/// has only steps of its escalation. One that ended has none, and neither has one that is due after all time.
pub fn looks(deadline: &Deadline, books: &Books, done: i64) -> Vec<(Timestamp, Look)> {
    let Some(due) = deadline.due_at.filter(|due| deadline.is_open() && due.millis() < i64::MAX) else { return Vec::new() };
    let mut all = Vec::new();
    if deadline.is_live() {
        // A deadline is missed after its instant, not at it.
        all.push((due.plus_millis(1), Look::Due));
    }
    let ready = books.all.get(&deadline.version);
    match deadline.source {
        Source::Policy => {
            if let Some(policy) = ready.and_then(|ready| ready.policy(&deadline.rule)) {
                of_policy(deadline, policy, books.calendar(deadline), due, &mut all);
            }
        }
        Source::Platform => {
            let seconds = ready.and_then(|ready| ready.platform(&deadline.rule)).map_or(0, |clock| clock.warn_seconds);
            if deadline.state == State::Running && seconds > 0 {
                let at = due.plus_millis(seconds.saturating_mul(-1000));
                all.push((at.max(deadline.starts_at), Look::Warn(0)));
            }
        }
        Source::Law | Source::Promise => {}
    }
    all.retain(|(_, look)| done & look.bit() == 0);
    all.sort_unstable();
    all
}

fn of_policy(deadline: &Deadline, policy: &Policy, calendar: &Calendar, due: Timestamp, all: &mut Vec<(Timestamp, Look)>) {
    if deadline.state == State::Running {
        for (n, warning) in (0..).zip(&policy.warn) {
            let at = match (warning.percent, warning.minutes) {
                (Some(percent), _) => {
                    let used = deadline.target_ms.saturating_mul(percent) / 100;
                    calendar.add(deadline.runs_from, used.saturating_sub(deadline.used_ms)).unwrap_or(due)
                }
                (None, Some(minutes)) => due.plus_millis(minutes.saturating_mul(-60_000)),
                (None, None) => continue,
            };
            all.push((at.clamp(deadline.starts_at, due), Look::Warn(n)));
        }
    }
    for (n, step) in (0..).zip(&policy.escalate) {
        if step.minutes >= 0 && deadline.is_live() || step.minutes < 0 && deadline.state != State::Running {
            continue;
        }
        all.push((step_at(step, calendar, deadline.starts_at, due), Look::Escalate(n)));
    }
}

fn step_at(step: &Escalation, calendar: &Calendar, starts: Timestamp, due: Timestamp) -> Timestamp {
    let at = due.plus_millis(step.minutes.saturating_mul(60_000)).max(starts);
    if step.duty_hours { calendar.opens_at(at).unwrap_or(at) } else { at }
}

/// The step of a deadline's escalation with a number.
pub fn step<'b>(deadline: &Deadline, books: &'b Books, n: u8) -> Option<&'b Escalation> {
    let ready = books.all.get(&deadline.version).filter(|_| deadline.source == Source::Policy)?;
    ready.policy(&deadline.rule)?.escalate.get(usize::from(n))
}

/// The minutes by which a conversation comes earlier in its queue now: its policy's, from the first warning on.
pub fn head_start(deadline: &Deadline, books: &Books, now: Timestamp) -> i64 {
    let ready = books.all.get(&deadline.version).filter(|_| deadline.source == Source::Policy && deadline.is_open());
    let Some(policy) = ready.and_then(|ready| ready.policy(&deadline.rule)) else { return 0 };
    let warned = looks(deadline, books, 0).iter().any(|(at, look)| matches!(look, Look::Warn(_)) && *at <= now);
    if warned || deadline.state == State::Missed { policy.head_start_minutes } else { 0 }
}
