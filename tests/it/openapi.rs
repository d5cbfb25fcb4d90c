//! The description of the API is true: every operation answers as described.

use crate::harness::{Agent, Shop, Wechat, send, shared, until};
use crate::hooks::{Receiver, hook};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn every_operation_answers_as_described() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(4));
    let admin = &shop.admin;
    // The client itself compares every answer below with the description.
    admin.get("/healthz").expect(200);
    admin.get("/readyz").expect(200);
    admin.get("/api/openapi.json").expect(200);
    admin.get("/api/channels").expect(200);
    admin.get("/api/accounts").expect(200);
    let settings = json!({ "app_id": wechat.app_id, "api_base": shop.platform.url(), "group": shop.name });
    admin.put(&format!("/api/accounts/wechat/{}", shop.name), &json!({ "name": "店", "settings": settings })).expect(200);
    accounts(&shop);
    admin.get("/api/groups").expect(200);
    admin.get("/api/agents").expect(200);
    agent.view();
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let shown = shop.conversation(&id);
    wechat.plain(wechat.message("oAlice", "image", &[("MediaId", "m1")])).expect(200);
    let picture = until("a picture", || shop.messages(&id).into_iter().find_map(|m| m["media"].as_str().map(str::to_owned)));
    admin.get(&picture).expect(200);
    shop.messages(&id);
    agent.act(&id, "accept", &json!({})).expect(200);
    let written = json!({ "conversation": id, "content": { "kind": "text", "text": "在的" } });
    let told = agent.api.post("/api/gate/check", &written).expect(200).json();
    assert_eq!((&told["verdict"], &told["left"]["replies"]), (&json!("send"), &json!(4)));
    shop.platform
        .script(warmline_simulate::channels::Rule::send(warmline_simulate::channels::Behaviour::Error(45015)).once());
    let dead = shop.wait_delivery(&id, &agent.reply(&id, "在的"), "dead");
    let given_up = admin.get(&format!("/api/outbox?state=dead&channel=wechat&account={}", shop.name)).expect(200).json();
    assert_eq!((&given_up["items"][0]["id"], &given_up["count"]), (&dead["id"], &json!(1)));
    admin.post("/api/outbox/retry", &json!({ "account": shop.name, "dry_run": true })).expect(200);
    admin.post(&format!("/api/outbox/{}/retry", dead["id"].as_str().unwrap()), &json!({})).expect(200);
    held(&shop, &agent, &id);
    desk(&shop, &agent, &id);
    let customer = format!("/api/customers/{}", shown["customer"]["id"].as_str().unwrap());
    admin.get(&customer).expect(200);
    admin.put(&format!("{customer}/tags"), &json!({ "tags": ["vip"] })).expect(200);
    people(&shop, &wechat, &customer);
    tokens(&shop, &agent);
    agent.act(&id, "transfer", &json!({ "to": { "group": shop.name }, "note": "备注" })).expect(200);
    until("it is in somebody's hands", || shop.conversation(&id)["agent"].is_string().then_some(()));
    agent.close(&id);
    admin.get("/api/conversations").expect(200);
    let rules = admin.get("/api/routing/rules").expect(200).json();
    admin.put("/api/routing/rules", &json!({ "rules": rules["rules"] })).expect(200);
    plan(&shop);
    seats(&shop, &wechat, &agent, &id, &customer);
    let words = admin.get("/api/quality/words").expect(200).json();
    admin.put("/api/quality/words", &json!({ "words": words["words"] })).expect(200);
    let rules = admin.get("/api/contact-rules").expect(200).json();
    admin.put("/api/contact-rules", &json!({ "rules": rules["rules"] })).expect(200);
    hooks(&shop);
    admin.get("/api/events").expect(200);
    admin.get("/api/metrics").expect(200);
    admin.get("/metrics").expect(200);
    admin.post("/api/tick", &json!({})).expect(200);
    let missing: BTreeSet<String> = admin.spec().operations().difference(&admin.spec().exercised()).cloned().collect();
    assert!(missing.is_empty(), "described but not exercised: {missing:?}");
}

