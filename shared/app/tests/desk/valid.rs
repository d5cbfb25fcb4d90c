//! The description of a body is enforced: for each accepted body, every change that the description forbids is refused.

use crate::world::{World, request};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use warmline_app::openapi::document;
use warmline_app::routes::all;
use warmline_endpoint::Request;
use warmline_model::IdentifierKind;
use warmline_store::Db as _;

/// A store with something of each kind in it, and a body that it accepts for each call.
pub struct Filled {
    pub w: World,
    /// Method, pattern, path and body.
    pub calls: Vec<(&'static str, &'static str, String, Value)>,
    /// The token of the agent who holds the conversation.
    pub holder: String,
    /// Ids, for paths and bodies.
    pub ids: Vec<String>,
}

impl Filled {
    /// The token of somebody who may make a call.
    pub fn by(&self, pattern: &str) -> &str {
        // Nobody writes a draft who is no agent.
        let own = pattern.ends_with("/draft") || pattern.ends_with("/presence");
        if own { &self.holder } else { crate::world::ADMIN }
    }
}

pub fn filled() -> Filled {
    let w = World::open();
    let agent = w.hire("agent", "near", 9);
    let mine = w.says("app", "mine", &[(IdentifierKind::Phone, "+8613800004711", true)], "订单A2024110，米里有虫子");
    let other = w.says("app", "other", &[], "你好");
    let (talk, mate) = (w.talk_of(mine), w.hire("agent", "near", 9));
    let shown = w.admin("GET", &format!("/api/conversations/{talk}"), &Value::Null).expect(200);
    let (case, message) = (shown["case"].as_str().unwrap(), shown["messages"][0]["id"].as_str().unwrap());
    let plan = w.admin("GET", "/api/routing/plan", &Value::Null).expect(200)["plan"].clone();
    let rules = plan["rules"].clone();
    let customer = |rest: &str| format!("/api/customers/{mine}{rest}");
    let conversation = |rest: &str| format!("/api/conversations/{talk}{rest}");
    let account = json!({
        "channel": "webchat", "account": "more", "name": "网页", "settings": {}, "secrets": {},
    });
    w.admin(
        "POST",
        "/api/accounts",
        &json!({
            "channel": "webchat", "account": "shop", "name": "网页", "settings": {}, "secrets": account["secrets"],
        }),
    )
    .expect(201);
    let hook =
        json!({ "url": "https://hooks.example.com/in", "types": ["conversation.*"], "description": "CRM", "enabled": true });
    let hook_id = w.admin("POST", "/api/hooks", &hook).expect(201)["id"].as_str().unwrap().to_owned();
    let tested = w.admin("POST", &format!("/api/hooks/{hook_id}/test"), &json!({})).expect(202);
    let group = json!({ "id": "more", "name": "更多", "settings": { "accept_secs": 60, "rings": [{ "after_secs": 60, "lower": 1 }],
        "overflow": { "length": 9, "wait_secs": 60, "to": { "group": "near" }, "text": "请稍候" },
        "hand_over": { "min_confidence": 0.5, "failed_turns": 2 }, "service_level": { "share": 0.8, "within_secs": 20 } } });
    let staff = json!({ "name": "小米", "role": "agent", "groups": { "near": 3 }, "capacity": 2, "vip": false,
        "skills": { "rice": 2 }, "caps": { "app": 3 } });
    // One that waits for a supervisor.
    let words = json!({ "words": [{ "word": "最快", "category": "claims", "severity": 2, "effect": "approve" }] });
    w.admin("PUT", "/api/quality/words", &words).expect(200);
    let waits = json!({ "content": { "kind": "text", "text": "全国最快" } });
    let held = w.admin("POST", &conversation("/messages"), &waits).expect(202)["id"].as_str().unwrap().to_owned();
    let promise = w.admin("POST", &conversation("/promises"), &json!({ "text": "补发一袋" })).expect(201);
    let promise = promise["id"].as_str().unwrap().to_owned();
    let soon = w.ctx().now().plus_millis(7 * 86_400_000);
    let mut calls = vec![
        ("POST", "/api/accounts", "/api/accounts".to_owned(), account),
        (
            "PUT",
            "/api/accounts/{channel}/{account}",
            "/api/accounts/webchat/shop".to_owned(),
            json!({ "name": "网页二", "settings": { "group": "near" } }),
        ),
        ("POST", "/api/hooks", "/api/hooks".to_owned(), hook.clone()),
        ("PUT", "/api/hooks/{id}", format!("/api/hooks/{hook_id}"), hook),
        ("POST", "/api/groups", "/api/groups".to_owned(), group),
        ("POST", "/api/agents", "/api/agents".to_owned(), staff),
        (
            "PUT",
            "/api/agents/{id}",
            format!("/api/agents/{}", mate.id),
            json!({ "name": "小麦", "capacity": 3, "vip": false,
            "groups": ["near"], "skills": { "rice": 2 }, "caps": { "app": 3 } }),
        ),
        (
            "POST",
            "/api/agents/{id}/tokens",
            format!("/api/agents/{}/tokens", mate.id),
            json!({ "days": 3, "replaces": false, "scopes": ["conversations"] }),
        ),
        (
            "PUT",
            "/api/agents/{id}/state",
            format!("/api/agents/{}/state", mate.id),
            json!({ "state": "available", "reason": "lunch" }),
        ),
        (
            "POST",
            "/api/conversations/{id}/messages",
            conversation("/messages"),
            json!({ "content": { "kind": "text", "text": "您好" }, "reply_all": false, "undo_secs": 0, "seen": 999 }),
        ),
        (
            "POST",
            "/api/gate/check",
            "/api/gate/check".into(),
            json!({ "conversation": talk, "content": { "kind": "text", "text": "您好" }, "reply_all": false,
                "send_at": soon, "purpose": "service.order" }),
        ),
        (
            "POST",
            "/api/conversations/{id}/transfer",
            conversation("/transfer"),
            json!({ "to": { "agent": mate.id }, "note": "备注" }),
        ),
        ("POST", "/api/conversations/{id}/assign", conversation("/assign"), json!({ "agent": agent.id })),
        ("POST", "/api/conversations/{id}/consult", conversation("/consult"), json!({ "agent": mate.id, "note": "备注" })),
        ("POST", "/api/conversations/{id}/notes", conversation("/notes"), json!({ "text": "备注", "mentions": [mate.id] })),
        (
            "PUT",
            "/api/conversations/{id}/draft",
            conversation("/draft"),
            json!({ "mode": "reply", "text": "您好", "version": 0 }),
        ),
        ("PUT", "/api/conversations/{id}/presence", conversation("/presence"), json!({ "doing": "typing", "seen": 1 })),
        ("POST", "/api/conversations/{id}/case", conversation("/case"), json!({ "case": case })),
        (
            "POST",
            "/api/customers/{id}/identifiers",
            customer("/identifiers"),
            json!({ "kind": "phone", "value": "13800004712", "verified": false }),
        ),
        (
            "POST",
            "/api/customers/{id}/identifiers/remove",
            customer("/identifiers/remove"),
            json!({ "kind": "phone", "value": "13800004712", "channel": null }),
        ),
        ("POST", "/api/customers/{id}/merge", customer("/merge"), json!({ "customer": other })),
        ("PUT", "/api/customers/{id}/name", customer("/name"), json!({ "name": "王" })),
        ("PUT", "/api/customers/{id}/tags", customer("/tags"), json!({ "tags": ["vip", "老客户"] })),
        ("PUT", "/api/customers/{id}/owner", customer("/owner"), json!({ "agent": agent.id })),
        ("PUT", "/api/customers/{id}/hold", customer("/hold"), json!({ "reason": "court", "reference": "a-1" })),
        (
            "POST",
            "/api/customers/{id}/consents",
            customer("/consents"),
            json!({ "purpose": "marketing", "version": "v1", "given": true, "source": "staff" }),
        ),
        (
            "PUT",
            "/api/retention",
            "/api/retention".to_owned(),
            w.admin("GET", "/api/retention", &Value::Null).expect(200)["retention"].clone(),
        ),
        (
            "POST",
            "/api/outbox/retry",
            "/api/outbox/retry".to_owned(),
            json!({ "channel": "app", "account": "shop", "reason": "rejected", "since": "2023-01-01T00:00:00Z",
                "until": "2023-11-14T00:00:00Z", "limit": 5, "after": "7", "dry_run": true }),
        ),
        ("POST", "/api/held/{id}/decline", format!("/api/held/{held}/decline"), json!({ "reason": "无法证实" })),
        (
            "PUT",
            "/api/contact-rules",
            "/api/contact-rules".to_owned(),
            json!({ "rules": {
                "service": { "from": "08:00", "to": "22:00", "caps": [{ "most": 2, "days": 1 }] },
                "survey": { "from": "09:00", "to": "21:00", "caps": [] },
                "marketing": { "from": "10:00", "to": "20:00", "caps": [{ "most": 1, "days": 7 }] },
            } }),
        ),
        (
            "POST",
            "/api/conversations/{id}/promises",
            conversation("/promises"),
            json!({ "text": "明天补发一袋", "due_at": soon }),
        ),
        ("PUT", "/api/limits", "/api/limits".to_owned(), json!({ "requests_per_second": 50, "burst": 200 })),
        (
            "PUT",
            "/api/quality/words",
            "/api/quality/words".to_owned(),
            json!({ "words": [{ "word": "最快", "category": "claims", "severity": 2, "effect": "approve",
                "allow": ["最快今天发货"] }] }),
        ),
        ("PUT", "/api/routing/plan", "/api/routing/plan".to_owned(), plan),
        ("PUT", "/api/routing/rules", "/api/routing/rules".to_owned(), json!({ "rules": rules })),
        (
            "POST",
            "/api/routing/dry-run",
            "/api/routing/dry-run".to_owned(),
            json!({ "channel": "app", "account": "shop", "kind": "text", "text": "在吗", "tags": ["vip"] }),
        ),
        ("POST", "/api/conversations/{id}/snooze", conversation("/snooze"), json!({ "until": soon, "orders": true })),
        ("PUT", "/api/promises/{id}", format!("/api/promises/{promise}"), json!({ "due_at": soon })),
        ("POST", "/api/conversations/{id}/close", conversation("/close"), json!({ "disposition": "solved" })),
    ];
    // A capability that is not in this list gives an example in the schema of its body.
    let whole = document();
    let listed: Vec<_> = calls.iter().map(|(method, pattern, ..)| (*method, *pattern)).collect();
    for route in all().filter(|route| !listed.contains(&(route.verb.as_str(), route.path))) {
        let operation = &whole["paths"][route.path][route.verb.as_str().to_ascii_lowercase()];
        let schema = resolved(&operation["requestBody"]["content"]["application/json"]["schema"], &whole);
        let Some(example) = schema["examples"].get(0) else { continue };
        let path =
            route.path.replace("/api/customers/{id}", &customer("")).replace("/api/conversations/{id}", &conversation(""));
        calls.push((route.verb.as_str(), route.path, path, example.clone()));
    }
    let ids = vec![
        mine.to_string(),
        other.to_string(),
        talk.clone(),
        case.to_owned(),
        message.to_owned(),
        agent.id.clone(),
        mate.id,
        hook_id,
        tested["id"].as_str().unwrap().to_owned(),
        "webchat".into(),
        "shop".into(),
        "near".into(),
        "1".into(),
    ];
    Filled { w, calls, holder: agent.token, ids }
}

