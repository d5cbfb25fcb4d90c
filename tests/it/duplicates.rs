//! Repeated webhooks and simultaneous messages: every message is stored once, and no agent gets more than their capacity.

use crate::harness::{Shop, at_once, until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn a_webhook_that_comes_twice_is_stored_once_with_one_event_and_one_reply() {
    let shop = Shop::with(&json!({ "greeting": "您好" }));
    let wechat = shop.wechat();
    shop.agent(2);
    let webhook = wechat.text("oAlice", 7, "在吗");
    for _ in 0..2 {
        assert_eq!(wechat.plain(&webhook).expect(200).text(), "success");
    }
    // A message follows that must be the second.
    wechat.say("oAlice", "还在吗");
    let (id, second) = shop.wait_text("还在吗");
    let customers: Vec<Value> = shop.messages(&id).into_iter().filter(|m| m["from"] == "customer").collect();
    assert_eq!(customers.len(), 2, "{second}");
    assert_eq!(shop.count("message.received"), 2);
    until("the greeting", || (!shop.platform.sent().is_empty()).then_some(()));
    assert_eq!(shop.count("message.sent"), 1);
    assert_eq!(shop.platform.texts_to("oAlice"), ["您好"]);
}

#[test]
fn thirty_two_copies_at_once_are_one_message() {
    let shop = Shop::with(&json!({ "greeting": "您好" }));
    let wechat = shop.wechat();
    shop.agent(2);
    let (webhook, query) = (wechat.text("oAlice", 7, "在吗"), wechat.query());
    let answers = at_once(32, |_| wechat.post(&query, &webhook));
    assert!(answers.iter().all(|a| a.status == 200 && a.text() == "success"));
    let (id, _) = shop.wait_text("在吗");
    until("the greeting", || (shop.count("delivery.sent") == 1).then_some(()));
    wechat.say("oAlice", "还在吗");
    shop.wait_text("还在吗");
    assert_eq!((shop.conversations().len(), shop.messages(&id).len()), (1, 3));
    assert_eq!((shop.count("message.received"), shop.count("message.sent")), (2, 1));
    assert_eq!(shop.platform.sent().len(), 1);
}

#[test]
fn an_event_that_comes_twice_is_stored_once() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let event = warmline_channels::wechat::sign::event("oFan", &wechat.account, crate::harness::now(), "subscribe", "");
    let answers = at_once(8, |_| wechat.plain(&event));
    assert!(answers.iter().all(|a| a.status == 200));
    wechat.say("oFan", "有人吗");
    let (id, _) = shop.wait_text("有人吗");
    assert_eq!(shop.messages(&id).len(), 2);
}

#[test]
fn the_same_id_from_the_same_member_at_once_is_one_message() {
    let shop = Shop::open();
    let app = shop.app();
    let jwt = app.jwt("m1", None, &[]);
    let body = json!({ "id": "same", "text": "在吗" }).to_string();
    let answers = at_once(16, |_| app.post(&jwt, &body));
    assert!(answers.iter().all(|a| a.status == 200));
    app.say(&jwt, "还在吗");
    let (id, _) = shop.wait_text("还在吗");
    assert_eq!(shop.messages(&id).len(), 2);
}

