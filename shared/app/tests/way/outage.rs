//! Replies to a platform that is down, busy, slow or in doubt. An accepted reply leaves once, a refused one is tried as
//! long as it is worth it, and no account waits for another one's platform.

use crate::common::{self, World, claim, place};
use crate::{actor, all, count, log};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::collections::{BTreeMap, BTreeSet};
use warmline_accounts::given_up;
use warmline_cases::cases;
use warmline_channels::{Outcome, registry};
use warmline_kernel::ctx::{Actor, StepError};
use warmline_metrics::steps as figures;
use warmline_model::{
    AccountId, AgentId, Channel, Content, ConversationId, Delivery, DeliveryState, EventBody, Inbound, MessageId, Role,
    Sender,
};
use warmline_store::outbox::{self, Filter};
use warmline_store::{Db as _, audit, immediate, messages, outages};
use warmline_transport::deliver::{self, Attempt, Job, MAX_DOUBTS};
use warmline_transport::ingest;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

fn supervisor() -> Actor {
    Actor { agent: None, role: Role::Supervisor }
}

/// A shop whose agent has written to this many customers.
fn shop(customers: usize) -> (World, AgentId, Vec<MessageId>) {
    let w = World::new();
    let group = w.group("g", "{\"accept_secs\":0}");
    let agent = w.agent(&group, 200, false);
    for i in 0..customers {
        w.says(&format!("u{i}"), &format!("k{i}"), "在吗");
    }
    let sent = all(&w).iter().map(|c| reply(&w, agent, c.id)).collect();
    (w, agent, sent)
}

fn try_reply(w: &World, agent: AgentId, conversation: ConversationId) -> Result<MessageId, StepError> {
    let text = [Content::text("在的")];
    immediate(&w.db, || common::reply(&w.ctx(), &actor(agent), conversation, &text)).map(|said| said[0].id)
}

fn reply(w: &World, agent: AgentId, conversation: ConversationId) -> MessageId {
    try_reply(w, agent, conversation).unwrap()
}

fn states(w: &World) -> BTreeMap<&'static str, usize> {
    let mut states = BTreeMap::new();
    for conversation in all(w) {
        for message in messages::list(&w.db, conversation.id, 0, 100).unwrap() {
            if let Some(state) = message.delivery {
                *states.entry(state.as_str()).or_default() += 1;
            }
        }
    }
    states
}

fn state_of(w: &World, id: MessageId) -> (DeliveryState, Option<String>) {
    let found = all(w).into_iter().flat_map(|c| messages::list(&w.db, c.id, 0, 100).unwrap());
    let message = found.into_iter().find(|m| m.id == id).unwrap();
    (message.delivery.unwrap(), message.reason)
}

/// Lets time pass step by step, delivers due messages as a channel's component does, and returns the number of tries.
fn run(w: &World, millis: i64, step: i64, attempt: impl Fn(&Job) -> Attempt) -> usize {
    let (channel, _) = place();
    let until = w.ctx().now().plus_millis(millis);
    let mut tries = 0;
    while w.ctx().now() < until {
        deliver::give_up_late(&w.ctx(), &channel, registry::patience(channel.as_str())).unwrap();
        for account in deliver::due(&w.ctx(), &channel).unwrap() {
            loop {
                let patience = registry::patience(channel.as_str());
                let jobs = deliver::claim(&w.ctx(), (&channel, &account), patience, 16).unwrap();
                if jobs.is_empty() {
                    break;
                }
                for job in &jobs {
                    tries += 1;
                    deliver::record(&w.ctx(), job, &attempt(job)).unwrap();
                }
            }
        }
        w.pass(step);
    }
    tries
}

fn down() -> [Attempt; 4] {
    [
        Attempt::NotReached("platform_unreachable"),
        Attempt::Answered(Outcome::Retry("platform_unavailable")),
        Attempt::Answered(Outcome::Retry("rate_limited")),
        Attempt::Answered(Outcome::RefreshToken),
    ]
}