fn resolved<'a>(schema: &'a Value, whole: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(path) => resolved(whole.pointer(&path[1..]).unwrap(), whole),
        None => schema,
    }
}

/// Each way in which a value can break its schema, with a word for it.
fn broken(schema: &Value, value: &Value, whole: &Value, at: &str, out: &mut Vec<(String, Value)>) {
    let schema = resolved(schema, whole);
    for list in ["anyOf", "oneOf"] {
        let Some(either) = schema[list].as_array() else { continue };
        // The variant that this value belongs to. Other calls break the other variants.
        let fits = |one: &&Value| {
            let one = json!({ "allOf": [one], "components": whole["components"] });
            jsonschema::validator_for(&one).unwrap().is_valid(value)
        };
        if let Some(one) = either.iter().find(fits) {
            let mut inner = Vec::new();
            broken(one, value, whole, at, &mut inner);
            // A value that another variant accepts is not broken.
            let all = json!({ "allOf": [schema], "components": whole["components"] });
            let all = jsonschema::validator_for(&all).unwrap();
            out.extend(inner.into_iter().filter(|(_, value)| !all.is_valid(value)));
        }
        return;
    }
    let mut push = |what: &str, value: Value| out.push((format!("{at}: {what}"), value));
    match value {
        Value::String(text) => {
            if let Some(most) = schema["maxLength"].as_u64() {
                push("too long", "长".repeat(usize::try_from(most).unwrap() + 1).into());
            }
            if schema["minLength"].as_u64().is_some_and(|least| least > 0) {
                push("empty", "".into());
            }
            if schema["pattern"].is_string() || schema["enum"].is_array() || schema["const"].is_string() {
                push("of another form", "No such Form".into());
            }
            push("U+0000", format!("{text}\0").into());
            push("a control character", format!("\u{1b}{text}").into());
            push("a number", 7.into());
        }
        Value::Number(_) => {
            // Whole numbers are used, so that the range is refused and not the form.
            if let Some(most) = schema["maximum"].as_f64() {
                push("too high", json!(most.ceil() as i64 + 1));
                push("far too high", i64::MAX.into());
            }
            if let Some(least) = schema["minimum"].as_f64() {
                push("too low", json!(least.floor() as i64 - 1));
            }
            push("a text", "x".into());
        }
        Value::Bool(_) => push("a text", "x".into()),
        Value::Array(items) => {
            push("an object", json!({ "x": 1 }));
            if let (Some(most), Some(first)) = (schema["maxItems"].as_u64(), items.first()) {
                let most = usize::try_from(most).unwrap();
                push("too many", vec![first.clone(); most + 1].into());
            }
            if schema["minItems"].as_u64().is_some_and(|least| least > 0) {
                push("empty", json!([]));
            }
            if let Some(first) = items.first() {
                let mut inner = Vec::new();
                broken(&schema["items"], first, whole, &format!("{at}[0]"), &mut inner);
                out.extend(inner.into_iter().map(|(what, item)| {
                    let mut items = items.clone();
                    items[0] = item;
                    (what, items.into())
                }));
            }
        }
        Value::Object(fields) => {
            push("a list", json!([1]));
            if schema["additionalProperties"] == false {
                let mut more = fields.clone();
                more.insert("no_such_field".into(), 1.into());
                push("a field more", more.into());
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                let mut less = fields.clone();
                less.remove(name.as_str().unwrap());
                push(&format!("without {name}"), less.into());
            }
            for (name, field) in fields {
                let property = match schema["properties"].get(name) {
                    Some(property) => property,
                    None if schema["additionalProperties"].is_object() => &schema["additionalProperties"],
                    None => continue,
                };
                let mut inner = Vec::new();
                broken(property, field, whole, &format!("{at}.{name}"), &mut inner);
                out.extend(inner.into_iter().map(|(what, value)| {
                    let mut fields: Map<String, Value> = fields.clone();
                    fields.insert(name.clone(), value);
                    (what, fields.into())
                }));
            }
        }
        Value::Null => {}
    }
}

