//! Quality: alerts on sensitive words.

use crate::harness::{Shop, until};
use serde_json::{Value, json};

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
fn w14_w20_an_orders_number_alerts_nobody_and_traditional_words_do() {
    let shop = Shop::open();
    let account = shop.wechat();
    account.say("oAlice", "我的订单号是2024123150088，电话13812315000");
    account.say("oAlice", "我要投訴，找律師");
    let alert = until("an alert", || shop.events().into_iter().find(|e| e["type"] == "quality.alert"));
    assert_eq!(alert["data"]["words"], json!(["投诉", "律师"]));
    assert_eq!(shop.events().iter().filter(|e| e["type"] == "quality.alert").count(), 1);
}
