//! The API's refusals, row by row: the status, the stable code, and no change.

use crate::harness::{Agent, Api, Shop, send, shared};
use serde_json::{Value, json};

const NOBODY: &str = "agt_00000000000070008000000000000000";
const NOTHING: &str = "cnv_00000000000070008000000000000000";

fn text(text: &str) -> Value {
    json!({ "content": { "kind": "text", "text": text } })
}

/// A member of staff with another role.
fn staff(shop: &Shop, role: &str) -> Agent {
    shop.hire(1, &json!({ "role": role }))
}

#[test]
fn who_asks() {
    let admin = shared().admin();
    admin.bearer("nobody").get("/api/conversations").refused(401, "token_unknown");
    admin.bearer("").get("/api/conversations").refused(401, "token_missing");
    let basic = [("authorization", "Basic eDp4".to_owned())];
    send("GET", &format!("{}/api/conversations", shared().base()), &basic, "").refused(401, "token_missing");
    let bare = send("GET", &format!("{}/api/events", shared().base()), &[], "");
    assert_eq!(bare.refused(401, "token_missing").header("www-authenticate"), Some("Bearer"));
    for path in ["/api/metrics", "/metrics"] {
        admin.bearer("nobody").get(path).refused(401, "token_unknown");
    }
    admin.bearer("nobody").post("/api/tick", &json!({})).refused(401, "token_unknown");
}

#[test]
fn what_each_role_may_not_do() {
    let shop = Shop::open();
    let (agent, supervisor, ops) = (shop.hire(1, &json!({})), staff(&shop, "supervisor"), staff(&shop, "ops"));
    let refused = |api: &Api, method: &str, path: &str| {
        let body = if method == "GET" { String::new() } else { "{}".to_owned() };
        api.send(method, path, &[], body).refused(403, "role_not_allowed");
    };
    for (method, path) in [
        ("POST", "/api/accounts"),
        ("PUT", "/api/accounts/wechat/x"),
        ("GET", "/api/accounts"),
        ("POST", "/api/groups"),
        ("POST", "/api/agents"),
        ("GET", "/api/agents"),
        ("PUT", "/api/customers/cus_00000000000070008000000000000000/tags"),
        ("GET", "/api/routing/rules"),
        ("GET", "/api/staffing"),
        ("PUT", "/api/routing/rules"),
        ("GET", "/api/quality/words"),
        ("PUT", "/api/quality/words"),
        ("GET", "/api/metrics"),
        ("GET", "/metrics"),
        ("POST", "/api/tick"),
    ] {
        refused(&agent.api, method, path);
    }
    for (method, path) in [("POST", "/api/accounts"), ("POST", "/api/agents"), ("POST", "/api/tick")] {
        refused(&supervisor.api, method, path);
    }
    for (method, path) in [
        ("GET", "/api/conversations"),
        ("GET", "/api/conversations/x"),
        ("GET", "/api/conversations/x/messages"),
        ("POST", "/api/conversations/x/messages"),
        ("GET", "/api/customers/x"),
        ("GET", "/api/agents"),
        ("POST", "/api/outbox/x/retry"),
    ] {
        refused(&ops.api, method, path);
    }
    let other = format!("/api/agents/{}/state", supervisor.id);
    agent.api.put(&other, &json!({ "state": "available" })).refused(403, "not_yours");
    agent.api.get(&format!("/api/agents/{}", supervisor.id)).refused(403, "not_yours");
    agent.api.get(&format!("/api/agents/{}", agent.id)).expect(200);
    agent.api.get(&format!("/api/conversations?agent={}", supervisor.id)).refused(403, "not_yours");
}

