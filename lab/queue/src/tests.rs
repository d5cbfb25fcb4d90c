//! Days and scenarios.

use super::*;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn brand() -> Scenario {
    Scenario::brand().unwrap()
}

/// The plan was made with other seeds. docs/ROUTING.md has the figures of more.
#[test]
fn ours_is_ahead_of_every_reference_on_both_days() {
    for day in ["normal", "promotion"] {
        let done = simulate(&brand(), day, 1..4).unwrap();
        for policy in &Policy::ALL[1..] {
            assert!(done.ahead(*policy), "{policy}\n{done}");
        }
    }
}

#[test]
fn the_brand_has_sixty_agents_and_ten_channels() {
    let brand = brand();
    assert_eq!((brand.agents(), brand.channels.len()), (60, 10));
    let hired = day::hire(&brand.teams).unwrap();
    assert!(hired.iter().all(|h| h.profile.groups.len() > 1), "each of them can do more than one thing");
    let contacts = |day: &str| day::draw(&brand, &brand.days[day], &hired, 1).unwrap().came.len();
    let times = contacts("promotion") as f64 / contacts("normal") as f64;
    assert!((9.5..10.5).contains(&times), "{times}");
}

#[test]
fn a_static_split_has_one_group_an_agent_and_leaves_none_out() {
    let scenario = brand();
    let hired = day::hire(&scenario.teams).unwrap();
    let split = Policy::Static.agents(&hired, &scenario);
    assert!(split.iter().all(|h| h.profile.groups.len() == 1));
    for shift in [480, 660, 840] {
        for group in &scenario.plan.groups {
            let has = |h: &&day::Hired| h.shift.from == shift && h.profile.groups.contains_key(&group.id);
            assert!(split.iter().any(|h| has(&h)), "{} at {shift}", group.id);
        }
    }
    let calls = |h: &&day::Hired| h.profile.skills.contains_key("voice") && h.shift.from == 840;
    let groups: BTreeSet<_> = split.iter().filter(calls).flat_map(|h| h.profile.groups.keys()).collect();
    assert_eq!(groups.len(), 5, "every group can be called in the evening");

    // A skill that nothing asks for does not leave a group without seats.
    let mut day = small();
    day["plan"]["groups"] = json!([{ "id": "a", "name": "a" }, { "id": "b", "name": "b" }]);
    day["plan"]["rules"] = json!([{ "intent": "order", "group": "b" }]);
    day["intents"] = json!({ "order": 1, "presale": 1 });
    day["teams"][0]["groups"] = json!({ "a": 1, "b": 1 });
    day["teams"][0]["skills"] = json!({ "voice": 1 });
    let scenario = Scenario::parse(&day.to_string()).unwrap();
    let split = Policy::Static.agents(&day::hire(&scenario.teams).unwrap(), &scenario);
    assert_eq!(split.iter().flat_map(|h| h.profile.groups.keys()).collect::<BTreeSet<_>>().len(), 2);
}

#[test]
fn the_same_seed_is_the_same_day_and_another_channel_leaves_the_others_as_they_are() {
    let mut scenario = brand();
    let hired = day::hire(&scenario.teams).unwrap();
    let drawn = |scenario: &Scenario, seed| {
        let history = day::draw(scenario, &scenario.days["normal"], &hired, seed).unwrap();
        let of = |c: &warmline_replay::history::Came| (c.facts.channel.clone(), c.at, c.people_ms, c.patience_ms);
        history.came.iter().map(of).collect::<Vec<_>>()
    };
    let all = drawn(&scenario, 7);
    assert_eq!(all, drawn(&scenario, 7));
    assert_ne!(all, drawn(&scenario, 8));
    let gone = scenario.channels.pop().unwrap().channel;
    let rest: Vec<_> = all.into_iter().filter(|(channel, ..)| *channel != gone).collect();
    assert_eq!(rest, drawn(&scenario, 7));
}

fn small() -> Value {
    json!({
        "name": "A small day",
        "days": { "normal": { "times": 1, "hours": vec![1; 24] } },
        "channels": [{ "channel": "app", "contacts": 200, "handle": { "mean_secs": 300, "variation": 0.5 }, "patience_secs": 60 }],
        "intents": { "order": 1 },
        "teams": [{ "name": "all", "capacity": 1, "groups": { "a": 1 }, "shifts": [
            { "agents": 2, "from": 0, "to": 1440, "break_at": 720, "break_minutes": 30 }
        ]}],
        "plan": { "groups": [{ "id": "a", "name": "a" }] }
    })
}

#[test]
fn the_documented_scenario_can_be_played() {
    let docs = include_str!("../../../docs/ROUTING.md");
    let (_, section) = docs.split_once("A **scenario**").unwrap();
    let (_, json) = section.split_once("```json").unwrap();
    let (json, _) = json.split_once("```").unwrap();
    let done = simulate(&Scenario::parse(json).unwrap(), "normal", 1..2).unwrap();
    assert!(done.seeds[0].iter().all(|day| day.waits.served > 500), "{done}");
}

fn fault(change: impl Fn(&mut Value)) -> String {
    let mut day = small();
    change(&mut day);
    let error = Scenario::parse(&serde_json::to_string_pretty(&day).unwrap()).unwrap_err();
    format!("{:#}", anyhow::Error::from(error))
}

