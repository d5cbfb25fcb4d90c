//! Service levels and deadlines as the API serves them.

use crate::world::{Staff, World};
use serde_json::{Value, json};

const NONE: Value = Value::Null;

fn world() -> (World, String, [Staff; 3]) {
    let w = World::open();
    let staff = [w.hire("agent", "near", 9), w.hire("agent", "far", 9), w.hire("supervisor", "near", 0)];
    let document = json!({ "policies": [{ "name": "all", "targets": { "first_reply": { "seconds": 60 } } }] });
    let made = w.admin("PUT", "/api/sla/policies", &document).expect(200);
    assert_eq!((&made["version"], &made["document"]["policies"][0]["name"]), (&json!(1), &json!("all")));
    let talk = w.talk_of(w.says("app", "a", &[], "在吗"));
    while warmline_deadlines::follow::follow(&w.ctx()).unwrap() {}
    (w, talk, staff)
}

#[test]
fn staff_see_the_deadlines_of_what_they_may_see() {
    let (w, talk, [me, other, boss]) = world();
    let list = |by: &Staff, query: &str| w.call(&by.token, "GET", &format!("/api/deadlines{query}"), &NONE);
    for by in [&me, &boss] {
        let found = list(by, "").expect(200);
        let first = &found["items"][0];
        assert_eq!(
            (&first["conversation"], &first["metric"], &first["state"]),
            (&json!(talk), &json!("first_reply"), &json!("running"))
        );
    }
    assert_eq!(list(&other, "").expect(200)["items"], json!([]));
    list(&other, &format!("?agent={}", me.id)).refused(403, "not_yours");
    assert_eq!(list(&boss, &format!("?agent={}", me.id)).expect(200)["items"].as_array().unwrap().len(), 1);
    for (query, found) in
        [("?source=policy", 1), ("?source=law", 0), ("?state=missed", 0), ("?group=near", 1), ("?group=far", 0)]
    {
        assert_eq!(list(&boss, query).expect(200)["items"].as_array().unwrap().len(), found, "{query}");
    }
    for (query, code) in [
        ("?state=late", "bad_parameter"),
        ("?source=me", "bad_parameter"),
        ("?after=1.2", "bad_cursor"),
        ("?limit=0", "bad_limit"),
    ] {
        list(&boss, query).refused(400, code);
    }
    let of = format!("/api/conversations/{talk}/deadlines");
    assert_eq!(w.call(&me.token, "GET", &of, &NONE).expect(200)["items"].as_array().unwrap().len(), 1);
    w.call(&other.token, "GET", &of, &NONE).refused(404, "not_found");
}

#[test]
fn a_promise_is_noted_listed_and_decided_by_those_who_may() {
    let (w, talk, [me, other, boss]) = world();
    let path = format!("/api/conversations/{talk}/promises");
    for due in ["2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"] {
        w.call(&me.token, "POST", &path, &json!({ "text": "补发一袋", "due_at": due })).refused(422, "bad_time");
    }
    w.call(&me.token, "POST", &path, &json!({ "text": "" })).refused(422, "bad_length");
    w.call(&other.token, "POST", &path, &json!({ "text": "补发一袋" })).refused(404, "not_found");
    let made = w.call(&me.token, "POST", &path, &json!({ "text": "补发一袋" })).expect(201);
    assert_eq!((&made["text"], &made["due_at"], &made["state"]), (&json!("补发一袋"), &NONE, &json!("running")));
    let list = |by: &Staff, query: &str| w.call(&by.token, "GET", &format!("/api/promises{query}"), &NONE);
    for (by, found) in [(&me, 1), (&other, 0), (&boss, 1)] {
        assert_eq!(list(by, "").expect(200)["items"].as_array().unwrap().len(), found);
    }
    list(&other, &format!("?agent={}", me.id)).refused(403, "not_yours");
    list(&me, "?state=paused").refused(400, "bad_parameter");
    let one = format!("/api/promises/{}", made["id"].as_str().unwrap());
    w.call(&other.token, "POST", &format!("{one}/drop"), &NONE).refused(404, "not_found");
    let soon = w.ctx().now().plus_millis(3_600_000);
    w.call(&me.token, "PUT", &one, &json!({ "due_at": soon })).expect(200);
    w.call(&me.token, "POST", &format!("{one}/confirm"), &NONE).expect(200);
    assert_eq!(w.call(&boss.token, "POST", &format!("{one}/fulfil"), &NONE).expect(200)["state"], json!("met"));
    w.call(&me.token, "POST", &format!("{one}/drop"), &NONE).refused(409, "promise_ended");
    assert_eq!(list(&boss, "?state=met").expect(200)["items"][0]["id"], made["id"]);
    let log = w.admin("GET", "/api/audit?limit=200", &NONE).expect(200);
    let read = |e: &&Value| e["action"] == "deadlines.promises_read";
    assert_eq!(log["items"].as_array().unwrap().iter().filter(read).count(), 3);
}

