//! Session contexts: with one, without one, and with an old one, a summary is the same.

use crate::common::{self, World};
use crate::people::{PHONE, channel, merge, person, says, sender, unmerge};
use crate::privacy::ADMIN;
use crate::{actor, all};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use std::cell::Cell;
use std::collections::BTreeMap;
use warmline_cases::cases;
use warmline_compliance::erase;
use warmline_conversations::converse;
use warmline_customers::{model, summary};
use warmline_kernel::ctx::Actor;
use warmline_kernel::{Ctx, sealing};
use warmline_model::{AgentId, Content, CustomerId, MergeId, Role, Timestamp};
use warmline_privacy::CustomerKey;
use warmline_store::{Kv, immediate};

const DAY: i64 = 86_400_000;
const WORDS: [&str; 6] = ["什么时候到？", "我要投诉！太差了", "好的。谢谢", "订单A2024110呢？能退吗？", "我很失望", "你好"];
const REPLIES: [&str; 4] = ["马上给您补发", "已经补发了", "您好", "稍后联系您。请问订单号是多少？"];

/// Sums up with at most this many contexts.
fn of(w: &World, contexts: u64, customer: CustomerId, days: i64) -> model::Summary {
    let since = Timestamp::from_millis(w.ctx().now().millis() - days * DAY);
    summary::of(&Ctx { contexts, ..w.ctx() }, person(w, customer), since).unwrap()
}

fn reply(w: &World, agent: AgentId, n: usize, text: &str) {
    w.pass(1);
    let supervisor = Actor { agent: Some(agent), role: Role::Supervisor };
    let talks: Vec<_> = all(w).into_iter().filter(|c| c.closed_at.is_none()).collect();
    if let Some(talk) = talks.get(n % talks.len().max(1)) {
        immediate(&w.db, || common::reply(&w.ctx(), &supervisor, talk.id, &[Content::text(text)])).unwrap();
    }
}

#[test]
fn what_is_kept_is_used_sealed_bounded_and_ends() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 9, false);
    let customer = says(&w, "app", sender("m1", &[]), "米里有虫子，怎么办？");
    reply(&w, agent, 0, "马上给您补发");
    let told = of(&w, 4, customer, 30);
    assert_eq!((told.asked.len(), told.promised.len(), told.agent), (1, 1, Some(agent)));
    // The next summary reads the context: it does not notice a change in the store, and it does see new messages.
    let sql = "UPDATE messages SET content = x''";
    warmline_store::Db::execute(&w.db.0, sql, &[]).unwrap();
    assert_eq!(of(&w, 4, customer, 30), told);
    assert!(of(&w, 0, customer, 30).asked.is_empty());
    says(&w, "app", sender("m1", &[]), "人呢？！！");
    let told = of(&w, 4, customer, 30);
    assert_eq!((told.asked.len(), told.messages, told.angry_now, told.trend), (2, 3, true, model::Trend::Rising));
    // Nothing in it is in the clear, it opens for no other person, and there are no more contexts than the setting allows.
    let kept = w.kv.0.borrow().values().next().unwrap().clone();
    assert!(!kept.windows(6).any(|x| x == "虫子".as_bytes()));
    for n in 0..20 {
        let other = says(&w, "app", sender(&format!("o{n}"), &[]), "你好");
        let before = w.kv.0.borrow().clone();
        for key in before.keys() {
            w.kv.set(key, &kept);
        }
        assert!(of(&w, 4, other, 30).asked.is_empty());
    }
    assert!(w.kv.0.borrow().len() <= 4);
    // A context ends by itself.
    w.kv.0.borrow_mut().clear();
    of(&w, 4, customer, 30);
    w.pass(31 * DAY);
    for _ in 0..100 {
        let other = says(&w, "app", sender("o1", &[]), "你好");
        of(&w, 4, other, 30);
    }
    assert!(w.kv.0.borrow().len() <= 1);
}

/// Whether anybody who has these customers' keys can open the only context that is kept.
fn opens(w: &World, person: CustomerId, keys: &[&CustomerKey]) -> bool {
    let kept = w.kv.0.borrow().values().next().unwrap().clone();
    let (until, sealed) = kept.split_at(8);
    let aad = [b"context".as_slice(), person.as_bytes(), until].concat();
    let opened = keys.iter().try_fold(sealed.to_vec(), |sealed, key| key.open(&aad, &sealed));
    opened.is_ok_and(|plain| String::from_utf8(plain).is_ok_and(|plain| plain.contains("能退吗")))
}