#[test]
fn l1_what_the_description_forbids_is_refused_in_every_body() {
    let (described, filled) = (document(), filled());
    let (mut tried, mut wrong) = (0, Vec::new());
    for (method, pattern, path, body) in &filled.calls {
        let schema = &described["paths"][pattern][method.to_ascii_lowercase()]["requestBody"]["content"]["application/json"]
            ["schema"];
        assert!(schema.is_object(), "{method} {pattern} takes no body");
        let mut forbidden = Vec::new();
        broken(schema, body, &described, "", &mut forbidden);
        for (what, broken) in forbidden {
            let answer = filled.w.call(filled.by(pattern), method, path, &broken);
            if !matches!(answer.status, 400 | 413 | 422) {
                wrong.push(format!("{method} {pattern} took {what}: {} {:.300}", answer.status, answer.text()));
            }
            tried += 1;
        }
        let name = body.as_object().unwrap().keys().next().unwrap();
        let twice = body.to_string().replacen('{', &format!("{{{}:null,", json!(name)), 1);
        let answer = filled.w.send(&request(filled.by(pattern), method, path, twice.into_bytes()));
        assert_eq!(answer.refused(422, "duplicate_key")["field"], json!(name), "{method} {pattern}");
        // The unchanged body is accepted.
        let taken = filled.w.call(filled.by(pattern), method, path, body);
        if taken.status >= 300 {
            wrong.push(format!("{method} {pattern} did not take what is good: {}", taken.text()));
        }
    }
    assert!(wrong.is_empty(), "of {tried} forbidden bodies were taken:\n{}", wrong.join("\n"));
    assert!(tried > 300, "{tried}");
    // Every call with a body is tried if it can be. The others need an AI seat or a merge that was made before.
    for (pattern, operations) in described["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let tried = filled.calls.iter().any(|(m, p, ..)| m.eq_ignore_ascii_case(method) && p == pattern);
            let other = ["/api/conversations/{id}/turn", "/api/customers/{id}/unmerge"].contains(&pattern.as_str());
            assert!(tried || other || operation.get("requestBody").is_none(), "{method} {pattern} is not tried");
        }
    }
}