#[test]
fn pages_go_on_where_they_were_cut() {
    let (w, _, [_, _, boss]) = world();
    for who in ["b", "c", "d"] {
        w.says("app", who, &[], "在吗");
    }
    while warmline_deadlines::follow::follow(&w.ctx()).unwrap() {}
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = w.call(&boss.token, "GET", &format!("/api/deadlines?limit=1{after}"), &NONE).expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|d| d["due_at"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted());
}

#[test]
fn a_document_with_a_fault_says_where_and_nothing_of_it_is_stored() {
    let (w, _, [me, _, boss]) = world();
    let put = |body: &Value| w.call(&boss.token, "PUT", "/api/sla/policies", body);
    let target = json!({ "first_reply": { "seconds": 60 } });
    for (body, code, field) in [
        (json!({ "policies": [{ "name": "a", "targets": {} }] }), "no_target", "policies[0].targets"),
        (
            json!({ "policies": [{ "name": "a", "calendar": "b", "targets": target }] }),
            "unknown_calendar",
            "policies[0].calendar",
        ),
        (
            json!({ "calendars": [{ "name": "a", "hours": { "week": [] } }] }),
            "calendar_never_open",
            "calendars[0].hours.week",
        ),
    ] {
        let refused = put(&body).expect(422);
        assert_eq!((&refused["code"], &refused["field"]), (&json!(code), &json!(field)), "{refused}");
    }
    put(&json!({ "policies": [{ "name": "a", "targets": { "first_answer": { "seconds": 6 } } }] }))
        .refused(422, "invalid_body");
    w.call(&boss.token, "PUT", "/api/sla/policies?base=0", &json!({})).refused(409, "policies_changed");
    assert_eq!(w.call(&boss.token, "GET", "/api/sla/policies", &NONE).expect(200)["version"], json!(1));
    put(&json!({ "policies": [] })).expect(200);
    let versions = w.call(&boss.token, "GET", "/api/sla/policies/versions", &NONE).expect(200);
    assert_eq!(
        versions["items"].as_array().unwrap().iter().map(|v| v["version"].as_i64().unwrap()).collect::<Vec<_>>(),
        [2, 1]
    );
    let first = "/api/sla/policies/versions/1";
    assert_eq!(w.call(&boss.token, "GET", first, &NONE).expect(200)["document"]["policies"][0]["name"], json!("all"));
    w.call(&boss.token, "GET", "/api/sla/policies/versions/9", &NONE).refused(404, "not_found");
    let restored = w.call(&boss.token, "POST", &format!("{first}/restore"), &NONE).expect(200);
    assert_eq!((&restored["version"], &restored["document"]["policies"][0]["name"]), (&json!(3), &json!("all")));
    for path in ["/api/sla/policies", "/api/sla/policies/versions"] {
        w.call(&me.token, "GET", path, &NONE).refused(403, "role_not_allowed");
    }
}
