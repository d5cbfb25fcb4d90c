//! The gate: whether messages may go to the customer of a conversation, and when. [`decide`] is the one rule for all writers:
//! agents and supervisors, AI seats, and Warmline's own notices. The caller reads the [`Facts`] in the transaction that
//! stores the messages, so nothing can change between the decision and its effect. Messages that wait are decided again when
//! their time comes.

mod approach;

pub use approach::{Approach, Cap, Class, ContactRule, ContactRules, EVERYTHING, MOST_DAYS, Purpose, Stance};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_language::Effect;
use warmline_model::{Timestamp, Window};

/// The writer of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// An agent or a supervisor, who answers the customer.
    Person,
    /// An AI seat, which answers the customer by itself.
    AiSeat,
    /// Warmline: a greeting, or a text for a customer who waits.
    Notice,
}

impl Writer {
    /// Whether a program writes the message. Customers can refuse such messages.
    pub const fn is_automatic(self) -> bool {
        match self {
            Self::Person => false,
            Self::AiSeat | Self::Notice => true,
        }
    }
}

/// What a writer wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The writer.
    pub writer: Writer,
    /// The number of messages.
    pub messages: usize,
    /// The gravest effect of the words in them.
    pub effect: Effect,
    /// Whether a supervisor has approved these messages.
    pub approved: bool,
    /// The instant before which they are not to go: the writer can take them back until then, or wants them to go later.
    pub not_before: Option<Timestamp>,
}

impl Draft {
    /// Messages without remarkable words, to go at once.
    pub const fn new(writer: Writer, messages: usize) -> Self {
        Self { writer, messages, effect: Effect::Info, approved: false, not_before: None }
    }
}

/// The decision about a draft that is not refused. `left` is what the platform takes after its messages, if it sets a limit
/// and the customer has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The messages go out now.
    Send {
        /// What the platform takes afterwards.
        left: Option<Left>,
    },
    /// They wait until an instant. The gate decides again then.
    Hold {
        /// The instant.
        until: Timestamp,
        /// What the platform takes afterwards, as far as is known now.
        left: Option<Left>,
    },
    /// They wait for a supervisor. The gate decides again after an approval.
    Approve {
        /// What the platform takes afterwards, as far as is known now.
        left: Option<Left>,
    },
}

/// The customer's newest message, and the number of messages to the customer since then that the platform has counted, or
/// will count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// When the customer wrote.
    pub at: Timestamp,
    /// Messages to the customer since then, except those that were given up.
    pub replies: i64,
}

/// The state of a conversation, its customer and its account, as far as it decides about a message.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The present time.
    pub now: Timestamp,
    /// Whether the conversation is closed.
    pub closed: bool,
    /// Whether the conversation is the writer's. Supervisors may speak in every conversation, and notices need no seat.
    pub theirs: bool,
    /// Whether the conversation's account is disabled.
    pub account_disabled: bool,
    /// Whether the customer has refused automatic messages on this channel.
    pub opted_out: bool,
    /// The platform's limit on replies.
    pub window: Option<Window>,
    /// The customer's newest message; `None` if the customer has not written in this conversation.
    pub spoken: Option<Spoken>,
    /// What decides about a message that answers nobody; `None` for an answer.
    pub approach: Option<Approach<'a>>,
}

/// The messages that the platform still takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// Their number; `null` if the platform sets none.
    pub replies: Option<u32>,
    /// The number that each message of the customer allows.
    pub of: Option<u32>,
    /// The last instant at which it takes them.
    pub until: Timestamp,
}

/// The reason why a message may not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The conversation is closed.
    ConversationClosed,
    /// The conversation is not the writer's.
    NotYours,
    /// The account is disabled.
    AccountDisabled,
    /// The customer wants no automatic messages on this channel.
    OptedOut,
    /// The customer wrote too long ago for the platform.
    WindowClosed,
    /// The platform takes no more replies to the customer's newest message, or not so many.
    QuotaUsed,
    /// The messages contain words that the brand does not send.
    WordsBlocked,
    /// A legal hold covers the person, and the message answers nothing.
    LegalHold,
    /// The person does not want such messages.
    DoNotContact,
    /// The person has not agreed to advertising.
    ConsentMissing,
    /// The person was approached often enough.
    TooOften,
}

