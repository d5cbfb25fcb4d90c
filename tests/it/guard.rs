//! The guards of the API: rights, rates, headers for browsers, and alterations of the store.

use crate::harness::{Api, Server, Shop, send, until};
use serde_json::{Value, json};
use std::time::Duration;

/// A token of a role, narrowed to scopes.
fn narrowed(shop: &Shop, role: &str, scopes: &Value) -> Api {
    let agent = shop.hire(1, &json!({ "role": role }));
    let path = format!("/api/agents/{}/tokens", agent.id);
    let made = shop.admin.post(&path, &json!({ "scopes": scopes })).expect(201).json();
    assert_eq!(&made["scopes"], scopes);
    let listed = shop.admin.get(&path).expect(200).json();
    // The token that came with the agent may do all that the role may.
    let of = |mine: bool| listed["items"].as_array().unwrap().iter().find(|t| (t["id"] == made["id"]) == mine).unwrap();
    assert_eq!((&of(true)["scopes"], &of(false)["scopes"]), (scopes, &Value::Null));
    shop.admin.bearer(made["token"].as_str().unwrap())
}

#[test]
fn a_privacy_officer_sees_to_rights_and_to_nothing_else() {
    let shop = Shop::open();
    let officer = shop.hire(0, &json!({ "role": "privacy", "groups": [] })).api;
    shop.web(&[]).visitor().say("请删除我的资料");
    let (talk, _) = shop.wait_text("请删除我的资料");
    let customer = format!("/api/customers/{}", shop.conversation(&talk)["customer"]["id"].as_str().unwrap());
    officer.get(&customer).expect(200);
    officer.get(&format!("{customer}/unmasked?reason=request")).expect(200);
    officer.put(&format!("{customer}/hold"), &json!({ "reason": "dispute" })).expect(200);
    officer.delete(&format!("{customer}/hold")).expect(200);
    let agreed = json!({ "purpose": "callback", "version": "v1", "given": false });
    officer.post(&format!("{customer}/consents"), &agreed).expect(201);
    for path in ["/api/audit", "/api/audit/check", "/api/retention"] {
        officer.get(path).expect(200);
    }
    let others = [
        format!("/api/conversations/{talk}"),
        format!("{customer}/timeline"),
        format!("{customer}/summary"),
        "/api/conversations".into(),
        "/api/routing/plan".into(),
        "/api/queues".into(),
        "/api/events".into(),
        "/api/metrics".into(),
        "/api/agents".into(),
    ];
    for path in others {
        officer.get(&path).refused(403, "role_not_allowed");
    }
    officer.put(&format!("{customer}/tags"), &json!({ "tags": [] })).refused(403, "role_not_allowed");
}

#[test]
fn a_token_may_what_its_scopes_and_its_role_both_allow() {
    let shop = Shop::open();
    let figures = narrowed(&shop, "supervisor", &json!(["figures"]));
    for path in ["/api/metrics", "/metrics", "/api/events", "/api/staffing"] {
        figures.get(path).expect(200);
    }
    drop(figures.stream("/api/events", &[]));
    for path in ["/api/conversations", "/api/queues", "/api/routing/plan", "/api/accounts", "/api/media/x"] {
        figures.get(path).refused(403, "scope_not_allowed");
    }
    let talks = narrowed(&shop, "supervisor", &json!(["conversations", "customers"]));
    talks.get("/api/conversations").expect(200);
    talks.get("/api/metrics").refused(403, "scope_not_allowed");
    let stream = talks.send("GET", "/api/events", &[("accept", "text/event-stream")], "");
    stream.refused(403, "scope_not_allowed");
    // A scope gives no right that the role does not have.
    let ops = narrowed(&shop, "ops", &json!(["figures", "conversations"]));
    ops.get("/api/conversations").refused(403, "role_not_allowed");
    ops.post("/api/tick", &json!({})).refused(403, "scope_not_allowed");
    let agent = shop.hire(1, &json!({}));
    let path = format!("/api/agents/{}/tokens", agent.id);
    shop.admin.post(&path, &json!({ "scopes": [] })).refused(422, "bad_scopes");
    shop.admin.post(&path, &json!({ "scopes": ["everything"] })).refused(422, "invalid_body");
}

#[test]
fn who_sends_too_much_waits_and_nobody_else_does() {
    let server = Server::start("limits");
    let shop = Shop::on(&server, &json!({}));
    let (busy, other) = (shop.hire(1, &json!({})).api, shop.hire(1, &json!({})).api);
    let bot = shop.hire(1, &json!({ "ai": true })).api;
    let set = |rate: i64| shop.admin.put("/api/limits", &json!({ "requests_per_second": rate, "burst": 50 }));
    set(2_000).refused(422, "bad_limits");
    set(1).expect(200);
    // Fifty, counted in random steps of eight.
    let mut passed = 0;
    let refused = loop {
        let answer = busy.get("/api/groups");
        if answer.status == 429 {
            break answer;
        }
        answer.expect(200);
        passed += 1;
        assert!(passed < 500, "nobody counts");
    };
    assert!(passed >= 7, "{passed}");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    refused.refused(429, "rate_limited");
    let stream = busy.send("GET", "/api/events", &[("accept", "text/event-stream")], "");
    stream.refused(429, "rate_limited");
    other.get("/api/groups").expect(200);
    for _ in 0..200 {
        bot.get("/api/groups").expect(200);
        shop.admin.get("/api/groups").expect(200);
    }
    set(0).expect(200);
    busy.get("/api/groups").expect(200);
}

