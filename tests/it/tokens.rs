//! Tokens: how they are made and end, and the roles and scopes that narrow them.

use crate::harness::{Api, Shop, shared};
use serde_json::{Value, json};

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
fn a_token_is_shown_once() {
    let shop = Shop::open();
    let agent = shop.hire(1, &json!({ "name": "小米" }));
    let view = agent.view();
    assert_eq!((&view["name"], view.get("token")), (&json!("小米"), None));
    let listed = shop.admin.all("/api/agents");
    assert!(listed.iter().all(|a| a.get("token").is_none()));
    assert!(agent.api.get("/api/conversations").expect(200).json()["items"].as_array().unwrap().is_empty());
}

#[test]
fn a_token_ends_is_replaced_and_is_revoked() {
    let shop = Shop::open();
    let agent = shop.agent(1);
    let path = format!("/api/agents/{}/tokens", agent.id);
    let me = format!("/api/agents/{}", agent.id);
    let token = |body: Value| shop.admin.post(&path, &body).expect(201).json();
    let second = token(json!({ "days": 30 }));
    let bearer = |made: &Value| shop.admin.bearer(made["token"].as_str().unwrap());
    bearer(&second).get(&me).expect(200);
    let listed = shop.admin.get(&path).expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(second["token"].as_str().unwrap()));
    assert!(listed["items"][0]["expires_at"].is_null() && listed["items"][1]["expires_at"] == second["expires_at"]);
    // The third token replaces the others, which work for ten more minutes.
    let third = token(json!({ "replaces": true }));
    bearer(&second).get(&me).expect(200);
    let ends: Vec<_> = shop.admin.get(&path).expect(200).json()["items"].as_array().unwrap().clone();
    assert!(ends[..2].iter().all(|t| !t["expires_at"].is_null()) && ends[2]["expires_at"].is_null());
    // The token has expired.
    let db = shared().store();
    let id = second["id"].as_str().unwrap().strip_prefix("tok_").unwrap().to_uppercase();
    assert_eq!(db.execute("UPDATE tokens SET expires_at = 1 WHERE hex(id) = ?1", [id]).unwrap(), 1);
    bearer(&second).get(&me).refused(401, "token_expired");
    let revoke = format!("{path}/{}", third["id"].as_str().unwrap());
    shop.admin.delete(&revoke).expect(200);
    bearer(&third).get(&me).refused(401, "token_unknown");
    shop.admin.delete(&revoke).refused(404, "not_found");
    shop.admin.post(&path, &json!({ "days": 0 })).refused(422, "bad_days");
    agent.api.post(&path, &json!({})).refused(403, "role_not_allowed");
}

#[test]
fn a_privacy_officer_sees_to_rights_and_to_nothing_else() {
    let shop = Shop::open();
    let officer = shop.hire(0, &json!({ "role": "privacy", "groups": [] })).api;
    let (talk, customer) = shop.written("请删除我的资料");
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
