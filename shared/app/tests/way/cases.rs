//! Cases: conversations continue them, staff can set them, and a case shows one person only.

use crate::common::{World, edit};
use crate::people::{PHONE, channel, merge, person, says, sender, unmerge};
use crate::{actor, all, count};
use proptest::prelude::{Strategy, prop_oneof, proptest};
use std::collections::BTreeSet;
use warmline_cases::cases;
use warmline_conversations::store::cases as stored;
use warmline_conversations::{cases, converse};
use warmline_customers::store::people;
use warmline_kernel::StepError;
use warmline_kernel::ctx::Actor;
use warmline_model::{CaseId, Content, CustomerId, MergeId, Role, Sender};
use warmline_routing::Plan;
use warmline_store::conversations::Conversation;
use warmline_store::immediate;

const SUPERVISOR: Actor = Actor { agent: None, role: Role::Supervisor };
const HOUR: i64 = 3_600_000;

fn member() -> Sender {
    sender("m1", &[(PHONE, "13812345678", true)])
}

fn caller(call: &str) -> Sender {
    sender(call, &[(PHONE, "+8613812345678", true)])
}

fn of(w: &World, n: usize) -> CaseId {
    all(w)[n].case
}

fn set(w: &World, who: &Actor, n: usize, case: Option<CaseId>) -> Result<Conversation, StepError> {
    let id = all(w)[n].id;
    immediate(&w.db, || cases::set(&w.ctx(), who, id, case))
}

fn close_all(w: &World) {
    for c in all(w).into_iter().filter(|c| c.closed_at.is_none()) {
        immediate(&w.db, || converse::close(&w.ctx(), &SUPERVISOR, c.id, None)).unwrap();
    }
}

#[test]
fn the_app_and_then_the_telephone_are_one_case_within_the_window() {
    let w = World::new();
    let app = says(&w, "app", member(), "米发霉了");
    w.pass(71 * HOUR);
    says(&w, "phone", caller("c1"), "喂");
    assert_eq!((of(&w, 0), count(&w, "case.linked")), (of(&w, 1), 1));
    // Each message starts the window again.
    w.pass(71 * HOUR);
    says(&w, "phone", caller("c2"), "喂");
    assert_eq!(of(&w, 0), of(&w, 2));
    w.pass(73 * HOUR);
    says(&w, "phone", caller("c3"), "喂");
    assert_ne!(of(&w, 0), of(&w, 3));
    let mut plan = Plan::clone(&warmline_conversations::plan::current(&w.ctx()).unwrap());
    plan.cases.window_hours = -1;
    let wrong = immediate(&w.db, || warmline_conversations::plan::put(&w.ctx(), None, &plan, None)).unwrap_err();
    assert!(matches!(wrong, StepError::Invalid { code: "bad_cases", field, .. } if field == "cases.window_hours"));
    edit(&w, |plan| plan.cases.window_hours = 0);
    says(&w, "phone", caller("c4"), "喂");
    assert_ne!(of(&w, 3), of(&w, 4));
    let (who, found) = cases::of(&w.ctx(), &SUPERVISOR, of(&w, 0), None).unwrap();
    assert_eq!((who, found.len()), (app, 3));
    assert_eq!(count(&w, "case.linked"), 2);
}