#[test]
fn h3_a_platform_that_is_down_for_three_minutes_costs_no_reply_and_is_not_hammered() {
    for failure in down() {
        let (w, _, sent) = shop(20);
        let tries = run(&w, 3 * MINUTE, SECOND, |_| failure.clone());
        assert_eq!((count(&w, "delivery.sent"), count(&w, "delivery.dead")), (0, 0), "{failure:?}");
        // 20 replies that were tried 8 times each would be 160 calls.
        assert!(tries <= 20 + 12, "{tries} tries: {failure:?}");
        run(&w, 90 * SECOND, SECOND, |_| Attempt::Answered(Outcome::Sent));
        assert_eq!((count(&w, "delivery.sent"), states(&w)), (sent.len(), [("sent", sent.len())].into()), "{failure:?}");
    }
}

#[test]
fn h3_a_platform_that_is_down_for_hours_costs_no_reply_within_its_window() {
    let (w, _, sent) = shop(20);
    let tries = run(&w, 5 * HOUR, 15 * SECOND, |_| Attempt::NotReached("platform_unreachable"));
    assert!(tries <= 20 + 5 * 60 + 30, "about one probe a minute: {tries}");
    run(&w, 7 * MINUTE, SECOND, |_| Attempt::Answered(Outcome::Sent));
    assert_eq!((states(&w), count(&w, "delivery.dead")), ([("sent", sent.len())].into(), 0));
}

#[test]
fn h3_a_single_reply_is_found_a_working_platform_within_minutes() {
    for (outage, within) in [(3 * MINUTE, 90 * SECOND), (20 * MINUTE, 7 * MINUTE)] {
        let (w, _, sent) = shop(1);
        run(&w, outage, SECOND, |_| Attempt::Answered(Outcome::Retry("platform_unavailable")));
        assert_eq!(state_of(&w, sent[0]), (DeliveryState::Failed, Some("platform_unavailable".into())));
        run(&w, within, SECOND, |_| Attempt::Answered(Outcome::Sent));
        assert_eq!(state_of(&w, sent[0]).0, DeliveryState::Sent, "after {outage} ms");
    }
}

#[test]
fn h3_a_reply_is_given_up_when_its_window_closes_also_where_the_outage_goes_on() {
    let (w, _, sent) = shop(8);
    run(&w, 49 * HOUR, 5 * MINUTE, |_| Attempt::NotReached("platform_unreachable"));
    for id in &sent {
        assert_eq!(state_of(&w, *id), (DeliveryState::Dead, Some("too_late".into())));
    }
    assert_eq!(run(&w, HOUR, 5 * MINUTE, |_| Attempt::Answered(Outcome::Sent)), 0, "nothing leaves after its window");
}

#[test]
fn h3_a_customer_who_writes_again_opens_the_window_of_a_reply_that_waits() {
    let (w, _, sent) = shop(1);
    run(&w, 47 * HOUR, 5 * MINUTE, |_| Attempt::NotReached("platform_unreachable"));
    w.says("u0", "again", "还在吗");
    run(&w, 40 * HOUR, 5 * MINUTE, |_| Attempt::NotReached("platform_unreachable"));
    run(&w, 10 * MINUTE, SECOND, |_| Attempt::Answered(Outcome::Sent));
    assert_eq!(state_of(&w, sent[0]).0, DeliveryState::Sent);
}