#[test]
fn l1_parameters_that_stand_twice_or_are_empty_or_far_too_long_are_refused() {
    let filled = filled();
    let get = |target: &str| filled.w.admin("GET", target, &Value::Null);
    for path in ["/api/conversations", "/api/agents", "/api/events", "/api/audit", "/api/erasures", "/api/routing/plans"] {
        get(&format!("{path}?limit=5&limit=6")).refused(400, "bad_parameter");
        get(&format!("{path}?limit=")).refused(400, "bad_limit");
        get(&format!("{path}?limit={}", "9".repeat(9_000))).refused(400, "bad_parameter");
        get(&format!("{path}?after=%00")).refused(400, "bad_cursor");
        get(&format!("{path}?after=%ff")).refused(400, "bad_cursor");
    }
    for empty in ["state=", "agent=", "state=%00"] {
        get(&format!("/api/conversations?{empty}")).refused(400, "bad_parameter");
    }
    get("/api/conversations?agent=x&agent=y").refused(400, "bad_parameter");
    // A filter with a typing error in its name would filter nothing.
    get("/api/conversations?_=1&_=2").refused(400, "unknown_parameter");
}

#[test]
fn l1_an_idempotency_key_stands_once() {
    let filled = filled();
    let body = json!({ "id": "k", "name": "k" }).to_string().into_bytes();
    let mut twice: Request = request(crate::world::ADMIN, "POST", "/api/groups", body);
    twice.headers.append("idempotency-key", "a".parse().unwrap());
    twice.headers.append("idempotency-key", "b".parse().unwrap());
    filled.w.send(&twice).refused(400, "bad_idempotency_key");
}

