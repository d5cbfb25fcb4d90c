//! The API's common behaviour: pages, the event log in both forms, figures in both forms, and alerts.

use crate::harness::{Shop, send, shared, until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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

/// The samples of an OpenMetrics text by name and labels. It also checks the form.
fn samples(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "an OpenMetrics text ends with # EOF");
    let (mut found, mut types) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "declared twice: {name}");
        } else if !line.starts_with("# ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            let known = types.iter().any(|(declared, kind)| match kind.as_str() {
                "counter" => family == format!("{declared}_total"),
                "summary" => {
                    [format!("{declared}_sum"), format!("{declared}_count")].contains(&family.to_owned())
                        || family == declared
                }
                _ => family == declared,
            });
            assert!(known, "no type is declared for {line}");
            assert!(found.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {name}");
        }
    }
    found
}

#[test]
fn figures_agree_in_both_forms_and_with_what_happened() {
    // This needs a server of its own: on the shared one the figures always change.
    let server = crate::harness::Server::start("figures");
    let shop = Shop::on(&server, &json!({}));
    let (wechat, agent) = (shop.wechat(), shop.agent(1));
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let message = agent.reply(&id, "在的");
    shop.wait_delivery(&id, &message, "sent");
    wechat.say("oBob", "我也在");
    shop.wait_state("queued");
    wechat.post("", "x").refused(401, "signature_missing");
    let json = until("all is counted", || {
        let figures = shop.admin.get("/api/metrics").expect(200).json();
        let settled =
            figures["now"]["events_behind"] == 0 && figures["now"]["webhooks_refused"]["wechat/signature_missing"] == 1;
        settled.then_some(figures)
    });
    let count = |formula: &str| {
        let counts = json["counts"].as_array().unwrap();
        counts.iter().filter(|c| c["formula"] == formula).filter_map(|c| c["count"].as_i64()).sum::<i64>()
    };
    assert_eq!((count("messages.in.v1"), count("messages.out.v1"), count("delivery.sent.v1")), (2, 1, 1));
    let durations = json["durations"].as_array().unwrap();
    let first_response = durations.iter().find(|d| d["formula"] == "frt.human.v1").unwrap();
    assert_eq!(first_response["count"], 1);
    assert_eq!(json["now"]["queue_length"][&shop.name], 1);
    let text = shop.admin.get("/metrics").expect(200).text();
    let samples = samples(&text);
    for counted in json["counts"].as_array().unwrap() {
        let name = format!("warmline_{}_total", counted["formula"].as_str().unwrap().replace('.', "_"));
        let channel = counted["channel"].as_str().map_or(String::new(), |c| format!("{{channel=\"{c}\"}}"));
        assert_eq!(samples.get(&format!("{name}{channel}")).copied(), counted["count"].as_f64(), "{name}{channel}\n{text}");
    }
    for duration in durations {
        let name = format!("warmline_{}_milliseconds", duration["formula"].as_str().unwrap().replace('.', "_"));
        let channel = duration["channel"].as_str().map_or(String::new(), |c| format!("{{channel=\"{c}\"}}"));
        assert_eq!(samples.get(&format!("{name}_count{channel}")).copied(), duration["count"].as_f64(), "{name}\n{text}");
        assert_eq!(samples.get(&format!("{name}_sum{channel}")).copied(), duration["sum"].as_f64(), "{name}");
    }
    assert_eq!(samples[&format!("warmline_queue_length{{group=\"{}\"}}", shop.name)], 1.0);
    assert_eq!(shop.admin.get("/api/metrics?hours=1").expect(200).json()["counts"], json["counts"]);
}

#[test]
fn sensitive_words_raise_an_alert_whoever_says_them() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(2));
    let listed = shop.admin.get("/api/quality/words").expect(200).json();
    assert!(listed["words"].as_array().unwrap().iter().any(|w| w["word"] == "投诉"), "{listed}");
    wechat.say("oAlice", "我要投 诉你们");
    let id = shop.wait_state("assigned");
    let reply = agent.reply(&id, "不会赔偿的");
    let alerts = until("two alerts", || {
        let events: Vec<Value> = shop.events().into_iter().filter(|e| e["type"] == "quality.alert").collect();
        (events.len() == 2).then_some(events)
    });
    assert_eq!((&alerts[0]["data"]["from"], &alerts[1]["data"]["from"]), (&json!("customer"), &json!("agent")));
    assert_eq!(alerts[1]["data"]["message"], reply["id"]);
    assert_eq!(alerts[1]["data"]["words"], json!(["赔偿"]));
    assert!(!alerts[0].to_string().contains("你们"), "an alert quotes the list, not the customer");
    let customer = shop.conversation(&id)["customer"]["id"].as_str().unwrap().to_owned();
    let timeline = shop.admin.get(&format!("/api/customers/{customer}/timeline")).expect(200).json();
    let found: Vec<_> = timeline["items"].as_array().unwrap().iter().map(|m| &m["findings"][0]["words"]).collect();
    assert_eq!(found, [&json!(["赔偿"]), &alerts[0]["data"]["words"]]);
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
    let db = rusqlite::Connection::open(shared().state().join("sqlite.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
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
