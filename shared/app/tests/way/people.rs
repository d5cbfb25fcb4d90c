//! One person across channels: the identifiers that join and those that only suggest; undoing a merge restores everything;
//! and a reply goes to the identity of its conversation.

use crate::common::{World, claim_on, place, reply};
use crate::privacy::ADMIN;
use crate::{actor, all, count};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use std::collections::{BTreeMap, BTreeSet};
use warmline_cases::cases;
use warmline_compliance::erase;
use warmline_conversations::converse;
use warmline_customers::store::people as stored;
use warmline_customers::{model, people, summary, timeline, touch};
use warmline_kernel::payload::sender_lookup;
use warmline_kernel::{StepError, sealing};
use warmline_model::{Channel, Content, CustomerId, Identifier, IdentifierKind, MergeId, Sender, Timestamp};
use warmline_store::{customers, immediate};

pub fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

pub fn sender(who: &str, identifiers: &[(IdentifierKind, &str, bool)]) -> Sender {
    let told = |(kind, value, verified): &(IdentifierKind, &str, bool)| Identifier {
        kind: *kind,
        value: (*value).to_owned(),
        verified: *verified,
    };
    Sender { open_id: who.into(), identifiers: identifiers.iter().map(told).collect(), ..Sender::default() }
}

pub fn says(w: &World, on: &str, who: Sender, text: &str) -> CustomerId {
    // Ids are in the order of their milliseconds.
    w.pass(1);
    let on = channel(on);
    let lookup = sender_lookup(&w.keys.index(), &on, &place().1, &who.open_id);
    let key = format!("{}-{text}-{}", who.open_id, w.ctx().now().millis());
    w.arrives_from(&on, who, &key, Content::text(text));
    w.drain();
    customers::contact(&w.db, &lookup).unwrap().unwrap().customer
}

pub fn person(w: &World, customer: CustomerId) -> CustomerId {
    stored::person(&w.db, customer).unwrap().unwrap()
}

pub fn merge(w: &World, a: CustomerId, b: CustomerId) -> Option<MergeId> {
    immediate(&w.db, || people::merge(&w.ctx(), a, b, None, None)).unwrap()
}

pub fn unmerge(w: &World, id: MergeId) -> Result<(), StepError> {
    immediate(&w.db, || people::unmerge(&w.ctx(), id, None))
}

pub const PHONE: IdentifierKind = IdentifierKind::Phone;

#[test]
fn the_app_and_then_the_telephone_are_one_person() {
    let w = World::new();
    let app =
        says(&w, "app", sender("m1", &[(IdentifierKind::MemberId, "m1", true), (PHONE, "138 1234 5678", true)]), "米发霉了");
    w.pass(60_000);
    let call = says(&w, "phone", sender("call-1", &[(PHONE, "+8613812345678", true)]), "喂");
    assert_ne!(app, call);
    assert_eq!(person(&w, call), app);
    assert_eq!(count(&w, "customer.merged"), 1);
    // The same identifier comes again with each message, and changes nothing.
    says(&w, "app", sender("m1", &[(IdentifierKind::MemberId, "m1", true), (PHONE, "138 1234 5678", true)]), "还在吗");
    assert_eq!(count(&w, "customer.merged"), 1);
    let page = timeline::page(&w.ctx(), app, Timestamp::default(), None, 10).unwrap();
    let channels: Vec<_> = page.iter().map(|e| e.conversation.channel.as_str().to_owned()).collect();
    assert_eq!(channels, ["app", "phone", "app"]);
}

#[test]
fn weak_identifiers_only_suggest() {
    let w = World::new();
    let one = says(&w, "email", sender("a", &[(IdentifierKind::Email, "wang@example.cn", false)]), "你好");
    let other = says(&w, "app", sender("b", &[(IdentifierKind::Email, "Wang@Example.cn", true)]), "你好");
    assert_ne!(person(&w, one), person(&w, other));
    let suggested = people::suggestions(&w.ctx(), one).unwrap();
    assert_eq!(suggested, BTreeMap::from([(other, BTreeSet::from([IdentifierKind::Email]))]));
    // An identifier that is proved later joins them.
    says(&w, "email", sender("a", &[(IdentifierKind::Email, "wang@example.cn", true)]), "又来了");
    assert_eq!(person(&w, other), one);
    assert!(people::suggestions(&w.ctx(), one).unwrap().is_empty());
}