#[test]
fn after_an_undone_merge_no_context_opens_and_after_an_erasure_nobody_can_open_it() {
    let w = World::new();
    let (one, other) = (says(&w, "app", sender("m1", &[]), "什么时候到？"), says(&w, "web", sender("m2", &[]), "能退吗？"));
    let merged = merge(&w, one, other).unwrap();
    let person = person(&w, one);
    assert_eq!(of(&w, 4, one, 30).asked.len(), 2);
    let [first, second] = [one.min(other), one.max(other)].map(|id| sealing::customer_key(&w.ctx(), id).unwrap());
    assert!(opens(&w, person, &[&second, &first]));
    // Each key alone opens nothing, so the context ends with either of them.
    assert!(!opens(&w, person, &[&first]) && !opens(&w, person, &[&second]));

    unmerge(&w, merged).unwrap();
    warmline_store::Db::execute(&w.db.0, "UPDATE messages SET content = x''", &[]).unwrap();
    // If a context were used, these would find what was asked before.
    assert!(of(&w, 4, one, 30).asked.is_empty() && of(&w, 4, other, 30).asked.is_empty());

    // An erasure destroys its customer's key, and leaves the other's.
    immediate(&w.db, || erase::begin(&w.ctx(), other, &ADMIN, "request", &[])).unwrap();
    erase::go_on(&w.ctx()).unwrap();
    let key = |id| sealing::customer_key(&w.ctx(), id);
    assert!(key(other).is_err() && key(one).is_ok());
}

/// A key-value store that has nothing, and does something whenever it is asked.
struct Empty<'a>(&'a dyn Fn());

impl Kv for Empty<'_> {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        (self.0)();
        None
    }

    fn set(&self, _: &str, _: &[u8]) {
        (self.0)();
    }

    fn delete(&self, _: &str) {
        (self.0)();
    }
}

/// A summary by somebody whose key-value store does this when it is asked.
fn sums_up(w: &World, customer: CustomerId, asked: &dyn Fn()) -> model::Summary {
    let ctx = Ctx { kv: &Empty(asked), contexts: 4, ..w.ctx() };
    summary::of(&ctx, person(w, customer), Timestamp::default()).unwrap()
}

/// A key-value store that is gone: it answers after eight minutes, and what others do meanwhile is tried in them.
struct Gone<'w> {
    w: &'w World,
    customer: CustomerId,
    asked: Cell<usize>,
}

impl Gone<'_> {
    fn sums_up(&self) -> model::Summary {
        sums_up(self.w, self.customer, &|| self.hangs())
    }

    fn hangs(&self) {
        self.asked.set(self.asked.get() + 1);
        assert_eq!(self.asked.get(), 1, "a second one waits, too");
        for _ in 0..8 {
            self.w.pass(60_000);
            assert_eq!(self.sums_up().asked.len(), 1);
        }
        self.asked.set(0);
    }
}

#[test]
fn while_one_waits_for_a_key_value_store_that_is_gone_all_others_do_without() {
    let w = World::new();
    let customer = says(&w, "app", sender("m1", &[]), "什么时候到？");
    let gone = Gone { w: &w, customer, asked: Cell::new(0) };
    let begun = w.ctx().now();
    assert_eq!(gone.sums_up().asked.len(), 1);
    // It waited once, for what it wanted to read, and kept nothing. For a minute nobody asks again.
    assert_eq!(w.ctx().now().millis() - begun.millis(), 480_000);
    w.pass(59_000);
    let before = w.ctx().now();
    assert_eq!((gone.sums_up().asked.len(), w.ctx().now()), (1, before));
    // A store that is back is asked by the next one.
    w.pass(1_000);
    of(&w, 4, customer, 30);
    assert_eq!(w.kv.0.borrow().len(), 1);
}

#[test]
fn a_key_value_store_that_goes_right_after_an_answer_is_then_left_alone() {
    let w = World::new();
    let customer = says(&w, "app", sender("m1", &[]), "什么时候到？");
    of(&w, 4, customer, 30);
    w.pass(1_000);
    let asked = Cell::new(0);
    let slow = || {
        asked.set(asked.get() + 1);
        w.pass(480_000);
    };
    // It answered a second ago, so the first one asks at once, and waits.
    for after_ms in [0, 1_000, 58_000] {
        w.pass(after_ms);
        assert_eq!((sums_up(&w, customer, &slow).asked.len(), asked.get()), (1, 1));
    }
}

