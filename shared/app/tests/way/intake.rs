//! Intake of everything that can come: unreadable items, repeats across an upgrade, and rows that cannot be handled.

use crate::common::{World, place};
use crate::{all, count};
use warmline_app::tick;
use warmline_channels::{Odd, Page, Parsed};
use warmline_compliance::{erase, retention};
use warmline_kernel::ctx::Actor;
use warmline_kernel::payload::sender_lookup;
use warmline_kernel::transient_keys;
use warmline_metrics::steps as figures;
use warmline_model::{
    AccountId, Channel, Content, CustomerId, Identifier, IdentifierKind, Inbound, Role, Sender, Timestamp,
};
use warmline_store::inbox::{self, SHARDS};
use warmline_store::{Db as _, customers, immediate, odd_items, pulls};
use warmline_transport::ingest::{self, Ingested};
use warmline_transport::{odd, pull};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn message(w: &World, who: &str, key: &str, earlier: Option<&str>) -> Inbound {
    Inbound {
        key: key.into(),
        earlier_key: earlier.map(str::to_owned),
        sender: Sender { open_id: who.into(), ..Sender::default() },
        at: w.ctx().now(),
        content: Content::text("在吗"),
        reply_to: None,
    }
}

fn take(w: &World, parsed: impl Into<Parsed>) -> Vec<Ingested> {
    let (channel, account) = place();
    ingest::ingest(&w.ctx(), &channel, &account, parsed, None, &[]).unwrap()
}

fn unread(raw: &[u8]) -> Odd {
    Odd { reason: "not_json", raw: raw.to_vec() }
}

/// The items set aside that can be opened: reason and bytes.
fn kept(w: &World) -> Vec<(String, Vec<u8>)> {
    let open = |row: inbox::Pending| {
        let key = transient_keys::by_number(&w.ctx(), row.sealed_by).unwrap();
        let plain = key.open(&row.dedup, &row.payload).unwrap();
        odd::read(&plain).map(|(reason, raw)| (reason.to_owned(), raw.to_vec()))
    };
    inbox::parked(&w.db, i64::MAX, 0, 999).unwrap().into_iter().filter_map(open).collect()
}

fn counted(w: &World) -> Option<(i64, Timestamp, String)> {
    let (channel, account) = place();
    odd_items::of_account(&w.db, &channel, &account).unwrap().map(|odd| (odd.count, odd.last_at, odd.last_reason))
}

fn shard(w: &World, who: &str) -> i64 {
    let (channel, account) = place();
    i64::from(sender_lookup(&w.keys.index(), &channel, &account, who)[0]) % SHARDS
}

#[test]
fn f4_what_cannot_be_read_is_kept_sealed_and_counted_beside_what_can() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 1, false);
    let push = || Parsed { messages: vec![message(&w, "a", "m1", None)], odd: vec![unread(b"{\"phone\":\"13800000001\"")] };
    assert_eq!(take(&w, push()).len(), 1);
    w.drain();
    assert_eq!((count(&w, "message.received"), count(&w, "inbox.parked")), (1, 0));
    assert_eq!(kept(&w), [("not_json".to_owned(), b"{\"phone\":\"13800000001\"".to_vec())]);
    let first = w.ctx().now();
    assert_eq!(counted(&w), Some((1, first, "not_json".to_owned())));
    // The item is sealed: its words are nowhere in the table.
    for row in w.db.0.execute("SELECT payload FROM inbox WHERE payload IS NOT NULL", &[]).unwrap() {
        assert!(!row.blob(0).unwrap().windows(5).any(|part| part == b"13800"));
    }
    // The platform's retry is recognised, and is not counted.
    w.pass(1_000);
    assert!(take(&w, push())[0].duplicate);
    assert_eq!((kept(&w).len(), counted(&w).map(|c| c.0)), (1, Some(1)));
    take(&w, Parsed { messages: Vec::new(), odd: vec![Odd { reason: "phone_number", raw: b"[]".to_vec() }] });
    assert_eq!(counted(&w), Some((2, w.ctx().now(), "phone_number".to_owned())));
    let shown = figures::read(&w.ctx(), None).unwrap();
    let shown: Vec<_> = shown.now.intake_odd_items.iter().map(|(of, n)| (of.as_str(), *n)).collect();
    assert_eq!(shown, [("wechat/not_json", 1), ("wechat/phone_number", 1)]);
    assert_eq!(shown_inbox(&w), 0, "nobody is to handle them");
}

