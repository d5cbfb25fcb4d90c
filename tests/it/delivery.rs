//! Replies on their way to a platform that misbehaves in every way it can.

use crate::harness::{Agent, Shop, Wechat, at_once, until};
use serde_json::{Value, json};
use std::time::Duration;
use warmline_simulate::channels::{Behaviour, Rule};

/// A shop with one agent and one customer's conversation.
struct Talk {
    shop: Shop,
    wechat: Wechat,
    agent: Agent,
    id: String,
}

fn talk() -> Talk {
    talk_of(Shop::open(), &json!({}))
}

fn talk_of(shop: Shop, settings: &Value) -> Talk {
    let (wechat, agent) = (shop.wechat_with(settings), shop.agent(4));
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    Talk { shop, wechat, agent, id }
}

impl Talk {
    fn reply(&self, text: &str) -> Value {
        self.agent.reply(&self.id, text)
    }

    fn wait(&self, message: &Value, state: &str) -> Value {
        self.shop.wait_delivery(&self.id, message, state)
    }

    fn texts(&self) -> Vec<String> {
        self.shop.platform.texts_to("oAlice")
    }
}

#[test]
fn a_reply_is_delivered_once_to_the_customer_who_asked() {
    let talk = talk();
    let message = talk.reply("您好，包裹今天到 😀");
    assert_eq!((&message["from"], &message["agent"]), (&json!("agent"), &json!(talk.agent.id)));
    talk.wait(&message, "sent");
    let sent = talk.shop.platform.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].to.as_str(), sent[0].text.as_str()), ("oAlice", "您好，包裹今天到 😀"));
    assert_eq!(talk.shop.count("delivery.sent"), 1);
    assert_eq!(talk.shop.platform.counts().send_calls, 1);
    assert_eq!(talk.shop.conversation(&talk.id)["state"], "waiting_on_customer");
}

#[test]
fn many_replies_at_once_fetch_one_token() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(20));
    shop.platform.script(Rule::token(Behaviour::Delay(Duration::from_millis(300))));
    at_once(12, |i| wechat.say(&format!("oCustomer{i}"), "在吗"));
    let all = shop.wait_conversations(12);
    let ids: Vec<&str> = all.iter().map(|c| c["id"].as_str().unwrap()).collect();
    until("all assigned", || (shop.count("conversation.assigned") == 12).then_some(()));
    at_once(12, |i| agent.reply(ids[i], "在的"));
    until("all delivered", || (shop.platform.counts().accepted == 12).then_some(()));
    assert_eq!(shop.platform.counts().token_calls, 1);
}

#[test]
fn a_refused_token_is_replaced_and_the_reply_sent_at_once() {
    let talk = talk();
    talk.wait(&talk.reply("一"), "sent");
    talk.shop.platform.expire_token();
    talk.wait(&talk.reply("二"), "sent");
    assert_eq!(talk.texts(), ["一", "二"]);
    let counts = talk.shop.platform.counts();
    assert_eq!((counts.tokens_issued, counts.refused), (2, 1));
    assert_eq!(talk.shop.count("delivery.failed"), 0, "no waiting between the two tries");
}

#[test]
fn a_token_that_the_platform_calls_wrong_is_forced_anew() {
    let talk = talk();
    // The platform refuses a token that it still issues.
    talk.shop.platform.script(Rule::send(Behaviour::Error(40001)).once());
    talk.wait(&talk.reply("一"), "sent");
    assert_eq!(talk.texts(), ["一"]);
    assert_eq!(talk.shop.platform.counts().tokens_issued, 2);
}

#[test]
fn what_cannot_succeed_is_dead_at_once_with_the_reason_and_can_be_revived() {
    let talk = talk();
    for (code, reason) in [(45015, "reply_window_closed"), (45047, "reply_quota_used")] {
        talk.shop.platform.script(Rule::send(Behaviour::Error(code)).once());
        let text = format!("第 {code} 条");
        let dead = talk.wait(&talk.reply(&text), "dead");
        assert_eq!(dead["delivery"], json!({ "state": "dead", "reason": reason }));
        let retry = format!("/api/outbox/{}/retry", dead["id"].as_str().unwrap());
        talk.agent.api.post(&retry, &json!({})).expect(200);
        let sent = talk.wait(&dead, "sent");
        assert_eq!(sent["delivery"], json!({ "state": "sent" }));
        talk.agent.api.post(&retry, &json!({})).refused(409, "not_dead");
    }
    assert_eq!(talk.texts(), ["第 45015 条", "第 45047 条"]);
    assert_eq!((talk.shop.count("delivery.dead"), talk.shop.count("delivery.failed")), (2, 0));
}

