//! Erasing a person, and replacing the master key.

use crate::common::{MASTER, World, claim, place, reply};
use crate::{actor, all, count};
use warmline_app::tick;
use warmline_compliance::erase;
use warmline_conversations::converse;
use warmline_customers::store::{erasures, people as stored};
use warmline_customers::{hold, people, timeline, touch};
use warmline_kernel::audit::Subject;
use warmline_kernel::ctx::Actor;
use warmline_kernel::payload::sender_lookup;
use warmline_kernel::transient_keys::{self, TransientPurpose};
use warmline_kernel::{StepError, keys, sealing};
use warmline_model::{Content, ConversationState, CustomerId, Identifier, IdentifierKind, Role, Timestamp};
use warmline_privacy::{Keyring, Masters, SealError};
use warmline_store::{Db, audit, customers, immediate, inbox, messages, meta, vault};

const OTHER: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
pub const ADMIN: Actor = Actor { agent: None, role: Role::Admin };

fn customer(w: &World, who: &str) -> Option<CustomerId> {
    let (channel, account) = place();
    let lookup = sender_lookup(&w.keys.index(), &channel, &account, who);
    customers::contact(&w.db, &lookup).unwrap().map(|c| c.customer)
}

fn says(w: &World, who: &str, text: &str) -> CustomerId {
    w.pass(1);
    w.says(who, &format!("{who} {text}"), text);
    customer(w, who).unwrap()
}

fn begin(w: &World, who: CustomerId) -> erasures::Erasure {
    let also = erase::by_hand(&w.ctx(), who).unwrap();
    immediate(&w.db, || erase::begin(&w.ctx(), who, &ADMIN, "request", &also)).unwrap()
}

#[test]
fn an_erased_person_is_gone_with_all_of_their_identities_and_nobody_else_is() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 1, false);
    let (one, other, stranger) = (says(&w, "a", "我是甲"), says(&w, "b", "我也是甲"), says(&w, "c", "我是乙"));
    immediate(&w.db, || people::merge(&w.ctx(), one, other, None, None)).unwrap();
    let known = warmline_identity::normalise(
        "",
        &warmline_model::Identifier { kind: IdentifierKind::Phone, value: "13812345678".into(), verified: true },
    )
    .unwrap();
    let key = sealing::customer_key(&w.ctx(), other).unwrap();
    people::add(&w.ctx(), &w.keys.index(), other, &key, &known, people::STAFF, None).unwrap();
    let talk = all(&w).into_iter().find(|c| c.agent == Some(agent)).unwrap();
    assert_eq!(talk.customer, one);
    immediate(&w.db, || reply(&w.ctx(), &actor(agent), talk.id, &[Content::text("您好")])).unwrap();
    let before = messages::get(&w.db, talk.id, 1).unwrap().unwrap();

    let erasure = begin(&w, other);
    assert_eq!(erasure.person, one);
    // From the first step on, nobody finds them, and the seat is free for the next contact.
    assert_eq!([one, other].map(|c| stored::person(&w.db, c).unwrap()), [None, None]);
    assert!(customers::get(&w.db, one).unwrap().is_none());
    assert_eq!((customer(&w, "a"), customer(&w, "b")), (None, None));
    let now = all(&w).into_iter().filter(|c| c.customer != stranger);
    assert!(now.clone().all(|c| c.state == ConversationState::Closed && c.disposition.as_deref() == Some("erased")));
    assert_eq!(all(&w).into_iter().find(|c| c.agent == Some(agent) && c.closed_at.is_none()).unwrap().customer, stranger);
    // A repeated call changes nothing.
    assert_eq!(begin(&w, one), erasure);
    assert_eq!(erase::go_on(&w.ctx()).unwrap(), 1);
    assert_eq!(erase::go_on(&w.ctx()).unwrap(), 0);

    let done = erasures::get(&w.db, erasure.id).unwrap().unwrap();
    let receipt: serde_json::Value = serde_json::from_str(&done.receipt.unwrap()).unwrap();
    assert_eq!(receipt["customers"], serde_json::json!([one, other]));
    assert_eq!((receipt["identities"].as_i64(), receipt["messages"].as_i64()), (Some(2), Some(3)));
    assert_eq!(count(&w, "customer.erased"), 1);
    for gone in [one, other] {
        assert!(vault::get(&w.vault, gone).unwrap().is_none());
        assert!(matches!(sealing::customer_key(&w.ctx(), gone), Err(StepError::Seal(SealError::Erased))));
    }
    assert!(now.clone().all(|c| messages::list(&w.db, c.id, 0, 9).unwrap().is_empty()));
    assert!(sealing::open_content(&sealing::customer_key(&w.ctx(), stranger).unwrap(), &before).is_err());
    // A reply that was under way is given up, and blocks no other.
    assert!(claim(&w, 9).is_empty());
    assert_eq!(count(&w, "delivery.dead"), 1);
    // The number is no proof and finds nobody. A sender who writes again is a new customer.
    let again = says(&w, "a", "我又来了");
    assert!(again != one && again != other);
    assert_eq!(stored::person(&w.db, again).unwrap(), Some(again));
    let rest = timeline::page(&w.ctx(), stranger, Timestamp::default(), None, 9).unwrap();
    let key = sealing::customer_key(&w.ctx(), stranger).unwrap();
    assert_eq!(sealing::open_content(&key, &rest[0].message).unwrap().words(), Some("我是乙"));
}