#[test]
fn what_people_parted_stays_parted() {
    let w = World::new();
    let shared = (PHONE, "+8613800000000", true);
    let wife = says(&w, "sms", sender("wife", &[shared]), "我的订单");
    let husband = says(&w, "app", sender("husband", &[shared]), "我的订单");
    assert_eq!(person(&w, husband), wife);
    let id = people::merges(&w.ctx(), wife).unwrap()[0].id;
    unmerge(&w, id).unwrap();
    assert_eq!((person(&w, wife), person(&w, husband)), (wife, husband));
    assert!(matches!(unmerge(&w, id), Err(StepError::Conflict { code: "already_undone", .. })));
    // Neither the next message nor a third holder of the number joins anybody again.
    says(&w, "app", sender("husband", &[shared, (IdentifierKind::Nick, "老王", false)]), "在吗");
    let child = says(&w, "phone", sender("call-9", &[shared]), "喂");
    assert_eq!([wife, husband, child].map(|c| person(&w, c)), [wife, husband, child]);
    assert_eq!(people::suggestions(&w.ctx(), child).unwrap().len(), 2);
    // Staff can still merge them by hand.
    assert!(merge(&w, husband, wife).is_some());
    assert_eq!((person(&w, husband), merge(&w, husband, wife)), (wife, None));
}

#[test]
fn a_reply_goes_to_where_the_message_came_from_whoever_is_merged_meanwhile() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 9, false);
    let (here, _) = place();
    let one = says(&w, here.as_str(), sender("open-one", &[]), "我是甲");
    let other = says(&w, here.as_str(), sender("open-two", &[]), "我是乙");
    let conversations = all(&w);
    let id = merge(&w, one, other).unwrap();
    let reply = |text: &str, n: usize| {
        let to = conversations[n].id;
        immediate(&w.db, || reply(&w.ctx(), &actor(agent), to, &[Content::text(text)])).unwrap();
    };
    reply("给甲", 0);
    reply("给乙", 1);
    let jobs = claim_on(&w, &here, 9);
    let mut sent: Vec<_> = jobs.iter().map(|j| (j.to.clone(), j.content.words().unwrap().to_owned())).collect();
    sent.sort();
    assert_eq!(sent, [("open-one".into(), "给甲".to_owned()), ("open-two".into(), "给乙".to_owned())]);
    unmerge(&w, id).unwrap();
    let after: Vec<_> = all(&w).into_iter().map(|c| (c.identity, c.customer, c.messages)).collect();
    let before: Vec<_> = conversations.into_iter().map(|c| (c.identity, c.customer, c.messages + 1)).collect();
    assert_eq!(after, before);
}

#[test]
fn tags_and_the_own_agent_are_the_persons_and_part_with_it() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 9, false);
    let one = says(&w, "app", Sender { tags: vec!["vip".into()], ..sender("a", &[]) }, "你好");
    let other = says(&w, "web", Sender { tags: vec!["new".into()], ..sender("b", &[]) }, "你好");
    immediate(&w.db, || touch::own(&w.ctx(), &ADMIN, other, Some(agent))).unwrap();
    let id = merge(&w, other, one).unwrap();
    let of = |c| customers::get(&w.db, c).unwrap().map(|c| (c.person, c.tags, c.owner)).unwrap();
    let both = (one, vec!["vip".to_owned(), "new".to_owned()], Some(agent));
    assert_eq!([of(one), of(other)], [both.clone(), both]);
    unmerge(&w, id).unwrap();
    assert_eq!(of(one), (one, vec!["vip".to_owned()], None));
    assert_eq!(of(other), (other, vec!["new".to_owned()], Some(agent)));
    merge(&w, one, other).unwrap();
    immediate(&w.db, || touch::tag(&w.ctx(), &ADMIN, other, &["new".into(), "risk".into()])).unwrap();
    assert_eq!(of(other).1, ["new", "risk"]);
}

