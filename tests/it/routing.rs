//! From the customer to an agent: presence, capacity, queues, time-outs, transfers, after-contact work.

use crate::harness::{Shop, Wechat, until};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// A customer writes. Returns the conversation.
fn arrive(shop: &Shop, wechat: &Wechat, name: &str) -> String {
    wechat.say(name, &format!("我是 {name}"));
    shop.wait_text(&format!("我是 {name}")).0
}

#[test]
fn a_working_day() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.hire(1, &json!({})));
    assert_eq!(agent.view()["state"], "offline");
    let first = arrive(&shop, &wechat, "oAlice");
    let second = arrive(&shop, &wechat, "oBob");
    assert_eq!(shop.conversation(&first)["state"], "queued", "nobody is at work");
    // An agent who comes to work takes as many contacts from the queue as fit: the first.
    assert_eq!(agent.is("available")["load"], 1);
    assert_eq!(shop.conversation(&first)["agent"], agent.id.as_str());
    assert_eq!(shop.conversation(&second)["state"], "queued");
    let accepted = agent.act(&first, "accept", &json!({})).expect(200).json();
    assert!(accepted["accepted_at"].is_string());
    agent.reply(&first, "您好");
    assert_eq!(shop.conversation(&first)["state"], "waiting_on_customer");
    wechat.say("oAlice", "谢谢");
    until("it is the agent's turn", || (shop.conversation(&first)["state"] == "assigned").then_some(()));
    // Closing gives the place to the next in line, at the same moment.
    let closed = agent.close(&first);
    assert_eq!((&closed["state"], &closed["disposition"]), (&json!("closed"), &json!("resolved")));
    assert_eq!(shop.conversation(&second)["agent"], agent.id.as_str());
    // A busy agent keeps the present conversations and gets no new ones.
    agent.is("busy");
    agent.close(&second);
    let third = arrive(&shop, &wechat, "oCarol");
    assert_eq!(shop.conversation(&third)["state"], "queued");
    assert_eq!((agent.view()["load"].clone(), agent.view()["state"].clone()), (json!(0), json!("busy")));
    // The customer who comes back has a new conversation.
    wechat.say("oAlice", "又是我");
    assert_ne!(shop.wait_text("又是我").0, first);
    let kinds: Vec<Value> = shop
        .events()
        .into_iter()
        .filter(|e| e["conversation"] == first.as_str())
        .map(|mut e| e["type"].take())
        .filter(|kind| !kind.as_str().unwrap().starts_with("delivery") && kind != "quality.alert")
        .collect();
    let expected = [
        "conversation.opened",
        "message.received",
        "routing.decided",
        "conversation.queued",
        "routing.decided",
        "conversation.assigned",
        "conversation.accepted",
        "message.sent",
        "message.received",
        "conversation.closed",
        "capacity.released",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn the_idle_agent_comes_first_and_then_the_one_with_the_lowest_load() {
    let shop = Shop::open();
    let wechat = shop.wechat();
    let (large, small) = (shop.agent(4), shop.agent(1));
    for n in 0..5 {
        arrive(&shop, &wechat, &format!("oCustomer{n}"));
    }
    let holders: Vec<Value> = shop.conversations().into_iter().map(|mut c| c["agent"].take()).collect();
    assert_ne!(holders[0], holders[1], "both were idle");
    assert_eq!((large.view()["load"].clone(), small.view()["load"].clone()), (json!(4), json!(1)));
    assert!(holders[2..].iter().all(|holder| *holder == large.id.as_str()));
}

#[test]
fn customers_of_rank_go_to_dedicated_agents_and_ahead_in_the_queue() {
    let shop = Shop::open();
    let app = shop.app();
    let (plain, dedicated) = (shop.agent(1), shop.hire(1, &json!({ "vip": true })));
    dedicated.is("available");
    let say = |member: &str, tags: &[&str]| {
        app.say(&app.jwt(member, None, tags), &format!("我是 {member}"));
        shop.wait_text(&format!("我是 {member}")).0
    };
    let vip = say("vip-1", &["VIP"]);
    assert_eq!(shop.conversation(&vip)["agent"], dedicated.id.as_str());
    assert_eq!(shop.conversation(&vip)["vip"], true);
    let held = say("plain-1", &[]);
    assert_eq!(shop.conversation(&held)["agent"], plain.id.as_str());
    // All agents are taken. A new contact waits, and a VIP waits before it.
    let (waiting, first_in_line) = (say("plain-2", &[]), say("vip-2", &["vip"]));
    assert_eq!(shop.conversation(&waiting)["state"], "queued");
    plain.close(&held);
    assert_eq!(shop.conversation(&first_in_line)["agent"], plain.id.as_str());
    assert_eq!(shop.conversation(&waiting)["state"], "queued");
    // A dedicated agent who becomes free takes no other customer.
    dedicated.close(&vip);
    assert_eq!(
        (dedicated.view()["load"].clone(), shop.conversation(&waiting)["state"].clone()),
        (json!(0), json!("queued"))
    );
    plain.close(&first_in_line);
    assert_eq!(shop.conversation(&waiting)["agent"], plain.id.as_str());
    // The tag stays with the customer, and staff may remove it.
    let customer = shop.conversation(&vip)["customer"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/customers/{customer}");
    assert_eq!(shop.admin.get(&path).expect(200).json()["tags"], json!(["vip"]));
    let changed = shop.admin.put(&format!("{path}/tags"), &json!({ "tags": ["Wholesale"] })).expect(200).json();
    assert_eq!(changed["tags"], json!(["wholesale"]));
}

#[test]
fn whoever_does_not_accept_in_time_loses_the_conversation_and_takes_a_break() {
    let shop = Shop::with(&json!({ "accept_secs": 1 }));
    let (wechat, sleeper) = (shop.wechat(), shop.agent(2));
    let id = arrive(&shop, &wechat, "oAlice");
    assert_eq!(shop.conversation(&id)["agent"], sleeper.id.as_str());
    until("it is back in the queue", || (shop.conversation(&id)["state"] == "queued").then_some(()));
    let view = sleeper.view();
    assert_eq!(
        (&view["state"], &view["state_reason"], &view["load"]),
        (&json!("break"), &json!("accept_timeout"), &json!(0))
    );
    let queued = shop.events().into_iter().rfind(|e| e["type"] == "conversation.queued").unwrap();
    assert_eq!(queued["data"]["requeued"], "accept_timeout");
    // A colleague takes it and answers, which accepts it: it stays.
    let colleague = shop.agent(2);
    assert_eq!(shop.conversation(&id)["agent"], colleague.id.as_str());
    colleague.reply(&id, "您好");
    assert_eq!(shop.count("conversation.accepted"), 1);
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!(shop.conversation(&id)["agent"], colleague.id.as_str());
    assert_eq!(colleague.view()["state"], "available");
}

#[test]
fn going_offline_gives_back_what_was_not_accepted_and_keeps_what_was() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(2));
    let (kept, given) = (arrive(&shop, &wechat, "oAlice"), arrive(&shop, &wechat, "oBob"));
    agent.act(&kept, "accept", &json!({})).expect(200);
    assert_eq!(agent.is("offline")["load"], 1);
    assert_eq!(shop.conversation(&given)["state"], "queued");
    let held = shop.conversation(&kept);
    assert_eq!((&held["state"], &held["agent"]), (&json!("assigned"), &json!(agent.id)));
    let queued = shop.events().into_iter().rfind(|e| e["type"] == "conversation.queued").unwrap();
    assert_eq!(queued["data"]["requeued"], "agent_offline");
    // Back at work, the agent gets it again.
    assert_eq!(agent.is("available")["load"], 2);
}

