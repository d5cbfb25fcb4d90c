//! Seats: AI and people, hand-over between them, presence, consulting, assigning, and the explanations of decisions.

use crate::harness::{Options, Server, Shop, until, workspace};
use serde_json::{Value, json};
use std::path::PathBuf;

/// spin.toml with the scripted AI seat (`tests/aiseat`) as the component `bot`.
fn with_ai_seat() -> PathBuf {
    let root = workspace();
    assert!(root.join("target/wasm32-wasip2/component/aiseat.wasm").exists(), "run `cargo xtask test`, which builds it");
    let mut manifest = std::fs::read_to_string(root.join("spin.toml")).unwrap();
    manifest = manifest.replace("source = \"target/", &format!("source = \"{}/target/", root.display()));
    manifest.push_str(&format!(
        r#"
[[trigger.http]]
route = {{ private = true }}
component = "bot"
[component.bot]
source = "{}/target/wasm32-wasip2/component/aiseat.wasm"
sqlite_databases = ["default", "keys"]
allowed_outbound_hosts = ["http://*.spin.internal"]
variables = {{ master_key = "{{{{ master_key }}}}", internal_calls = "{{{{ internal_calls }}}}" }}
"#,
        root.display()
    ));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("aiseat-{}.toml", std::process::id()));
    std::fs::write(&path, manifest).unwrap();
    path
}

#[test]
fn an_ai_seat_begins_and_hands_over_for_every_reason() {
    let manifest = with_ai_seat();
    let server = Server::with("aiseat", &Options { manifest: Some(manifest.clone()), ..Options::default() });
    let shop = Shop::on(&server, &json!({ "first": "ai", "accept_secs": 0, "reopen_hours": 0 }));
    let (wechat, bot) = (shop.wechat(), shop.hire(1_000, &json!({ "ai": true, "capacity": 100_000 })));
    bot.is("available");
    let people = shop.agent(20);
    let holder = |id: &str| shop.conversation(id)["agent"].as_str().unwrap_or_default().to_owned();
    let reason = |id: &str| {
        let handed = |e: &Value| e["type"] == "conversation.handed_over" && e["conversation"] == id;
        shop.events().iter().find(|e| handed(e)).map(|e| e["data"]["reason"].as_str().unwrap().to_owned())
    };

    // The AI seat begins, answers on the channel, and keeps the conversation while it can.
    wechat.say("oCalm", "什么时候发货");
    let (calm, _) = shop.wait_text("【智能客服】机器人：今天发货");
    let shown = shop.conversation(&calm);
    assert_eq!((&shown["agent"], &shown["ai"]), (&json!(bot.id), &json!(true)));
    let said = shop.messages(&calm).into_iter().find(|m| m["from"] == "bot").unwrap();
    shop.wait_delivery(&calm, &said, "sent");
    let explained = shop.admin.get(&format!("/api/conversations/{calm}/routing")).expect(200).json();
    let decision = &explained["items"][0]["decision"];
    assert_eq!(decision["steps"][0]["why"], "ai");
    let refused = |v: &&Value| v["agent"] == people.id.as_str();
    let seats = decision["steps"][0]["seats"].as_array().unwrap();
    assert_eq!(seats.iter().find(refused).unwrap()["refused"], "other-kind");

    // Each reason leads to people, and an answer that is too unsure is not sent.
    for (who, words, why) in
        [("oUnsure", "不确定的问题", "low_confidence"), ("oAngry", "气死我了", "anger"), ("oAsks", "要真人", "asked")]
    {
        wechat.say(who, words);
        let (id, _) = shop.wait_text(words);
        until(why, || (holder(&id) == people.id).then_some(()));
        assert_eq!(reason(&id).as_deref(), Some(why));
        assert!(shop.messages(&id).iter().all(|m| m["from"] != "bot"), "{why}: nothing was said");
    }
    // One turn without an answer is tolerated, two are not.
    wechat.say("oHard", "不会的问题");
    let (hard, _) = shop.wait_text("【智能客服】请换个说法");
    assert_eq!(holder(&hard), bot.id);
    wechat.say("oHard", "还是不会");
    until("people", || (holder(&hard) == people.id).then_some(()));
    assert_eq!(reason(&hard).as_deref(), Some("failed_turns"));
    // Words of the policy lead to people before the seat is asked: at the beginning and in the middle.
    wechat.say("oComplains", "我要投诉");
    let (complains, _) = shop.wait_text("我要投诉");
    assert_eq!(holder(&complains), people.id);
    wechat.say("oCalm", "转人工");
    until("people", || (holder(&calm) == people.id).then_some(()));
    assert_eq!(reason(&calm).as_deref(), Some("word"));
    // An AI seat may not take a turn in a human's conversation.
    bot.act(&calm, "turn", &json!({ "messages": [{ "kind": "text", "text": "我还在" }] })).refused(404, "not_found");
    assert_eq!(bot.view()["load"], 0);
    until("the figures", || {
        let figures = shop.admin.get("/api/metrics").expect(200).text();
        figures.contains("conversations.handed_over.v1").then_some(())
    });
    std::fs::remove_file(manifest).unwrap();
}

