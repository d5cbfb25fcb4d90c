//! Chat on web pages: sessions, messages, the stream of replies and its fallback, and the origins that may use it.

use crate::harness::{Shop, Visitor, send, until};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_visitor_gets_a_session_writes_and_streams_the_replies() {
    let shop = Shop::open();
    let (web, agent) = (shop.web(&[]), shop.agent(2));
    let visitor = web.visitor();
    assert!(visitor.id.starts_with("vis_"));
    visitor.say("有人吗 😀");
    let id = shop.wait_state("assigned");
    assert_eq!(shop.messages(&id)[0]["content"]["text"], "有人吗 😀");
    let mut stream = visitor.stream(None);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let message = agent.reply(&id, "您好");
    let event = stream.next();
    assert_eq!(event.data["content"], json!({ "kind": "text", "text": "您好" }));
    assert_eq!((&event.data["id"], &event.data["from"]), (&message["id"], &json!("agent")));
    assert!(event.data.get("agent").is_none(), "a customer is not told which agent");
    shop.wait_delivery(&id, &message, "sent");
}

#[test]
fn a_stream_that_broke_goes_on_without_loss_or_double() {
    let shop = Shop::open();
    let (web, agent) = (shop.web(&[]), shop.agent(2));
    let visitor = web.visitor();
    visitor.say("有人吗");
    let id = shop.wait_state("assigned");
    let mut stream = visitor.stream(None);
    let mut seen = Vec::new();
    for n in 0..3 {
        agent.reply(&id, &format!("第 {n} 条"));
        seen.push(stream.next());
    }
    drop(stream);
    for n in 3..6 {
        agent.reply(&id, &format!("第 {n} 条"));
    }
    let mut again = visitor.stream(Some(&seen[1].id));
    let rest: Vec<_> = (0..4).map(|_| again.next()).collect();
    assert_eq!(rest[0], seen[2], "what came after the place, and first what was seen last");
    assert!(again.next_within(Duration::from_millis(600)).is_none(), "nothing comes twice");
    let texts: Vec<&str> = rest.iter().map(|e| e.data["content"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["第 2 条", "第 3 条", "第 4 条", "第 5 条"]);
    // A new page without a cursor sees the whole newest conversation.
    assert_eq!(visitor.texts().len(), 6);
}

#[test]
fn a_long_poll_waits_for_the_first_reply_and_its_cursor_goes_on() {
    let shop = Shop::open();
    let (web, agent) = (shop.web(&[]), shop.agent(2));
    let visitor = web.visitor();
    visitor.say("有人吗");
    let id = shop.wait_state("assigned");
    let empty = visitor.poll("", 0).expect(200).json();
    assert_eq!(empty["items"], json!([]));
    let page = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| visitor.poll("", 20).expect(200).json());
        agent.reply(&id, "一");
        waiting.join().unwrap()
    });
    assert_eq!(page["items"][0]["content"]["text"], "一");
    let next = page["next"].as_str().unwrap();
    agent.reply(&id, "二");
    let rest = visitor.poll(next, 20).expect(200).json();
    let texts: Vec<&Value> = rest["items"].as_array().unwrap().iter().map(|m| &m["content"]["text"]).collect();
    assert_eq!(texts, ["二"]);
    let end = rest["next"].as_str().unwrap();
    let nothing = visitor.poll(end, 0).expect(200).json();
    assert_eq!((&nothing["items"], &nothing["next"]), (&json!([]), &json!(end)), "the cursor stays");
    visitor.poll("nonsense", 0).refused(400, "bad_cursor");
    visitor.poll("", 26).refused(400, "bad_parameter");
}

#[test]
fn replies_go_on_over_the_end_of_a_conversation() {
    let shop = Shop::open();
    let (web, agent) = (shop.web(&[]), shop.agent(2));
    let visitor = web.visitor();
    visitor.say("第一次");
    let first = shop.wait_state("assigned");
    agent.reply(&first, "答一");
    let mut stream = visitor.stream(None);
    assert_eq!(stream.next().data["content"]["text"], "答一");
    agent.close(&first);
    visitor.say("第二次");
    let second = shop.wait_state("assigned");
    assert_ne!(first, second);
    agent.reply(&second, "答二");
    assert_eq!(stream.next().data["content"]["text"], "答二");
}

