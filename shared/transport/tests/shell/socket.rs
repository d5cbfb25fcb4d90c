//! Frames of WebSockets, as the gateway brings them.

use crate::client::{Visitor, ask, shop};
use crate::world::{Environment, Platform, post};
use http::Method;
use serde_json::{Value, json};
use warmline_channels::grip::{Event, Key, events};
use warmline_channels::webchat::WebchatAdapter;
use warmline_store::refusals;

const KEY: &str = "a key of the gateway";

fn with_gateway() -> Environment {
    let w = shop();
    w.0.variables.borrow_mut().insert("grip_key", KEY.to_owned());
    w.0.variables.borrow_mut().insert("grip_control_url", "http://gateway.test/".to_owned());
    w
}

/// One connection of a visitor.
struct Socket {
    bearer: String,
    session: String,
}

impl Socket {
    fn open(w: &Environment, visitor: &Visitor) -> Self {
        let mut socket = Self { bearer: visitor.bearer.clone(), session: String::new() };
        let (events, session) = socket.send(w, &[Event::Open]);
        let [Event::Open, Event::Text(control)] = events.as_slice() else { panic!("{events:?}") };
        assert!(control.starts_with(b"c:") && String::from_utf8_lossy(control).contains("subscribe"));
        socket.session = session.unwrap();
        // From here on the gateway brings the session, and not the client's token.
        socket.bearer = "Bearer none".to_owned();
        socket
    }

    fn send(&self, w: &Environment, sent: &[Event]) -> (Vec<Event>, Option<String>) {
        let signature = Key::parse(KEY).unwrap().sign("gateway", w.ctx().now());
        let headers = [
            ("content-type", "application/websocket-events"),
            ("grip-sig", &signature),
            ("connection-id", "c-1"),
            ("authorization", &self.bearer),
            ("meta-session", &self.session),
        ];
        let body = String::from_utf8(events::write(sent)).unwrap();
        let answer = ask(w, Method::POST, "/ws", &headers, &body);
        let answer = answer.borrow();
        assert_eq!(answer.status, 200, "{}", answer.text());
        (events::read(&answer.body).unwrap(), answer.headers.get("set-meta-session").cloned())
    }

    /// The answers to a frame.
    fn says(&self, w: &Environment, frame: &Value) -> Vec<Value> {
        let (events, _) = self.send(w, &[Event::Text(frame.to_string().into_bytes())]);
        let texts = events.iter().map(|event| match event {
            Event::Text(text) => serde_json::from_slice(text.strip_prefix(b"m:").unwrap()).unwrap(),
            other => panic!("{other:?}"),
        });
        texts.collect()
    }
}

#[test]
fn a_visitor_writes_and_syncs_over_a_socket_and_hears_nothing_of_others() {
    let w = with_gateway();
    let (socket, other) = (Socket::open(&w, &Visitor::new(&w)), Socket::open(&w, &Visitor::new(&w)));
    let received = socket.says(&w, &json!({ "type": "message", "id": "m1", "text": "在吗" }));
    assert_eq!(received, [json!({ "type": "received", "id": "m1" })]);
    w.reply_to_only("在的");
    let synced = socket.says(&w, &json!({ "type": "sync" }));
    assert_eq!((&synced[0]["type"], &synced[0]["message"]["content"]["text"]), (&json!("reply"), &json!("在的")));
    assert_eq!((&synced[1]["type"], &synced[1]["more"]), (&json!("synced"), &json!(false)));
    let after = &synced[1]["cursor"];
    assert_eq!(socket.says(&w, &json!({ "type": "sync", "after": after })), [synced[1].clone()]);
    assert_eq!(other.says(&w, &json!({ "type": "sync" }))[0]["type"], "synced");
}

#[test]
fn a_reply_is_published_to_the_gateway_when_it_leaves_the_outbox() {
    let w = with_gateway();
    let socket = Socket::open(&w, &Visitor::new(&w));
    socket.says(&w, &json!({ "type": "message", "id": "m1", "text": "在吗" }));
    w.reply_to_only("在的");
    w.platform(|_| Platform::Says(200, String::new()));
    w.serve_client(&WebchatAdapter, post("/deliver", ""));
    assert_eq!((w.asked("http://gateway.test/publish/"), w.events("delivery.sent")), (1, 1));
    assert!(w.0.asked.borrow()[0].2.contains("在的"));
}

#[test]
fn a_frame_that_is_no_message_is_refused_and_the_socket_stays() {
    let w = with_gateway();
    let socket = Socket::open(&w, &Visitor::new(&w));
    let refused = socket.says(&w, &json!({ "type": "sing" }));
    assert_eq!((&refused[0]["type"], &refused[0]["problem"]["code"]), (&json!("refused"), &json!("bad_frame")));
    let (ended, _) =
        socket.send(&w, &[Event::Ping(b"p".to_vec()), Event::Binary(b"b".to_vec()), Event::Ping(b"q".to_vec())]);
    assert_eq!(ended[0], Event::Pong(b"p".to_vec()));
    assert!(matches!(&ended[1..], [Event::Close(Some((1003, _)))]), "{ended:?}");
}

#[test]
fn who_is_not_the_gateway_is_refused_and_counted() {
    let w = with_gateway();
    let visitor = Visitor::new(&w);
    let forged = Key::parse("another key, of nobody").unwrap().sign("gateway", w.ctx().now());
    let kind = ("content-type", "application/websocket-events");
    for (headers, code) in [(vec![kind], "signature_missing"), (vec![kind, ("grip-sig", &forged)], "signature_wrong")] {
        let headers = [headers, vec![("authorization", visitor.bearer.as_str())]].concat();
        let answer = ask(&w, Method::POST, "/ws", &headers, "OPEN\r\n");
        assert_eq!((answer.borrow().status, answer.borrow().code().as_str()), (401, code));
    }
    assert_eq!(refusals::totals(&w.0.db).unwrap().len(), 2);
}