fn shown_inbox(w: &World) -> i64 {
    figures::read(&w.ctx(), None).unwrap().now.inbox_waiting
}

#[test]
fn what_cannot_be_read_moves_to_newer_keys_and_goes_when_its_days_are_over() {
    let w = World::new();
    take(&w, Parsed { messages: Vec::new(), odd: vec![unread(b"x")] });
    let (old, _) = transient_keys::newest(&w.ctx(), transient_keys::TransientPurpose::Inbox).unwrap();
    w.pass(25 * HOUR);
    tick::tick(&w.ctx()).unwrap();
    tick::tick(&w.ctx()).unwrap();
    assert!(transient_keys::by_number(&w.ctx(), old).is_err(), "the old key is gone");
    assert_eq!(kept(&w).len(), 1);
    w.pass(30 * 24 * HOUR);
    retention::step(&w.ctx()).unwrap();
    assert_eq!((kept(&w).len(), counted(&w).map(|c| c.0)), (0, Some(1)), "the count stays");
    take(&w, Parsed { messages: Vec::new(), odd: vec![unread(b"x")] });
    assert_eq!(counted(&w).map(|c| c.0), Some(1), "and so does that it came");
}

#[test]
fn an_erasure_empties_what_may_be_the_persons() {
    let w = World::new();
    w.says("a", "m1", "删了我");
    take(&w, Parsed { messages: Vec::new(), odd: (0..600_u32).map(|n| unread(&n.to_be_bytes())).collect() });
    assert_eq!(kept(&w).len(), 256, "the rest are kept as one");
    w.pass(1);
    let who = all(&w)[0].customer;
    immediate(&w.db, || erase::begin(&w.ctx(), who, &Actor { agent: None, role: Role::Admin }, "request", &[])).unwrap();
    w.pass(1);
    take(&w, Parsed { messages: Vec::new(), odd: vec![unread(b"later")] });
    assert_eq!(erase::go_on(&w.ctx()).unwrap(), 1);
    assert_eq!(kept(&w), [("not_json".to_owned(), b"later".to_vec())]);
}

#[test]
fn w0_a_page_with_an_odd_item_moves_the_cursor_in_the_same_transaction() {
    let w = World::new();
    let (channel, account) = place();
    pulls::hint(&w.db, &channel, &account, "wk1", None, w.ctx().now()).unwrap();
    let mut turn = pull::claim(&w.ctx(), &channel, 8).unwrap().remove(0);
    let page = Page {
        messages: vec![message(&w, "a", "1", None), message(&w, "b", "2", None)],
        odd: vec![unread(b"{")],
        cursor: Some("c9".into()),
        ..Page::default()
    };
    assert_eq!(pull::keep(&w.ctx(), &mut turn, &page).unwrap().map(|rows| rows.len()), Some(2));
    pull::done(&w.ctx(), &turn).unwrap();
    assert_eq!((kept(&w).len(), counted(&w).map(|c| c.0)), (1, Some(1)));
    pulls::hint(&w.db, &channel, &account, "wk1", None, w.ctx().now()).unwrap();
    let next = pull::claim(&w.ctx(), &channel, 8).unwrap().remove(0);
    assert_eq!(next.claimed.cursor.as_deref(), Some("c9"));
}

