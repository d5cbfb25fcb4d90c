//! Retention: the archive shows the same as the rows, an interrupted tick loses and doubles nothing, and data under a hold
//! stays.

use crate::common::{Planned, World, claim_on, place, reply};
use crate::holds_and_consent::{hold, lift};
use crate::people::{merge, says, sender};
use crate::{all, close, count};
use proptest::prelude::{any, proptest};
use std::cell::Cell;
use std::rc::Rc;
use warmline_app::tick;
use warmline_cases::cases;
use warmline_channels::Outcome;
use warmline_compliance::retention;
use warmline_conversations::store::staffing::{self, Work};
use warmline_customers::timeline::{self, Place};
use warmline_kernel::archive::Reader;
use warmline_kernel::ctx::Actor;
use warmline_kernel::personal::Keeping;
use warmline_kernel::{Ctx, StepError, sealing};
use warmline_model::{AgentId, Content, CustomerId, Delivery, EventBody, GroupId, MessageId, Origin, Role, Timestamp};
use warmline_store::archive::{self, Stage};
use warmline_store::conversations::{self, Conversation};
use warmline_store::messages::{self, Message};
use warmline_store::{Db, Row, StoreError, Value, immediate};
use warmline_transport::deliver::{self, Attempt};

const DAY: i64 = 86_400_000;

fn officer() -> Actor {
    Actor { agent: None, role: Role::Admin }
}

/// A database that fails after some statements. Only the final roll-back still passes.
struct Ends<'a> {
    db: &'a Planned,
    left: Cell<usize>,
}

impl Db for Ends<'_> {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        if self.left.get() == 0 && sql != "ROLLBACK" {
            return Err(StoreError::Busy);
        }
        self.left.set(self.left.get().saturating_sub(1));
        self.db.execute(sql, params)
    }
}

/// Ticks until nothing is due. Returns the messages archived and the conversations emptied.
fn age(w: &World) -> (i64, i64) {
    let mut done = (0, 0);
    loop {
        let (archived, removed) = step(w);
        done = (done.0 + archived, done.1 + removed);
        if (archived, removed) == (0, 0) {
            return done;
        }
    }
}

/// One tick's share. Returns the messages archived and the conversations emptied.
fn step(w: &World) -> (i64, i64) {
    let done = retention::step(&w.ctx()).unwrap();
    let count = |name| done.iter().find(|(of, _)| *of == name).map_or(0, |(_, count)| *count);
    (count("archived"), count("removed"))
}

fn days(hot: i64, archive: i64, parked: i64, work: i64) -> Keeping {
    let all = [("hot_days", hot), ("archive_days", archive), ("parked_days", parked), ("work_days", work)];
    let all = all.into_iter().chain([
        ("deadline_days", 400),
        ("event_days", 7),
        ("held_days", 30),
        ("hook_days", 7),
        ("repeat_days", 14),
    ]);
    Keeping(all.map(|(name, days)| (name.to_owned(), days)).collect())
}

fn set(w: &World, settings: &Keeping) {
    immediate(&w.db, || retention::change(&w.ctx(), &officer(), settings)).unwrap();
}

fn stages(w: &World) -> Vec<Stage> {
    all(w).iter().map(|c| archive::stage(&w.db, c.id).unwrap()).collect()
}

