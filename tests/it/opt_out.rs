//! Opt-out words, and replies that a channel cannot carry, through the real components.

use crate::harness::{Answer, Shop, now, send, until};
use serde_json::{Value, json};
use warmline_channels::sms::sign as sms;
use warmline_channels::wechat::sign as wechat;

const NUMBER: &str = "+8613800138000";

/// A text message as Twilio posts it.
fn texted(shop: &Shop, fields: &[(&str, &str)]) -> Answer {
    let url = format!("{}/channels/sms/{}", shop.base, shop.name);
    let (body, signature) = sms::twilio("twilio-auth-token", &url, fields);
    let headers = [("content-type", "application/x-www-form-urlencoded".to_owned()), ("x-twilio-signature", signature)];
    send("POST", &url, &headers, body)
}

fn connect_twilio(shop: &Shop) {
    let url = format!("{}/channels/sms/{}", shop.base, shop.name);
    let settings = json!({ "provider": "twilio", "account_sid": "AC1", "public_url": url, "api_base": shop.platform.url() });
    shop.connect("sms", settings, &json!({ "auth_token": "twilio-auth-token" }));
}

fn consents(shop: &Shop, conversation: &str) -> Value {
    let customer = shop.conversation(conversation)["customer"]["id"].as_str().unwrap().to_owned();
    shop.admin.get(&format!("/api/customers/{customer}/consents")).expect(200).json()
}

#[test]
fn w15_stop_is_kept_as_withdrawn_consent_and_nothing_else_is_sent() {
    let shop = Shop::with(&json!({ "greeting": "您好", "waiting_text": "请稍候" }));
    connect_twilio(&shop);
    let stop = [("MessageSid", "SM1"), ("From", NUMBER), ("To", "+1555"), ("Body", "STOP"), ("OptOutType", "STOP")];
    texted(&shop, &stop).expect(200);
    texted(&shop, &stop).expect(200);
    let id = shop.wait_state("open");
    let kept = until("the record", || Some(consents(&shop, &id)).filter(|c| c["stands"][0].is_object()));
    let record = &kept["stands"][0];
    assert_eq!(
        (&record["purpose"], &record["given"], &record["source"]),
        (&json!("messages-sms"), &json!(false), &json!("sms"))
    );
    assert_eq!((&record["wording"], &kept["items"].as_array().unwrap().len()), (&json!("opt_out"), &1));
    let messages = shop.messages(&id);
    assert_eq!((messages.len(), &messages[0]["id"]), (1, &record["message"]));
    // Other words are for people, and nothing automatic comes before their answer.
    let ask = [("MessageSid", "SM2"), ("From", NUMBER), ("To", "+1555"), ("Body", "我的米呢")];
    texted(&shop, &ask).expect(200);
    until("queued", || (shop.conversation(&id)["state"] == "queued").then_some(()));
    assert!(shop.messages(&id).iter().all(|m| m["direction"] == "in"));
    let start = [("MessageSid", "SM3"), ("From", NUMBER), ("To", "+1555"), ("Body", "START"), ("OptOutType", "START")];
    texted(&shop, &start).expect(200);
    until("back again", || (consents(&shop, &id)["stands"][0]["given"] == true).then_some(()));
}

#[test]
fn f8_what_cannot_be_carried_is_refused_when_it_is_sent() {
    let shop = Shop::open();
    let agent = shop.agent(3);
    let secrets = json!({ "token": "webhook-token-x", "app_secret": "secret" });
    let settings = json!({ "app_id": "wxown", "mode": "plain", "api_base": shop.platform.url() });
    shop.connect("miniprogram", settings, &secrets);
    let url = format!("{}/channels/miniprogram/{}", shop.base, shop.name);
    let query = wechat::plain_query("webhook-token-x", &now().to_string(), "n0nce");
    let body = wechat::text("oUser", "gh", now(), 71, "发张卡片");
    let headers = [("content-type", "text/xml".to_owned())];
    send("POST", &format!("{url}?{query}"), &headers, body.clone()).expect(200);
    let id = shop.wait_state("assigned");
    let path = format!("/api/conversations/{id}/messages");
    let link = |url: &str| json!({ "content": { "kind": "link", "title": "t", "url": url } });
    agent.api.post(&path, &link("miniprogram://wxother/pages/a#M")).refused(422, "page_of_another_app");
    agent.api.post(&path, &link("miniprogram://wxown/pages/a")).refused(422, "cover_missing");
    agent.api.post(&path, &json!({ "content": { "kind": "image", "media": {} } })).refused(422, "media_id_missing");
    assert_eq!(shop.messages(&id).len(), 1, "nothing was stored");
    agent.api.post(&path, &link("miniprogram://wxown/pages/a#M")).expect(201);
    // A compressed body is refused on every route, and the answer gives the advice.
    let gzip = [("content-type", "text/xml".to_owned()), ("content-encoding", "gzip".to_owned())];
    let refused = send("POST", &format!("{url}?{query}"), &gzip, body).refused(415, "body_encoded");
    assert_eq!(refused.header("accept-encoding"), Some("identity"));
    let token = [("content-type", "application/json".to_owned()), ("content-encoding", "gzip".to_owned())];
    send("POST", &format!("{}/api/groups", shop.base), &token, "x").refused(415, "body_encoded");
}