#[test]
fn what_waits_in_the_inbox_is_handled_before_its_key_goes() {
    let w = World::new();
    let one = says(&w, "a", "删了我");
    w.pass(1);
    w.arrives("b", "waits", Content::text("我在等"), &[]);
    // The row is set aside: its payload opens, but its customer's key does not.
    let spoilt = says(&w, "c", "先存着");
    w.vault
        .execute("UPDATE customer_keys SET wrapped = zeroblob(60) WHERE customer_id = ?1", &[spoilt.as_bytes().into()])
        .unwrap();
    w.arrives("c", "parked", Content::text("别丢了"), &[]);
    w.drain();
    assert_eq!(count(&w, "inbox.parked"), 1);
    w.arrives("b", "waits too", Content::text("我还在等"), &[]);
    let (old, _) = transient_keys::newest(&w.ctx(), TransientPurpose::Inbox).unwrap();
    let (answers, _) = transient_keys::newest(&w.ctx(), TransientPurpose::Answers).unwrap();

    let erasure = begin(&w, one);
    assert_eq!(erase::go_on(&w.ctx()).unwrap(), 0, "b still waits under the old key");
    assert!(transient_keys::by_number(&w.ctx(), answers).is_err(), "kept answers go at once");
    w.drain();
    assert_eq!(erase::go_on(&w.ctx()).unwrap(), 1);
    assert!(transient_keys::by_number(&w.ctx(), old).is_err());
    assert!(erasures::get(&w.db, erasure.id).unwrap().unwrap().done_at.is_some());
    let key = sealing::customer_key(&w.ctx(), customer(&w, "b").unwrap()).unwrap();
    let talk = all(&w).into_iter().find(|c| Some(c.customer) == customer(&w, "b")).unwrap();
    let said = messages::list(&w.db, talk.id, 0, 9).unwrap();
    let said: Vec<_> = said.iter().map(|m| sealing::open_content(&key, m).unwrap().words().unwrap().to_owned()).collect();
    assert_eq!(said, ["我在等", "我还在等"]);
    // The row set aside is under the new key, and still opens.
    let (newest, key) = transient_keys::newest(&w.ctx(), TransientPurpose::Inbox).unwrap();
    let parked = inbox::parked(&w.db, i64::MAX, 0, 9).unwrap();
    assert_eq!(parked.iter().map(|p| p.sealed_by).collect::<Vec<_>>(), [newest]);
    assert!(key.open(&parked[0].dedup, &parked[0].payload).is_ok());
    // The row goes with its customer.
    begin(&w, spoilt);
    assert_eq!(erase::go_on(&w.ctx()).unwrap(), 1);
    assert!(inbox::parked(&w.db, i64::MAX, 0, 9).unwrap().is_empty());
}

#[test]
fn nothing_new_comes_under_a_key_that_goes() {
    let w = World::new();
    let (old, _) = transient_keys::newest(&w.ctx(), TransientPurpose::Inbox).unwrap();
    inbox::retire(&w.db, old + 1).unwrap();
    let (channel, account) = place();
    let row = inbox::NewRow {
        dedup: &[1; 16],
        shard: 0,
        channel: &channel,
        account: &account,
        sender: &[2; 16],
        payload: b"x",
        sealed_by: old,
        received_at: Timestamp::default(),
        earlier: None,
    };
    assert!(matches!(inbox::insert(&w.db, &row).unwrap(), inbox::Stored::Stale));
    assert_eq!(inbox::waiting(&w.db).unwrap(), 0);
}