#[test]
fn two_hundred_messages_of_one_customer_at_once_are_there_once_in_one_conversation() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    shop.agent(2);
    at_once(20, |i| {
        for n in 0..10 {
            let id = (i * 10 + n) as u64 + 1;
            let answer = wechat.plain(wechat.text("oAlice", id, &format!("第 {id} 条")));
            assert_eq!(answer.expect(200).text(), "success");
        }
    });
    let conversations = until("all stored", || {
        let all = shop.conversations();
        (all.iter().filter_map(|c| c["message_count"].as_i64()).sum::<i64>() >= 200).then_some(all)
    });
    assert_eq!(conversations.len(), 1);
    let messages = shop.messages(conversations[0]["id"].as_str().unwrap());
    let numbers: Vec<i64> = messages.iter().filter_map(|m| m["n"].as_i64()).collect();
    assert_eq!(numbers, (1..=200).collect::<Vec<_>>(), "numbers without gaps");
    let texts: BTreeSet<String> = messages.iter().map(|m| m["content"]["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, (1..=200).map(|n| format!("第 {n} 条")).collect());
    assert_eq!(shop.count("message.received"), 200);
}

/// Follows each agent's load through the log: every step is one, and none goes above the capacity or below zero.
fn check_loads(events: &[Value], capacity: i64) -> BTreeMap<String, i64> {
    let mut loads: BTreeMap<String, i64> = BTreeMap::new();
    for event in events {
        let step = match event["type"].as_str().unwrap() {
            "conversation.assigned" => 1,
            "capacity.released" => -1,
            _ => continue,
        };
        let load = loads.entry(event["data"]["agent"].as_str().unwrap().to_owned()).or_default();
        *load += step;
        assert_eq!(event["data"]["load"], *load, "{event}");
        assert!((0..=capacity).contains(load), "{event}");
    }
    loads
}

#[test]
fn sixty_four_customers_at_once_fill_the_agents_and_no_more_and_the_queue_drains() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let agents = [shop.agent(5), shop.agent(5), shop.agent(5)];
    at_once(64, |i| wechat.say(&format!("oCustomer{i}"), "在吗"));
    let held = |state: &str| shop.conversations().iter().filter(|c| c["state"] == state).count();
    until("everybody is placed", || (held("assigned") == 15 && held("queued") == 49).then_some(()));
    for agent in &agents {
        assert_eq!(agent.view()["load"], 5);
    }
    let metrics = shop.admin.get("/api/metrics").expect(200).json();
    assert_eq!(metrics["now"]["queue_length"][&shop.name], 49);
    // Each agent closes its conversations until none is left. The contact that waits the longest comes next.
    at_once(agents.len(), |i| {
        let mine = format!("/api/conversations?state=assigned&agent={}", agents[i].id);
        loop {
            let open = agents[i].api.all(&mine);
            if open.is_empty() {
                break;
            }
            for conversation in open {
                agents[i].close(conversation["id"].as_str().unwrap());
            }
        }
    });
    assert_eq!((shop.conversations().len(), held("closed")), (64, 64), "nobody is lost");
    let events = shop.events();
    let loads = check_loads(&events, 5);
    assert!(loads.len() == 3 && loads.values().all(|load| *load == 0), "{loads:?}");
    let assigned: Vec<&Value> = events.iter().filter(|e| e["type"] == "conversation.assigned").collect();
    let distinct: BTreeSet<&str> = assigned.iter().filter_map(|e| e["conversation"].as_str()).collect();
    assert_eq!((assigned.len(), distinct.len()), (64, 64), "each was assigned once");
    // Contacts left the queue in the order in which they came into it.
    let queued_at: BTreeMap<String, String> = shop
        .conversations()
        .iter()
        .map(|c| (c["id"].as_str().unwrap().to_owned(), c["queued_at"].as_str().unwrap_or_default().to_owned()))
        .collect();
    let queued: BTreeSet<&str> =
        events.iter().filter(|e| e["type"] == "conversation.queued").filter_map(|e| e["conversation"].as_str()).collect();
    let served: Vec<&str> =
        assigned.iter().filter_map(|e| e["conversation"].as_str()).filter(|id| queued.contains(id)).collect();
    assert_eq!(served.len(), 49);
    assert!(served.windows(2).all(|pair| queued_at[pair[0]] <= queued_at[pair[1]]), "first come, first served");
}

#[test]
fn a_post_that_is_repeated_at_once_under_one_key_has_one_effect() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(2));
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let (path, body) = (format!("/api/conversations/{id}/messages"), json!({ "content": { "kind": "text", "text": "在" } }));
    let answers = at_once(16, |_| agent.api.post_once(&path, &body, "one-key"));
    let ids: BTreeSet<String> = answers.iter().map(|a| a.clone().expect(201).json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|a| a.header("idempotency-replayed") == Some("true")).count(), 15);
    until("delivered", || (shop.platform.sent().len() == 1).then_some(()));
    assert_eq!(shop.messages(&id).len(), 2);
}