#[test]
fn a_platform_that_fails_for_a_while_gets_the_reply_later() {
    let talk = talk();
    talk.shop.platform.script(Rule::send(Behaviour::Status(500)).once());
    talk.shop.platform.script(Rule::send(Behaviour::Error(-1)).once());
    let message = talk.reply("一");
    talk.wait(&message, "sent");
    assert_eq!(talk.texts(), ["一"]);
    let events = talk.shop.events();
    let failed: Vec<&Value> = events.iter().filter(|e| e["type"] == "delivery.failed").collect();
    let reasons: Vec<&Value> = failed.iter().map(|e| &e["data"]["reason"]).collect();
    assert_eq!(reasons, [&json!("platform_unavailable"), &json!("platform_busy")]);
    for (event, attempts) in failed.iter().zip(1..) {
        assert_eq!(event["data"]["attempts"], attempts);
        assert!(event["data"]["retry_at"].as_str() > event["at"].as_str(), "a pause follows: {event}");
    }
    let sent = events.iter().find(|e| e["type"] == "delivery.sent").unwrap();
    assert_eq!(sent["data"]["attempts"], 3);
}

#[test]
fn a_connection_that_breaks_before_or_after_the_platform_took_it_is_counted_as_doubt() {
    let talk = talk();
    // This warms up: the first call opens the connection that the next ones use.
    talk.wait(&talk.reply("零"), "sent");
    talk.shop.platform.script(Rule::send(Behaviour::DropAfter).containing("甲").once());
    talk.shop.platform.script(Rule::send(Behaviour::DropBefore).containing("乙").once());
    let (first, second) = (talk.reply("甲"), talk.reply("乙"));
    talk.wait(&first, "sent");
    talk.wait(&second, "sent");
    // The platform gives no means to recognise a repeat, and losing a reply would be worse.
    assert_eq!(talk.texts(), ["零", "甲", "甲", "乙"]);
    let events = talk.shop.events();
    let doubted: Vec<&Value> =
        events.iter().filter(|e| e["type"] == "delivery.in_doubt").map(|e| &e["data"]["message"]).collect();
    assert_eq!(doubted, [&first["id"], &second["id"]]);
    let metrics = talk.shop.admin.get("/api/metrics").expect(200).json();
    let counts = metrics["counts"].as_array().unwrap();
    let in_doubt = counts.iter().filter(|c| c["formula"] == "delivery.in_doubt.v1").filter_map(|c| c["count"].as_i64());
    assert!(in_doubt.sum::<i64>() >= 2, "{metrics:#}");
}

#[test]
fn replies_of_a_conversation_keep_their_order_when_the_first_is_delayed_or_fails() {
    let talk = talk();
    talk.shop.platform.script(Rule::send(Behaviour::Delay(Duration::from_millis(700))).containing("一").once());
    talk.shop.platform.script(Rule::send(Behaviour::Status(503)).containing("一").once());
    let messages: Vec<Value> = ["一", "二", "三"].iter().map(|text| talk.reply(text)).collect();
    talk.wait(&messages[2], "sent");
    assert_eq!(talk.texts(), ["一", "二", "三"]);
}

#[test]
fn one_customers_trouble_does_not_hold_up_another() {
    let talk = talk();
    talk.wechat.say("oBob", "我也在");
    let (bob, _) = talk.shop.wait_text("我也在");
    talk.shop.platform.script(Rule::send(Behaviour::Status(500)).to("oAlice"));
    let stuck = talk.reply("给 Alice");
    talk.wait(&stuck, "failed");
    let sent = talk.agent.reply(&bob, "给 Bob");
    talk.shop.wait_delivery(&bob, &sent, "sent");
    assert_eq!(talk.texts(), [] as [&str; 0]);
    talk.shop.platform.clear_script();
    talk.wait(&stuck, "sent");
}

