//! The explanation of a conversation's place: the answer names every seat, and the log each list of seats once.

use crate::world::World;
use serde_json::{Value, json};
use warmline_model::EventBody;
use warmline_store::{Db as _, Value as Column, events};

#[test]
fn the_log_has_a_letter_for_a_seat_and_the_answer_shows_it_by_name() {
    let w = World::open();
    let staff: Vec<_> = (0..5).map(|_| w.hire("agent", "near", 1)).collect();
    let resting = &staff[3].id;
    w.admin("PUT", &format!("/api/agents/{resting}/state"), &json!({ "state": "break" })).expect(200);
    let customers = ["a", "b"].map(|who| w.says("app", who, &[], "你好"));
    let explained = |customer| {
        let path = format!("/api/conversations/{}/routing", w.talk_of(customer));
        w.admin("GET", &path, &Value::Null).expect(200)["items"][0].clone()
    };
    let first = explained(customers[0])["decision"].clone();
    let seats = first["steps"][0]["seats"].as_array().unwrap();
    assert_eq!(seats.len(), 5);
    for (seat, staff) in seats.iter().zip(&staff) {
        assert_eq!(seat["agent"], staff.id);
        assert_eq!(seat.get("refused").is_some(), staff.id == *resting);
    }
    let best = seats.iter().find(|seat| seat["place"] == 1).unwrap();
    assert_eq!(first["outcome"]["assigned"]["agent"], best["agent"]);
    assert_eq!(first["placement"]["why"], "fallback");
    assert_eq!(explained(customers[1])["decision"]["steps"][0]["seats"].as_array().unwrap().len(), 5);

    let log = events::after(&w.db, 0, 1_000).unwrap();
    let entries: Vec<_> = log
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::RoutingDecided(entry) => Some(entry.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        assert!(entry.get("steps").is_none());
        assert!(entry.to_string().len() <= 300, "{entry}");
    }
    let rosters = || w.db.execute("SELECT number FROM rosters", &[]).unwrap().len();
    assert_eq!(rosters(), 1, "both saw the same seats");
    w.hire("agent", "near", 1);
    let third = w.says("app", "c", &[], "你好");
    assert_eq!((rosters(), explained(third)["decision"]["steps"][0]["seats"].as_array().unwrap().len()), (2, 6));
    assert_eq!(explained(customers[0])["decision"], first, "an earlier decision is shown as it was");
}

#[test]
fn an_agent_lists_those_who_wait_for_the_agents_groups() {
    let w = World::open();
    let (near, far) = (w.hire("agent", "near", 1), w.hire("agent", "far", 1));
    let came = ["a", "b", "c"].map(|who| w.says("app", who, &[], "你好"));
    let listed = |token: &str, query: &str| {
        let page = w.call(token, "GET", &format!("/api/conversations{query}"), &Value::Null).expect(200);
        let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
        page["items"].as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    let [first, second, third] = came.map(|who| w.talk_of(who).to_string());
    assert_eq!(listed(&near.token, ""), [first]);
    assert_eq!(listed(&near.token, "?state=queued"), [second.clone(), third.clone()]);
    assert_eq!(listed(&near.token, "?state=queued&limit=1"), std::slice::from_ref(&second));
    assert_eq!(listed(&near.token, &format!("?state=queued&after={second}")), [third]);
    assert!(listed(&far.token, "?state=queued").is_empty());
}

#[test]
fn a_contact_that_comes_back_from_an_agent_keeps_the_rule_that_chose_its_group() {
    let w = World::open();
    let who = w.says("app", "a", &[], "你好");
    let id = w.talk_of(who);
    let new = json!({ "name": "小李", "role": "agent", "groups": ["near"], "capacity": 1 });
    let made = w.admin("POST", "/api/agents", &new).expect(201);
    let agent = made["id"].as_str().unwrap();
    w.admin("PUT", &format!("/api/agents/{agent}/state"), &json!({ "state": "break" })).expect(200);
    let path = format!("/api/conversations/{id}/assign");
    let given = w.admin("POST", &path, &json!({ "agent": agent })).expect(200);
    assert_eq!(given["why"], "fallback, assigned by a supervisor");
    w.admin("DELETE", &format!("/api/agents/{agent}?requeue=true"), &Value::Null);
    let now = w.admin("GET", &format!("/api/conversations/{id}"), &Value::Null).expect(200);
    assert_eq!((&now["state"], &now["why"]), (&json!("queued"), &json!("fallback")));
}

/// An entry of the release before, which listed each seat.
#[test]
fn an_entry_of_an_earlier_release_is_shown_as_it_was() {
    let w = World::open();
    w.hire("agent", "near", 1);
    let customer = w.says("app", "a", &[], "你好");
    let path = format!("/api/conversations/{}/routing", w.talk_of(customer));
    let now = w.admin("GET", &path, &Value::Null).expect(200)["items"][0]["decision"].clone();
    let change = "UPDATE events SET data = ?1 WHERE type = 'routing.decided'";
    w.db.execute(change, &[Column::Text(now.to_string())]).unwrap();
    w.db.execute("DELETE FROM rosters", &[]).unwrap();
    assert_eq!(w.admin("GET", &path, &Value::Null).expect(200)["items"][0]["decision"], now);
}