/// Messages that wait.
fn held(shop: &Shop, agent: &Agent, id: &str) {
    let wait = |words: &str| {
        let later = json!({ "content": { "kind": "text", "text": words }, "undo_secs": 120 });
        let held = agent.act(id, "messages", &later).expect(202).json();
        format!("/api/held/{}", held["id"].as_str().unwrap())
    };
    let first = wait("稍后");
    agent.api.get("/api/held").expect(200);
    agent.api.get(&first).expect(200);
    agent.api.delete(&first).expect(200);
    agent.api.post(&format!("{}/release", wait("稍后")), &json!({})).expect(200);
    // A word of its own, which no other test says.
    let mut words = shop.admin.get("/api/quality/words").expect(200).json()["words"].clone();
    let word = json!({ "word": "全网最香的米", "category": "claims", "severity": 1, "effect": "approve" });
    words.as_array_mut().unwrap().push(word);
    shop.admin.put("/api/quality/words", &json!({ "words": words })).expect(200);
    shop.admin.post(&format!("{}/decline", wait("全网最香的米")), &json!({ "reason": "无法证实" })).expect(200);
}

/// What an agent's desk asks for, and the service levels.
fn desk(shop: &Shop, agent: &Agent, id: &str) {
    let path = |rest: &str| format!("/api/conversations/{id}/{rest}");
    agent.api.get("/api/worklist").expect(200);
    agent.api.put(&path("draft"), &json!({ "mode": "note", "text": "老客户" })).expect(200);
    agent.api.get(&path("draft")).expect(200);
    agent.api.put(&path("presence"), &json!({ "doing": "typing", "seen": 1 })).expect(200);
    agent.api.get(&path("presence")).expect(200);
    agent.api.delete(&path("presence")).expect(200);
    agent.api.post(&path("snooze"), &json!({})).expect(200);
    agent.api.delete(&path("snooze")).expect(200);
    agent.act(id, "accept", &json!({})).expect(200);
    agent.api.get("/api/deadlines").expect(200);
    agent.api.get(&path("deadlines")).expect(200);
    agent.api.get("/api/promises").expect(200);
    for end in ["fulfil", "drop"] {
        let made = agent.act(id, "promises", &json!({ "text": "补发一袋" })).expect(201).json();
        let one = format!("/api/promises/{}", made["id"].as_str().unwrap());
        let soon = warmline_model::Timestamp::from_millis((crate::harness::now() + 3_600) * 1000);
        agent.api.put(&one, &json!({ "due_at": soon })).expect(200);
        agent.api.post(&format!("{one}/confirm"), &json!({})).expect(200);
        agent.api.post(&format!("{one}/{end}"), &json!({})).expect(200);
    }
    let admin = &shop.admin;
    admin.get("/api/sla/policies").expect(200);
    admin.put("/api/sla/policies", &json!({ "policies": [] })).expect(200);
    admin.get("/api/sla/policies/versions").expect(200);
    admin.get("/api/sla/policies/versions/1").expect(200);
    admin.post("/api/sla/policies/versions/1/restore", &json!({})).expect(200);
}

/// A hook whose receiver wants nothing.
fn hooks(shop: &Shop) {
    let (admin, receiver) = (&shop.admin, Receiver::start(vec![(410, "")]));
    let (path, _) = hook(admin, &receiver.url(), &["hooks.disabled"]);
    admin.get("/api/hooks").expect(200);
    admin.get(&path).expect(200);
    admin.post(&format!("{path}/rotate"), &json!({})).expect(200);
    admin.post(&format!("{path}/test"), &json!({})).expect(202);
    let dead = until("the end", || {
        let listed = admin.get(&format!("{path}/deliveries?state=dead")).expect(200).json();
        listed["items"][0]["id"].as_str().map(str::to_owned)
    });
    admin.post(&format!("/api/hooks/deliveries/{dead}/retry"), &json!({})).expect(202);
    let change = json!({ "url": receiver.url(), "types": ["hooks.disabled"], "enabled": false });
    admin.put(&path, &change).expect(200);
    admin.delete(&path).expect(200);
}