#[test]
fn replies_reach_the_customer_they_were_written_for() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(20));
    let customers = ["oAlice", "oBob", "oCarol", "oDora", "oEve", "oFay"];
    at_once(customers.len(), |i| wechat.say(customers[i], &format!("我是 {}", customers[i])));
    let ids: Vec<String> = customers.iter().map(|name| shop.wait_text(&format!("我是 {name}")).0).collect();
    at_once(customers.len(), |i| {
        for n in 0..3 {
            agent.reply(&ids[i], &format!("{} 第 {n} 条", customers[i]));
        }
    });
    until("all delivered", || (shop.platform.counts().accepted == 18).then_some(()));
    for name in customers {
        let expected: Vec<String> = (0..3).map(|n| format!("{name} 第 {n} 条")).collect();
        assert_eq!(shop.platform.texts_to(name), expected);
    }
}

#[test]
fn a_host_that_is_not_granted_is_never_called() {
    let talk = talk_of(Shop::open(), &json!({ "api_base": "http://localhost.example:9" }));
    let failed = talk.wait(&talk.reply("一"), "failed");
    assert_eq!(failed["delivery"]["reason"], "host_not_granted");
    assert!(talk.texts().is_empty());
}

#[test]
fn without_credentials_the_reply_is_dead_and_says_so() {
    let shop = Shop::open();
    let wechat = Wechat::new("", &shop.name);
    let talk_url = shop.connect("wechat", json!({}), &json!({ "token": wechat.token })).json()["webhook"].clone();
    assert_eq!(talk_url, format!("/channels/wechat/{}", shop.name).as_str());
    let wechat = Wechat { url: format!("{}{}", crate::harness::shared().base(), talk_url.as_str().unwrap()), ..wechat };
    let agent = shop.agent(1);
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let dead = shop.wait_delivery(&id, &agent.reply(&id, "在"), "dead");
    assert_eq!(dead["delivery"]["reason"], "credentials_missing");
}

#[test]
fn wrong_credentials_are_a_reason_that_waiting_does_not_mend() {
    let talk = talk();
    talk.shop.platform.script(Rule::token(Behaviour::Error(40125)));
    let dead = talk.wait(&talk.reply("一"), "dead");
    assert_eq!(dead["delivery"]["reason"], "credentials_refused");
}

#[test]
fn a_long_text_goes_in_parts_and_what_the_platform_would_refuse_is_refused_at_once() {
    let shop = Shop::open();
    let (wechat, agent) = (shop.wechat(), shop.agent(1));
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let path = format!("/api/conversations/{id}/messages");
    // 1,000 characters of three bytes: WeChat takes 682 at once.
    let long: String = (0..1_000).map(|i| if i == 600 { '。' } else { '长' }).collect();
    agent.api.post(&path, &json!({ "content": { "kind": "text", "text": long } })).expect(201);
    until("two parts", || (shop.platform.texts_to("oAlice").len() == 2).then_some(()));
    let parts = shop.platform.texts_to("oAlice");
    assert!(parts[0].ends_with('。') && parts.iter().all(|p| p.len() <= 2_048), "cut after the sentence");
    assert_eq!(parts.concat(), long);
    // Five replies to one message are allowed. Two are used, so a text of four parts is refused as a whole.
    let four = "长".repeat(682 * 3 + 1);
    agent.api.post(&path, &json!({ "content": { "kind": "text", "text": four } })).refused(409, "reply_quota_used");
    for n in 0..3 {
        agent.reply(&id, &n.to_string());
    }
    let sixth = json!({ "content": { "kind": "text", "text": "六" } });
    agent.api.post(&path, &sixth).refused(409, "reply_quota_used");
    wechat.say("oAlice", "还在吗");
    until("another round", || (agent.api.post(&path, &sixth).status == 201).then_some(()));
    until("all delivered", || (shop.platform.texts_to("oAlice").len() == 6).then_some(()));
}

#[test]
fn h3_a_platform_that_refuses_breaks_off_or_limits_gets_every_reply_when_it_is_back() {
    let talk = talk();
    let customers = ["oBob", "oCarol", "oDora"];
    customers.iter().for_each(|who| talk.wechat.say(who, &format!("我是 {who}")));
    let ids: Vec<String> = customers.iter().map(|who| talk.shop.wait_text(&format!("我是 {who}")).0).collect();
    let platform = &talk.shop.platform;
    platform.script(Rule::send(Behaviour::Status(503)).times(2));
    platform.script(Rule::send(Behaviour::Status(500)).times(2));
    platform.script(Rule::send(Behaviour::Later(429, 2)).once());
    let messages: Vec<Value> = ids.iter().map(|id| talk.agent.reply(id, "在的")).collect();
    for (id, message) in ids.iter().zip(&messages) {
        talk.shop.wait_delivery(id, message, "sent");
    }
    for who in customers {
        assert_eq!(platform.texts_to(who), ["在的"], "{who}");
    }
    assert_eq!(talk.shop.count("delivery.dead"), 0);
}