/// The visible parts of a message, with its text opened.
type Seen = (i64, MessageId, Option<String>, Option<AgentId>, Timestamp, Option<&'static str>);

fn seen(w: &World, customer: CustomerId, m: &Message) -> Seen {
    let key = sealing::customer_key(&w.ctx(), customer).unwrap();
    let words = sealing::open_content(&key, m).ok().map(|c| serde_json::to_string(&c).unwrap());
    (m.n, m.id, words, m.agent, m.at, m.delivery.map(|d| d.as_str()))
}

fn page(w: &World, person: CustomerId, before: Option<Place>, limit: usize) -> Vec<(Place, Seen)> {
    let page = timeline::page(&w.ctx(), person, Timestamp::default(), before, limit).unwrap();
    page.iter().map(|e| (e.place, seen(w, e.conversation.customer, &e.message))).collect()
}

fn list(w: &World, conversation: &Conversation, after: i64, limit: i64) -> Vec<Seen> {
    let ctx = w.ctx();
    let found = Reader::new(&ctx, Rc::new(conversation.clone())).after(after, limit).unwrap();
    found.iter().map(|m| seen(w, conversation.customer, m)).collect()
}

/// Pages of a timeline, and of conversations.
type Everything = (Vec<Vec<(Place, Seen)>>, Vec<Vec<Seen>>);

/// All pages of all kinds of a person: from every place, and of every conversation from every number.
fn everything(w: &World, person: CustomerId, limit: usize) -> Everything {
    let whole = page(w, person, None, 10_000);
    let cursors = std::iter::once(None).chain(whole.iter().map(|(place, _)| Some(*place)));
    let pages = cursors.map(|before| page(w, person, before, limit)).collect();
    let most = i64::try_from(limit).unwrap();
    let lists = all(w).iter().flat_map(|c| (0..=c.messages).map(|n| list(w, c, n, most))).collect();
    (pages, lists)
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn the_archive_shows_what_the_rows_showed_wherever_a_tick_is_interrupted(
        said in proptest::collection::vec((0usize..3, any::<bool>(), any::<bool>()), 1..40),
        limit in 1usize..6,
        ends in proptest::collection::vec(0usize..60, 0..12),
    ) {
        let w = World::new();
        let group = w.group("g", "{}");
        let agent = w.agent(&group, 9, false);
        let mut customers = Vec::new();
        for (i, (who, answers, closes)) in said.iter().enumerate() {
            let customer = says(&w, "app", sender(&format!("u{who}"), &[]), &format!("第{i}句"));
            customers.push(customer);
            let open = all(&w).into_iter().find(|c| c.customer == customer && c.closed_at.is_none()).unwrap();
            if *answers {
                let content = [Content::text(format!("答{i}"))];
                w.pass(1);
                immediate(&w.db, || reply(&w.ctx(), &crate::actor(agent), open.id, &content)).unwrap();
                // The customer's own client has it at once.
                for job in claim_on(&w, &open.channel, 9) {
                    deliver::record(&w.ctx(), &job, &Attempt::Answered(Outcome::Sent)).unwrap();
                }
            }
            if *closes {
                close(&w, agent, open.id);
            }
        }
        customers.sort();
        customers.dedup();
        for other in customers.iter().skip(1) {
            merge(&w, customers[0], *other);
        }
        w.pass(31 * DAY);
        let before = everything(&w, customers[0], limit);
        for left in ends {
            let db = Ends { db: &w.db, left: Cell::new(left) };
            let ctx = Ctx { db: &db, ..w.ctx() };
            let _ = retention::step(&ctx);
            assert_eq!(everything(&w, customers[0], limit), before);
        }
        age(&w);
        assert_eq!(everything(&w, customers[0], limit), before);
        for c in all(&w) {
            let closed = c.closed_at.is_some();
            assert_eq!(archive::stage(&w.db, c.id).unwrap(), if closed { Stage::Packs } else { Stage::Rows });
            assert_eq!(messages::list(&w.db, c.id, 0, 1).unwrap().is_empty(), closed);
        }
    }
}

/// Makes a closed conversation with this many messages. The last of them is from now.
fn long(w: &World, n: i64) -> Conversation {
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 9, false);
    let customer = says(w, "app", sender("u", &[]), "第1句");
    let open = all(w).remove(0);
    let key = sealing::customer_key(&w.ctx(), customer).unwrap();
    immediate(&w.db, || {
        for _ in 1..n {
            w.pass(1);
            let now = w.ctx().now();
            let n = conversations::outbound(&w.db, open.id, now)?;
            let id = MessageId::new(now, &w.rng);
            let content = sealing::seal_content(&w.ctx(), &key, open.id, id, &Content::text(format!("第{n}句"))).unwrap();
            let (origin, conversation) = (Origin::Customer, open.id);
            let m = Message { conversation, n, id, origin, agent: None, content, at: now, delivery: None, reason: None };
            messages::insert(&w.db, &m)?;
        }
        Ok::<_, StoreError>(())
    })
    .unwrap();
    close(w, agent, open.id);
    conversations::get(&w.db, open.id).unwrap().unwrap()
}

#[test]
fn a_long_conversation_is_packed_and_removed_in_parts() {
    let w = World::new();
    let talk = long(&w, 2_345);
    let whole = page(&w, talk.customer, None, 5_000);
    let packs = || {
        let (mut last, mut found) = (0, Vec::new());
        while let Some(pack) = archive::holding(&w.db, talk.id, last + 1).unwrap() {
            (last, found) = (pack.last, [found, vec![(pack.first, pack.last)]].concat());
        }
        found
    };
    w.pass(30 * DAY);
    for (done, ends) in [(1_000, 1_000), (1_000, 2_000), (345, 2_345), (0, 2_345)] {
        assert_eq!(step(&w), (done, 0));
        assert_eq!(packs().last().unwrap().1, ends);
        for at in [0, 998, 999, 1_000, 1_001, 1_999, 2_000, 2_340] {
            assert_eq!(list(&w, &talk, at, 3).iter().map(|m| m.0).collect::<Vec<_>>(), [at + 1, at + 2, at + 3]);
        }
        assert_eq!(page(&w, talk.customer, None, 5_000), whole);
        let middle = whole[1_340].0;
        assert_eq!(page(&w, talk.customer, Some(middle), 50), whole[1_341..1_391]);
    }
    assert_eq!(packs(), [(1, 1_000), (1_001, 2_000), (2_001, 2_345)]);
    // An altered pack hides its own messages and no others, forwards and backwards.
    w.db.0.execute("UPDATE packs SET content = substr(content, 2) WHERE last = 2000", &[]).unwrap();
    assert_eq!(list(&w, &talk, 998, 5).iter().map(|m| m.0).collect::<Vec<_>>(), [999, 1_000, 2_001, 2_002, 2_003]);
    assert_eq!(page(&w, talk.customer, None, 5_000).len(), 1_345);
    w.pass(364 * DAY);
    assert_eq!(age(&w), (0, 0));
    w.pass(DAY);
    assert_eq!(age(&w), (0, 1));
    assert_eq!((packs(), stages(&w)), (vec![], vec![Stage::Gone]));
    assert!(page(&w, talk.customer, None, 10).is_empty() && list(&w, &talk, 0, 10).is_empty());
    // The conversation and its events stay, for the figures.
    assert_eq!((all(&w)[0].messages, count(&w, "message.received"), count(&w, "conversation.closed")), (2_345, 1, 1));
}