#[test]
fn a_note_among_colleagues_never_reaches_the_customer() {
    let shop = Shop::open();
    let (web, first) = (shop.web(&[]), shop.agent(2));
    let visitor = web.visitor();
    visitor.say("有人吗");
    let id = shop.wait_state("assigned");
    let second = shop.agent(2);
    let mut stream = visitor.stream(None);
    let body = json!({ "to": { "agent": second.id }, "note": "这位客户很急" });
    first.act(&id, "transfer", &body).expect(200);
    second.reply(&id, "我来帮您");
    assert_eq!(stream.next().data["content"]["text"], "我来帮您", "the first thing to come is the reply");
    assert_eq!(visitor.texts(), ["我来帮您"]);
    let kinds: Vec<Value> = shop.messages(&id).iter().map(|m| m["content"]["kind"].clone()).collect();
    assert_eq!(kinds, ["text", "note", "text"]);
}

#[test]
fn a_visitor_never_sees_the_replies_of_another() {
    let shop = Shop::open();
    let (web, agent) = (shop.web(&[]), shop.agent(4));
    let visitors: Vec<Visitor> = (0..3).map(|_| web.visitor()).collect();
    for visitor in &visitors {
        visitor.say(&format!("我是 {}", visitor.id));
    }
    for visitor in &visitors {
        let (id, _) = shop.wait_text(&format!("我是 {}", visitor.id));
        agent.reply(&id, &format!("给 {}", visitor.id));
    }
    for visitor in &visitors {
        assert_eq!(visitor.texts(), [format!("给 {}", visitor.id)]);
    }
    // A cursor of another visitor's stream does not help either.
    let cursor = visitors[0].poll("", 0).expect(200).json()["next"].as_str().unwrap().to_owned();
    let page = visitors[1].poll(&cursor, 0);
    let items = page.json()["items"].as_array().cloned().unwrap_or_default();
    assert!(items.iter().all(|m| m["content"]["text"] == format!("给 {}", visitors[1].id).as_str()), "{items:?}");
}

#[test]
fn a_session_is_good_for_its_account_only() {
    let (one, two) = (Shop::open(), Shop::open());
    let (web, other) = (one.web(&[]), two.web(&[]));
    let stranger = Visitor { url: other.url, ..web.visitor() };
    stranger.post(json!({ "id": "1", "text": "你好" }).to_string()).refused(401, "signature_wrong");
    stranger.poll("", 0).refused(401, "signature_wrong");
    let nobody = Visitor { url: web.url.clone(), id: String::new(), token: "not-a-token".into() };
    nobody.post(json!({ "id": "1", "text": "你好" }).to_string()).refused(401, "signature_wrong");
    send("POST", &format!("{}/messages", web.url), &[], r#"{"id":"1","text":"x"}"#).refused(401, "signature_missing");
    assert!(one.conversations().is_empty() && two.conversations().is_empty());
}

#[test]
fn only_pages_of_listed_origins_may_use_it_and_browsers_are_told() {
    let shop = Shop::open();
    let web = shop.web(&["https://shop.example"]);
    let from = |method: &str, path: &str, origin: &str| {
        send(method, &format!("{}{path}", web.url), &[("origin", origin.to_owned())], "")
    };
    let allowed = from("POST", "/session", "https://shop.example").expect(201);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(allowed.header("vary"), Some("origin"));
    let preflight = from("OPTIONS", "/messages", "https://shop.example").expect(204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://shop.example"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("authorization"));
    for origin in ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"] {
        let denied = from("POST", "/session", origin).refused(403, "origin_denied");
        assert_eq!(denied.header("access-control-allow-origin"), None);
        assert_eq!(from("OPTIONS", "/messages", origin).header("access-control-allow-origin"), None);
    }
    let visitor = web.visitor();
    let headers = [
        ("origin", "https://evil.example".to_owned()),
        ("authorization", format!("Bearer {}", visitor.token)),
        ("content-type", "application/json".to_owned()),
    ];
    let body = json!({ "id": "1", "text": "x" }).to_string();
    send("POST", &format!("{}/messages", web.url), &headers, body).refused(403, "origin_denied");
    send("GET", &format!("{}/messages", web.url), &headers, "").refused(403, "origin_denied");
    assert!(shop.conversations().is_empty());
}

#[test]
fn a_message_that_was_sent_twice_is_there_once() {
    let shop = Shop::open();
    let web = shop.web(&[]);
    let visitor = web.visitor();
    let body = json!({ "id": "same", "text": "只有一次" }).to_string();
    visitor.post(&body).expect(200);
    visitor.post(&body).expect(200);
    visitor.say("后来");
    let (id, last) = shop.wait_text("后来");
    assert_eq!((&last["n"], shop.messages(&id).len()), (&json!(2), 2));
    // Another visitor may use the same id.
    web.visitor().post(&body).expect(200);
    until("the other's conversation", || (shop.conversations().len() == 2).then_some(()));
}
