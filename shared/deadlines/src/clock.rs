//! Deadlines, and the rules by which what happens starts, pauses, meets and ends them. [`fold`] is the one place of these
//! rules. It is pure: the same entries give the same deadlines, however the log is cut.
//!
//! A deadline that is missed stays missed. Its instant is `due_at`, whenever that is noticed. An answer at exactly `due_at`
//! is in time.

use crate::calendar::Calendar;
use crate::policy::{Facts, Policy, Ready, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warmline_model::{ConversationId, MessageId, Timestamp};

/// The most deadlines of one conversation that platforms' clocks keep open. Further messages start none until some end, so
/// that a flood of messages stays cheap.
pub const MOST_OPEN: usize = 200;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$each])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word in JSON and in the store.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Reads the word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

words!(
    /// What a deadline measures.
    Metric {
        /// From the customer's first message to the first reply.
        FirstReply = "first_reply",
        /// From the customer's first unanswered message to the next reply.
        NextReply = "next_reply",
        /// From the customer's first message to the end of the conversation.
        Resolution = "resolution",
        /// From the queue to the agent's acceptance.
        SpeedOfAnswer = "speed_of_answer",
        /// From one message of the customer to the next reply, as platforms count it.
        MessageReply = "message_reply",
        /// Something that was promised to the customer.
        Promise = "promise",
        /// A duty by law.
        Duty = "duty",
    }
);
words!(
    /// Who set a deadline.
    Source {
        /// The brand's policy.
        Policy = "policy",
        /// The platform.
        Platform = "platform",
        /// The law.
        Law = "law",
        /// A member of staff, who promised it to the customer.
        Promise = "promise",
    }
);
words!(
    /// The state of a deadline.
    State {
        /// The time runs.
        Running = "running",
        /// The time stands still, for a limited time.
        Paused = "paused",
        /// It was met in time.
        Met = "met",
        /// It was not met in time. This state is final.
        Missed = "missed",
        /// It ended without being met or missed.
        Cancelled = "cancelled",
    }
);

/// A deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The conversation.
    pub subject: ConversationId,
    /// The message, if the deadline is about one.
    pub message: Option<MessageId>,
    /// What it measures.
    pub metric: Metric,
    /// Who set it.
    pub source: Source,
    /// The policy's name, the formula's id, or the kind of promise.
    pub rule: String,
    /// The version of the document under which it started.
    pub version: i64,
    /// The calendar of that version; `None`: all time counts.
    pub calendar: Option<String>,
    /// When it started.
    pub starts_at: Timestamp,
    /// When it is due; never before it starts. While it is paused, it is the instant for the longest pause. `None`: a promise
    /// that names no time.
    pub due_at: Option<Timestamp>,
    /// The open time that it allows, in milliseconds.
    pub target_ms: i64,
    /// The open time that was used when the present run began, in milliseconds.
    pub used_ms: i64,
    /// When the present run began: at the start, or after the last pause.
    pub runs_from: Timestamp,
    /// When the present pause began.
    pub paused_at: Option<Timestamp>,
    /// The time of all earlier pauses, in milliseconds.
    pub paused_ms: i64,
    /// The pause that is still allowed, in milliseconds.
    pub pause_left_ms: i64,
    /// Whether only a person can meet it.
    pub human_only: bool,
    /// The state.
    pub state: State,
    /// When it was answered: in time, or late.
    pub answered_at: Option<Timestamp>,
    /// When it ended: nothing changes it afterwards. A missed deadline ends with the late answer.
    pub ended_at: Option<Timestamp>,
    /// Why it was cancelled, as a code: `closed`, `merged`, `erased`, `dropped`.
    pub reason: Option<&'static str>,
    /// What follows if it is missed, as a code.
    pub consequence: Option<String>,
}

impl Deadline {
    /// Whether it can still be met in time.
    pub const fn is_live(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }

    /// Whether something can still change it.
    pub const fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Makes it missed if its time is over at an instant. Returns whether this call did so.
    pub fn notice(&mut self, at: Timestamp) -> bool {
        let over = self.is_live() && self.due_at.is_some_and(|due| due < at);
        if over {
            self.state = State::Missed;
        }
        over
    }

    /// Notes an answer: it is met, or the miss is answered late.
    pub fn answer(&mut self, at: Timestamp) {
        if self.is_open() {
            self.notice(at);
            if self.is_live() {
                self.state = State::Met;
            }
            (self.answered_at, self.ended_at) = (Some(at), Some(at));
        }
    }

