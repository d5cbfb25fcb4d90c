//! The brand's own app: signed messages in, replies by stream and by poll.

use crate::harness::{App, Shop, Visitor, now, send, until};
use serde_json::json;
use warmline_channels::app::sign;

fn reader(app: &App, jwt: &str) -> Visitor {
    Visitor { url: app.url.clone(), id: String::new(), token: jwt.to_owned() }
}

#[test]
fn a_signed_message_is_accepted_stored_and_answered() {
    let shop = Shop::open();
    let (app, agent) = (shop.app(), shop.agent(2));
    let jwt = app.jwt("m1", Some("王小姐"), &[]);
    app.say(&jwt, "订单 A1 退款 😀");
    let id = shop.wait_state("assigned");
    let conversation = shop.conversation(&id);
    assert_eq!(conversation["customer"]["name"], "王**");
    assert_eq!(conversation["messages"][0]["content"]["text"], "订单 A1 退款 😀");
    let message = agent.reply(&id, "已为您退款");
    shop.wait_delivery(&id, &message, "sent");
    assert_eq!(reader(&app, &jwt).texts(), ["已为您退款"]);
}

#[test]
fn content_of_every_kind_is_taken() {
    let shop = Shop::open();
    let app = shop.app();
    let contents = [
        json!({ "kind": "text", "text": "你好" }),
        json!({ "kind": "image", "media": { "url": "https://cdn.example/1.jpg", "size": 123 } }),
        json!({ "kind": "voice", "media": { "id": "v1" }, "transcript": "我要退货" }),
        json!({ "kind": "video", "media": { "id": "f1" } }),
        json!({ "kind": "file", "media": { "id": "d1", "name": "发票.pdf" } }),
        json!({ "kind": "location", "latitude": 31.2, "longitude": 121.5, "label": "上海" }),
        json!({ "kind": "link", "title": "大米", "url": "https://shop.example/1" }),
        json!({ "kind": "order_card", "order_id": "A1", "title": "大米 5kg", "status": "已发货" }),
        json!({ "kind": "event", "event": "opened_page", "key": "order" }),
    ];
    let jwt = app.jwt("m1", None, &[]);
    for (i, content) in contents.iter().enumerate() {
        app.post(&jwt, json!({ "id": format!("c{i}"), "content": content }).to_string()).expect(200);
    }
    let newer = json!({ "kind": "poll", "question": "满意吗" });
    app.post(&jwt, json!({ "id": "newer", "content": newer }).to_string()).expect(200);
    let id = shop.wait_conversations(1)[0]["id"].as_str().unwrap().to_owned();
    let messages = until("all kinds", || Some(shop.messages(&id)).filter(|all| all.len() == contents.len() + 1));
    for (message, content) in messages.iter().zip(&contents) {
        assert_eq!(&message["content"], content);
    }
    let unknown = &messages[contents.len()]["content"];
    assert_eq!(*unknown, json!({ "kind": "unknown", "raw_kind": "poll", "raw": newer }));
}

#[test]
fn whoever_cannot_prove_who_they_are_is_refused() {
    let shop = Shop::open();
    let app = shop.app();
    let body = json!({ "id": "c1", "text": "你好" }).to_string();
    let good = app.jwt("m1", None, &[]);
    let post = |headers: Vec<(&'static str, String)>| send("POST", &app.url, &headers, body.clone());
    let without = |name: &str| app.headers(&good, body.as_bytes()).into_iter().filter(|(n, _)| *n != name).collect();

    let forged = sign::jwt("another-secret-of-another-shop", "m1", None, &[], now() + 60);
    post(app.headers(&forged, body.as_bytes())).refused(401, "signature_wrong");
    let expired = sign::jwt(&app.jwt_secret, "m1", None, &[], now() - 600);
    post(app.headers(&expired, body.as_bytes())).refused(401, "token_expired");
    post(app.headers(&good, b"another body")).refused(401, "signature_wrong");
    for name in ["authorization", "x-warmline-timestamp", "x-warmline-signature"] {
        post(without(name)).refused(401, "signature_missing");
    }
    for skew in [-3600, 3600] {
        post(app.headers_at(&good, body.as_bytes(), now() + skew)).refused(401, "stale");
    }
    // Reading needs only the token, but a good one.
    reader(&app, &forged).poll("", 0).refused(401, "signature_wrong");
    send("GET", &format!("{}/messages", app.url), &[], "").refused(401, "signature_missing");
    assert!(shop.conversations().is_empty(), "nothing is stored");
    // The app has no anonymous sessions.
    send("POST", &format!("{}/session", app.url), &[], "").refused(404, "not_found");
}

#[test]
fn a_member_reads_by_poll_and_by_stream_and_never_anothers_replies() {
    let shop = Shop::open();
    let (app, agent) = (shop.app(), shop.agent(4));
    let (alice, bob) = (app.jwt("alice", None, &[]), app.jwt("bob", None, &[]));
    app.say(&alice, "我是 Alice");
    app.say(&bob, "我是 Bob");
    let (of_alice, _) = shop.wait_text("我是 Alice");
    let (of_bob, _) = shop.wait_text("我是 Bob");
    let mut stream = reader(&app, &alice).stream(None);
    assert_eq!(stream.status, 200);
    agent.reply(&of_bob, "给 Bob");
    agent.reply(&of_alice, "给 Alice");
    assert_eq!(stream.next().data["content"]["text"], "给 Alice");
    assert_eq!(reader(&app, &alice).texts(), ["给 Alice"]);
    assert_eq!(reader(&app, &bob).texts(), ["给 Bob"]);
}

#[test]
fn the_token_may_stand_in_the_address_of_a_stream_but_not_of_a_message() {
    let shop = Shop::open();
    let (app, agent) = (shop.app(), shop.agent(1));
    let jwt = app.jwt("m1", None, &[]);
    app.say(&jwt, "你好");
    let id = shop.wait_state("assigned");
    agent.reply(&id, "您好");
    let page = until("the reply", || {
        let page = send("GET", &format!("{}/messages?access_token={jwt}", app.url), &[], "").expect(200).json();
        page["items"].as_array().is_some_and(|items| !items.is_empty()).then_some(page)
    });
    assert_eq!(page["items"][0]["content"]["text"], "您好");
    let body = json!({ "id": "c2", "text": "你好" }).to_string();
    let mut headers = app.headers(&jwt, body.as_bytes());
    headers.retain(|(name, _)| *name != "authorization");
    send("POST", &format!("{}?access_token={jwt}", app.url), &headers, body).refused(401, "signature_missing");
}