#[test]
fn h3_retry_after_is_honoured_for_the_whole_account_and_bounded_by_the_window() {
    let (w, _, _) = shop(4);
    let first = claim(&w, 1).remove(0);
    let at = w.ctx().now().plus_millis(100 * SECOND);
    deliver::record(&w.ctx(), &first, &Attempt::NotBefore("rate_limited", at)).unwrap();
    assert_eq!(run(&w, 100 * SECOND, SECOND, |_| Attempt::Answered(Outcome::Sent)), 0, "nothing before its word");
    run(&w, 2 * SECOND, SECOND, |_| Attempt::Answered(Outcome::Sent));
    assert_eq!(states(&w), [("sent", 4)].into());

    // Messages under way beside it do not bring the probe forward.
    let (w, _, _) = shop(4);
    let at = w.ctx().now().plus_millis(100 * SECOND);
    for (i, job) in claim(&w, 4).iter().enumerate() {
        let told = Attempt::NotBefore("platform_unavailable", at);
        deliver::record(&w.ctx(), job, if i == 0 { &told } else { &Attempt::NotReached("platform_unreachable") }).unwrap();
    }
    assert_eq!(run(&w, 100 * SECOND, SECOND, |_| Attempt::Answered(Outcome::Sent)), 0, "nothing before its word");

    let (w, _, sent) = shop(1);
    let never = w.ctx().now().plus_millis(10_000 * HOUR);
    deliver::record(&w.ctx(), &claim(&w, 1)[0], &Attempt::NotBefore("rate_limited", never)).unwrap();
    // A platform that asks for a wait of years gets an hour, so that its recovery is noticed.
    assert_eq!(run(&w, 59 * MINUTE, MINUTE, |_| Attempt::Answered(Outcome::Sent)), 0);
    run(&w, 2 * MINUTE, SECOND, |_| Attempt::Answered(Outcome::Sent));
    assert_eq!(state_of(&w, sent[0]).0, DeliveryState::Sent);
}

#[test]
fn m6_what_a_deliverer_that_died_had_claimed_blocks_nobody() {
    for died in [24, 96] {
        let (w, ..) = shop(died);
        let under_way = claim(&w, 24).len() + claim(&w, 24).len();
        assert!((1..=24).contains(&under_way), "{under_way}");
        assert!(claim(&w, 24).is_empty(), "all that may be under way is");
        w.pass(deliver::LEASE_MS + 1);
        run(&w, 3 * MINUTE, SECOND, |_| Attempt::Answered(Outcome::Sent));
        assert_eq!(states(&w), [("sent", died)].into());
    }
}

#[test]
fn m1_a_success_that_is_recorded_late_is_one_and_nothing_is_sent_again() {
    let (w, _, sent) = shop(1);
    let first = claim(&w, 1).remove(0);
    w.pass(deliver::LEASE_MS + 1);
    let second = claim(&w, 1).remove(0);
    deliver::record(&w.ctx(), &first, &Attempt::Answered(Outcome::Sent)).unwrap();
    deliver::record(&w.ctx(), &second, &Attempt::NotReached("platform_unreachable")).unwrap();
    assert_eq!(state_of(&w, sent[0]).0, DeliveryState::Sent);
    assert_eq!(run(&w, HOUR, MINUTE, |_| Attempt::Answered(Outcome::Sent)), 0);
    assert_eq!(count(&w, "delivery.sent"), 1);
}

#[test]
fn m1_a_message_at_which_a_platform_that_works_fails_each_time_is_tried_a_few_times() {
    let (w, agent, sent) = shop(1);
    let mut tries = 0;
    for other in 0..60 {
        w.says(&format!("o{other}"), &format!("o{other}"), "在吗");
        let talk = all(&w).into_iter().find(|c| c.messages == 1).unwrap();
        reply(&w, agent, talk.id);
        let seen = std::cell::Cell::new(0);
        run(&w, 5 * MINUTE, 10 * SECOND, |job| {
            if job.row.message == sent[0] {
                seen.set(seen.get() + 1);
                return Attempt::Answered(Outcome::Retry("platform_unavailable"));
            }
            Attempt::Answered(Outcome::Sent)
        });
        tries += seen.get();
    }
    // Ten tries within the first minutes, while nothing else was sent beside it, and then a few.
    assert!((3..=16).contains(&tries), "{tries} tries");
    assert_eq!(state_of(&w, sent[0]), (DeliveryState::Dead, Some("perhaps_delivered".into())));
    assert_eq!(states(&w), [("dead", 1), ("sent", 60)].into());
}

#[test]
fn h3_one_message_that_fails_by_itself_is_no_outage() {
    let (w, agent, sent) = shop(1);
    run(&w, 10 * MINUTE, SECOND, |_| Attempt::Answered(Outcome::Retry("platform_unavailable")));
    assert_eq!(outages::down(&w.db).unwrap(), []);
    w.says("other", "o1", "你好");
    let other = all(&w).into_iter().find(|c| c.messages == 1).unwrap();
    let quick = reply(&w, agent, other.id);
    run(&w, SECOND, SECOND, |job| match job.row.message == quick {
        true => Attempt::Answered(Outcome::Sent),
        false => Attempt::Answered(Outcome::Retry("platform_unavailable")),
    });
    assert_eq!((state_of(&w, quick).0, state_of(&w, sent[0]).0), (DeliveryState::Sent, DeliveryState::Failed));
}