#[test]
fn a_summary_says_what_was_asked_promised_and_is_open() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 9, false);
    let member = || sender("m1", &[(PHONE, "13812345678", true)]);
    let customer = says(&w, "app", member(), "你好。米里有虫子，能退货吗？");
    let talk = all(&w)[0].id;
    let reply = |text: &str| {
        w.pass(1);
        immediate(&w.db, || reply(&w.ctx(), &actor(agent), talk, &[Content::text(text)])).unwrap();
    };
    reply("非常抱歉。我们马上给您补发一袋");
    says(&w, "app", member(), "什么时候到？你们太差了，我要投诉！");
    let order = Content::OrderCard { order_id: "T1".into(), title: None, status: Some("shipped".into()) };
    w.pass(1);
    w.arrives_from(&channel("app"), member(), "card", order);
    w.drain();
    let call = says(&w, "phone", sender("call-1", &[(PHONE, "+8613812345678", true)]), "喂，我的米呢");
    let texts = |lines: &[model::Line]| lines.iter().map(|l| l.text.clone()).collect::<Vec<_>>();
    let of = |c| summary::of(&w.ctx(), person(&w, c), Timestamp::default()).unwrap();
    let told = of(call);
    assert_eq!(texts(&told.promised), ["我们马上给您补发一袋"]);
    let asked = ["喂，我的米呢", "你们太差了，我要投诉！", "什么时候到？", "米里有虫子，能退货吗？"];
    assert_eq!(texts(&told.asked), asked);
    assert_eq!(texts(&told.open), [asked[0], asked[1], asked[2], "我们马上给您补发一袋"]);
    assert_eq!((texts(&told.angry), told.angry_now), (vec![asked[1].to_owned()], true));
    assert_eq!((told.orders[0].order.as_str(), told.orders[0].status.as_str()), ("T1", "shipped"));
    assert_eq!((told.messages, told.more, told.channels.len()), (5, false, 2));
    // The promise is done, and the question is answered.
    reply("已经补发了，单号 SF1");
    assert_eq!(texts(&of(customer).open), [asked[0]]);
}

/// The random steps on fifty identities.
#[derive(Clone, Debug)]
enum Step {
    /// One writes and gives a number.
    Tells(usize, u8, bool),
    /// Staff join two.
    Joins(usize, usize),
    /// Staff undo one of the merges made so far.
    Undoes(usize),
    /// One is erased, with all customers of the same person. Each of them writes again later.
    Goes(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..50, 0u8..12, any::<bool>()).prop_map(|(who, number, verified)| Step::Tells(who, number, verified)),
        (0usize..50, 0usize..50).prop_map(|(a, b)| Step::Joins(a, b)),
        (0usize..60).prop_map(Step::Undoes),
        (0usize..50).prop_map(Step::Goes),
    ]
}