/// An account's health, and its end.
fn accounts(shop: &Shop) {
    shop.web(&[]);
    let account = format!("/api/accounts/webchat/{}", shop.name);
    shop.admin.get(&format!("{account}/health")).expect(200);
    shop.admin.post(&format!("{account}/disable"), &json!({})).expect(200);
    shop.admin.post(&format!("{account}/enable"), &json!({})).expect(200);
    shop.admin.delete(&account).expect(200);
}

/// One person across channels, and the audit log about them.
fn people(shop: &Shop, wechat: &Wechat, customer: &str) {
    let admin = &shop.admin;
    wechat.say("oOther", "我换了号");
    let (talk, _) = shop.wait_text("我换了号");
    let other = shop.conversation(&talk)["customer"]["id"].clone();
    let merged = admin.post(&format!("{customer}/merge"), &json!({ "customer": other })).expect(200).json();
    admin.post(&format!("{customer}/unmerge"), &json!({ "merge": merged["merges"][0]["id"] })).expect(200);
    let number = json!({ "kind": "phone", "value": "13800009999" });
    admin.post(&format!("{customer}/identifiers"), &number).expect(200);
    let case = admin.post(&format!("/api/conversations/{talk}/case"), &json!({ "case": null })).expect(200).json();
    admin.get(&format!("/api/cases/{}", case["case"].as_str().unwrap())).expect(200);
    admin.get(&format!("{customer}/timeline")).expect(200);
    admin.get(&format!("{customer}/summary")).expect(200);
    admin.get(&format!("{customer}/unmasked?reason=request")).expect(200);
    admin.post(&format!("{customer}/identifiers/remove"), &number).expect(200);
    admin.put(&format!("{customer}/name"), &json!({ "name": "王晓明" })).expect(200);
    admin.get(&format!("{customer}/export")).expect(200);
    let gone = format!("/api/customers/{}", other.as_str().unwrap());
    let erasure = admin.delete(&format!("{gone}?reason=request")).expect(202).json();
    // The erasure must be done first: until then, reading the customer's messages is answered with 410.
    let erasure = format!("/api/erasures/{}", erasure["id"].as_str().unwrap());
    until("the customer is erased", || admin.get(&erasure).expect(200).json()["done_at"].is_string().then_some(()));
    admin.get("/api/erasures").expect(200);
    admin.get("/api/keys").expect(200);
    admin.post("/api/keys/rotate", &json!({})).expect(200);
    admin.put(&format!("{customer}/hold"), &json!({ "reason": "court" })).expect(200);
    admin.delete(&format!("{customer}/hold")).expect(200);
    let agreed = json!({ "purpose": "marketing", "version": "v1", "given": true });
    admin.post(&format!("{customer}/consents"), &agreed).expect(201);
    admin.get(&format!("{customer}/consents")).expect(200);
    let limits = admin.get("/api/limits").expect(200).json();
    admin.put("/api/limits", &limits["limits"]).expect(200);
    let kept = admin.get("/api/retention").expect(200).json();
    admin.put("/api/retention", &kept["retention"]).expect(200);
    admin.get("/api/audit").expect(200);
    admin.get("/api/audit/check").expect(200);
}

/// A member of staff's tokens.
fn tokens(shop: &Shop, agent: &Agent) {
    let path = format!("/api/agents/{}/tokens", agent.id);
    let made = shop.admin.post(&path, &json!({ "days": 1 })).expect(201).json();
    shop.admin.get(&path).expect(200);
    shop.admin.delete(&format!("{path}/{}", made["id"].as_str().unwrap())).expect(200);
}