#[test]
fn h3_a_reply_written_during_an_outage_says_so() {
    let (w, agent, _) = shop(6);
    run(&w, 30 * SECOND, SECOND, |_| Attempt::NotReached("platform_unreachable"));
    w.says("late", "l1", "在吗");
    let talk = all(&w).into_iter().find(|c| c.messages == 1).unwrap();
    reply(&w, agent, talk.id);
    let standing = outbox::standing(&w.db, talk.id).unwrap();
    assert_eq!((standing.len(), standing[0].outage.as_deref()), (1, Some("platform_unreachable")));
    assert!(standing[0].next_at >= w.ctx().now().plus_millis(-SECOND));
    let (channel, _) = place();
    let probe_at = outages::down(&w.db).unwrap()[0].probe_at;
    if w.ctx().now() < probe_at {
        assert_eq!(outbox::due_channels(&w.db, w.ctx().now()).unwrap(), [], "nobody is woken before the probe");
    }
    assert_eq!(outbox::due_channels(&w.db, probe_at).unwrap(), [channel]);
    let text = figures::read(&w.ctx(), None).unwrap().open_metrics();
    let of = "channel=\"wechat\",account=\"gh_rice\",reason=\"platform_unreachable\"";
    assert!(text.contains(&format!("warmline_outage_seconds{{{of}}}")), "{text}");
    assert!(text.contains("warmline_outbox_oldest_seconds{channel=\"wechat\"} 30\n"), "{text}");
}

#[test]
fn m1_a_message_of_unknown_outcome_leaves_three_times_at_the_most_and_the_agent_is_told() {
    let doubts = [
        Attempt::Unknown("timeout"),
        Attempt::Unknown("connection_broken"),
        Attempt::Answered(Outcome::Retry("answer_unreadable")),
        Attempt::Answered(Outcome::Retry("gateway_timeout")),
    ];
    for doubt in doubts {
        let (w, _, sent) = shop(1);
        let tries = run(&w, 10 * MINUTE, SECOND, |_| doubt.clone());
        assert_eq!(tries, 3, "{doubt:?}");
        assert_eq!(state_of(&w, sent[0]), (DeliveryState::Dead, Some("perhaps_delivered".into())), "{doubt:?}");
        assert_eq!((count(&w, "delivery.in_doubt"), count(&w, "delivery.dead")), (3, 1));
        assert_eq!(run(&w, 49 * HOUR, 10 * MINUTE, |_| Attempt::Answered(Outcome::Sent)), 0);
    }
}

#[test]
fn m1_a_doubt_is_not_forgotten_by_what_follows() {
    let (w, _, sent) = shop(1);
    run(&w, SECOND, SECOND, |_| Attempt::Unknown("timeout"));
    run(&w, MINUTE, SECOND, |_| Attempt::Answered(Outcome::Permanent("reply_window_closed")));
    assert_eq!(state_of(&w, sent[0]), (DeliveryState::Dead, Some("perhaps_delivered".into())));
}

#[test]
fn m1_deliverers_that_die_again_and_again_double_nothing_for_ever() {
    let (w, _, sent) = shop(1);
    let mut claimed = 0;
    for _ in 0..6 {
        claimed += claim(&w, 1).len();
        w.pass(deliver::LEASE_MS);
    }
    assert_eq!(claimed, 3);
    assert_eq!(state_of(&w, sent[0]), (DeliveryState::Dead, Some("perhaps_delivered".into())));
}