    /// Ends it for a reason. A miss stays a miss.
    pub fn cancel(&mut self, at: Timestamp, reason: &'static str) {
        if self.is_open() {
            self.notice(at);
            if self.is_live() {
                (self.state, self.reason) = (State::Cancelled, Some(reason));
            }
            self.ended_at = Some(at);
        }
    }

    /// Stops the clock, for as long as is still allowed.
    pub fn pause(&mut self, at: Timestamp, calendar: &Calendar) {
        if self.state != State::Running || self.pause_left_ms <= 0 || self.notice(at) {
            return;
        }
        // Time that steps back uses no time, and gives none back.
        let at = at.max(self.runs_from);
        let run = calendar.between(self.runs_from, at);
        self.used_ms = self.used_ms.saturating_add(run).min(self.target_ms);
        (self.runs_from, self.paused_at, self.state) = (at, Some(at), State::Paused);
        let later = self.due_after(at.plus_millis(self.pause_left_ms), calendar);
        self.due_at = self.due_at.max(Some(later));
    }

    /// Lets the clock go on.
    pub fn resume(&mut self, at: Timestamp, calendar: &Calendar) {
        let Some(paused_at) = self.paused_at.filter(|_| self.state == State::Paused) else { return };
        if self.notice(at) {
            return;
        }
        let length = at.since(paused_at).clamp(0, self.pause_left_ms);
        self.pause_left_ms = self.pause_left_ms.saturating_sub(length);
        self.paused_ms = self.paused_ms.saturating_add(length);
        // After the longest pause the clock has gone on by itself.
        self.runs_from = paused_at.plus_millis(length);
        (self.paused_at, self.state) = (None, State::Running);
        self.due_at = Some(self.due_after(self.runs_from, calendar));
    }

    fn due_after(&self, from: Timestamp, calendar: &Calendar) -> Timestamp {
        due(calendar, from, self.target_ms.saturating_sub(self.used_ms))
    }
}

/// The instant at which open time is over. It is the end of all time if the calendar never has so much.
fn due(calendar: &Calendar, from: Timestamp, ms: i64) -> Timestamp {
    calendar.add(from, ms).unwrap_or(Timestamp::from_millis(i64::MAX))
}

/// Who wrote a message to the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A person.
    Human,
    /// An AI seat.
    Bot,
    /// Warmline itself: a greeting, a text for those who wait. It answers nothing.
    Notice,
}

/// Something that happened in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The customer wrote. The entry's time is that of the webhook.
    Customer(Option<MessageId>),
    /// A message to the customer was stored.
    Reply(By),
    /// It waits in a queue.
    Queued,
    /// It was given to an agent, who has yet to accept.
    Assigned {
        /// Whether the agent is an AI seat.
        ai: bool,
    },
    /// The agent accepted.
    Accepted,
    /// The customer is to speak next.
    WaitingOnCustomer,
    /// It was handed to another agent or group. What is owed to the customer stays owed.
    Transferred,
    /// It was closed.
    Closed,
    /// It was opened again.
    Reopened,
    /// It was merged into another; see [`merge`].
    Merged,
    /// The person was erased.
    Erased,
    /// Nothing but time passed.
    Passed,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub input: Input,
    /// The conversation as policies see it then.
    pub facts: Facts,
}

/// A conversation with its deadlines. Those that ended may be left out: nothing reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// The conversation.
    pub subject: ConversationId,
    /// Whether a person has replied.
    pub human_replied: bool,
    /// Whether a person or an AI seat has replied.
    pub replied: bool,
    /// Whether its seat is an AI seat.
    pub ai: bool,
    /// Whether its agent has accepted it.
    pub accepted: bool,
    /// Whether it is closed.
    pub closed: bool,
    /// Its deadlines.
    pub deadlines: Vec<Deadline>,
}

impl Track {
    /// A conversation in which nothing has happened.
    pub const fn new(subject: ConversationId) -> Self {
        let (human_replied, replied, ai, accepted, closed) = (false, false, false, false, false);
        Self { subject, human_replied, replied, ai, accepted, closed, deadlines: Vec::new() }
    }

    fn open(&self, metric: Metric) -> impl Iterator<Item = &Deadline> {
        self.deadlines.iter().filter(move |d| d.metric == metric && d.source == Source::Policy && d.is_open())
    }

    fn has_replied(&self, human_only: bool) -> bool {
        if human_only { self.human_replied } else { self.replied }
    }
}

