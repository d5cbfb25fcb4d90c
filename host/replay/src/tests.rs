//! Logs of a small router in memory: replayed, altered, and played with another plan.

mod driver;

use super::same::Difference;
use super::{Replay, check, parse_rules, replay};
use driver::{Driver, agent, plan};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use warmline_model::{AgentState, Event, EventBody, Units};
use warmline_routing::handover::HandOverReason;
use warmline_routing::{Cause, Plan};

/// One step of a random day.
fn step(driver: &mut Driver, (what, n, ms): (u8, u8, i64)) {
    driver.wait(ms);
    let (nth, who) = (usize::from(n), n % 5 + 1);
    match what {
        0..8 => driver.arrive(if n.is_multiple_of(2) { "text" } else { "order_card" }, ["app", "email", "phone"][nth % 3]),
        8..12 => driver.close(nth, true),
        12 => driver.close(nth, false),
        13 => driver.again(nth, Cause::AcceptTimeout),
        14 => driver.again(nth, Cause::Transfer),
        15 => driver.too_long(nth),
        16 => driver.weigh(who, i64::from(n) - 20),
        17 => driver.next_plan(),
        18 => driver.profile(who, i64::from(n % 4) + 1),
        _ => driver.state(who, AgentState::ALL[usize::from(n / 5) % 5]),
    }
}

fn day(steps: &[(u8, u8, i64)], listed: usize) -> Driver {
    let mut driver = Driver::new(5);
    driver.listed = listed;
    steps.iter().for_each(|s| step(&mut driver, *s));
    driver
}

/// A day with every kind of event.
fn busy() -> Driver {
    let steps: Vec<_> = (0u8..200).map(|n| ((n.wrapping_mul(7)) % 22, n.wrapping_mul(13), 2_000)).collect();
    day(&steps, 0)
}

fn of(events: &[Event]) -> Replay {
    let text: String = events.iter().map(|e| serde_json::to_string(e).unwrap() + "\n").collect();
    replay(text.as_bytes(), None, true).unwrap()
}

#[test]
fn a_busy_day_comes_out_the_same() {
    let driver = busy();
    let done = of(&driver.events);
    assert!(done.same.all(), "{}", done.same);
    assert!(done.same.decisions > 60);
    let report = done.check.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report, check(&driver.events));
    let first = done.same.decisions;
    assert_eq!(
        format!("{}", replay(driver.text().as_bytes(), None, false).unwrap().same),
        format!("{first} decisions, {first} identical\n")
    );
}

/// Entries of an earlier release, seat by seat, stay as they were, and this release continues the log in its own form.
#[test]
fn a_log_of_two_releases_comes_out_the_same() {
    let steps: Vec<_> = (0u8..200).map(|n| ((n.wrapping_mul(7)) % 22, n.wrapping_mul(13), 2_000)).collect();
    let (mixed, now) = (day(&steps, 30), day(&steps, 0));
    let decisions = |driver: &Driver| -> Vec<serde_json::Value> {
        let entry = |e: &Event| if let EventBody::RoutingDecided(entry) = &e.body { Some(entry.clone()) } else { None };
        driver.events.iter().filter_map(entry).collect()
    };
    let (both, new) = (decisions(&mixed), decisions(&now));
    assert!(both[..30].iter().all(|entry| entry["digest"].as_str().unwrap().len() == 32));
    assert_eq!(both[30..], new[30..], "the decisions do not depend on how they are written");
    let done = of(&mixed.events);
    assert!(done.same.all(), "{}", done.same);
    assert!(done.check.unwrap().is_clean());
    // A verdict that was changed is found in both.
    for nth in [5, 50] {
        let mut events = mixed.events.clone();
        let of_seats = |e: &&mut Event| matches!(&e.body, EventBody::RoutingDecided(v) if v["cause"] != "seat_free");
        let event = events.iter_mut().filter(of_seats).nth(nth).unwrap();
        let EventBody::RoutingDecided(entry) = &mut event.body else { unreachable!() };
        let old = entry.get("steps").is_some();
        assert_eq!(old, nth == 5);
        let seats = if old { &mut entry["steps"][0]["seats"][0]["refused"] } else { &mut entry["looked"][0]["seats"] };
        *seats = match seats.as_str() {
            Some(text) if !old => format!("{text}x").into(),
            _ => "excepted".into(),
        };
        let done = of(&events);
        assert_eq!(done.same.decisions, done.same.identical + 1, "{}", done.same);
    }
}