/// Makes a message on another account of the channel, and its reply.
fn on_account(w: &World, agent: AgentId, account: &str, who: &str) -> MessageId {
    let (channel, account) = (place().0, AccountId::new(account).unwrap());
    let sender = Sender { open_id: who.into(), ..Sender::default() };
    let (at, content) = (w.ctx().now(), Content::text("在吗"));
    let inbound = Inbound { earlier_key: None, key: who.into(), sender, at, content, reply_to: None };
    ingest::ingest(&w.ctx(), &channel, &account, vec![inbound], None, &[]).unwrap();
    w.drain();
    let talk = all(w).into_iter().find(|c| c.account == account && c.messages == 1).unwrap();
    reply(w, agent, talk.id)
}

fn claim_of(w: &World, account: &str, limit: i64) -> Vec<Job> {
    let channel = place().0;
    let patience = registry::patience(channel.as_str());
    deliver::claim(&w.ctx(), (&channel, &AccountId::new(account).unwrap()), patience, limit).unwrap()
}

#[test]
fn m6_an_account_sends_however_many_messages_of_others_hang() {
    let (w, agent, _) = shop(0);
    for account in 0..4 {
        for i in 0..26 {
            on_account(&w, agent, &format!("hangs{account}"), &format!("h{account}_{i}"));
        }
    }
    let hanging = |account| -> usize { (0..4).map(|_| claim_of(&w, account, 16).len()).sum() };
    assert_eq!(hanging("hangs0"), 24, "one account has a share of the channel");
    assert_eq!((hanging("hangs1"), hanging("hangs2"), hanging("hangs3")), (24, 24, 24));
    let quick = on_account(&w, agent, "works", "w");
    assert_eq!(deliver::due(&w.ctx(), &place().0).unwrap().len(), 5);
    let jobs = claim_of(&w, "works", 16);
    assert_eq!(jobs.iter().map(|job| job.row.message).collect::<Vec<_>>(), [quick]);
}

#[test]
fn m6_an_outage_is_one_accounts() {
    let (w, agent, _) = shop(5);
    run(&w, 20 * SECOND, SECOND, |_| Attempt::NotReached("platform_unreachable"));
    let quick = on_account(&w, agent, "works", "w");
    run(&w, SECOND, SECOND, |job| match job.row.account.as_str() {
        "works" => Attempt::Answered(Outcome::Sent),
        _ => Attempt::NotReached("platform_unreachable"),
    });
    assert_eq!(state_of(&w, quick).0, DeliveryState::Sent);
    assert_eq!(outages::down(&w.db).unwrap().iter().map(|o| o.account.as_str()).collect::<Vec<_>>(), ["gh_rice"]);
}

fn dead(w: &World, id: MessageId, attempt: &Attempt) {
    loop {
        for job in claim(w, 16) {
            let attempt = if job.row.message == id { attempt } else { &Attempt::NotReached("later") };
            deliver::record(&w.ctx(), &job, attempt).unwrap();
        }
        if state_of(w, id).0 == DeliveryState::Dead {
            return;
        }
        w.pass(SECOND);
    }
}