#[test]
fn an_ai_seat_without_a_component_answers_by_the_api_and_people_step_in_where_none_is_there() {
    let shop = Shop::with(&json!({ "first": "ai", "accept_secs": 0 }));
    let (wechat, people) = (shop.wechat(), shop.agent(5));
    // If no AI seat is available, people serve.
    wechat.say("oFirst", "有人吗");
    let (first, _) = shop.wait_text("有人吗");
    assert_eq!(shop.conversation(&first)["agent"], people.id.as_str());
    let bot = shop.hire(1_000, &json!({ "ai": true }));
    bot.is("available");
    wechat.say("oSecond", "发货了吗");
    let (second, _) = shop.wait_text("发货了吗");
    assert_eq!(shop.conversation(&second)["agent"], bot.id.as_str());
    bot.act(&second, "turn", &json!({})).refused(422, "empty_turn");
    bot.act(&second, "turn", &json!({ "turn": { "confidence": 1.5 } })).refused(422, "bad_confidence");
    let turn = json!({ "messages": [{ "kind": "text", "text": "已发货" }], "turn": { "confidence": 0.8 } });
    let answered = bot.act(&second, "turn", &turn).expect(200).json();
    assert_eq!((&answered["handed_over"], &answered["messages"][0]["from"]), (&json!(null), &json!("bot")));
    let turn = json!({ "messages": [{ "kind": "text", "text": "也许" }], "turn": { "confidence": 0.2 } });
    assert_eq!(bot.act(&second, "turn", &turn).expect(200).json()["handed_over"], "low_confidence");
    assert_eq!(shop.conversation(&second)["agent"], people.id.as_str());
    bot.act(&second, "turn", &turn).refused(404, "not_found");
    assert!(shop.messages(&second).iter().all(|m| m["content"]["text"] != "也许"));
}

#[test]
fn a_colleague_is_asked_and_a_supervisor_assigns() {
    let shop = Shop::with(&json!({ "accept_secs": 0 }));
    let (wechat, first, second, third) = (shop.wechat(), shop.agent(1), shop.hire(1, &json!({})), shop.hire(0, &json!({})));
    wechat.say("oAlice", "请问");
    let (id, _) = shop.wait_text("请问");
    assert_eq!(shop.conversation(&id)["agent"], first.id.as_str());
    let path = format!("/api/conversations/{id}");
    second.api.get(&path).refused(404, "not_found");
    second.act(&id, "consult", &json!({ "agent": third.id })).refused(404, "not_found");
    first.act(&id, "consult", &json!({ "agent": first.id })).refused(409, "same_agent");
    first.act(&id, "consult", &json!({ "agent": second.id, "note": "这个批次能退吗" })).expect(200);
    let seen = second.api.get(&path).expect(200).json();
    assert_eq!(seen["messages"][1]["content"], json!({ "kind": "note", "text": "这个批次能退吗" }));
    second.act(&id, "notes", &json!({ "text": "能退" })).expect(201);
    // The conversation stays with its agent: the colleague can neither answer nor close.
    let reply = json!({ "content": { "kind": "text", "text": "您好" } });
    second.act(&id, "messages", &reply).refused(409, "not_yours");
    second.act(&id, "close", &json!({})).refused(409, "not_yours");
    second.api.delete(&format!("{path}/consult/{}", second.id)).expect(200);
    second.api.get(&path).refused(404, "not_found");

    // Assigning fails for an unknown agent, one who is not at work, and a full one. Otherwise it takes the conversation
    // from any agent.
    let assign = |agent: &str| shop.admin.post(&format!("{path}/assign"), &json!({ "agent": agent }));
    assign(&first.id).refused(409, "same_agent");
    assign(&second.id).refused(409, "agent_offline");
    third.is("busy");
    assign(&third.id).refused(409, "agent_full");
    assert_eq!(shop.conversation(&id)["agent"], first.id.as_str(), "nothing moved");
    assert_eq!(first.view()["load"], 1);
    second.is("busy");
    assign(&second.id).expect(200);
    assert_eq!((first.view()["load"].clone(), second.view()["load"].clone()), (json!(0), json!(1)));
    first.act(&id, "assign", &json!({ "agent": first.id })).refused(403, "role_not_allowed");
    // A supervisor closes it by force.
    shop.admin.post(&format!("{path}/close"), &json!({})).expect(200);
    assign(&first.id).refused(409, "conversation_closed");
    assert_eq!(second.view()["load"], 0);
}