impl Refusal {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 11] = [
        Self::ConversationClosed,
        Self::NotYours,
        Self::AccountDisabled,
        Self::OptedOut,
        Self::LegalHold,
        Self::DoNotContact,
        Self::ConsentMissing,
        Self::TooOften,
        Self::WindowClosed,
        Self::QuotaUsed,
        Self::WordsBlocked,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ConversationClosed => "conversation_closed",
            Self::NotYours => "not_yours",
            Self::AccountDisabled => "account_disabled",
            Self::OptedOut => "customer_opted_out",
            Self::WindowClosed => "reply_window_closed",
            Self::QuotaUsed => "reply_quota_used",
            Self::WordsBlocked => "words_blocked",
            Self::LegalHold => "legal_hold",
            Self::DoNotContact => "do_not_contact",
            Self::ConsentMissing => "consent_missing",
            Self::TooOften => "contacted_too_often",
        }
    }

    /// The advice to the writer.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ConversationClosed => "the conversation is closed; the customer's next message opens a new one",
            Self::NotYours => "the conversation is in nobody's or another agent's hands; accept it first",
            Self::AccountDisabled => {
                "the account of this conversation is disabled; replies can be sent again once an administrator enables it"
            }
            Self::OptedOut => "the customer wants no automatic messages on this channel; only people may answer",
            Self::WindowClosed => {
                "the customer wrote too long ago for this platform; it takes replies again once they write"
            }
            Self::QuotaUsed => {
                "the platform takes no more replies to the customer's last message; it does again once they write"
            }
            Self::WordsBlocked => {
                "the message contains words that the brand does not send; `POST /api/gate/check` shows them and their places"
            }
            Self::LegalHold => {
                "a legal hold covers the customer; until it is lifted, only the customer's messages are answered"
            }
            Self::DoNotContact => "the customer does not want such messages; answer what they write, and nothing else",
            Self::ConsentMissing => "the customer has not agreed to advertising; note their consent first",
            Self::TooOften => "the customer was contacted often enough for this purpose; try again once the period is over",
        }
    }
}

/// Decides about a draft.
///
/// # Errors
/// The first of [`Refusal::ALL`] that applies. Messages that would wait longer than the platform's window is open are refused
/// at once.
pub fn decide(draft: &Draft, facts: &Facts<'_>) -> Result<Verdict, Refusal> {
    let writer = draft.writer;
    if facts.closed {
        return Err(Refusal::ConversationClosed);
    }
    if !facts.theirs && writer != Writer::Notice {
        return Err(Refusal::NotYours);
    }
    if facts.account_disabled {
        return Err(Refusal::AccountDisabled);
    }
    if facts.opted_out && writer.is_automatic() {
        return Err(Refusal::OptedOut);
    }
    let mut until = draft.not_before.filter(|at| *at > facts.now);
    if let Some(approach) = &facts.approach {
        let at = may_approach(approach, until.unwrap_or(facts.now))?;
        until = Some(at).filter(|at| *at > facts.now);
    }
    let left = left(draft.messages, until.unwrap_or(facts.now), facts)?;
    match draft.effect {
        Effect::Block => return Err(Refusal::WordsBlocked),
        // The customer is not kept waiting for a person to read what a machine has written.
        Effect::Approve if writer.is_automatic() => return Err(Refusal::WordsBlocked),
        Effect::Approve if !draft.approved => return Ok(Verdict::Approve { left }),
        Effect::Info | Effect::Warn | Effect::Approve => {}
    }
    Ok(match until {
        Some(until) => Verdict::Hold { until, left },
        None => Verdict::Send { left },
    })
}

