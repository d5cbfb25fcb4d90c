//! One person across channels, through the real components.

use crate::harness::{App, Server, Shop, Visitor, at_once, now, send, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use warmline_channels::app::sign::token;
use warmline_channels::phone::sign;

const SIGNING: &str = "phone-signing-secret-of-the-shop";

/// A member of the app who proved a number to it.
fn member(app: &App, sub: &str, number: &str) -> String {
    let claims = json!({ "sub": sub, "exp": now() + 3600, "phone_number": number, "phone_number_verified": true });
    token(&app.jwt_secret, &claims)
}

/// Somebody calls, and says something.
#[track_caller]
fn calls(shop: &Shop, call: &str, number: &str, text: &str) {
    let mut segment = sign::segment(call, 1, "customer", text, true);
    segment["caller"] = number.into();
    let (body, at) = (segment.to_string(), now());
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("x-warmline-timestamp", at.to_string()),
        ("x-warmline-signature", sign::contract(SIGNING, at, body.as_bytes())),
    ];
    send("POST", &format!("{}/channels/phone/{}", shop.base, shop.name), &headers, body).expect(200);
}

/// A shop with the app and a telephone.
fn shop(server: Option<&Server>) -> (Shop, App) {
    let shop = server.map_or_else(Shop::open, |server| Shop::on(server, &json!({})));
    let app = shop.app();
    shop.connect("phone", json!({ "provider": "contract" }), &json!({ "signing_secret": SIGNING }));
    (shop, app)
}

fn customer(shop: &Shop, id: &Value) -> Value {
    shop.admin.get(&format!("/api/customers/{}", id.as_str().unwrap())).expect(200).json()
}

#[test]
fn who_writes_in_the_app_and_then_calls_is_one_person() {
    let (shop, app) = shop(None);
    let agent = shop.agent(9);
    shop.calls_are_chats();
    app.say(&member(&app, "member-4711", "138 0001 4711"), "米里有虫子，怎么办？");
    let (written, _) = shop.wait_text("米里有虫子，怎么办？");
    agent.reply(&written, "马上给您补发");
    calls(&shop, "call-of-4711", "+8613800014711", "喂，我刚才在应用里写过");
    let (called, _) = shop.wait_text("喂，我刚才在应用里写过");
    let [one, other] = [&written, &called].map(|id| shop.conversation(id)["customer"]["id"].clone());
    assert_eq!(one, other);

    let person = customer(&shop, &one);
    let known: Vec<_> = person["identities"].as_array().unwrap().iter().map(|i| i["channel"].as_str().unwrap()).collect();
    assert_eq!(known, ["app", "phone"]);
    let told: BTreeSet<_> = person["identifiers"].as_array().unwrap().iter().map(|i| i["value"].as_str().unwrap()).collect();
    assert_eq!(told, BTreeSet::from(["+86138****4711", "me****11"]));
    assert_eq!((&person["merges"][0]["kind"], person["merges"].as_array().unwrap().len()), (&json!("phone"), 1));

    // What whoever answers must know, each line with the message that says it.
    let path = format!("/api/customers/{}/summary", one.as_str().unwrap());
    let told = agent.api.get(&path).expect(200).json();
    let line = |list: &str, n: usize| (told[list][n]["text"].clone(), told[list][n]["message"].clone());
    let said = |talk: &str, n: usize| {
        let message = shop.messages(talk).swap_remove(n);
        (message["content"]["text"].clone(), message["id"].clone())
    };
    assert_eq!(line("promised", 0), said(&written, 1));
    assert_eq!(line("asked", 0), said(&written, 0));
    assert_eq!(line("open", 0), said(&written, 1));
    assert_eq!((&told["angry_now"], &told["channels"]), (&json!(false), &json!(["app", "phone"])));
    shop.agent(9).api.get(&path).refused(404, "not_found");

    // Who answers the call has the whole story at hand, also page by page; who serves somebody else has not.
    let path = format!("/api/customers/{}/timeline", one.as_str().unwrap());
    let all = agent.api.get(&path).expect(200).json();
    let said: Vec<_> = all["items"].as_array().unwrap().iter().map(|m| m["content"]["text"].as_str().unwrap()).collect();
    assert_eq!(said, ["喂，我刚才在应用里写过", "马上给您补发", "米里有虫子，怎么办？"]);
    let first = agent.api.get(&format!("{path}?limit=2")).expect(200).json();
    let rest = agent.api.get(&format!("{path}?limit=2&after={}", first["next"].as_str().unwrap())).expect(200).json();
    assert_eq!((&rest["items"][0]["content"]["text"], rest.get("next")), (&json!("米里有虫子，怎么办？"), None));
    shop.agent(9).api.get(&path).refused(404, "not_found");
    for wrong in ["days=0", "days=x", "after=x", "limit=0"] {
        agent.api.get(&format!("{path}?{wrong}")).expect(400);
    }
}