/// The versions of the document that a fold needs: the one in force, and those of deadlines that run.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The versions, by number.
    pub all: BTreeMap<i64, Ready>,
    /// The number of the one in force.
    pub current: i64,
}

impl Books {
    /// Books of one version, which is in force.
    pub fn of(ready: Ready) -> Self {
        let current = ready.version;
        Self { all: BTreeMap::from([(current, ready)]), current }
    }

    /// Adds a version, which is in force from now on.
    pub fn put(&mut self, ready: Ready) {
        self.current = ready.version;
        self.all.insert(ready.version, ready);
    }

    /// The calendar of a deadline.
    pub fn calendar(&self, deadline: &Deadline) -> &Calendar {
        const ALWAYS: &Calendar = &Calendar::ALWAYS;
        self.all.get(&deadline.version).map_or(ALWAYS, |ready| ready.calendar(deadline.calendar.as_deref()))
    }
}

/// Applies what happened to a conversation's deadlines.
pub fn fold(track: &mut Track, books: &Books, entry: &Entry) {
    let at = entry.at;
    for deadline in &mut track.deadlines {
        deadline.notice(at);
    }
    match &entry.input {
        Input::Customer(message) => {
            track.closed = false;
            for deadline in &mut track.deadlines {
                deadline.resume(at, books.calendar(deadline));
            }
            start_for_message(track, books, entry, *message);
        }
        Input::Reply(by) => {
            let human = *by == By::Human;
            let replies = [Metric::FirstReply, Metric::NextReply, Metric::MessageReply];
            if *by != By::Notice {
                (track.human_replied, track.replied) = (track.human_replied || human, true);
                let answered = track.deadlines.iter_mut().filter(|d| replies.contains(&d.metric));
                answered.filter(|d| human || !d.human_only).for_each(|d| d.answer(at));
            }
        }
        Input::Queued => {
            track.accepted = false;
            start(track, books, entry, Metric::SpeedOfAnswer);
        }
        Input::Assigned { ai } => {
            track.ai = *ai;
            if !track.accepted {
                start(track, books, entry, Metric::SpeedOfAnswer);
            }
        }
        Input::Accepted => {
            track.accepted = true;
            let ai = track.ai;
            let waits = track.deadlines.iter_mut().filter(|d| d.metric == Metric::SpeedOfAnswer);
            waits.filter(|d| !(ai && d.human_only)).for_each(|d| d.answer(at));
        }
        Input::WaitingOnCustomer => {
            for deadline in track.deadlines.iter_mut().filter(|d| d.metric == Metric::Resolution) {
                deadline.pause(at, books.calendar(deadline));
            }
        }
        Input::Transferred => track.accepted = false,
        Input::Closed => {
            (track.closed, track.accepted) = (true, false);
            // A platform's clock, a promise and a duty do not end because the brand closes the conversation.
            for deadline in track.deadlines.iter_mut().filter(|d| d.source == Source::Policy) {
                match deadline.metric {
                    Metric::Resolution => deadline.answer(at),
                    _ => deadline.cancel(at, "closed"),
                }
            }
        }
        Input::Reopened => {
            track.closed = false;
            start(track, books, entry, Metric::Resolution);
        }
        Input::Merged => track.deadlines.iter_mut().for_each(|d| d.cancel(at, "merged")),
        Input::Erased => track.deadlines.iter_mut().for_each(|d| d.cancel(at, "erased")),
        Input::Passed => {}
    }
}

fn start_for_message(track: &mut Track, books: &Books, entry: &Entry, message: Option<MessageId>) {
    for metric in [Metric::FirstReply, Metric::NextReply, Metric::Resolution] {
        start(track, books, entry, metric);
    }
    let Some(ready) = books.all.get(&books.current) else { return };
    for clock in &ready.document.platform {
        let open = track.deadlines.iter().filter(|d| d.source == Source::Platform && d.is_open()).count();
        let counts = entry.facts.channel.as_ref() == Some(&clock.channel) && clock.counts(entry.at, &ready.document.zone);
        if counts && open < MOST_OPEN {
            let target = Target { seconds: clock.seconds, human_only: clock.human_only, consequence: None };
            let kind = (Metric::MessageReply, Source::Platform);
            let mut new = begin(track.subject, kind, &clock.formula, ready, None, &target, entry.at);
            new.message = message;
            new.consequence = Some("platform_rate".to_owned());
            track.deadlines.push(new);
        }
    }
}

