//! WebSockets of the web chat and the app: through the runner's own gateway, and through Pushpin if it is installed.

use crate::harness::{Options, Said, Server, Shop, Socket, Visitor, embedded_only, fresh, now, send};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::Message;
use warmline_channels::app::sign;

const GATEWAY: &str = "the gateway is the embedded runner's own; under Spin it is Pushpin, which has a test of its own";

fn open(visitor: &Visitor) -> Socket {
    Socket::open(&format!("{}/ws?access_token={}", visitor.url, visitor.token), &[]).unwrap()
}

fn message(text: &str) -> Value {
    json!({ "type": "message", "id": fresh("w"), "text": text })
}

#[test]
fn a_visitor_writes_and_hears_over_one_socket() {
    embedded_only!(GATEWAY);
    let shop = Shop::open();
    let (web, agent) = (shop.web(&[]), shop.agent(2));
    let visitor = web.visitor();
    let mut socket = open(&visitor);
    assert_eq!(socket.sync(None), (vec![], Value::Null));
    let sent = message("有人吗 😀");
    socket.say(&sent);
    assert_eq!(socket.next(), json!({ "type": "received", "id": sent["id"] }));
    let id = shop.wait_state("assigned");
    assert_eq!(shop.messages(&id)[0]["content"]["text"], "有人吗 😀");
    let reply = agent.reply(&id, "您好");
    let heard = socket.next();
    assert_eq!((&heard["type"], &heard["message"]["id"]), (&json!("reply"), &reply["id"]));
    assert_eq!(heard["message"]["content"], json!({ "kind": "text", "text": "您好" }));
    assert!(heard["message"].get("agent").is_none(), "a customer is not told which agent");
    shop.wait_delivery(&id, &reply, "sent");
    // The same message again, as after a broken connection, is stored once.
    socket.say(&sent);
    assert_eq!(socket.next()["type"], "received");
    socket.say(&message("后来"));
    assert_eq!(socket.next()["type"], "received");
    shop.wait_text("后来");
    assert_eq!(shop.messages(&id).len(), 3);
}

#[test]
fn nothing_is_lost_between_two_connections() {
    embedded_only!(GATEWAY);
    let shop = Shop::open();
    let (web, agent) = (shop.web(&[]), shop.agent(2));
    let visitor = web.visitor();
    visitor.say("有人吗");
    let id = shop.wait_state("assigned");
    let mut socket = open(&visitor);
    agent.reply(&id, "一");
    let cursor = socket.next()["message"]["cursor"].clone();
    drop(socket);
    for text in ["二", "三"] {
        let reply = agent.reply(&id, text);
        shop.wait_delivery(&id, &reply, "sent");
    }
    let mut socket = open(&visitor);
    let (texts, cursor) = socket.sync(cursor.as_str());
    assert_eq!(texts, ["二", "三"]);
    assert_eq!(socket.sync(cursor.as_str()), (vec![], cursor));
    assert_eq!(socket.sync(None).0, ["一", "二", "三"]);
    socket.say(&json!({ "type": "sync", "after": "nonsense" }));
    assert_eq!(socket.next()["problem"]["code"], "bad_cursor");
}

#[test]
fn every_socket_of_a_visitor_hears_and_no_other() {
    embedded_only!(GATEWAY);
    let shop = Shop::open();
    let (web, agent) = (shop.web(&[]), shop.agent(2));
    let (visitor, stranger) = (web.visitor(), web.visitor());
    let (mut one, mut two, mut other) = (open(&visitor), open(&visitor), open(&stranger));
    visitor.say("有人吗");
    let id = shop.wait_state("assigned");
    agent.reply(&id, "只给您");
    for socket in [&mut one, &mut two] {
        assert_eq!(socket.next()["message"]["content"]["text"], "只给您");
    }
    assert_eq!(other.next_within(Duration::from_millis(500)), None);
    // A forged session or cursor does not help either: a client cannot set the gateway's headers.
    let headers = [("meta-session", "00".to_owned()), ("connection-id", "1".to_owned())];
    let url = format!("{}/ws?access_token={}", stranger.url, stranger.token);
    let mut forged = Socket::open(&url, &headers).unwrap();
    assert_eq!(forged.sync(None).0, Vec::<String>::new());
}

#[test]
fn pings_are_echoed_and_other_frames_end_it_in_order() {
    embedded_only!(GATEWAY);
    let shop = Shop::open();
    let web = shop.web(&[]);
    let visitor = web.visitor();
    let mut socket = open(&visitor);
    socket.send(Message::Ping(Bytes::from_static(b"e1V3")));
    assert_eq!(socket.next_within(Duration::from_secs(10)), Some(Said::Pong(Bytes::from_static(b"e1V3"))));
    socket.send(Message::binary(vec![0, 1]));
    assert_eq!(socket.next_within(Duration::from_secs(10)), Some(Said::Closed(Some(1003))));
    let mut socket = open(&visitor);
    socket.send(Message::Close(None));
    assert!(matches!(socket.next_within(Duration::from_secs(10)), Some(Said::Closed(_))));
    let mut socket = open(&visitor);
    socket.send(Message::text("好".repeat(100_000)));
    assert_eq!(socket.next_within(Duration::from_secs(10)), Some(Said::Closed(Some(1009))));
}