/// The plan, its versions, its decisions, and the queues.
fn plan(shop: &Shop) {
    let admin = &shop.admin;
    shop.change_plan(|_| {});
    let versions = admin.get("/api/routing/plans").expect(200).json();
    let version = &versions["items"][0]["version"];
    admin.get(&format!("/api/routing/plans/{version}")).expect(200);
    // Other tests add groups meanwhile, and these must not get lost.
    until("nobody else changes the plan", || {
        let newest = admin.get("/api/routing/plans").expect(200).json()["items"][0]["version"].clone();
        let answer = admin.post(&format!("/api/routing/plans/{newest}/restore"), &json!({}));
        (answer.code() != "group_in_use").then(|| answer.expect(200))
    });
    let contact = json!({ "channel": "wechat", "account": shop.name, "text": "在吗", "tags": ["vip"] });
    let dry = admin.post("/api/routing/dry-run", &contact).expect(200).json();
    assert!(dry["decision"]["outcome"].is_object());
    admin.get("/api/queues").expect(200);
    admin.get("/api/staffing").expect(200);
}

/// The holder of a conversation, and the reason.
fn seats(shop: &Shop, wechat: &Wechat, agent: &Agent, closed: &str, customer: &str) {
    let admin = &shop.admin;
    admin.get(&format!("/api/conversations/{closed}/routing")).expect(200);
    agent.api.post(&format!("/api/agents/{}/heartbeat", agent.id), &json!({})).expect(200);
    let (colleague, bot) = (shop.hire(1, &json!({})), shop.hire(1, &json!({ "ai": true })));
    agent.is("busy");
    wechat.say("oQueued", "排队");
    let (id, _) = shop.wait_text("排队");
    admin.get(&format!("/api/conversations/{id}/queue")).expect(200);
    bot.is("available");
    admin.post(&format!("/api/conversations/{id}/assign"), &json!({ "agent": bot.id })).expect(200);
    let turn = json!({ "messages": [{ "kind": "text", "text": "您好" }], "turn": { "confidence": 1 } });
    bot.act(&id, "turn", &turn).expect(200);
    admin.post(&format!("/api/conversations/{id}/assign"), &json!({ "agent": agent.id })).expect(200);
    agent.act(&id, "consult", &json!({ "agent": colleague.id })).expect(200);
    agent.act(&id, "notes", &json!({ "text": "备注" })).expect(201);
    agent.api.delete(&format!("/api/conversations/{id}/consult/{}", colleague.id)).expect(200);
    admin.put(&format!("/api/agents/{}", colleague.id), &json!({ "capacity": 2 })).expect(200);
    admin.put(&format!("{customer}/owner"), &json!({ "agent": colleague.id })).expect(200);
    admin.delete(&format!("/api/agents/{}", colleague.id)).expect(200);
    agent.close(&id);
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let document = send("GET", &format!("{}/api/openapi.json", shared().base()), &[], "").expect(200).json();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(seen.insert(id.clone()), "{path}: {id} stands for two operations");
        }
    }
}

#[test]
fn the_names_that_other_tools_are_written_against_are_there() {
    let operations = shared().admin().spec().operations();
    for operation in [
        "POST /api/accounts",
        "POST /api/groups",
        "POST /api/agents",
        "PUT /api/agents/{id}/state",
        "GET /api/conversations",
        "GET /api/conversations/{id}",
        "GET /api/conversations/{id}/messages",
        "POST /api/conversations/{id}/messages",
        "POST /api/conversations/{id}/accept",
        "POST /api/conversations/{id}/transfer",
        "POST /api/conversations/{id}/close",
        "POST /api/outbox/{id}/retry",
        "POST /api/outbox/retry",
        "GET /api/outbox",
        "POST /api/tick",
        "GET /api/events",
        "GET /metrics",
        "GET /healthz",
        "GET /readyz",
        "GET /api/openapi.json",
    ] {
        assert!(operations.contains(operation), "{operation}");
    }
}