/// Starts a policy's deadline, if the conversation's policy has that target and nothing of the kind runs.
fn start(track: &mut Track, books: &Books, entry: &Entry, metric: Metric) {
    let Some(ready) = books.all.get(&books.current) else { return };
    let Some(policy) = ready.choose(&entry.facts) else { return };
    let target = match metric {
        Metric::FirstReply => &policy.targets.first_reply,
        Metric::NextReply => &policy.targets.next_reply,
        Metric::Resolution => &policy.targets.resolution,
        Metric::SpeedOfAnswer => &policy.targets.speed_of_answer,
        _ => &None,
    };
    let Some(target) = target else { return };
    let wanted = match metric {
        Metric::FirstReply => !track.has_replied(target.human_only),
        Metric::NextReply => track.has_replied(target.human_only),
        _ => true,
    };
    if wanted && track.open(metric).next().is_none() {
        let mut new = begin(
            track.subject,
            (metric, Source::Policy),
            &policy.name,
            ready,
            policy.calendar.as_deref(),
            target,
            entry.at,
        );
        if metric == Metric::Resolution {
            new.pause_left_ms = pause_ms(policy);
        }
        track.deadlines.push(new);
    }
}

fn pause_ms(policy: &Policy) -> i64 {
    policy.pause.waiting_on_customer_seconds.unwrap_or(0).max(0).saturating_mul(1000)
}

fn begin(
    subject: ConversationId,
    (metric, source): (Metric, Source),
    rule: &str,
    ready: &Ready,
    calendar: Option<&str>,
    target: &Target,
    at: Timestamp,
) -> Deadline {
    let target_ms = target.seconds.max(0).saturating_mul(1000);
    Deadline {
        subject,
        message: None,
        metric,
        source,
        rule: rule.to_owned(),
        version: ready.version,
        calendar: calendar.map(str::to_owned),
        starts_at: at,
        due_at: Some(due(ready.calendar(calendar), at, target_ms)),
        target_ms,
        used_ms: 0,
        runs_from: at,
        paused_at: None,
        paused_ms: 0,
        pause_left_ms: 0,
        human_only: target.human_only,
        state: State::Running,
        answered_at: None,
        ended_at: None,
        reason: None,
        consequence: target.consequence.clone(),
    }
}

/// A deadline of a law or a promise, which ends at an instant and not after a time. It starts at once.
///
/// The instant is moved to the start if it is before it.
pub fn until(
    subject: ConversationId,
    (metric, source): (Metric, Source),
    rule: &str,
    at: Timestamp,
    due_at: Option<Timestamp>,
) -> Deadline {
    let due_at = due_at.map(|due| due.max(at));
    let target = Target { seconds: 0, human_only: true, consequence: None };
    let mut new = begin(subject, (metric, source), rule, &Ready::default(), None, &target, at);
    (new.due_at, new.target_ms) = (due_at, due_at.map_or(0, |due| due.since(at)));
    new
}

/// Merges a conversation into another. Of two deadlines of a policy for one metric, the stricter stays; everything else moves.
/// What moves or yields is cancelled in `from`, so that nothing of it is ever missed.
pub fn merge(into: &mut Track, from: &mut Track, at: Timestamp) {
    for deadline in into.deadlines.iter_mut().chain(&mut from.deadlines) {
        deadline.notice(at);
    }
    for moved in from.deadlines.iter_mut().filter(|d| d.is_live()) {
        let rival = into.deadlines.iter_mut().find(|d| {
            moved.source == Source::Policy && d.source == Source::Policy && d.metric == moved.metric && d.is_live()
        });
        let stays = match rival {
            Some(rival) if rival.due_at <= moved.due_at => false,
            Some(rival) => {
                rival.cancel(at, "merged");
                true
            }
            None => true,
        };
        if stays {
            into.deadlines.push(Deadline { subject: into.subject, ..moved.clone() });
        }
        moved.cancel(at, "merged");
    }
    into.human_replied |= from.human_replied;
    into.replied |= from.replied;
}

/// The next live deadline of a conversation: what its row shows, and what a worklist sorts by.
pub fn nearest<'d>(deadlines: impl IntoIterator<Item = &'d Deadline>) -> Option<&'d Deadline> {
    let live = deadlines.into_iter().filter(|d| d.is_live() && d.due_at.is_some());
    live.min_by_key(|d| (d.due_at, d.metric))
}