#[test]
fn what_is_no_message_is_refused_with_a_reason_and_the_socket_stays() {
    embedded_only!(GATEWAY);
    let shop = Shop::open();
    let web = shop.web(&[]);
    let mut socket = open(&web.visitor());
    for (frame, code) in [
        (json!("hi"), "bad_frame"),
        (json!({ "type": "other" }), "bad_frame"),
        (json!({ "type": "message", "id": "1" }), "malformed"),
        (json!({ "type": "message", "id": "1", "text": "a\u{0}" }), "malformed"),
        (json!({ "type": "message", "id": "1", "text": "好".repeat(4_001) }), "text_too_long"),
    ] {
        socket.say(&frame);
        let answer = socket.next();
        assert_eq!((&answer["type"], answer["problem"]["code"].as_str()), (&json!("refused"), Some(code)), "{answer}");
    }
    socket.send(Message::text("\u{feff}{"));
    assert_eq!(socket.next()["problem"]["code"], "bad_frame");
    socket.say(&message("还在"));
    assert_eq!(socket.next()["type"], "received");
}

#[test]
fn the_handshake_needs_a_token_an_origin_and_the_gateway() {
    embedded_only!(GATEWAY);
    let shop = Shop::open();
    let web = shop.web(&["https://shop.example"]);
    let visitor = web.visitor();
    let with = |token: &str, headers: &[(&'static str, String)]| {
        Socket::open(&format!("{}/ws?access_token={token}", web.url), headers).err()
    };
    let from = |origin: &str| vec![("origin", origin.to_owned())];
    assert_eq!(with("nonsense", &from("https://shop.example")), Some(401));
    assert_eq!(with(&visitor.token, &from("https://evil.example")), Some(403));
    assert_eq!(with(&visitor.token, &from("https://shop.example")), None);
    assert_eq!(Socket::open(&format!("{}/ws", web.url), &[]).err(), Some(401));
    assert_eq!(Socket::open(&format!("{}-other/ws", web.url), &[]).err(), Some(404));
    let url = format!("{}/ws?access_token={}", web.url, visitor.token);
    send("GET", &url, &[], "").refused(426, "websocket_only");
    // A request that reaches the component without the gateway is refused.
    let forged = |sig: Option<&str>| {
        let mut headers = vec![("content-type", "application/websocket-events".to_owned())];
        headers.extend(sig.map(|sig| ("grip-sig", sig.to_owned())));
        send("POST", &url, &headers, "OPEN\r\n")
    };
    forged(None).refused(401, "signature_missing");
    forged(Some("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUzNzMzMjR9.AAAA")).refused(401, "signature_wrong");
}

#[test]
fn the_apps_messages_are_signed_over_a_socket_too() {
    embedded_only!(GATEWAY);
    let shop = Shop::open();
    let (app, agent) = (shop.app(), shop.agent(2));
    let jwt = app.jwt("member-1", Some("王小姐"), &[]);
    let headers = [("authorization", format!("Bearer {jwt}"))];
    let mut socket = Socket::open(&format!("{}/ws", app.url), &headers).unwrap();
    let body = json!({ "id": fresh("c"), "text": "查一下订单" }).to_string();
    let frame = |signature: String, at: i64| json!({ "type": "message", "timestamp": at.to_string(), "signature": signature, "body": body });
    socket.say(&frame("00".repeat(32), now()));
    assert_eq!(socket.next()["problem"]["code"], "signature_wrong");
    let old = now() - 3_600;
    socket.say(&frame(sign::body(&app.body_secret, old, body.as_bytes()), old));
    assert_eq!(socket.next()["problem"]["code"], "stale");
    socket.say(&frame(sign::body(&app.body_secret, now(), body.as_bytes()), now()));
    assert_eq!(socket.next()["type"], "received");
    let id = shop.wait_state("assigned");
    assert_eq!(shop.messages(&id).len(), 1);
    agent.reply(&id, "已发货");
    assert_eq!(socket.next()["message"]["content"]["text"], "已发货");
}

#[test]
fn a_restart_tells_the_clients_to_come_back() {
    embedded_only!(GATEWAY);
    let server = Server::start("sockets");
    let shop = Shop::on(&server, &json!({}));
    let (web, agent) = (shop.web(&[]), shop.agent(2));
    let visitor = web.visitor();
    let mut socket = open(&visitor);
    visitor.say("有人吗");
    let id = shop.wait_state("assigned");
    agent.reply(&id, "在的");
    let cursor = socket.next()["message"]["cursor"].clone();
    let server = server.restart(&Options::default());
    assert_eq!(socket.next_within(Duration::from_secs(10)), Some(Said::Closed(Some(1012))));
    let again = Visitor { url: visitor.url.replace(&shop.base, server.base()), ..visitor };
    let mut socket = open(&again);
    assert_eq!(socket.sync(None), (vec!["在的".to_owned()], cursor));
}