#[test]
fn another_order_is_another_case_also_where_it_is_named_later() {
    let w = World::new();
    let card = |order: &str| Content::OrderCard { order_id: order.into(), title: None, status: None };
    w.arrives_from(&channel("app"), member(), "card", card("T100001"));
    w.drain();
    w.pass(1);
    says(&w, "phone", caller("c1"), "喂");
    assert_eq!(of(&w, 0), of(&w, 1));
    // The first order that is named decides once more. The same order with another spelling counts as the same.
    says(&w, "phone", caller("c1"), "我的订单t100001还没到");
    assert_eq!((of(&w, 0), count(&w, "case.split")), (of(&w, 1), 0));
    says(&w, "phone", caller("c2"), "喂");
    says(&w, "phone", caller("c2"), "是另外一个订单，T200002");
    assert_ne!(of(&w, 0), of(&w, 2));
    assert_eq!(count(&w, "case.split"), 1);
    // Each order finds its case again. A message without an order finds the newest case.
    says(&w, "phone", caller("c3"), "订单T100001呢");
    says(&w, "phone", caller("c4"), "订单T200002呢");
    says(&w, "phone", caller("c5"), "喂");
    assert_eq!((of(&w, 3), of(&w, 4), of(&w, 5)), (of(&w, 0), of(&w, 2), of(&w, 2)));
    // Later orders change nothing, and no order is stored as it was written.
    says(&w, "phone", caller("c4"), "还有订单T300003");
    assert_eq!(of(&w, 4), of(&w, 2));
    for c in all(&w) {
        let (orders, _) = stored::orders_of(&w.db, c.id).unwrap();
        assert!(orders.iter().all(|o| !o.windows(4).any(|x| [b"1000", b"2000", b"3000"].iter().any(|n| x == *n))));
    }
}

#[test]
fn staff_split_and_join_and_what_they_said_stays() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = actor(w.agent(&group, 9, false));
    says(&w, "app", member(), "米发霉了");
    edit(&w, |plan| {
        plan.costs = [(channel("phone"), warmline_routing::seat::Cost::units(warmline_model::Units::ONE))].into()
    });
    says(&w, "phone", caller("c1"), "喂");
    let first = of(&w, 0);
    let split = set(&w, &agent, 1, None).unwrap();
    assert_ne!(split.case, first);
    // A repeated call changes nothing.
    assert_eq!(set(&w, &agent, 1, None).unwrap().case, split.case);
    assert_eq!(count(&w, "case.split"), 1);
    assert_eq!(set(&w, &agent, 1, Some(first)).unwrap().case, first);
    assert_eq!(set(&w, &agent, 1, Some(first)).unwrap().case, first);
    assert_eq!(count(&w, "case.linked"), 2);
    // After a decision of staff, the rules no longer decide.
    says(&w, "app", member(), "订单A100001");
    says(&w, "phone", caller("c1"), "订单A200002");
    assert_eq!(of(&w, 1), first);
    // A case of another person is not joined, and an unknown one is not found.
    says(&w, "app", sender("m2", &[]), "你好");
    let (other, nobody) = (of(&w, 2), CaseId::last_of(w.ctx().now()));
    assert!(matches!(set(&w, &agent, 1, Some(other)), Err(StepError::Conflict { code: "other_person", .. })));
    assert!(matches!(set(&w, &agent, 1, Some(nobody)), Err(StepError::NotFound("case"))));
    let colleague = actor(w.agent(&group, 9, false));
    assert!(set(&w, &colleague, 1, None).is_err());
    // An agent who serves nobody of a case does not see it.
    assert_eq!(cases::of(&w.ctx(), &agent, first, None).unwrap().1.len(), 2);
    assert!(matches!(cases::of(&w.ctx(), &colleague, first, None), Err(StepError::NotFound("case"))));
}

