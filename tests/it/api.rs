//! The common behaviour of the API: pages, the event log in both forms, and headers for browsers.

use crate::harness::{Shop, send, shared, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn health_needs_no_token() {
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = send("GET", &format!("{}{path}", shared().base()), &[], "").expect(200);
        assert_eq!(answer.json(), json!({ "status": status }));
    }
}

/// All pages of a list, each checked for its size.
fn pages(shop: &Shop, path: &str, limit: usize) -> Vec<Vec<Value>> {
    let (mut pages, mut after) = (Vec::new(), String::new());
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = shop.admin.get(&format!("{path}{joint}limit={limit}&after={after}")).expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.len() <= limit);
        pages.push(items);
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return pages,
        }
    }
}

#[test]
fn pages_go_on_where_the_one_before_ended() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(20));
    for n in 0..7 {
        wechat.say("oAlice", &format!("第 {n} 条"));
        wechat.say(&format!("oCustomer{n}"), "在吗");
    }
    let (id, _) = shop.wait_text("第 6 条");
    until("all are placed", || (shop.conversations().len() == 8).then_some(()));
    let messages = pages(&shop, &format!("/api/conversations/{id}/messages"), 3);
    assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    let numbers: Vec<i64> = messages.concat().iter().filter_map(|m| m["n"].as_i64()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    let held = pages(&shop, &format!("/api/conversations?agent={}&state=assigned", agent.id), 3);
    assert_eq!(held.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 2]);
    let ids: BTreeSet<String> = held.concat().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 8);
    // A last page that is exactly full names no next page.
    assert_eq!(pages(&shop, &format!("/api/conversations/{id}/messages"), 7).len(), 1);
    // Agents list their own conversations without naming themselves.
    assert_eq!(agent.api.all("/api/conversations").len(), 8);
    assert!(pages(&shop, "/api/agents", 5).concat().iter().any(|a| a["id"] == agent.id.as_str()));
}

#[test]
fn the_event_log_reads_the_same_in_lines_and_as_a_stream_that_goes_on() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let mut stream = shop.admin.stream(&format!("/api/events?after={}", shop.opened_at), &[]);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    wechat.say("oAlice", "在吗");
    shop.wait_state("queued");
    let mine = shop.events();
    let last = mine.last().unwrap()["seq"].as_i64().unwrap();
    let mut seen: Vec<Value> = Vec::new();
    while seen.last().is_none_or(|e| e["seq"].as_i64().unwrap() < last) {
        let event = stream.next();
        assert_eq!(event.id, event.data["seq"].to_string());
        seen.push(event.data);
    }
    assert!(seen.windows(2).all(|pair| pair[0]["seq"].as_i64() < pair[1]["seq"].as_i64()));
    for event in &mine {
        assert!(seen.contains(event), "{event}");
    }
    drop(stream);
    // A reader who comes back with the last number gets the events after it, once.
    let place = mine[0]["seq"].to_string();
    let mut again = shop.admin.stream("/api/events?after=0", &[("last-event-id", &place)]);
    let first = again.next().data;
    assert!(first["seq"].as_i64() > mine[0]["seq"].as_i64());
    let page = shop.admin.get(&format!("/api/events?after={place}&limit=1")).expect(200);
    assert_eq!(page.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(serde_json::from_str::<Value>(page.text().trim_end()).unwrap(), first);
}

#[test]
fn an_accounts_secrets_are_never_shown_and_stay_when_it_is_changed() {
    let shop = Shop::open();
    let wechat = shop.wechat_with(&json!({ "mode": "both" }));
    let path = format!("/api/accounts/wechat/{}", shop.name);
    let settings = json!({ "app_id": wechat.app_id, "mode": "plain", "group": shop.name });
    let changed = shop.admin.put(&path, &json!({ "name": "新名字", "settings": settings })).expect(200);
    assert_eq!(changed.json()["secrets"], json!(["app_secret", "encoding_aes_key", "token"]));
    let listed = shop.admin.get("/api/accounts").expect(200);
    for answer in [&changed, &listed] {
        for secret in [&wechat.token, &wechat.app_secret, &wechat.aes_key] {
            assert!(!answer.text().contains(secret.as_str()));
        }
    }
    wechat.say("oAlice", "令牌没变");
    let (query, body) = wechat.seal(&wechat.app_id, &wechat.text("oAlice", 1, "x"));
    wechat.post(&query, body).refused(403, "wrong_mode");
    // A new token counts from the next request on.
    let secrets = json!({ "token": "newtoken" });
    shop.admin.put(&path, &json!({ "name": "新名字", "settings": settings, "secrets": secrets })).expect(200);
    wechat.plain(wechat.text("oAlice", 2, "x")).refused(401, "signature_wrong");
}

/// The headers of every answer of the API, each once.
const TOLD: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];

#[test]
fn browsers_are_told_that_no_answer_is_a_page_to_keep_or_to_frame() {
    let shop = Shop::open();
    let token = format!("Bearer {}", shop.hire(1, &json!({ "role": "supervisor" })).api.token());
    let (_, customer) = shop.written("在吗");
    let export = format!("{customer}/export");
    let officer = format!("Bearer {}", shop.admin.token());
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
        (get(&export, &officer), 200),
    ];
    let stream = shop.admin.stream("/api/events", &[]);
    let answers = all.iter().map(|(answer, status)| {
        assert_eq!(answer.status, *status);
        &answer.headers
    });
    for headers in answers.chain([&stream.headers]) {
        for (name, value) in TOLD {
            let told: Vec<_> = headers.get_all(name).iter().collect();
            assert_eq!(told, [value], "{name}");
        }
    }
}