#[test]
fn what_does_not_exist() {
    let shop = Shop::open();
    let agent = shop.agent(1);
    for id in [NOTHING, "cnv_1", "x", "msg_00000000000070008000000000000000", "%00", "1%27--"] {
        let path = format!("/api/conversations/{id}");
        agent.api.get(&path).refused(404, "not_found");
        agent.api.get(&format!("{path}/messages")).refused(404, "not_found");
        agent.api.post(&format!("{path}/messages"), &text("x")).refused(404, "not_found");
        for verb in ["accept", "close"] {
            agent.act(id, verb, &json!({})).refused(404, "not_found");
        }
        agent.act(id, "transfer", &json!({ "to": { "group": shop.name } })).refused(404, "not_found");
    }
    shop.admin.get(&format!("/api/agents/{NOBODY}")).refused(404, "not_found");
    shop.admin.put(&format!("/api/agents/{NOBODY}/state"), &json!({ "state": "break" })).refused(404, "not_found");
    shop.admin.get("/api/customers/cus_1").refused(404, "not_found");
    shop.admin.put("/api/customers/cus_1/tags", &json!({ "tags": [] })).refused(404, "not_found");
    shop.admin.post("/api/outbox/msg_1/retry", &json!({})).refused(404, "not_found");
    shop.admin.put("/api/accounts/wechat/nobody", &json!({ "name": "x" })).refused(404, "not_found");
    shop.admin.get("/api/nothing").refused(404, "not_found");
    let refused = shop.admin.send("DELETE", "/api/conversations", &[], "").refused(405, "method_not_allowed");
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    let refused = shop.admin.send("GET", "/api/tick", &[], "").refused(405, "method_not_allowed");
    assert_eq!(refused.header("allow"), Some("POST"));
    for path in ["/metrics", "/api/metrics"] {
        let refused = shop.admin.send("POST", path, &[], "").refused(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{path}");
    }
    let refused = shop.admin.send("POST", "/api/media/x.1", &[], "").refused(405, "method_not_allowed");
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    // The answer does not reveal to an agent that another agent's conversation exists.
    let wechat = shop.wechat();
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let stranger = Shop::open().agent(1);
    stranger.api.get(&format!("/api/conversations/{id}")).refused(404, "not_found");
    stranger.act(&id, "messages", &text("x")).refused(404, "not_found");
    stranger.act(&id, "close", &json!({})).refused(404, "not_found");
}

#[test]
fn cursors_limits_and_parameters() {
    let admin = shared().admin();
    for path in ["/api/conversations", "/api/agents", "/api/events"] {
        admin.get(&format!("{path}?after=nonsense")).refused(400, "bad_cursor");
        for limit in ["0", "-1", "1001", "x", "99999999999999999999"] {
            admin.get(&format!("{path}?limit={limit}")).refused(400, "bad_limit");
        }
    }
    admin.get("/api/events?after=-1").refused(400, "bad_cursor");
    for path in ["/api/events?after=1&after=900", "/api/metrics?hours=1&hours=900", "/api/agents?limit=1&limit=2"] {
        admin.get(path).refused(400, "bad_parameter");
        let stream = admin.send("GET", path, &[("accept", "text/event-stream")], "");
        stream.refused(400, "bad_parameter");
    }
    for after in ["-5", "+5", "x"] {
        admin.post("/api/outbox/retry", &json!({ "channel": "sms", "after": after })).refused(422, "bad_cursor");
    }
    let refused = admin.get("/api/conversations?state=asleep").refused(400, "bad_parameter").json();
    assert!(refused["detail"].as_str().unwrap().contains("waiting_on_customer"), "{refused}");
    let refused = admin.get("/api/conversations?stat=queued").refused(400, "unknown_parameter").json();
    assert!(refused["detail"].as_str().unwrap().contains("did you mean `state`?"), "{refused}");
    admin.get("/api/groups?limit=5").refused(400, "unknown_parameter");
    admin.get("/healthz?t=1").expect(200);
    admin.get("/api/conversations?agent=me").refused(400, "bad_parameter");
    admin.get("/api/metrics?hours=0").refused(400, "bad_parameter");
}

#[test]
fn bodies() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(1));
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let path = format!("/api/conversations/{id}/messages");
    for (body, status, code) in [
        (r#"{"content":{"kind":"text","text":"x""#, 400, "malformed_json"),
        ("", 400, "malformed_json"),
        (r#"{"content":{"kind":"text","text":"\ud800"}}"#, 400, "malformed_json"),
        (r#"{"content":{"kind":"text"}}"#, 422, "invalid_body"),
        (r#"{"content":{"kind":"telepathy"}}"#, 422, "invalid_body"),
        (r#"{"content":{"kind":"text","text":"x"},"to":"oBob"}"#, 422, "invalid_body"),
        ("[]", 422, "invalid_body"),
        (r#"{"content":{"kind":"text","text":"  "}}"#, 422, "empty_text"),
        (r#"{"content":{"kind":"note","text":"x"}}"#, 422, "kind_not_supported"),
        (r#"{"content":{"kind":"order_card","order_id":"1"}}"#, 422, "kind_not_supported"),
    ] {
        agent.api.send("POST", &path, &[], body).refused(status, code);
    }
    agent.api.post(&path, &text(&"长".repeat(4_001))).refused(413, "text_too_long");
    let deep = format!("{{\"content\":{}", "[".repeat(100_000));
    let answer = agent.api.send("POST", &path, &[], deep);
    assert!(matches!(answer.status, 400 | 422), "{}", answer.text());
    let nul = agent.api.send("POST", &path, &[], r#"{"content":{"kind":"text","text":"a\u0000b"}}"#);
    nul.refused(422, "bad_character");
    for content in [
        json!({ "kind": "text", "text": "好的", "reply_all": true }),
        json!({ "kind": "text", "text": "好的", "url": "https://rice.example" }),
        json!({ "kind": "image", "media": { "id": "m", "caption": "x" } }),
    ] {
        let refused = agent.api.post(&path, &json!({ "content": content })).refused(422, "invalid_body").json();
        assert!(refused["detail"].as_str().unwrap().contains("is not a field here"), "{refused}");
    }
    assert!(shop.platform.sent().is_empty());
    agent
        .api
        .send("POST", &path, &[], r#"{"content":{"kind":"text","text":"a"},"content":{"kind":"text","text":"b"}}"#)
        .refused(422, "duplicate_key");
    agent.api.send("POST", &path, &[("content-type", "text/plain")], "{}").refused(415, "unsupported_media_type");
    agent.api.send("POST", &path, &[("content-encoding", "gzip")], "{}").refused(415, "body_encoded");
}

#[test]
fn staff_groups_and_accounts() {
    let shop = Shop::open();
    let admin = &shop.admin;
    admin.post("/api/groups", &json!({ "id": shop.name, "name": "x" })).refused(409, "group_exists");
    admin.post("/api/groups", &json!({ "id": "a b", "name": "x" })).refused(422, "invalid_body");
    admin.post("/api/groups", &json!({ "id": "g", "name": "" })).refused(422, "bad_length");
    let settings = json!({ "accept_secs": -1 });
    admin.post("/api/groups", &json!({ "id": "g", "name": "x", "settings": settings })).refused(422, "bad_setting");
    let agent = |more: Value| {
        let mut body = json!({ "name": "小米", "role": "agent", "groups": [shop.name] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post("/api/agents", &body)
    };
    agent(json!({ "name": "" })).refused(422, "bad_length");
    agent(json!({ "role": "king" })).refused(422, "invalid_body");
    agent(json!({ "capacity": -1 })).refused(422, "bad_capacity");
    agent(json!({ "capacity": 1001 })).refused(422, "bad_capacity");
    agent(json!({ "groups": ["nowhere"] })).refused(422, "invalid_field");
    let wechat = shop.wechat();
    let account = |more: Value| {
        let mut body =
            json!({ "channel": "wechat", "account": shop.name, "name": "x", "secrets": { "token": wechat.token } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post("/api/accounts", &body)
    };
    account(json!({})).refused(409, "account_exists");
    account(json!({ "channel": "pigeon" })).refused(422, "unknown_channel");
    account(json!({ "account": "../x" })).refused(422, "invalid_body");
    account(json!({ "secrets": {} })).refused(422, "bad_account");
    account(json!({ "settings": { "mode": "safe" } })).refused(422, "bad_account");
    account(json!({ "settings": { "api_base": "ftp://x" } })).refused(422, "bad_account");
    account(json!({ "settings": { "encoding_aes_kez": "x" } })).refused(422, "bad_account");
    account(json!({ "settings": { "group": "nowhere" } })).refused(422, "unknown_group");
    let own = json!({ "channel": "webchat", "account": "own-key", "secrets": { "session_key": "00" } });
    account(own).refused(422, "bad_account");
    let rule = json!({ "rules": [{ "group": "nowhere" }] });
    admin.put("/api/routing/rules", &rule).refused(422, "unknown_group");
    for (word, code) in [("", "bad_length"), ("！！", "bad_word")] {
        let words = json!({ "words": [{ "word": word, "category": "complaint", "severity": 1 }] });
        admin.put("/api/quality/words", &words).refused(422, code);
    }
    let words = json!({ "words": [{ "word": "投诉", "category": "complaint", "severity": 9 }] });
    admin.put("/api/quality/words", &words).refused(422, "bad_severity");
    let me = shop.hire(1, &json!({}));
    me.api.put(&format!("/api/agents/{}/state", me.id), &json!({ "state": "asleep" })).refused(422, "invalid_body");
}

#[test]
fn what_a_conversation_does_not_allow_now() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(1));
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let to_self = json!({ "to": { "agent": agent.id } });
    agent.act(&id, "transfer", &to_self).refused(409, "same_agent");
    agent.act(&id, "transfer", &json!({ "to": { "group": "nowhere" } })).refused(422, "invalid_field");
    agent.act(&id, "transfer", &json!({ "to": { "agent": NOBODY } })).refused(422, "invalid_field");
    agent.act(&id, "transfer", &json!({ "to": {} })).refused(422, "invalid_body");
    let offline = shop.hire(1, &json!({}));
    agent.act(&id, "transfer", &json!({ "to": { "agent": offline.id } })).refused(409, "agent_offline");
    assert_eq!((shop.conversation(&id)["agent"].clone(), agent.view()["load"].clone()), (json!(agent.id), json!(1)));
    agent.close(&id);
    agent.act(&id, "messages", &text("x")).refused(409, "conversation_closed");
    agent.act(&id, "close", &json!({})).refused(409, "conversation_closed");
    agent.act(&id, "accept", &json!({})).refused(409, "conversation_closed");
    agent.act(&id, "transfer", &to_self).refused(409, "conversation_closed");
    assert!(shop.platform.sent().is_empty());
}

#[test]
fn staffing_looks_ahead_a_day_at_most() {
    let admin = shared().admin();
    for quarters in ["0", "97", "-1", "1.5", "x", ""] {
        admin.get(&format!("/api/staffing?quarters={quarters}")).refused(422, "invalid_field");
    }
}

#[test]
fn idempotency_keys() {
    let shop = Shop::open();
    let body = |id: &str| json!({ "id": id, "name": "x" });
    let (one, two) = (format!("{}-one", shop.name), format!("{}-two", shop.name));
    let key = format!("key of {}", shop.name);
    let first = shop.admin.post_once("/api/groups", &body(&one), &key).expect(201);
    let again = shop.admin.post_once("/api/groups", &body(&one), &key).expect(201);
    assert_eq!(first.json(), again.json());
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    shop.admin.post_once("/api/groups", &body(&two), &key).refused(422, "idempotency_key_reused");
    // The refused call left nothing behind: the key is free, and so is the name.
    let refused = format!("refused {}", shop.name);
    shop.admin.post_once("/api/groups", &body("a b"), &refused).refused(422, "invalid_body");
    shop.admin.post_once("/api/groups", &body(&two), &refused).expect(201);
    shop.admin.post_once("/api/groups", &body("x"), &"k".repeat(256)).refused(400, "bad_idempotency_key");
    // The same key of another bearer is another key.
    let supervisor = staff(&shop, "supervisor");
    supervisor.api.post_once("/api/groups", &body(&format!("{}-three", shop.name)), &key).expect(201);
}