#[test]
fn who_is_held_keeps_everything_and_stops_nobody() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 200, false);
    let customers: Vec<_> = (0..40).map(|i| says(&w, "app", sender(&format!("u{i}"), &[]), "你好")).collect();
    for c in all(&w) {
        close(&w, agent, c.id);
    }
    // There are more held conversations than one transaction looks at, and all of them are older than the free one.
    for customer in &customers[..38] {
        hold(&w, *customer, "court").unwrap();
    }
    merge(&w, customers[0], customers[38]);
    w.pass(500 * DAY);
    let at_hand = |n: usize| stages(&w)[n] == Stage::Rows;
    // The first look finds held ones only, and postpones them.
    assert_eq!(step(&w), (0, 0));
    assert_eq!(age(&w), (1, 1));
    assert!((0..39).all(at_hand) && stages(&w)[39] == Stage::Gone);
    assert_eq!(page(&w, customers[0], None, 10).len(), 2);
    lift(&w, customers[0]);
    w.pass(2 * DAY);
    for _ in 0..3 {
        retention::step(&w.ctx()).unwrap();
    }
    assert_eq!(stages(&w).iter().filter(|s| **s == Stage::Rows).count(), 37);
    assert!(page(&w, customers[0], None, 10).is_empty());
}

#[test]
fn what_is_on_its_way_stays_and_what_was_archived_is_not_sent_again() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 9, false);
    let (here, _) = place();
    says(&w, here.as_str(), sender("u", &[]), "你好");
    let talk = all(&w).remove(0);
    let sent = immediate(&w.db, || reply(&w.ctx(), &crate::actor(agent), talk.id, &[Content::text("在")])).unwrap();
    close(&w, agent, talk.id);
    w.pass(31 * DAY);
    age(&w);
    assert_eq!(stages(&w), [Stage::Rows]);
    // Nobody can send it any more, and it is given up.
    assert_eq!(claim_on(&w, &here, 9).len(), 0);
    assert!(crate::log(&w).iter().any(|e| matches!(e.body, EventBody::Delivery(Delivery::Dead { .. }))));
    w.pass(2 * DAY);
    age(&w);
    assert_eq!(stages(&w), [Stage::Packs]);
    let again = immediate(&w.db, || deliver::retry(&w.ctx(), sent[0].id));
    assert!(matches!(again, Err(StepError::Conflict { code: "archived", .. })));
}

#[test]
fn without_an_archive_messages_go_and_other_things_have_their_days() {
    let w = World::new();
    let bad = days(0, 365, 30, 400);
    assert!(
        matches!(retention::change(&w.ctx(), &officer(), &bad), Err(StepError::Invalid { ref field, .. }) if field == "hot_days")
    );
    set(&w, &days(3, 0, 7, 30));
    let talk = long(&w, 1_500);
    let quarter = w.ctx().now().millis() / 900_000;
    staffing::add(&w.db, &GroupId::new("g").unwrap(), &Work { quarter, came: 1, handled: 1, unit_ms: 1 }).unwrap();
    w.arrives("a", "broken", Content::text("x"), &[]);
    w.db.0.execute("UPDATE inbox SET payload = x'00' WHERE state = 0", &[]).unwrap();
    w.drain();
    let parked = || w.db.0.execute("SELECT payload FROM inbox WHERE payload IS NOT NULL", &[]).unwrap().len();
    let work = || staffing::since(&w.db, &GroupId::new("g").unwrap(), 0).unwrap().len();
    w.pass(3 * DAY - 1);
    age(&w);
    assert_eq!(stages(&w), [Stage::Rows]);
    w.pass(1);
    assert_eq!((step(&w), step(&w)), ((0, 0), (0, 1)));
    assert_eq!((stages(&w), list(&w, &talk, 0, 10).len(), parked(), work()), (vec![Stage::Gone], 0, 1, 1));
    w.pass(4 * DAY);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!((parked(), work()), (0, 1));
    w.pass(24 * DAY);
    age(&w);
    assert_eq!(work(), 0);
}

#[test]
fn the_release_before_can_read_the_settings_that_this_one_stores() {
    let w = World::new();
    set(&w, &days(31, 366, 32, 401));
    let (text, _) = warmline_store::config::get(&w.db, "retention").unwrap().unwrap();
    let stored: std::collections::BTreeMap<String, i64> = serde_json::from_str(&text).unwrap();
    assert!(stored.keys().eq(["archive_days", "hot_days", "parked_days", "work_days"]), "it refuses others");
    let (read, version) = retention::settings(&w.ctx()).unwrap();
    assert_eq!((read, version), (days(31, 366, 32, 401), 1));
}