#[test]
fn a_transfer_moves_the_load_and_the_note_and_frees_a_place() {
    let shop = Shop::open();
    let (wechat, first) = (shop.wechat(), shop.agent(1));
    let (id, waiting) = (arrive(&shop, &wechat, "oAlice"), arrive(&shop, &wechat, "oBob"));
    let second = shop.hire(1, &json!({}));
    second.is("busy");
    // A person decided, so a busy agent with room gets it nevertheless.
    let body = json!({ "to": { "agent": second.id }, "note": "懂日语的同事" });
    let moved = first.act(&id, "transfer", &body).expect(200).json();
    assert_eq!(moved["agent"], second.id.as_str());
    assert_eq!((first.view()["load"].clone(), second.view()["load"].clone()), (json!(1), json!(1)));
    assert_eq!(shop.conversation(&waiting)["agent"], first.id.as_str(), "the place went to the next in line");
    let messages = shop.messages(&id);
    assert_eq!(messages[1]["content"], json!({ "kind": "note", "text": "懂日语的同事" }));
    assert!(messages[1].get("delivery").is_none());
    // Another agent holds it now.
    let body = json!({ "content": { "kind": "text", "text": "x" } });
    first.act(&id, "messages", &body).refused(404, "not_found");
    second.reply(&id, "こんにちは");
    // A transfer to a group without a free agent: it waits there, and agents of that group see it.
    let other = Shop::open();
    let reader = other.hire(1, &json!({}));
    let moved = second.act(&id, "transfer", &json!({ "to": { "group": other.name } })).expect(200).json();
    assert_eq!((&moved["state"], &moved["group"], &moved["agent"]), (&json!("queued"), &json!(other.name), &Value::Null));
    assert_eq!(second.view()["load"], 0);
    reader.api.get(&format!("/api/conversations/{id}")).expect(200);
    let taken = reader.act(&id, "accept", &json!({}));
    assert!(matches!(taken.status, 200 | 409), "{}", taken.text());
    assert_eq!(id_of(&reader.is("available")), reader.id);
    assert_eq!(shop.conversation(&id)["agent"], reader.id.as_str());
}