#[test]
fn h3_retry_after_is_waited_for_and_a_reply_that_waits_says_until_when() {
    let talk = talk();
    talk.wait(&talk.reply("一"), "sent");
    talk.shop.platform.script(Rule::send(Behaviour::Later(429, 8)).once());
    let began = std::time::Instant::now();
    let limited = talk.reply("二");
    let failed = talk.wait(&limited, "failed");
    assert_eq!(failed["delivery"]["reason"], "rate_limited");
    assert!(failed["delivery"]["retry_at"].is_string(), "{failed}");
    // Another customer's reply shows the outage at once, and the platform is left alone.
    talk.wechat.say("oBob", "我也在");
    let (bob, _) = talk.shop.wait_text("我也在");
    let waits = talk.agent.reply(&bob, "好");
    assert_eq!(waits["delivery"]["state"], "pending");
    assert_eq!(waits["delivery"]["reason"], "rate_limited", "{waits}");
    assert!(waits["delivery"]["retry_at"].is_string(), "{waits}");
    talk.shop.wait_delivery(&bob, &waits, "sent");
    talk.wait(&limited, "sent");
    assert!(began.elapsed() >= Duration::from_secs(8), "after {:?}", began.elapsed());
}

#[test]
fn m1_what_the_platform_takes_and_answers_unreadably_leaves_three_times_and_is_perhaps_delivered() {
    let talk = talk();
    talk.shop.platform.script(Rule::send(Behaviour::Unreadable));
    let dead = crate::harness::within(Duration::from_secs(60), "dead", {
        let message = talk.reply("一");
        let talk = &talk;
        move || {
            talk.shop.messages(&talk.id).into_iter().find(|m| m["id"] == message["id"] && m["delivery"]["state"] == "dead")
        }
    });
    assert_eq!(dead["delivery"], json!({ "state": "dead", "reason": "perhaps_delivered" }));
    assert_eq!(talk.texts(), ["一"; 3]);
    talk.shop.platform.clear_script();
    // A revival of all messages leaves it out. A revival by name sends it.
    let retry = |body: &Value| talk.shop.admin.post("/api/outbox/retry", body).expect(200).json();
    let mine = json!({ "channel": "wechat", "account": talk.shop.name });
    assert_eq!(retry(&mine)["retried"], 0);
    let mut named = mine.clone();
    named["reason"] = json!("perhaps_delivered");
    assert_eq!(retry(&named)["retried"], 1);
    talk.wait(&dead, "sent");
    talk.shop.admin.post("/api/outbox/retry", &json!({})).refused(422, "filter_needed");
    talk.agent.api.post("/api/outbox/retry", &mine).refused(403, "role_not_allowed");
    talk.agent.api.get("/api/outbox").refused(403, "role_not_allowed");
}

#[test]
fn m1_what_the_platform_answers_late_is_doubted_and_not_repeated_for_ever() {
    let talk = talk();
    talk.shop.platform.script(Rule::send(Behaviour::Late(Duration::from_secs(12))).once());
    let message = talk.reply("一");
    talk.wait(&message, "sent");
    assert_eq!(talk.texts(), ["一"; 2]);
    assert_eq!(talk.shop.count("delivery.in_doubt"), 1);
}

#[test]
fn m6_an_account_whose_platform_hangs_holds_up_no_other() {
    let (hanging, working) = (talk(), talk());
    hanging.shop.platform.script(Rule::send(Behaviour::Delay(Duration::from_secs(20))));
    for n in 0..3 {
        hanging.wechat.say(&format!("oHung{n}"), &format!("挂 {n}"));
        let (id, _) = hanging.shop.wait_text(&format!("挂 {n}"));
        hanging.agent.reply(&id, "等");
    }
    until("the platform hangs", || (hanging.shop.platform.counts().send_calls > 0).then_some(()));
    for n in 0..5 {
        let began = std::time::Instant::now();
        working.wait(&working.reply(&n.to_string()), "sent");
        assert!(began.elapsed() < Duration::from_secs(5), "the {n}. reply took {:?}", began.elapsed());
    }
}