#[test]
fn an_agent_changes_and_leaves() {
    let shop = Shop::with(&json!({ "accept_secs": 0, "reopen_hours": 0 }));
    let (wechat, agent) = (shop.wechat(), shop.agent(1));
    for n in 0..3 {
        wechat.say(&format!("oWaits{n}"), &format!("第{n}"));
        shop.wait_text(&format!("第{n}"));
    }
    let path = format!("/api/agents/{}", agent.id);
    for (change, code) in [
        (json!({ "capacity": -1 }), "bad_capacity"),
        (json!({ "capacity": 1001 }), "bad_capacity"),
        (json!({ "groups": ["nowhere"] }), "invalid_field"),
        (json!({ "skills": { "order": 101 } }), "bad_level"),
        (json!({ "caps": { "wechat": -1 } }), "bad_capacity"),
        (json!({ "colour": "red" }), "invalid_body"),
    ] {
        shop.admin.put(&path, &change).refused(422, code);
    }
    // More capacity is filled at once. Less capacity takes nothing away.
    let changed = shop.admin.put(&path, &json!({ "capacity": 2.5, "skills": { "order": 3 } })).expect(200).json();
    assert_eq!((&changed["capacity"], &changed["load"], &changed["skills"]["order"]), (&json!(2.5), &json!(2), &json!(3)));
    let changed = shop.admin.put(&path, &json!({ "capacity": 1 })).expect(200).json();
    assert_eq!((&changed["capacity"], &changed["load"]), (&json!(1), &json!(2)));
    // An agent can be removed only without conversations, or if these go back to the queue.
    shop.admin.delete(&path).refused(409, "agent_has_conversations");
    shop.admin.delete(&format!("{path}?requeue=true")).expect(200);
    shop.admin.get(&path).refused(404, "not_found");
    agent.api.get("/api/conversations").refused(401, "token_unknown");
    assert!(shop.conversations().iter().all(|c| c["state"] == "queued" && c["agent"].is_null()));
    let next = shop.agent(1);
    assert_eq!(shop.conversations()[0]["agent"], next.id.as_str(), "the first is the first again");
}

#[test]
fn where_one_stands_in_the_queue() {
    let shop = Shop::with(&json!({ "accept_secs": 0, "waiting_text": "您前面还有人，排在第{position}位" }));
    let (wechat, agent) = (shop.wechat(), shop.hire(1, &json!({})));
    let ids: Vec<String> = (0..3)
        .map(|n| {
            wechat.say(&format!("oWaits{n}"), &format!("第{n}"));
            shop.wait_text(&format!("第{n}")).0
        })
        .collect();
    for (n, id) in ids.iter().enumerate() {
        let standing = shop.admin.get(&format!("/api/conversations/{id}/queue")).expect(200).json();
        assert_eq!((&standing["position"], &standing["or_more"]), (&json!(n + 1), &json!(false)));
        let told = format!("您前面还有人，排在第{}位", n + 1);
        assert!(shop.messages(id).iter().any(|m| m["content"]["text"] == told.as_str()), "{told}");
    }
    agent.is("available");
    shop.admin.get(&format!("/api/conversations/{}/queue", ids[0])).refused(409, "not_queued");
    let explained = agent.api.get(&format!("/api/conversations/{}/routing", ids[0])).expect(200).json();
    let decision = &explained["items"][0]["decision"];
    assert_eq!(decision["cause"], "seat_free");
    assert_eq!(decision["contacts"][0]["conversation"], ids[0].as_str());
    let queues = shop.admin.get("/api/queues").expect(200).json();
    let mine = queues["items"].as_array().unwrap().iter().find(|q| q["group"] == shop.name.as_str()).unwrap().clone();
    assert_eq!(mine["waiting"], 2);
    assert!(mine["oldest_ms"].as_i64().unwrap() > 0);
    agent.close(&ids[0]);
    agent.close(&ids[1]);
    shop.admin.get(&format!("/api/conversations/{}/queue", ids[2])).refused(409, "not_queued");
}