#[test]
fn an_agent_picks_a_conversation_out_of_the_queue() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.hire(1, &json!({})));
    let (first, second) = (arrive(&shop, &wechat, "oAlice"), arrive(&shop, &wechat, "oBob"));
    agent.is("busy");
    let taken = agent.act(&second, "accept", &json!({})).expect(200).json();
    assert_eq!(taken["agent"], agent.id.as_str());
    agent.act(&first, "accept", &json!({})).refused(409, "agent_full");
    assert_eq!(agent.view()["load"], 1);
}

#[test]
fn after_contact_work_spends_capacity_until_it_ends() {
    let shop = Shop::with(&json!({ "wrap_up_secs": 3600 }));
    let (wechat, agent) = (shop.wechat(), shop.agent(1));
    let (id, waiting) = (arrive(&shop, &wechat, "oAlice"), arrive(&shop, &wechat, "oBob"));
    assert_eq!(agent.close(&id)["state"], "wrap_up");
    assert_eq!((agent.view()["load"].clone(), shop.conversation(&waiting)["state"].clone()), (json!(1), json!("queued")));
    // The customer writes again, and the talk continues.
    wechat.say("oAlice", "还有一件事");
    until("it is the agent's again", || (shop.conversation(&id)["state"] == "assigned").then_some(()));
    agent.close(&id);
    assert_eq!(agent.close(&id)["state"], "closed");
    assert_eq!(shop.conversation(&waiting)["agent"], agent.id.as_str());
}

#[test]
fn after_contact_work_ends_by_itself() {
    let shop = Shop::with(&json!({ "wrap_up_secs": 1 }));
    let (wechat, agent) = (shop.wechat(), shop.agent(1));
    let (id, waiting) = (arrive(&shop, &wechat, "oAlice"), arrive(&shop, &wechat, "oBob"));
    agent.close(&id);
    until("it is closed", || (shop.conversation(&id)["state"] == "closed").then_some(()));
    let closed = shop.conversation(&id);
    assert_eq!(closed["disposition"], "resolved", "what the agent said stays");
    until("the next has the place", || (shop.conversation(&waiting)["agent"] == agent.id.as_str()).then_some(()));
}

#[test]
fn a_group_and_an_account_made_a_moment_ago_count_at_once_while_the_router_is_at_work() {
    let busy = Shop::open();
    let (wechat, stop) = (busy.wechat(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for n in 0..3 {
            let (wechat, stop) = (&wechat, &stop);
            scope.spawn(move || {
                // Enough customers to keep every shard of the inbox busy.
                for customer in (0..32).cycle().take(3_000).take_while(|_| !stop.load(Ordering::Relaxed)) {
                    wechat.say(&format!("oBusy{n}-{customer}"), "在吗");
                }
            });
        }
        let groups: Vec<(Value, String)> = (0..8)
            .map(|_| {
                let shop = Shop::open();
                let app = shop.app();
                app.say(&app.jwt("m1", None, &[]), "你好");
                (shop.wait_conversations(1)[0]["group"].clone(), shop.name)
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        for (group, name) in groups {
            assert_eq!(group, name.as_str());
        }
    });
}

#[test]
fn a_rule_comes_before_the_accounts_group() {
    let (shop, refunds) = (Shop::open(), Shop::open());
    let wechat = shop.wechat();
    let rules = json!({ "rules": [
        { "channel": "wechat", "account": shop.name, "contains": ["退款", "refund"], "group": refunds.name },
    ] });
    let set = shop.admin.put("/api/routing/rules", &rules).expect(200).json();
    assert_eq!(set["rules"], rules["rules"]);
    assert_eq!(shop.admin.get("/api/routing/rules").expect(200).json(), set);
    wechat.say("oAlice", "我要 REFUND");
    wechat.say("oBob", "你好");
    let (by_rule, _) = shop.wait_text("我要 REFUND");
    let (by_account, _) = shop.wait_text("你好");
    let group = |id: &str| shop.conversation(id)["group"].as_str().unwrap().to_owned();
    assert_eq!((group(&by_rule), group(&by_account)), (refunds.name.clone(), shop.name.clone()));
    assert!(shop.conversation(&by_rule)["why"].as_str().unwrap().starts_with("rule-"));
}