#[test]
fn w0_a_backlog_that_takes_longer_than_one_run_goes_on_without_another_hint() {
    let w = World::new();
    let (channel, account) = place();
    let token = pulls::HintToken { token: "t", until: w.ctx().now().plus_millis(600_000) };
    pulls::hint(&w.db, &channel, &account, "wk1", Some(token), w.ctx().now()).unwrap();
    for n in 0..5 {
        let mut turn = pull::claim(&w.ctx(), &channel, 8).unwrap().remove(0);
        assert_eq!(turn.claimed.token.as_deref(), Some("t"), "run {n}");
        let page = Page {
            messages: vec![message(&w, "a", &n.to_string(), None)],
            cursor: Some(format!("c{n}")),
            more: true,
            ..Page::default()
        };
        pull::keep(&w.ctx(), &mut turn, &page).unwrap();
        pull::pause(&w.ctx(), &turn).unwrap();
        assert_eq!(pulls::due_channels(&w.db, w.ctx().now()).unwrap(), [channel.as_str()]);
    }
    let turn = pull::claim(&w.ctx(), &channel, 8).unwrap().remove(0);
    pull::done(&w.ctx(), &turn).unwrap();
    assert!(pulls::due_channels(&w.db, w.ctx().now().plus_millis(3_600_000)).unwrap().is_empty());
}

#[test]
fn a_repeat_of_what_was_delivered_before_an_upgrade_is_stored_once() {
    let w = World::new();
    // The previous release knew the message by the platform's id alone.
    assert!(!take(&w, message(&w, "a", "42", None))[0].duplicate);
    w.drain();
    w.pass(HOUR);
    let repeat = take(&w, message(&w, "a", "message-a-42", Some("42")));
    assert!(repeat[0].duplicate && repeat[0].wake.is_none());
    // Another sender's message with the same id is another message. A message that comes long after all repeats is a new
    // one, too.
    let other = (0..99).map(|n| format!("b{n}")).find(|who| shard(&w, who) != shard(&w, "a")).unwrap();
    assert!(!take(&w, message(&w, &other, "message-b-42", Some("42")))[0].duplicate);
    w.pass(24 * HOUR);
    assert!(!take(&w, message(&w, "a", "message-a-42", Some("42")))[0].duplicate);
    assert!(take(&w, message(&w, "a", "message-a-42", Some("42")))[0].duplicate);
    w.drain();
    assert_eq!(count(&w, "message.received"), 3);
}

#[test]
fn two_messages_that_the_release_before_held_for_one_are_two() {
    let w = World::new();
    for code in ["1", "2", "3"] {
        let card = message(&w, "a", &format!("event-{code}"), Some("event"));
        assert!(!take(&w, card)[0].duplicate, "{code}");
    }
    w.drain();
    assert_eq!(count(&w, "message.received"), 3);
}

#[test]
fn a_message_that_cannot_be_handled_is_set_aside_and_stops_nobody() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 5, false);
    let app = Channel::new("app").unwrap();
    let phone = || Identifier { kind: IdentifierKind::Phone, value: "13812345678".into(), verified: true };
    let sender = |who: &str| Sender { open_id: who.into(), identifiers: vec![phone()], ..Sender::default() };
    w.arrives_from(&app, sender("holder"), "1", Content::text("x"));
    w.drain();
    // The holder of the number is no customer any more. The number is still theirs, so nobody can be joined with them.
    w.db.0.execute("UPDATE customers SET erasure = x'01'", &[]).unwrap();
    let mates: Vec<String> = (0..99)
        .map(|n| format!("m{n}"))
        .filter(|who| shard_on(&w, &app, who) == shard_on(&w, &app, "bad"))
        .take(4)
        .collect();
    w.arrives_on(&app, &mates[0], "2", Content::text("x"), &[]);
    w.arrives_on(&app, &mates[1], "3", Content::text("x"), &[]);
    w.arrives_from(&app, sender("bad"), "4", Content::text("x"));
    w.arrives_on(&app, &mates[2], "5", Content::text("x"), &[]);
    w.arrives_on(&app, &mates[3], "6", Content::text("x"), &[]);
    assert_eq!(w.drain(), 5);
    assert_eq!((count(&w, "message.received"), count(&w, "inbox.parked")), (5, 1));
    assert_eq!(w.drain(), 0);
    assert_eq!(shown_inbox(&w), 0);
    assert!(customer_of(&w, &app, &mates[3]).is_some());
}

fn shard_on(w: &World, channel: &Channel, who: &str) -> i64 {
    i64::from(sender_lookup(&w.keys.index(), channel, &account(), who)[0]) % SHARDS
}

fn account() -> AccountId {
    place().1
}

fn customer_of(w: &World, channel: &Channel, who: &str) -> Option<CustomerId> {
    let lookup = sender_lookup(&w.keys.index(), channel, &account(), who);
    customers::contact(&w.db, &lookup).unwrap().map(|c| c.customer)
}