#[test]
fn what_was_parted_shows_each_person_only_their_own() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = actor(w.agent(&group, 1, false));
    let one = says(&w, "app", sender("a", &[]), "我是甲");
    let id = {
        let other = says(&w, "wechat", sender("b", &[]), "我是乙");
        let id = merge(&w, one, other).unwrap();
        // An agent who talks with them on one channel sees that they wait on the other.
        assert_eq!(people::elsewhere(&w.db, agent.agent.unwrap()).unwrap(), [all(&w)[1].id]);
        id
    };
    close_all(&w);
    says(&w, "app", sender("a", &[]), "又是我");
    says(&w, "wechat", sender("b", &[]), "也是我");
    let case = of(&w, 2);
    assert_eq!(case, of(&w, 3));
    unmerge(&w, id).unwrap();
    let other = all(&w)[3].person;
    let theirs = |who: &Actor, customer| cases::of(&w.ctx(), who, case, customer).map(|(p, found)| (p, found.len()));
    assert_eq!(theirs(&SUPERVISOR, Some(one)).unwrap().0, one);
    assert_eq!(theirs(&SUPERVISOR, Some(other)).unwrap().0, other);
    assert_ne!(theirs(&SUPERVISOR, None).unwrap().1, 0);
    // The agent talks with one of them, and sees nothing of the other.
    let (mine, not_mine) = if all(&w)[2].agent == agent.agent { (one, other) } else { (other, one) };
    assert_eq!(theirs(&agent, None).unwrap().0, mine);
    assert!(theirs(&agent, Some(not_mine)).is_err());
    // A customer who writes again continues their own remaining part of the case.
    close_all(&w);
    says(&w, "app", sender("a", &[]), "还是我");
    assert_eq!(of(&w, 4), case);
}

#[derive(Clone, Debug)]
enum Step {
    Says(usize),
    CloseAll,
    Joins(usize, usize),
    Undoes(usize),
    Links(usize, usize),
    Splits(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..6).prop_map(Step::Says),
        1 => proptest::strategy::Just(Step::CloseAll),
        2 => (0usize..6, 0usize..6).prop_map(|(a, b)| Step::Joins(a, b)),
        2 => (0usize..60).prop_map(Step::Undoes),
        1 => (0usize..60, 0usize..60).prop_map(|(a, b)| Step::Links(a, b)),
        1 => (0usize..60).prop_map(Step::Splits),
    ]
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_case_shows_one_person_whatever_was_joined_and_parted(steps in proptest::collection::vec(step(), 1..40)) {
        let w = World::new();
        let write = |who: usize| says(&w, ["app", "wechat"][who % 2], sender(&format!("u{who}"), &[]), "你好");
        let customers: Vec<CustomerId> = (0..6).map(write).collect();
        let mut made: Vec<MergeId> = Vec::new();
        for step in steps {
            w.pass(1);
            let before = all(&w);
            match step {
                Step::Says(who) => {
                    write(who);
                }
                Step::CloseAll => close_all(&w),
                Step::Joins(a, b) => made.extend(merge(&w, customers[a], customers[b])),
                Step::Undoes(n) if !made.is_empty() => unmerge(&w, made.remove(n % made.len())).unwrap(),
                Step::Undoes(_) => {}
                Step::Links(n, to) => {
                    let (n, to) = (n % before.len(), to % before.len());
                    let same = before[n].person == before[to].person;
                    let theirs = stored::persons(&w.db, before[to].case).unwrap().contains(&before[n].person);
                    assert_eq!(set(&w, &SUPERVISOR, n, Some(before[to].case)).is_ok(), same || theirs);
                }
                Step::Splits(n) => {
                    let n = n % before.len();
                    set(&w, &SUPERVISOR, n, None).unwrap();
                    assert_eq!(all(&w).iter().filter(|c| c.case == of(&w, n) && c.person == before[n].person).count(), 1);
                }
            }
            let now = all(&w);
            for case in now.iter().map(|c| c.case).collect::<BTreeSet<_>>() {
                let mut shown = BTreeSet::new();
                for customer in &customers {
                    let Ok((who, found)) = cases::of(&w.ctx(), &SUPERVISOR, case, Some(*customer)) else { continue };
                    assert_eq!(who, person(&w, *customer));
                    for c in found {
                        assert_eq!((c.case, person(&w, c.customer)), (case, who));
                        shown.insert(c.id);
                    }
                }
                // No conversation is lost from view.
                assert_eq!(shown, now.iter().filter(|c| c.case == case).map(|c| c.id).collect());
            }
        }
    }
}