/// The customers of each person, by the merges that were not undone.
fn connected(customers: &[CustomerId], w: &World) -> BTreeMap<CustomerId, CustomerId> {
    let mut person: BTreeMap<CustomerId, CustomerId> = customers.iter().map(|c| (*c, *c)).collect();
    let edges: BTreeSet<(CustomerId, CustomerId)> = customers
        .iter()
        .flat_map(|c| stored::merges(&w.db, *c).unwrap())
        .filter(|m| m.undone_at.is_none())
        .map(|m| (m.a, m.b))
        .collect();
    for _ in customers {
        for (a, b) in &edges {
            let least = person[a].min(person[b]);
            person.insert(*a, least);
            person.insert(*b, least);
        }
    }
    person
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn any_order_of_linking_and_parting_leaves_a_whole_graph(steps in proptest::collection::vec(step(), 1..60)) {
        let w = World::new();
        let mut customers = BTreeMap::new();
        for who in 0..50 {
            customers.insert(who, says(&w, "app", sender(&format!("u{who:02}"), &[]), "你好"));
        }
        let mut every: Vec<CustomerId> = customers.values().copied().collect();
        let whole: Vec<_> = all(&w).into_iter().map(|c| (c.id, c.customer, c.identity)).collect();
        let persons = |of: &[CustomerId]| -> BTreeMap<CustomerId, CustomerId> { of.iter().map(|c| (*c, person(&w, *c))).collect() };
        let mut made: Vec<MergeId> = Vec::new();
        for step in steps {
            match step {
                Step::Tells(who, number, verified) => {
                    let number = format!("138000000{number:02}");
                    says(&w, "app", sender(&format!("u{who:02}"), &[(PHONE, &number, verified)]), "我的号码");
                }
                Step::Joins(a, b) => {
                    let before = persons(&every);
                    if let Some(id) = merge(&w, customers[&a], customers[&b]) {
                        // A merge that is undone at once leaves everything as it was.
                        unmerge(&w, id).unwrap();
                        assert_eq!(persons(&every), before);
                        made.extend(merge(&w, customers[&a], customers[&b]));
                    } else {
                        assert_eq!(before[&customers[&a]], before[&customers[&b]]);
                    }
                }
                Step::Undoes(n) => {
                    let active: BTreeSet<MergeId> = every
                        .iter()
                        .flat_map(|c| stored::merges(&w.db, *c).unwrap())
                        .filter(|m| m.undone_at.is_none())
                        .map(|m| m.id)
                        .collect();
                    if let Some(id) = active.iter().nth(n % active.len().max(1)) {
                        let gone = stored::merge(&w.db, *id).unwrap().unwrap();
                        unmerge(&w, *id).unwrap();
                        assert_ne!(person(&w, gone.a), person(&w, gone.b));
                    }
                }
                Step::Goes(who) => {
                    let same = connected(&every, &w)[&customers[&who]];
                    let gone: Vec<_> = customers.iter().filter(|(_, c)| person(&w, **c) == same).map(|(w, c)| (*w, *c)).collect();
                    let actor = warmline_kernel::ctx::Actor { agent: None, role: warmline_model::Role::Admin };
                    let also = erase::by_hand(&w.ctx(), customers[&who]).unwrap();
                    let begin = |also: &[CustomerId]| {
                        immediate(&w.db, || erase::begin(&w.ctx(), customers[&who], &actor, "request", also))
                    };
                    if !also.is_empty() {
                        assert_eq!(begin(&[]).unwrap_err(), StepError::MergedByHand(also.clone()));
                    }
                    begin(&also).unwrap();
                    assert_eq!(erase::go_on(&w.ctx()).unwrap(), 1);
                    for (who, customer) in gone {
                        assert_eq!(stored::person(&w.db, customer).unwrap(), None);
                        let again = says(&w, "app", sender(&format!("u{who:02}"), &[]), "我是新来的");
                        assert_eq!(person(&w, again), again);
                        customers.insert(who, again);
                    }
                    every = customers.values().copied().collect();
                }
            }
            assert_eq!(persons(&every), connected(&every, &w));
        }
        // No conversation, key or identity moved.
        let after: Vec<_> = all(&w).into_iter().map(|c| (c.id, c.customer, c.identity)).collect();
        assert_eq!(&after[..whole.len()], &whole[..]);
    }

    #[test]
    fn the_pages_of_a_timeline_are_all_of_it_once_and_in_order(
        said in proptest::collection::vec((0usize..4, 0i64..3, any::<bool>()), 1..60),
        limit in 1usize..7,
    ) {
        let w = World::new();
        let group = w.group("g", "{}");
        let agent = w.agent(&group, 9, false);
        let mut first = None;
        for (i, (who, passed, closes)) in said.iter().enumerate() {
            w.pass(*passed);
            let told = [(PHONE, "+8613812345678", true)];
            let customer = says(&w, "app", sender(&format!("u{who}"), &told), &format!("第{i}句。能退吗？马上退！"));
            first.get_or_insert(customer);
            if let Some(c) = all(&w).into_iter().find(|c| *closes && c.closed_at.is_none()) {
                let supervisor = warmline_kernel::ctx::Actor { agent: Some(agent), role: warmline_model::Role::Supervisor };
                let _ = immediate(&w.db, || converse::close(&w.ctx(), &supervisor, c.id, None));
            }
        }
        let whole = timeline::page(&w.ctx(), first.unwrap(), Timestamp::default(), None, 10_000).unwrap();
        let places: Vec<_> = whole.iter().map(|e| e.place).collect();
        assert!(places.is_sorted_by(|a, b| a > b));
        assert_eq!(i64::try_from(places.len()).unwrap(), all(&w).iter().map(|c| c.messages).sum::<i64>());
        let (mut paged, mut before) = (Vec::new(), None);
        loop {
            let page = timeline::page(&w.ctx(), first.unwrap(), Timestamp::default(), before, limit).unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.place.to_string().parse().unwrap());
            paged.extend(page.iter().map(|e| e.place));
        }
        assert_eq!(paged, places);
        // Each line of the summary stands, letter for letter, in the message that it names.
        let told = summary::of(&w.ctx(), first.unwrap(), Timestamp::default()).unwrap();
        for line in told.asked.iter().chain(&told.promised).chain(&told.open).chain(&told.angry) {
            let entry = whole.iter().find(|e| e.message.id == line.message).unwrap();
            let key = sealing::customer_key(&w.ctx(), entry.conversation.customer).unwrap();
            let content = sealing::open_content(&key, &entry.message).unwrap();
            assert!(content.words().unwrap().contains(&line.text));
        }
    }
}