fn number(w: &World, sql: &'static str) -> i64 {
    w.db.0.execute(sql, &[]).unwrap()[0].int(0).unwrap()
}

#[test]
fn a_repeat_is_known_by_its_key_when_its_row_has_gone() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 1, false);
    let push = |n: i64| take(&w, vec![message(&w, "a", &format!("m{n}"), None)])[0];
    let first: Vec<i64> = (0..40).map(|n| push(n).seq).collect();
    w.drain();
    // One by one: each is the newest when it is handled.
    let second: Vec<i64> = (40..45)
        .map(|n| {
            let seq = push(n).seq;
            w.drain();
            seq
        })
        .collect();
    let all: Vec<i64> = first.into_iter().chain(second).collect();
    let repeats = || (0..45).map(push).map(|again| (again.seq, again.duplicate)).collect::<Vec<_>>();
    let known: Vec<(i64, bool)> = all.iter().map(|seq| (*seq, true)).collect();
    assert_eq!(repeats(), known);
    retention::step(&w.ctx()).unwrap();
    let count = |table| number(&w, table);
    let rows = || {
        [
            count("SELECT count(*) FROM inbox"),
            count("SELECT count(*) FROM inbox_seen"),
            count("SELECT count(*) FROM inbox_kept"),
        ]
    };
    assert_eq!((rows(), repeats()), ([1, 44, 0], known), "the newest row stays, so that no position is used twice");
    assert!(push(45).seq > all[44]);
    w.drain();
    w.pass(14 * DAY);
    retention::step(&w.ctx()).unwrap();
    assert_eq!(rows(), [1, 0, 45]);
    // A platform that reads its last change again and again, or somebody who caught a webhook, may come at any time.
    assert!((0..45).map(push).all(|again| again.duplicate), "a repeat is known however late it comes");
    assert_eq!(rows(), [1, 0, 45]);
}

#[test]
fn a_repeat_under_the_key_of_the_release_before_is_known_when_its_row_has_gone() {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 1, false);
    let old = take(&w, vec![message(&w, "a", "old", None), message(&w, "a", "other", None)]);
    w.drain();
    assert_eq!(number(&w, "SELECT count(*) FROM inbox_seen"), 1);
    let again = take(&w, vec![message(&w, "a", "new", Some("old"))]);
    assert_eq!((again[0].seq, again[0].duplicate), (old[0].seq, true));
}

/// The release before knows nothing of `inbox_seen`.
#[test]
fn the_release_before_knows_a_repeat_of_what_this_one_handled() {
    const INSERT: &str = "INSERT INTO inbox (dedup, shard, channel, account, payload, received_at, sealed_by) \
                          VALUES (?1, 0, 'wechat', 'gh_rice', x'00', 1, 1) ON CONFLICT (dedup) DO NOTHING RETURNING seq";
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 1, false);
    let seq = take(&w, vec![message(&w, "a", "m1", None), message(&w, "a", "m2", None)])[0].seq;
    w.drain();
    let key = w.db.0.execute("SELECT dedup FROM inbox_seen", &[]).unwrap()[0].blob(0).unwrap().to_vec();
    assert!(w.db.0.execute(INSERT, &[key.clone().into()]).unwrap().is_empty(), "it is not taken twice");
    let found = w.db.0.execute("SELECT seq, state FROM inbox WHERE dedup = ?1", &[key.into()]).unwrap();
    assert_eq!((found[0].int(0).unwrap(), found[0].int(1).unwrap()), (seq, 1));
    // Nor after a long time.
    w.pass(15 * DAY);
    for _ in 0..3 {
        retention::step(&w.ctx()).unwrap();
    }
    let key = w.db.0.execute("SELECT dedup FROM inbox_kept", &[]).unwrap()[0].blob(0).unwrap().to_vec();
    assert!(w.db.0.execute(INSERT, &[key.clone().into()]).unwrap().is_empty());
    assert_eq!(number(&w, "SELECT count(*) FROM inbox_kept WHERE dedup = (SELECT max(dedup) FROM inbox)"), 0);
}