#[test]
fn a_generation_lasts_a_day() {
    let w = World::new();
    says(&w, "a", "你好");
    transient_keys::newest(&w.ctx(), TransientPurpose::Answers).unwrap();
    let live = |w: &World| vault::generations(&w.vault).unwrap().iter().map(|g| g.n).collect::<Vec<_>>();
    assert_eq!(live(&w), [1, 2]);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(live(&w), [1, 2]);
    w.pass(25 * 3_600_000);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(live(&w), [1, 2, 3, 4]);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(live(&w), [2, 3, 4], "answers under the second may be asked for for another day");
    w.pass(25 * 3_600_000);
    tick::tick(&w.ctx()).unwrap();
    assert!(!live(&w).contains(&2));
    says(&w, "a", "还在");
    assert_eq!(all(&w).iter().map(|c| c.messages).sum::<i64>(), 2);
}

#[test]
fn another_master_key_takes_over_step_by_step_under_traffic() {
    let mut w = World::new();
    let open = |w: &World, current: &str, previous: &str| {
        let stored = meta::get(&w.db, keys::ROOT).unwrap().unwrap();
        Keyring::open(Masters::from_base64(current, previous).unwrap(), &stored)
    };
    meta::put(&w.db, keys::ROOT, &w.keys.store(&w.rng).unwrap()).unwrap();
    let early: Vec<CustomerId> = (0..7).map(|n| says(&w, &format!("u{n}"), "你好")).collect();
    let first = w.keys.master();
    assert_eq!(keys::by_master(&w.ctx()).unwrap(), [(first, 7)]);
    assert_eq!(keys::rotate(&w.ctx(), 3).unwrap(), keys::Rotated::default(), "nothing to do");

    w.keys = open(&w, OTHER, MASTER).unwrap();
    let second = w.keys.master();
    assert_ne!(first, second);
    // Both keys work: an existing customer can be read, and a new one is wrapped by the new key.
    let late = says(&w, "late", "新来的");
    says(&w, "u0", "我是老客");
    let mut steps = 0;
    loop {
        let done = keys::rotate(&w.ctx(), 3).unwrap();
        steps += 1;
        says(&w, &format!("during{steps}"), "你好");
        if !done.more {
            break;
        }
        // A rotation that stops here can be continued later.
        w.keys = open(&w, OTHER, MASTER).unwrap();
    }
    assert_eq!(steps, 4, "three, three and one, and a look that nothing is left");
    assert_eq!(keys::by_master(&w.ctx()).unwrap(), [(second, 12)]);
    assert!(open(&w, MASTER, "").is_err());
    w.keys = open(&w, OTHER, "").unwrap();
    for customer in early.into_iter().chain([late]) {
        sealing::customer_key(&w.ctx(), customer).unwrap();
    }
    says(&w, "u1", "还认得我吗");
    assert_eq!(all(&w).len(), 12);
    // A key that is wrapped by an unknown master key is named, and stops nothing but itself.
    w.vault
        .execute("UPDATE customer_keys SET master = x'0102030405060708' WHERE customer_id = ?1", &[late.as_bytes().into()])
        .unwrap();
    assert!(matches!(keys::rotate(&w.ctx(), 3), Err(StepError::Conflict { code: "master_key_missing", .. })));
}

#[test]
fn keys_of_an_earlier_version_move_into_the_vault() {
    let mut w = World::new();
    let one = says(&w, "a", "旧版本的话");
    // The earlier form: the key beside the customer, and everything derived from the master key itself.
    let own = Keyring::create(Masters::from_base64(MASTER, "").unwrap(), Some(w.keys.master()), &w.rng).unwrap();
    let wrapped = vault::get(&w.vault, one).unwrap().unwrap().wrapped;
    w.db.execute("UPDATE customers SET wrapped_key = ?2 WHERE id = ?1", &[one.as_bytes().into(), wrapped.into()]).unwrap();
    vault::destroy(&w.vault, one).unwrap();
    let read = |w: &World| {
        let page = timeline::page(&w.ctx(), one, Timestamp::default(), None, 9).unwrap();
        let key = sealing::customer_key(&w.ctx(), one).unwrap();
        sealing::open_content(&key, &page[0].message).unwrap().words().unwrap().to_owned()
    };
    w.keys = own;
    assert_eq!(read(&w), "旧版本的话");
    tick::tick(&w.ctx()).unwrap();
    assert!(customers::unmoved(&w.db, 9).unwrap().is_empty());
    assert!(vault::get(&w.vault, one).unwrap().is_some());
    assert_eq!(read(&w), "旧版本的话");
}

#[test]
fn a_corrected_name_stands_before_what_channels_tell() {
    let w = World::new();
    let one = says(&w, "a", "我叫王小明");
    let identity = customers::identities(&w.db, one).unwrap()[0].0;
    let set = |name: Option<&str>| immediate(&w.db, || touch::rename(&w.ctx(), &ADMIN, one, name)).unwrap();
    let told = people::names(&w.ctx(), one).unwrap();
    set(Some("王晓明"));
    assert_eq!(people::names(&w.ctx(), one).unwrap(), ["王晓明"]);
    assert_eq!(people::name(&w.ctx(), identity).unwrap().as_deref(), Some("王晓明"));
    set(None);
    assert_eq!(people::names(&w.ctx(), one).unwrap(), told);
}

