//! Legal duties: holds and records of consent cover a person, whatever customers that person consists of.

use crate::common::World;
use crate::people::{merge, person, says, sender, unmerge};
use warmline_customers::hold;
use warmline_kernel::StepError;
use warmline_kernel::consent::{self, Said};
use warmline_kernel::ctx::Actor;
use warmline_model::{CustomerId, Role};
use warmline_store::{Db as _, audit, consents, immediate};

const OFFICER: Actor = Actor { agent: None, role: Role::Admin };

fn actions(w: &World) -> Vec<(String, Option<String>)> {
    audit::after(&w.db, 0, 1_000).unwrap().into_iter().map(|e| (e.entry.action, e.entry.reason)).collect()
}

pub fn hold(w: &World, of: CustomerId, reason: &str) -> Result<(), StepError> {
    immediate(&w.db, || hold::place(&w.ctx(), &OFFICER, person(w, of), reason, Some("case-7")))
}

pub fn lift(w: &World, of: CustomerId) {
    immediate(&w.db, || hold::lift(&w.ctx(), &OFFICER, person(w, of))).unwrap();
}

/// The code with which a removal is refused, and the reason that it names.
fn held(w: &World, of: CustomerId) -> Option<&'static str> {
    match hold::check(&w.ctx(), person(w, of)) {
        Ok(()) => None,
        Err(StepError::Conflict { code: "legal_hold", detail }) => detail.split(['(', ')']).nth(1),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_hold_covers_whoever_is_one_person_with_the_held() {
    let w = World::new();
    let [one, other, third] = ["a", "b", "c"].map(|who| says(&w, "app", sender(who, &[]), "你好"));
    assert!(matches!(hold(&w, one, "because"), Err(StepError::Invalid { .. })));
    hold(&w, other, "court").unwrap();
    assert_eq!([one, other, third].map(|c| held(&w, c)), [None, Some("court"), None]);
    let first = merge(&w, one, other).unwrap();
    assert_eq!([one, other].map(|c| held(&w, c)), [Some("court"); 2]);
    // After the merge is undone, the customer who was only merged is free.
    unmerge(&w, first).unwrap();
    assert_eq!([one, other].map(|c| held(&w, c)), [None, Some("court")]);
    // Two customers who were held as one person both stay held after they are parted.
    let both = merge(&w, one, other).unwrap();
    hold(&w, one, "court").unwrap();
    unmerge(&w, both).unwrap();
    assert_eq!([one, other].map(|c| held(&w, c)), [Some("court"); 2]);
    lift(&w, one);
    lift(&w, one);
    assert_eq!([one, other].map(|c| held(&w, c)), [None, Some("court")]);
    hold(&w, other, "regulator").unwrap();
    assert_eq!(held(&w, other), Some("regulator"));
    // A call that changes nothing writes no entry.
    let filed = |reason: &str| Some(format!("{reason}/case-7"));
    let done =
        [("hold.placed", filed("court")), ("hold.lifted", Some("court".to_owned())), ("hold.placed", filed("regulator"))];
    assert_eq!(actions(&w), done.map(|(action, reason)| (action.to_owned(), reason)));
}

#[test]
fn the_newest_word_of_any_of_a_persons_customers_stands() {
    let w = World::new();
    let [one, other] = ["a", "b"].map(|who| says(&w, "app", sender(who, &[]), "你好"));
    let said = |of: CustomerId, purpose: &str, given: bool| {
        let said = Said { purpose, version: "v1", given, source: "app" };
        immediate(&w.db, || consent::note(&w.ctx(), &OFFICER, of, &said)).unwrap();
    };
    let allows = |of: CustomerId, purpose: &str| consents::of_person(&w.db, person(&w, of), purpose).unwrap() == Some(true);
    assert!(!allows(one, "marketing"));
    said(one, "marketing", true);
    said(other, "marketing", true);
    said(other, "callback", true);
    assert!(allows(one, "marketing") && !allows(one, "callback") && allows(other, "callback"));
    said(other, "marketing", false);
    let merged = merge(&w, one, other).unwrap();
    assert!(!allows(one, "marketing") && allows(one, "callback"));
    let stands = consent::standing(&w.ctx(), one).unwrap();
    let told: Vec<_> = stands.iter().map(|c| (c.purpose.as_str(), c.given, c.customer)).collect();
    assert_eq!(told, [("callback", true, other), ("marketing", false, other)]);
    let all = consent::before(&w.ctx(), one, i64::MAX, 3).unwrap();
    assert_eq!(all.iter().map(|c| c.given).collect::<Vec<_>>(), [false, true, true]);
    let rest = consent::before(&w.ctx(), one, all[2].seq, 3).unwrap();
    assert_eq!(rest.iter().map(|c| c.customer).collect::<Vec<_>>(), [one]);
    unmerge(&w, merged).unwrap();
    assert!(allows(one, "marketing") && !allows(other, "marketing"));
    // No record can be changed or deleted.
    for sql in ["UPDATE consents SET given = 1 WHERE seq = 4", "DELETE FROM consents WHERE seq = 4"] {
        assert!(w.db.0.execute(sql, &[]).is_err());
    }
    assert_eq!(actions(&w).last().unwrap(), &("consent.withdrawn".to_owned(), Some("marketing".to_owned())));
}