#[test]
fn h3_what_was_given_up_is_revived_by_filter_while_its_window_is_open() {
    let (w, _, sent) = shop(7);
    let refused = Attempt::Answered(Outcome::Permanent("credentials_refused"));
    sent[..5].iter().for_each(|id| dead(&w, *id, &refused));
    dead(&w, sent[5], &Attempt::Unknown("timeout"));
    dead(&w, sent[6], &Attempt::Answered(Outcome::Permanent("content_refused")));
    let revive = |filter: &Filter<'_>, after, limit, dry| {
        immediate(&w.db, || given_up::revive(&w.ctx(), &supervisor(), filter, (after, limit), dry)).unwrap()
    };
    let by = |reason| Filter { reason: Some(reason), ..Filter::default() };
    let everything = Filter { channel: Some("wechat"), ..Filter::default() };
    assert_eq!(given_up::count(&w.ctx(), &everything).unwrap(), 7);
    assert_eq!(given_up::list(&w.ctx(), &by("credentials_refused"), 0, 10).unwrap().len(), 5);
    let dry = revive(&everything, 0, 500, true);
    assert_eq!((dry.revived, dry.too_late, dry.next, states(&w)), (6, 0, None, [("dead", 7)].into()));
    assert_eq!(audit::after(&w.db, 0, 10).unwrap().len(), 0);
    // Three at a time, without the two with other reasons.
    let first = revive(&by("credentials_refused"), 0, 3, false);
    assert_eq!((first.revived, first.next.is_some()), (3, true));
    let rest = revive(&by("credentials_refused"), first.next.unwrap(), 3, false);
    assert_eq!((rest.revived, rest.next), (2, None));
    run(&w, 10 * SECOND, SECOND, |_| Attempt::Answered(Outcome::Sent));
    assert_eq!(states(&w), [("dead", 2), ("sent", 5)].into());
    let entries = audit::after(&w.db, 0, 10).unwrap();
    let told: Vec<_> = entries.iter().map(|e| (e.entry.action.as_str(), e.entry.reason.as_deref())).collect();
    assert_eq!(told, [("deliveries.retried", Some("credentials_refused")); 2]);
    // A message that the customer may already have is sent again only on an explicit request.
    assert_eq!(revive(&everything, 0, 500, false).revived, 1);
    assert_eq!(revive(&everything, 0, 500, false).revived, 0);
    assert_eq!(revive(&by("perhaps_delivered"), 0, 500, true).revived, 1);
    let text = figures::read(&w.ctx(), None).unwrap().open_metrics();
    for (reason, n) in [("credentials_refused", 5), ("perhaps_delivered", 1), ("content_refused", 1)] {
        let of = format!("channel=\"wechat\",account=\"gh_rice\",reason=\"{reason}\"");
        assert!(text.contains(&format!("warmline_given_up_total{{{of}}} {n}\n")), "{text}");
    }
    w.pass(49 * HOUR);
    let late = revive(&by("perhaps_delivered"), 0, 500, false);
    assert_eq!((late.revived, late.too_late), (0, 1));
}

/// The release before, at work on a store of this one, leaves the reason and the time empty.
#[test]
fn what_the_release_before_gave_up_is_found_by_the_reason_that_the_list_shows() {
    let (w, _, sent) = shop(2);
    let refused = Attempt::Answered(Outcome::Permanent("credentials_refused"));
    sent.iter().for_each(|id| dead(&w, *id, &refused));
    let empty = "UPDATE outbox SET reason = NULL, dead_at = NULL WHERE message_id = ?1";
    w.db.0.execute(empty, &[sent[0].as_bytes().into()]).unwrap();
    let everything = Filter { channel: Some("wechat"), ..Filter::default() };
    let unknown = Filter { reason: Some("unknown"), ..Filter::default() };
    let since = Filter { since: Some(warmline_model::Timestamp::from_millis(0)), ..Filter::default() };
    for (filter, n) in [(&everything, 2), (&unknown, 1), (&since, 2)] {
        assert_eq!(given_up::count(&w.ctx(), filter).unwrap(), n);
        assert_eq!(given_up::list(&w.ctx(), filter, 0, 10).unwrap().len(), usize::try_from(n).unwrap());
    }
    let revived = immediate(&w.db, || given_up::revive(&w.ctx(), &supervisor(), &everything, (0, 10), false)).unwrap();
    assert_eq!(revived.revived, 2);
}

/// The simulated platform's record of one message.
#[derive(Default)]
struct Seen {
    taken: u32,
    sent: u32,
    doubts: u32,
}