#[test]
fn a_repeat_is_known_by_a_keyed_hash_and_for_a_day_by_that_of_the_release_before() {
    let filled = filled();
    let post = |body: &Value| {
        let mut post: Request = request(crate::world::ADMIN, "POST", "/api/groups", body.to_string().into_bytes());
        post.headers.append("idempotency-key", "once".parse().unwrap());
        post
    };
    let body = json!({ "id": "k", "name": "k" });
    filled.w.send(&post(&body)).expect(201);
    let mut plain = Sha256::new();
    for part in [&b"POST"[..], b"/api/groups", b"", body.to_string().as_bytes()] {
        plain.update((part.len() as u64).to_be_bytes());
        plain.update(part);
    }
    let plain = plain.finalize().to_vec();
    let kept = filled.w.db.execute("SELECT request FROM idempotency WHERE key = 'once'", &[]).unwrap();
    assert_ne!(kept[0].blob(0).unwrap(), plain, "whoever has a copy of the store cannot try bodies against it");
    // The row as the previous release would have stored it.
    filled.w.db.execute("UPDATE idempotency SET request = ?1 WHERE key = 'once'", &[plain.into()]).unwrap();
    let again = filled.w.send(&post(&body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    again.expect(201);
    filled.w.send(&post(&json!({ "id": "k", "name": "other" }))).refused(422, "idempotency_key_reused");
}