#[test]
fn an_archived_customer_goes_with_the_archive_and_a_held_one_stays() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 9, false);
    let one = says(&w, "a", "很久以前的话");
    let talk = all(&w)[0].id;
    immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), talk, None)).unwrap();
    w.pass(31 * 86_400_000);
    assert_eq!(tick::tick(&w.ctx()).unwrap()["archived"], 1);
    immediate(&w.db, || hold::place(&w.ctx(), &ADMIN, one, "court", None)).unwrap();
    let refused = immediate(&w.db, || erase::begin(&w.ctx(), one, &ADMIN, "request", &[]));
    assert!(matches!(refused, Err(StepError::Conflict { code: "legal_hold", .. })));
    assert!(customers::get(&w.db, one).unwrap().is_some());
    immediate(&w.db, || hold::lift(&w.ctx(), &ADMIN, one)).unwrap();
    let erasure = begin(&w, one);
    assert_eq!(erase::go_on(&w.ctx()).unwrap(), 1);
    assert_eq!(erasures::get(&w.db, erasure.id).unwrap().unwrap().messages, 1);
    assert!(w.db.execute("SELECT 1 FROM packs WHERE conversation_id = ?1", &[talk.as_bytes().into()]).unwrap().is_empty());
}

#[test]
fn l5_a_tag_that_the_plan_does_not_name_stays_out_of_the_log() {
    let w = World::new();
    w.group("g", "{}");
    crate::common::edit(&w, |plan| {
        plan.customers = serde_json::from_str(r#"[{"tags":["risk"],"priority_minutes":60}]"#).unwrap();
    });
    w.says_tagged("open-1", "1", "在吗", &["vip", "risk", "王家的二女儿"]);
    let log: Vec<String> = warmline_store::events::after(&w.db, 0, 1_000)
        .unwrap()
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect();
    let decided: Vec<_> = log.iter().filter(|event| event.contains("routing.decided")).collect();
    assert!(decided[0].contains(r#""tags":["vip","risk"]"#), "{decided:?}");
    assert!(!log.concat().contains("二女儿"));
}

#[test]
fn a_step_that_touches_a_person_notes_it_whoever_takes_it() {
    let w = World::new();
    let (one, other) = (says(&w, "a", "我叫王小明"), says(&w, "b", "你好"));
    let talk = all(&w)[0].id;
    let ctx = w.ctx();
    let merge = immediate(&w.db, || touch::join(&ctx, &ADMIN, one, other)).unwrap();
    immediate(&w.db, || touch::part(&ctx, &ADMIN, one, merge)).unwrap();
    let phone = Identifier { kind: IdentifierKind::Phone, value: "13800000001".into(), verified: true };
    let known = warmline_identity::normalise("", &phone).unwrap();
    immediate(&w.db, || touch::identify(&ctx, &ADMIN, one, known.clone(), true)).unwrap();
    immediate(&w.db, || touch::forget_identifier(&ctx, &ADMIN, one, &known)).unwrap();
    immediate(&w.db, || touch::rename(&ctx, &ADMIN, one, Some("王晓明"))).unwrap();
    immediate(&w.db, || touch::own(&ctx, &ADMIN, one, None)).unwrap();
    immediate(&w.db, || touch::tag(&ctx, &ADMIN, one, &["vip".into()])).unwrap();
    touch::timeline(&ctx, &ADMIN, one, Timestamp::default(), None, 9).unwrap();
    touch::summary(&ctx, &ADMIN, Subject { customer: Some(one), ..Subject::default() }, Timestamp::default()).unwrap();
    touch::unmask(&ctx, &ADMIN, one, "delivery").unwrap();
    warmline_compliance::erase::exported(&ctx, &ADMIN, one).unwrap();
    converse::read(&ctx, &ADMIN, talk).unwrap();
    immediate(&w.db, || erase::begin(&ctx, one, &ADMIN, "request", &[])).unwrap();
    let noted: Vec<String> = audit::after(&w.db, 0, 99).unwrap().into_iter().map(|stored| stored.entry.action).collect();
    let expected = [
        "customer.merged",
        "customer.unmerged",
        "customer.identified",
        "customer.corrected",
        "customer.corrected",
        "customer.owned",
        "customer.tagged",
        "timeline.read",
        "summary.read",
        "customer.unmasked",
        "customer.exported",
        "conversation.read",
        "customer.erased",
    ];
    assert_eq!(noted, expected);
}