#[test]
fn beyond_what_is_looked_at_it_is_the_same_too() {
    let w = World::new();
    let mut customer = None;
    for n in 0..430 {
        customer = Some(says(&w, "app", sender("m1", &[]), &format!("第{n}句，能退吗？")));
        if n % 50 == 0 || n > 396 && n < 410 {
            assert_eq!(of(&w, 4, customer.unwrap(), 30), of(&w, 0, customer.unwrap(), 30));
        }
    }
    let told = of(&w, 4, customer.unwrap(), 30);
    assert_eq!((told.messages, told.more), (400, true));
    assert_eq!(told, of(&w, 0, customer.unwrap(), 30));
}

#[derive(Clone, Debug)]
enum Step {
    Says(usize, usize),
    Tells(usize, bool),
    Replies(usize, usize),
    Closes,
    Joins(usize, usize),
    Undoes(usize),
    Passes(i64),
    Loses,
    GoesBack,
    Keeps,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..4, 0usize..WORDS.len()).prop_map(|(who, what)| Step::Says(who, what)),
        1 => (0usize..4, any::<bool>()).prop_map(|(who, card)| Step::Tells(who, card)),
        4 => (0usize..9, 0usize..REPLIES.len()).prop_map(|(n, what)| Step::Replies(n, what)),
        1 => proptest::strategy::Just(Step::Closes),
        1 => (0usize..4, 0usize..4).prop_map(|(a, b)| Step::Joins(a, b)),
        1 => (0usize..9).prop_map(Step::Undoes),
        1 => (1i64..20).prop_map(Step::Passes),
        1 => proptest::strategy::Just(Step::Loses),
        1 => proptest::strategy::Just(Step::GoesBack),
        1 => proptest::strategy::Just(Step::Keeps),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn with_a_context_without_and_with_an_old_one_a_summary_is_the_same(
        steps in proptest::collection::vec((step(), 0usize..4, prop_oneof![1i64..4, 30i64..31, 60i64..61]), 1..50),
    ) {
        let w = World::new();
        let group = w.group("g", "{}");
        let agent = w.agent(&group, 99, false);
        let who = |n: usize| sender(&format!("u{n}"), &[(PHONE, &format!("1380000000{}", n / 2), n < 2)]);
        let on = |n: usize| ["app", "taobao"][n % 2];
        let customers: Vec<CustomerId> = (0..4).map(|n| says(&w, on(n), who(n), "你好")).collect();
        let (mut made, mut before): (Vec<MergeId>, _) = (Vec::new(), BTreeMap::new());
        for (step, asked, days) in steps {
            w.pass(1);
            match step {
                Step::Says(n, what) => drop(says(&w, on(n), who(n), WORDS[what])),
                Step::Tells(n, card) => {
                    let content = match card {
                        true => Content::OrderCard { order_id: format!("T{n}"), title: None, status: Some("sent".into()) },
                        false => Content::Event { event: "refund".into(), key: Some("E7".into()), data: serde_json::Value::Null },
                    };
                    w.arrives_from(&channel(on(n)), who(n), &format!("k{}", w.ctx().now().millis()), content);
                    w.drain();
                }
                Step::Replies(n, what) => reply(&w, agent, n, REPLIES[what]),
                Step::Closes => {
                    if let Some(c) = all(&w).into_iter().find(|c| c.closed_at.is_none() && c.agent == Some(agent)) {
                        immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), c.id, None)).unwrap();
                    }
                }
                Step::Joins(a, b) => made.extend(merge(&w, customers[a], customers[b])),
                Step::Undoes(n) if !made.is_empty() => unmerge(&w, made.remove(n % made.len())).unwrap(),
                Step::Undoes(_) => {}
                Step::Passes(days) => w.pass(days * DAY),
                Step::Loses => w.kv.0.borrow_mut().clear(),
                Step::GoesBack => *w.kv.0.borrow_mut() = before.clone(),
                Step::Keeps => before = w.kv.0.borrow().clone(),
            }
            let asked = customers[asked];
            assert_eq!(of(&w, 4, asked, days), of(&w, 0, asked, days));
        }
    }
}