#[test]
fn a_tampered_load_is_found() {
    let mut events = busy().events;
    let at = events.iter().rposition(|e| matches!(e.body, EventBody::ConversationAssigned { .. })).unwrap();
    let EventBody::ConversationAssigned { load, .. } = &mut events[at].body else { unreachable!() };
    *load = load.plus(Units::ONE);
    let report = of(&events).check.unwrap();
    assert_eq!((report.violated, report.violations[0].seq), (1, events[at].seq));
    assert!(report.violations[0].what.contains("tells of a load of"), "{report}");
}

#[test]
fn a_tampered_decision_is_found_with_its_field() {
    let mut events = busy().events;
    let at = events.iter().rposition(|e| matches!(e.body, EventBody::RoutingDecided(_))).unwrap();
    let EventBody::RoutingDecided(value) = &mut events[at].body else { unreachable!() };
    value["digest"] = "0".into();
    let done = of(&events);
    assert_eq!(done.same.decisions, done.same.identical + 1);
    let Difference { seq, fields, .. } = &done.same.differences[0];
    assert_eq!((*seq, fields.len(), fields[0].field.as_str()), (events[at].seq, 1, "digest"));
    assert!(done.same.to_string().contains("recorded  \"0\""), "{}", done.same);
}

#[test]
fn a_seat_given_more_than_it_has_is_found() {
    let mut events = busy().events;
    let at = events.iter().position(|e| matches!(e.body, EventBody::AgentProfile(_))).unwrap();
    let EventBody::AgentProfile(profile) = &mut events[at].body else { unreachable!() };
    profile.capacity = Units::from_hundredths(10);
    let done = of(&events);
    assert!(!done.same.all());
    assert!(done.check.unwrap().violations.iter().any(|v| v.what.contains("above the capacity of 0.1")));
}

/// If any event that routing depends on is missing, the replay notices.
#[test]
fn a_dropped_event_is_found() {
    let all = busy().events;
    let moves = |e: &Event| {
        matches!(
            e.body,
            EventBody::ConversationAssigned { .. }
                | EventBody::ConversationQueued { .. }
                | EventBody::CapacityReleased { .. }
                | EventBody::ConversationOpened { .. }
        )
    };
    let last = all.len() - 20;
    for at in (0..last).filter(|i| moves(&all[*i])) {
        let mut events = all.clone();
        let gone = events.remove(at);
        assert!(!of(&events).check.unwrap().is_clean(), "without {gone:?}");
    }
    let mut events = all.clone();
    events.retain(|e| !matches!(&e.body, EventBody::RoutingPlan { version: 2, .. }));
    let told = of(&events).same.to_string();
    assert!(told.contains("was made with version 2 of the plan; in this log version 1 is in force"), "{told}");
}

/// Ten order cards for two agents who know orders, and eight agents who do not have the level.
#[test]
fn a_changed_rule_shows_what_it_changes() {
    let mut driver = Driver::new(5);
    for n in 0..10 {
        driver.wait(1_000);
        driver.arrive("order_card", "app");
        if n >= 4 {
            driver.wait(30_000);
            driver.close(0, true);
        }
    }
    for _ in 0..10 {
        driver.wait(30_000);
        driver.close(0, true);
    }
    driver.wait(120_000);
    driver.arrive("text", "app");
    let text = driver.text();
    let same = replay(text.as_bytes(), Some(&plan(1)), false).unwrap();
    assert!(same.same.all());
    let same = same.changed.unwrap();
    assert_eq!(same.before, same.after);
    assert_eq!((same.other_group, same.other_agent, same.later, same.sooner), (0, 0, 0, 0));

    let wider: Plan = Plan { rules: Vec::new(), ..plan(1) };
    let changed = replay(text.as_bytes(), Some(&wider), false).unwrap().changed.unwrap();
    assert_eq!((changed.before.contacts, changed.after.contacts), (11, 11));
    assert_eq!(changed.other_group, 10, "all order cards go to sales");
    assert!(changed.after.waits.mean_ms < changed.before.waits.mean_ms, "{changed}");
    assert!(changed.after.agents.len() > changed.before.agents.len());
    assert!(changed.after.agents.contains_key(&agent(5)));
    let told = changed.to_string();
    assert!(told.contains("Of 11 contacts, 10 went to another group"), "{told}");
    assert!(told.contains("orders: service level"), "{told}");
    assert!(told.contains("This rests on:"), "{told}");
}