proptest! {
    #![proptest_config(cases(64))]
    /// Whatever a platform does: a reply with a known outcome leaves once, one with an unknown outcome at most three times.
    /// None leaves after its window, or before an earlier reply of its conversation.
    #[test]
    fn h3_m1_no_sequence_of_outcomes_doubles_reorders_or_delays_replies(
        steps in proptest::collection::vec((0u8..14, any::<u8>(), any::<u8>()), 1..120)
    ) {
        let (w, agent, _) = shop(3);
        let mut spoke: BTreeMap<ConversationId, i64> =
            all(&w).iter().map(|c| (c.id, w.ctx().now().millis())).collect();
        let talks: Vec<ConversationId> = spoke.keys().copied().collect();
        let mut seen: BTreeMap<(ConversationId, i64), Seen> = BTreeMap::new();
        let mut keys = BTreeSet::new();
        for (what, a, b) in steps {
            let talk = talks[usize::from(a) % talks.len()];
            match what {
                // The platform may take no more replies.
                0 => drop(try_reply(&w, agent, talk)),
                1 => {
                    let (who, key) = (format!("u{}", a % 3), format!("again{b}"));
                    w.says(&who, &key, "还在吗");
                    if keys.insert((who, key)) {
                        for c in all(&w) {
                            if messages::since_spoken(&w.db, c.id).unwrap().map(|(at, _)| at) == Some(w.ctx().now()) {
                                spoke.insert(c.id, w.ctx().now().millis());
                            }
                        }
                    }
                }
                2 => w.pass(i64::from(b) * 10 * MINUTE),
                3 => w.pass(i64::from(b) * SECOND),
                4 => deliver::give_up_late(&w.ctx(), &place().0, registry::patience("wechat")).unwrap(),
                _ => {
                    let now = w.ctx().now();
                    for job in claim(&w, 1 + i64::from(a % 4)) {
                        let (id, n) = (job.row.conversation, job.row.n);
                        prop_assert!(now.millis() < spoke[&id] + 48 * HOUR, "sent after its window");
                        let later = seen.iter().any(|((c, m), s)| *c == id && *m > n && s.taken > 0);
                        let this = seen.entry((id, n)).or_default();
                        let (attempt, taken, doubt) = match b % 10 {
                            0 | 1 => (Some(Attempt::Answered(Outcome::Sent)), true, false),
                            2 => (Some(Attempt::Answered(Outcome::Retry("platform_busy"))), false, false),
                            3 => (Some(Attempt::Answered(Outcome::Permanent("content_refused"))), false, false),
                            4 => (Some(Attempt::NotReached("platform_unreachable")), false, false),
                            5 => (Some(Attempt::Unknown("timeout")), true, true),
                            6 => (Some(Attempt::Unknown("connection_broken")), false, true),
                            7 => (Some(Attempt::Answered(Outcome::Retry("answer_unreadable"))), true, true),
                            8 => {
                                let at = now.plus_millis(i64::from(a) * SECOND);
                                (Some(Attempt::NotBefore("rate_limited", at)), false, false)
                            }
                            // The deliverer dies.
                            _ => (None, a % 2 == 0, true),
                        };
                        this.sent += 1;
                        this.doubts += u32::from(doubt);
                        this.taken += u32::from(taken);
                        prop_assert!(!(taken && later), "out of order");
                        prop_assert!(i64::from(this.doubts) <= MAX_DOUBTS, "{} tries of unknown outcome", this.doubts);
                        prop_assert!(this.taken <= 1 || this.doubts > 0, "doubled without a doubt");
                        match attempt {
                            Some(attempt) => deliver::record(&w.ctx(), &job, &attempt).unwrap(),
                            None => w.pass(deliver::LEASE_MS),
                        }
                    }
                }
            }
        }
        // Each message that was given up after a doubt reports it, and no other message does.
        for event in log(&w) {
            if let EventBody::Delivery(Delivery::Dead { message, reason, .. }) = event.body {
                let row = all(&w).into_iter().flat_map(|c| messages::list(&w.db, c.id, 0, 1_000).unwrap());
                let found = row.into_iter().find(|m| m.id == message).unwrap();
                let doubts = seen.get(&(found.conversation, found.n)).map_or(0, |s| s.doubts);
                prop_assert_eq!(reason == "perhaps_delivered", doubts > 0, "{} after {} doubts", reason, doubts);
            }
        }
    }
}

#[test]
fn a_row_of_the_release_before_is_tried_for_a_day_and_no_channel_is_left_out() {
    let (w, _, sent) = shop(1);
    w.db.0.execute("UPDATE outbox SET give_up_at = NULL", &[]).unwrap();
    run(&w, HOUR, MINUTE, |_| Attempt::NotReached("platform_unreachable"));
    run(&w, 6 * MINUTE, SECOND, |_| Attempt::Answered(Outcome::Sent));
    assert_eq!(state_of(&w, sent[0]).0, DeliveryState::Sent);
    assert_eq!(outbox::due_channels(&w.db, w.ctx().now()).unwrap(), Vec::<Channel>::new());
}