#[test]
fn who_tries_tokens_is_told_to_stop_and_locks_nobody_out() {
    let server = Server::start("failures");
    let shop = Shop::on(&server, &json!({}));
    let good = shop.hire(1, &json!({})).api;
    let (wrong, another) = (shop.admin.bearer("not-a-token"), shop.admin.bearer("nor-this-one"));
    let mut tried = 0;
    let refused = loop {
        let answer = wrong.get("/api/groups");
        if answer.status == 429 {
            break answer;
        }
        answer.refused(401, "token_unknown");
        tried += 1;
        assert!(tried < 2_000, "nobody counts");
    };
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    refused.refused(429, "too_many_failures");
    good.get("/api/groups").expect(200);
    another.get("/api/groups").refused(401, "token_unknown");
    until("the failures show", || {
        wrong.get("/api/groups");
        let told = shop.admin.get("/metrics").expect(200).text();
        told.lines().find_map(|line| line.strip_prefix("warmline_tokens_refused ")?.parse::<u32>().ok()).filter(|n| *n > 0)
    });
}

#[test]
fn browsers_are_told_that_no_answer_is_a_page_to_keep_or_to_frame() {
    let shop = Shop::open();
    let token = format!("Bearer {}", shop.hire(1, &json!({ "role": "supervisor" })).api.token());
    let get =
        |path: &str, token: &str| send("GET", &format!("{}{path}", shop.base), &[("authorization", token.to_owned())], "");
    let all = [
        (get("/api/groups", &token), 200),
        (get("/api/groups", "Bearer x"), 401),
        (get("/api/nothing", &token), 404),
        (get("/metrics", &token), 200),
        (get("/metrics", "Bearer x"), 401),
        (get("/api/tick", &token), 405),
        (get("/healthz", &token), 200),
        (get("/api/media/x", &token), 404),
    ];
    for (answer, status) in all {
        assert_eq!(answer.status, status);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name} of {status}");
        }
    }
    let stream = shop.admin.stream("/api/events", &[]);
    assert_eq!(stream.headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(stream.headers["x-content-type-options"], "nosniff");
}

/// Changes a byte of every value that a statement finds.
fn alter(db: &rusqlite::Connection, select: &str, update: &str) {
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        db.prepare(select).unwrap().query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert!(!rows.is_empty());
    for (id, mut value) in rows {
        *value.last_mut().unwrap() ^= 1;
        db.execute(update, rusqlite::params![id, value]).unwrap();
    }
}

#[test]
fn what_was_altered_is_told_once_and_hides_nothing_else() {
    let server = Server::start("altered");
    let shop = Shop::on(&server, &json!({}));
    let visitor = shop.web(&[]).visitor();
    for text in ["一", "二", "三"] {
        visitor.say(text);
    }
    let (talk, _) = shop.wait_text("三");
    let customer = format!("/api/customers/{}", shop.conversation(&talk)["customer"]["id"].as_str().unwrap());
    let second = shop.messages(&talk)[1]["id"].clone();
    let db = rusqlite::Connection::open(server.state().join("sqlite.db")).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    alter(&db, "SELECT id, content FROM messages WHERE n = 2", "UPDATE messages SET content = ?2 WHERE id = ?1");
    alter(&db, "SELECT id, sender FROM identities", "UPDATE identities SET sender = ?2 WHERE id = ?1");
    for _ in 0..2 {
        let texts = |list: &Value| list.as_array().unwrap().iter().map(|m| m["content"]["text"].clone()).collect::<Vec<_>>();
        let shown = shop.conversation(&talk);
        assert_eq!(texts(&shown["messages"]), [json!("一"), Value::Null, json!("三")]);
        let timeline = shop.admin.get(&format!("{customer}/timeline")).expect(200).json();
        assert_eq!(texts(&timeline["items"]), [json!("三"), Value::Null, json!("一")]);
        shop.admin.get(&format!("{customer}/summary")).expect(200);
        shop.admin.get(&format!("{customer}/unmasked?reason=request")).expect(200);
    }
    let told: Vec<_> = shop.admin.events(0).into_iter().filter(|e| e["type"] == "seal.broken").collect();
    let fields: Vec<_> = told.iter().map(|e| (e["data"]["field"].as_str().unwrap(), &e["data"]["message"])).collect();
    assert_eq!(fields, [("message", &second), ("name", &Value::Null)]);
    assert!(customer.ends_with(told[0]["data"]["customer"].as_str().unwrap()));
    assert_eq!(told[0]["conversation"], talk.as_str());
    let figures = shop.admin.get("/metrics").expect(200).text();
    assert!(figures.lines().any(|line| line == "warmline_seal_broken_v1_total 2"), "{figures}");
}