/// When a person may be approached: at this instant, or when the quiet hours that it falls into are over.
fn may_approach(approach: &Approach<'_>, at: Timestamp) -> Result<Timestamp, Refusal> {
    if approach.legal_hold {
        return Err(Refusal::LegalHold);
    }
    match (approach.stance, approach.class) {
        (Stance::Withdrawn, _) => return Err(Refusal::DoNotContact),
        (Stance::Silent, Class::Marketing) => return Err(Refusal::ConsentMissing),
        (Stance::Given, _) | (Stance::Silent, Class::Service | Class::Survey) => {}
    }
    let at = approach.rule.quiet_until(at, approach.zone_minutes).unwrap_or(at);
    if approach.rule.allows(approach.sent, at) { Ok(at) } else { Err(Refusal::TooOften) }
}

/// The messages that the platform takes after this number of them was sent at an instant.
fn left(messages: usize, at: Timestamp, facts: &Facts<'_>) -> Result<Option<Left>, Refusal> {
    let (Some(window), Some(spoken)) = (facts.window, facts.spoken) else { return Ok(None) };
    let until = window.closes_at(spoken.at);
    if at > until {
        return Err(Refusal::WindowClosed);
    }
    let after = spoken.replies.saturating_add(i64::try_from(messages).unwrap_or(i64::MAX));
    let replies = match window.replies {
        Some(most) => Some(u32::try_from(i64::from(most).saturating_sub(after)).map_err(|_| Refusal::QuotaUsed)?),
        None => None,
    };
    Ok(Some(Left { replies, of: window.replies, until }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;
    /// WeChat's: five replies in 48 hours.
    const WINDOW: Window = Window { secs: 48 * 3600, replies: Some(5) };

    fn facts() -> Facts<'static> {
        Facts {
            now: Timestamp::from_millis(100 * HOUR),
            closed: false,
            theirs: true,
            account_disabled: false,
            opted_out: false,
            window: Some(WINDOW),
            spoken: Some(Spoken { at: Timestamp::from_millis(83 * HOUR), replies: 2 }),
            approach: None,
        }
    }

    /// 12:00 on the fifth day after the epoch is hour 108.
    fn approach(class: Class, rules: &ContactRules) -> Approach<'_> {
        Approach { class, stance: Stance::Silent, legal_hold: false, rule: rules.of(class), zone_minutes: 0, sent: &[] }
    }

    /// What is left after messages that go out at once.
    fn sent(writer: Writer, messages: usize, facts: &Facts<'_>) -> Result<Option<Left>, Refusal> {
        decide(&Draft::new(writer, messages), facts).map(|verdict| match verdict {
            Verdict::Send { left } => left,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn what_is_left_is_told() {
        let until = Timestamp::from_millis(131 * HOUR);
        let left = |messages| sent(Writer::Person, messages, &facts());
        assert_eq!(left(0), Ok(Some(Left { replies: Some(3), of: Some(5), until })));
        assert_eq!(left(3), Ok(Some(Left { replies: Some(0), of: Some(5), until })));
        assert_eq!(left(4), Err(Refusal::QuotaUsed));
        let unbounded = Facts { window: Some(Window { replies: None, ..WINDOW }), ..facts() };
        assert_eq!(sent(Writer::Person, 99, &unbounded), Ok(Some(Left { replies: None, of: None, until })));
        for none in [Facts { window: None, ..facts() }, Facts { spoken: None, ..facts() }] {
            assert_eq!(sent(Writer::Person, 99, &none), Ok(None));
        }
    }

    #[test]
    fn the_window_is_open_to_its_last_instant() {
        let at = |now| sent(Writer::Person, 1, &Facts { now: Timestamp::from_millis(now), ..facts() });
        assert!(at(131 * HOUR).is_ok());
        assert_eq!(at(131 * HOUR + 1), Err(Refusal::WindowClosed));
        // A clock that was set back closes nothing.
        assert!(at(0).is_ok());
    }

    #[test]
    fn each_refusal_is_found_alone_and_before_the_later_ones() {
        let rules = ContactRules::default();
        let night = Timestamp::from_millis(107 * HOUR);
        let sent = [night, night];
        let all = |n: usize| Facts {
            closed: n == 0,
            theirs: n > 1,
            account_disabled: n <= 2,
            opted_out: n <= 3,
            now: Timestamp::from_millis(if n <= 8 { 204 } else { 108 } * HOUR),
            spoken: Some(Spoken { replies: if n <= 9 { 5 } else { 2 }, ..facts().spoken.unwrap() }),
            approach: (n <= 7).then(|| Approach {
                legal_hold: n <= 4,
                stance: if n <= 5 { Stance::Withdrawn } else { Stance::Silent },
                sent: &sent,
                ..approach(if n <= 6 { Class::Marketing } else { Class::Service }, &rules)
            }),
            ..facts()
        };
        let loud = Draft { effect: Effect::Block, ..Draft::new(Writer::AiSeat, 1) };
        for (n, refusal) in Refusal::ALL.into_iter().enumerate() {
            let mut facts = all(n);
            if n == 7 {
                facts.now = Timestamp::from_millis(108 * HOUR);
            }
            assert_eq!(decide(&loud, &facts), Err(refusal), "{n}");
        }
    }

    #[test]
    fn what_answers_nobody_needs_leave_and_an_hour() {
        let rules = ContactRules::default();
        let decide = |class, stance, legal_hold, hour: i64, sent: &[Timestamp]| {
            let approach = Approach { stance, legal_hold, sent, ..approach(class, &rules) };
            let now = Timestamp::from_millis(hour * HOUR);
            decide(&Draft::new(Writer::Person, 1), &Facts { now, window: None, approach: Some(approach), ..facts() })
        };
        let hold = |hour: i64| Ok(Verdict::Hold { until: Timestamp::from_millis(hour * HOUR), left: None });
        let send = Ok(Verdict::Send { left: None });
        // Hour 108 is noon, 118 is ten in the evening, and 128 is eight in the morning.
        for class in [Class::Service, Class::Survey] {
            assert_eq!(decide(class, Stance::Silent, false, 108, &[]), send);
            assert_eq!(decide(class, Stance::Silent, false, 118, &[]), hold(128));
        }
        assert_eq!(decide(Class::Marketing, Stance::Silent, false, 108, &[]), Err(Refusal::ConsentMissing));
        assert_eq!(decide(Class::Marketing, Stance::Given, false, 108, &[]), send);
        assert_eq!(decide(Class::Marketing, Stance::Given, false, 117, &[]), hold(128));
        assert_eq!(decide(Class::Marketing, Stance::Given, true, 108, &[]), Err(Refusal::LegalHold));
        for class in Class::ALL {
            assert_eq!(decide(class, Stance::Withdrawn, false, 108, &[]), Err(Refusal::DoNotContact));
        }
        let sent = [Timestamp::from_millis(107 * HOUR)];
        assert_eq!(decide(Class::Marketing, Stance::Given, false, 108, &sent), Err(Refusal::TooOften));
        assert_eq!(decide(Class::Service, Stance::Silent, false, 108, &sent), send);
        // The limit is that of the instant at which it goes.
        let sent = [Timestamp::from_millis(103 * HOUR), Timestamp::from_millis(104 * HOUR)];
        assert_eq!(decide(Class::Service, Stance::Silent, false, 118, &sent), hold(128));
        assert_eq!(decide(Class::Service, Stance::Silent, false, 108, &sent), Err(Refusal::TooOften));
    }

    #[test]
    fn only_automatic_messages_can_be_refused_by_the_customer() {
        let refused = Facts { opted_out: true, ..facts() };
        assert!(sent(Writer::Person, 1, &refused).is_ok());
        for writer in [Writer::AiSeat, Writer::Notice] {
            assert_eq!(sent(writer, 1, &refused), Err(Refusal::OptedOut));
        }
    }

    #[test]
    fn a_notice_needs_no_seat() {
        let nobodys = Facts { theirs: false, ..facts() };
        assert!(sent(Writer::Notice, 1, &nobodys).is_ok());
        for writer in [Writer::AiSeat, Writer::Person] {
            assert_eq!(sent(writer, 1, &nobodys), Err(Refusal::NotYours));
        }
    }

    #[test]
    fn messages_wait_until_their_time_and_no_longer_than_the_window_is_open() {
        let at = |hour: i64| Some(Timestamp::from_millis(hour * HOUR));
        let decide = |not_before| decide(&Draft { not_before, ..Draft::new(Writer::Person, 1) }, &facts());
        assert!(matches!(decide(at(101)), Ok(Verdict::Hold { until, left: Some(_) }) if Some(until) == at(101)));
        assert!(matches!(decide(at(131)), Ok(Verdict::Hold { .. })));
        assert_eq!(decide(at(132)), Err(Refusal::WindowClosed));
        for now in [None, at(100), at(1)] {
            assert!(matches!(decide(now), Ok(Verdict::Send { .. })), "{now:?}");
        }
    }

    #[test]
    fn grave_words_wait_for_a_supervisor_and_the_gravest_never_go() {
        let decide = |writer, effect, approved| {
            let later = Some(Timestamp::from_millis(101 * HOUR));
            decide(&Draft { effect, approved, not_before: later, ..Draft::new(writer, 1) }, &facts())
        };
        for (effect, approved) in [(Effect::Info, false), (Effect::Warn, false), (Effect::Approve, true)] {
            assert!(matches!(decide(Writer::Person, effect, approved), Ok(Verdict::Hold { .. })));
        }
        assert!(matches!(decide(Writer::Person, Effect::Approve, false), Ok(Verdict::Approve { .. })));
        for approved in [false, true] {
            assert_eq!(decide(Writer::Person, Effect::Block, approved), Err(Refusal::WordsBlocked));
            // Nobody approves what a machine says.
            assert_eq!(decide(Writer::AiSeat, Effect::Approve, approved), Err(Refusal::WordsBlocked));
            assert_eq!(decide(Writer::Notice, Effect::Approve, approved), Err(Refusal::WordsBlocked));
        }
    }

    #[test]
    fn codes_are_stable_and_each_has_its_own() {
        let mut codes = Refusal::ALL.map(Refusal::code);
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "{codes:?}");
        assert!(Refusal::ALL.iter().all(|refusal| refusal.advice().contains(';')));
    }

    fn any_facts() -> impl Strategy<Value = Facts<'static>> {
        let spoken = proptest::option::of((0i64..400, 0i64..9));
        let window = proptest::option::of((1i64..200, proptest::option::of(0u32..7)));
        (0i64..400, any::<[bool; 4]>(), window, spoken).prop_map(|(now, [closed, theirs, off, out], window, spoken)| Facts {
            now: Timestamp::from_millis(now * HOUR),
            closed,
            theirs,
            account_disabled: off,
            opted_out: out,
            window: window.map(|(hours, replies)| Window { secs: hours * 3600, replies }),
            spoken: spoken.map(|(at, replies)| Spoken { at: Timestamp::from_millis(at * HOUR), replies }),
            approach: None,
        })
    }

    fn effects() -> impl Strategy<Value = Effect> {
        prop_oneof![Just(Effect::Info), Just(Effect::Warn), Just(Effect::Approve), Just(Effect::Block)]
    }

    fn writers() -> impl Strategy<Value = Writer> {
        prop_oneof![Just(Writer::Person), Just(Writer::AiSeat), Just(Writer::Notice)]
    }

    proptest! {
        #[test]
        fn nothing_passes_that_the_platform_would_refuse(facts in any_facts(), writer in writers(), messages in 0usize..9) {
            if let (Ok(_), Some(window), Some(spoken)) = (sent(writer, messages, &facts), facts.window, facts.spoken) {
                prop_assert!(facts.now.since(spoken.at) <= window.secs * 1000);
                let all = spoken.replies + i64::try_from(messages).unwrap();
                prop_assert!(window.replies.is_none_or(|most| all <= i64::from(most)));
            }
        }

        #[test]
        fn nothing_leaves_that_waits_or_is_blocked(
            facts in any_facts(), writer in writers(), effect in effects(), approved: bool, not_before in proptest::option::of(0i64..400),
        ) {
            let not_before = not_before.map(|hour| Timestamp::from_millis(hour * HOUR));
            let draft = Draft { effect, approved, not_before, ..Draft::new(writer, 1) };
            let plain = decide(&Draft::new(writer, 1), &facts);
            match decide(&draft, &facts) {
                Ok(Verdict::Send { left }) => {
                    prop_assert_eq!(plain, Ok(Verdict::Send { left }));
                    prop_assert!(not_before.is_none_or(|at| at <= facts.now));
                    prop_assert!(effect < Effect::Approve || (effect == Effect::Approve && approved && !writer.is_automatic()));
                }
                Ok(Verdict::Hold { until, .. }) => prop_assert!(Some(until) == not_before && until > facts.now),
                Ok(Verdict::Approve { .. }) => prop_assert!(writer == Writer::Person && effect == Effect::Approve && !approved),
                // What is refused for its state is refused whenever it is to go; and later the window may be closed, too.
                Err(Refusal::WordsBlocked) => prop_assert!(effect >= Effect::Approve),
                Err(Refusal::WindowClosed) => {}
                Err(refusal) => prop_assert_eq!(plain, Err(refusal)),
            }
        }

        #[test]
        fn nobody_is_approached_against_their_will_or_at_night_or_too_often(
            facts in any_facts(), class in 0usize..3, stance in 0usize..3, legal_hold: bool, sent in proptest::collection::vec(0i64..400, 0..4),
        ) {
            let (rules, class) = (ContactRules::default(), Class::ALL[class]);
            let stance = [Stance::Given, Stance::Withdrawn, Stance::Silent][stance];
            let sent: Vec<_> = sent.into_iter().map(|hour| Timestamp::from_millis(hour * HOUR)).collect();
            let approach = Approach { stance, legal_hold, sent: &sent, ..approach(class, &rules) };
            let facts = Facts { approach: Some(approach), ..facts };
            let decided = decide(&Draft::new(Writer::Person, 1), &facts);
            let at = match decided {
                Ok(Verdict::Send { .. }) => facts.now,
                Ok(Verdict::Hold { until, .. }) => until,
                _ => return Ok(()),
            };
            prop_assert!(!legal_hold && stance != Stance::Withdrawn && (class != Class::Marketing || stance == Stance::Given));
            prop_assert!(rules.of(class).quiet_until(at, 0).is_none() && rules.of(class).allows(&sent, at));
            // It is never easier to approach somebody than to answer.
            let answer = decide(&Draft::new(Writer::Person, 1), &Facts { approach: None, ..facts });
            prop_assert!(answer.is_ok());
        }

        #[test]
        fn what_may_be_sent_together_may_be_sent_one_after_the_other(facts in any_facts(), writer in writers(), messages in 1usize..9) {
            let together = sent(writer, messages, &facts);
            let mut one = facts;
            let mut last = Ok(None);
            for _ in 0..messages {
                last = sent(writer, 1, &one);
                if let (Ok(_), Some(spoken)) = (last, &mut one.spoken) {
                    spoken.replies += 1;
                }
            }
            prop_assert_eq!(together, last);
        }

        #[test]
        fn people_may_send_whatever_a_seat_may(facts in any_facts(), messages in 0usize..9) {
            if let Ok(left) = sent(Writer::AiSeat, messages, &facts) {
                prop_assert_eq!(sent(Writer::Person, messages, &facts), Ok(left));
            }
        }
    }
}