#[test]
fn a_merge_sends_no_reply_elsewhere_and_can_be_undone_once() {
    let shop = Shop::open();
    let web = shop.web(&[]);
    let agent = shop.agent(9);
    let visitors: [Visitor; 2] = [web.visitor(), web.visitor()];
    visitors[0].say("我是甲");
    visitors[1].say("我是乙");
    let talks = ["我是甲", "我是乙"].map(|text| shop.wait_text(text).0);
    let [one, other] = talks.each_ref().map(|id| shop.conversation(id)["customer"]["id"].clone());
    assert_ne!(one, other);
    let path = |verb: &str| format!("/api/customers/{}/{verb}", one.as_str().unwrap());
    let merged = agent.api.post(&path("merge"), &json!({ "customer": other })).expect(200).json();
    assert_eq!(merged["identities"].as_array().unwrap().len(), 2);
    agent.api.post(&path("merge"), &json!({ "customer": other })).refused(409, "same_person");
    agent.reply(&talks[0], "给甲的");
    agent.reply(&talks[1], "给乙的");
    let heard = |n: usize| until("the reply", || Some(visitors[n].texts()).filter(|texts| !texts.is_empty()));
    assert_eq!([heard(0), heard(1)], [vec!["给甲的".to_owned()], vec!["给乙的".to_owned()]]);

    let undo = json!({ "merge": merged["merges"][0]["id"] });
    let parted = agent.api.post(&path("unmerge"), &undo).expect(200).json();
    assert_eq!(parted["identities"].as_array().unwrap().len(), 1);
    agent.api.post(&path("unmerge"), &undo).refused(409, "already_undone");
    assert_eq!(talks.each_ref().map(|id| shop.conversation(id)["customer"]["id"].clone()), [one.clone(), other.clone()]);
    // What names nobody is told so.
    let nobody = format!("cus_{}", "0".repeat(32));
    agent.api.post(&path("merge"), &json!({ "customer": nobody })).refused(404, "not_found");
    agent.api.post(&path("unmerge"), &json!({ "merge": format!("mrg_{}", "0".repeat(32)) })).refused(404, "not_found");
    for (body, code) in [
        (json!({ "kind": "phone", "value": "12" }), "bad_identifier"),
        (json!({ "kind": "email", "value": "x".repeat(10_000) }), "bad_identifier"),
        (json!({ "kind": "nick", "value": "小米" }), "kind_of_a_platform"),
    ] {
        agent.api.post(&path("identifiers"), &body).refused(422, code);
    }
    // What staff was told links where it was proved only.
    let number = |verified: bool| json!({ "kind": "phone", "value": "13800024712", "verified": verified });
    agent.api.post(&path("identifiers"), &number(false)).expect(200);
    let of_other = format!("/api/customers/{}/identifiers", other.as_str().unwrap());
    let shown = agent.api.post(&of_other, &number(true)).expect(200).json();
    assert_eq!(shown["suggestions"], json!([{ "customer": one, "kinds": ["phone"] }]));
    agent.api.post(&path("identifiers"), &number(true)).expect(200);
    assert_eq!(customer(&shop, &other)["identities"].as_array().unwrap().len(), 2);
}

#[test]
fn first_messages_on_two_channels_at_once_are_one_person_each() {
    const CLIENTS: usize = 64;
    let server = Server::start("people");
    let (shop, app) = shop(Some(&server));
    at_once(CLIENTS, |i| {
        let (who, number) = (i / 2, format!("1380003{:04}", i / 2));
        if i % 2 == 0 {
            app.say(&member(&app, &format!("m{who}"), &number), "你好");
        } else {
            calls(&shop, &format!("call-{who}"), &number, "喂");
        }
    });
    let all = shop.wait_conversations(CLIENTS);
    assert_eq!(all.len(), CLIENTS);
    let persons: BTreeSet<_> = all.iter().map(|c| c["customer"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(persons.len(), CLIENTS / 2);
    for person in persons {
        let shown = customer(&shop, &person.into());
        let known: BTreeSet<_> =
            shown["identities"].as_array().unwrap().iter().map(|i| i["channel"].clone().to_string()).collect();
        assert_eq!(known.len(), 2, "{shown}");
        assert_eq!(shown["merges"].as_array().unwrap().len(), 1, "{shown}");
    }
}