#[test]
fn a_fault_is_told_with_its_line_and_path() {
    assert!(Scenario::parse(&small().to_string()).is_ok());
    let told = |change: fn(&mut Value), path: &str| {
        let fault = fault(change);
        assert!(fault.starts_with("line ") && !fault.starts_with("line 1:"), "{fault}");
        assert!(fault.contains(path), "{fault} and not {path}");
    };
    told(|d| d["days"]["normal"]["hours"] = json!([1]), "days.normal.hours: a day has 24 hours, not 1");
    told(|d| d["days"]["normal"]["hours"] = json!(vec![0; 24]), "days.normal.hours: the shares are all 0");
    told(|d| d["channels"][0]["contacts"] = json!(-1), "channels[0].contacts: is a number from 0");
    told(|d| d["channels"][0]["contacts"] = json!(5e6 + 1.0), "channels[0].contacts");
    told(|d| d["days"]["normal"]["times"] = json!(1000.5), "days.normal.times");
    told(|d| d["channels"][0]["handle"]["mean_secs"] = json!(0), "channels[0].handle.mean_secs");
    told(|d| d["channels"][0]["patience_secs"] = json!(0), "channels[0].patience_secs");
    told(|d| d["teams"][0]["groups"] = json!({ "b": 1 }), "teams[0].groups.b: names no group of the plan");
    told(|d| d["teams"][0]["capacity"] = json!(0), "teams[0].capacity");
    told(|d| d["teams"][0]["shifts"][0]["to"] = json!(0), "teams[0].shifts[0].to");
    told(|d| d["teams"][0]["shifts"][0]["break_at"] = json!(1400), "teams[0].shifts[0].break_at: not all breaks");
    told(|d| d["teams"] = json!([]), "teams: nobody is at work");
    told(|d| d["plan"]["rules"] = json!([{ "group": "b" }]), "plan.rules[0].group");
    let unknown = fault(|d| d["chanels"] = json!([]));
    assert!(unknown.contains("is no scenario: unknown field `chanels`"), "{unknown}");
}

#[test]
fn the_day_begins_at_midnight_where_the_brand_is() {
    assert_eq!(day::midnight(480).to_string(), "2026-11-10T16:00:00.000Z");
    let mut closed = small();
    closed["plan"]["hours"] = json!({ "day": { "week": [{ "days": ["wed"], "from": "09:00", "to": "21:00" }] } });
    closed["plan"]["groups"][0]["settings"] = json!({ "hours": "day" });
    let at = |hour: usize| {
        let mut day = closed.clone();
        let mut hours = vec![0; 24];
        hours[hour] = 1;
        day["days"]["normal"]["hours"] = json!(hours);
        let done = simulate(&Scenario::parse(&day.to_string()).unwrap(), "normal", 1..2).unwrap();
        done.seeds[0][0].waits.served
    };
    assert!(at(9) > 0);
    assert_eq!(at(21), 0, "nobody is served from the evening on");
}

#[test]
fn a_day_that_is_not_there_is_named() {
    let scenario = Scenario::parse(&small().to_string()).unwrap();
    let error = simulate(&scenario, "party", 1..2).unwrap_err().to_string();
    assert_eq!(error, "the scenario has no day \"party\"; it has normal");
}

#[test]
fn another_plan_must_fit_the_agents() {
    let mut scenario = Scenario::parse(&small().to_string()).unwrap();
    let plan = |id: &str| serde_json::from_value(json!({ "groups": [{ "id": id, "name": "a" }] })).unwrap();
    let error = scenario.ruled_by(plan("b")).unwrap_err().to_string();
    assert_eq!(error, "does not fit the scenario: teams[0].groups.a: names no group of the plan");
    assert_eq!(scenario.plan.groups[0].id.as_str(), "a");
    scenario.ruled_by(plan("a")).unwrap();
}

#[test]
fn the_picture_shows_every_policy() {
    let scenario = Scenario::parse(&small().to_string().replace("A small day", "A <small> day")).unwrap();
    let done = simulate(&scenario, "normal", 1..2).unwrap();
    let picture = svg::draw(&done);
    assert_eq!(picture.matches("<polyline").count(), 4);
    assert!(picture.contains("A &lt;small&gt; day") && picture.ends_with("</svg>\n"), "{picture}");
    assert_eq!(done.seeds[0][0].queues.len() as i64, 1 + (24 + 6) * 3_600_000 / EVERY_MS);
}

proptest! {
    /// Every customer was answered, left, or still waits. With every policy the same number came.
    #[test]
    fn nobody_is_lost(seed in 0u64..1_000, agents in 1u16..5) {
        let mut day = small();
        day["teams"][0]["shifts"][0]["agents"] = json!(agents);
        let done = simulate(&Scenario::parse(&day.to_string()).unwrap(), "normal", seed..seed + 1).unwrap();
        for day in &done.seeds[0] {
            prop_assert_eq!(day.waits.served + day.left + day.waiting, day.offered);
            prop_assert_eq!(day.offered, done.seeds[0][0].offered);
            prop_assert!((0.0..=1.0).contains(&day.service_level));
        }
    }
}