/// Contacts that began with an AI seat go to it again for the same time, then to people for the same time. With a plan that
/// begins with people, they do not go to it at all.
#[test]
fn ai_seats_are_played_too() {
    let mut driver = Driver::new(3);
    let with_ai = |first: &str| -> Plan {
        serde_json::from_str(&format!(r#"{{"groups":[{{"id":"sales","name":"s","settings":{{"first":"{first}"}}}}]}}"#))
            .unwrap()
    };
    driver.put(with_ai("ai"));
    driver.ai(9);
    driver.arrive("text", "app");
    driver.wait(10_000);
    driver.again(0, Cause::HandOver(HandOverReason::Asked));
    driver.wait(20_000);
    driver.close(0, true);
    driver.arrive("text", "app");
    driver.wait(10_000);
    driver.close(0, true);
    let done = replay(driver.text().as_bytes(), Some(&with_ai("people")), true).unwrap();
    assert!(done.same.all() && done.check.unwrap().is_clean(), "{}", done.same);
    let changed = done.changed.unwrap();
    assert_eq!((changed.before.agents[&agent(9)].contacts, changed.other_agent), (1, 1));
    assert!(!changed.after.agents.contains_key(&agent(9)));
    assert_eq!(changed.before.agents.values().map(|a| a.held_ms).sum::<i64>(), 20_000);
}

#[test]
fn words_that_the_log_was_not_searched_for_are_counted() {
    let text = busy().text();
    let mut new = plan(1);
    let rule = serde_json::from_str(r#"{"contains":["Refund"],"kind":"text","group":"orders"}"#).unwrap();
    new.rules.insert(0, rule);
    let changed = replay(text.as_bytes(), Some(&new), false).unwrap().changed.unwrap();
    assert_eq!(changed.unknown_words, ["refund"]);
    assert!(changed.unknown_decisions > 0 && changed.unknown_decisions < changed.before.contacts);
}

#[test]
fn a_faulty_plan_is_refused_with_its_line() {
    let text = "{\"groups\":[{\"id\":\"a\",\"name\":\"a\"}],\n\"rules\":[\n{\"group\":\"b\"}]}";
    let told = format!("{:#}", parse_rules(text).unwrap_err());
    assert!(told.starts_with("line 3: rules[0].group: "), "{told}");
    let told = format!("{:#}", parse_rules("{").unwrap_err());
    assert!(told.contains("line 1"), "{told}");
}

proptest! {
    #[test]
    fn every_log_comes_out_the_same_and_holds_together(
        steps in proptest::collection::vec((0u8..24, proptest::num::u8::ANY, 0i64..90_000), 0..150),
        listed in 0usize..120,
    ) {
        let driver = day(&steps, listed);
        let text = driver.text();
        let done = replay(text.as_bytes(), Some(&plan(2)), true).unwrap();
        prop_assert!(done.same.all(), "{}", done.same);
        let report = done.check.unwrap();
        prop_assert!(report.is_clean(), "{report}");
        // When it is played, no contact is lost on either side, and the same plan plays the same.
        let changed = done.changed.unwrap();
        for side in [&changed.before, &changed.after] {
            let had = side.agents.values().map(|a| a.contacts).sum::<usize>();
            prop_assert_eq!(side.contacts, had + side.left + side.waiting);
        }
        prop_assert_eq!(replay(text.as_bytes(), Some(&plan(2)), false).unwrap().changed.unwrap(), changed);
    }
}
