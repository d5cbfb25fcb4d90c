//! Clients of the brand's own: sessions, long polling, streams.

use crate::world::{Environment, Out, request};
use http::Method;
use serde_json::{Value, json};
use warmline_channels::webchat::WebchatAdapter;

const PLACE: &str = "/channels/webchat/shop";

/// A shop with web chat, and an agent at work.
pub fn shop() -> Environment {
    let w = Environment::new();
    w.connect("webchat", "shop", json!({ "origins": ["https://shop.example"] }), &[]);
    w.agent("{}");
    w
}

pub fn ask(w: &Environment, method: Method, path: &str, headers: &[(&'static str, &str)], body: &str) -> Out {
    let headers = [&[("origin", "https://shop.example")], headers].concat();
    w.serve_client(&WebchatAdapter, request(method, &format!("{PLACE}{path}"), &headers, body.as_bytes()))
}

pub struct Visitor {
    pub bearer: String,
}

impl Visitor {
    pub fn new(w: &Environment) -> Self {
        let answer = ask(w, Method::POST, "/session", &[], "");
        assert_eq!(answer.borrow().status, 201, "{}", answer.borrow().text());
        Self { bearer: format!("Bearer {}", answer.borrow().json()["token"].as_str().unwrap()) }
    }

    pub fn ask(&self, w: &Environment, method: Method, path: &str, body: &str) -> Out {
        ask(w, method, path, &[("authorization", &self.bearer)], body)
    }

    fn says(&self, w: &Environment, id: &str, text: &str) {
        let answer = self.ask(w, Method::POST, "/messages", &json!({ "id": id, "text": text }).to_string());
        assert!(answer.borrow().status < 300, "{}", answer.borrow().text());
    }

    fn polls(&self, w: &Environment, query: &str) -> (Vec<String>, Value, i64) {
        let answer = self.ask(w, Method::GET, &format!("/messages?{query}"), "");
        let (page, at) = (answer.borrow().json(), answer.borrow().at);
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
        let said = items.iter().map(|item| item["content"]["text"].as_str().unwrap().to_owned()).collect();
        (said, page["next"].clone(), at)
    }
}

#[test]
fn a_poll_ends_with_the_first_reply_and_the_next_one_goes_on_after_it() {
    let w = shop();
    let (visitor, other) = (Visitor::new(&w), Visitor::new(&w));
    visitor.says(&w, "m1", "在吗");
    w.after(3_000, |w| w.reply_to_only("在的"));
    let (said, next, at) = visitor.polls(&w, "wait=20");
    assert_eq!(said, ["在的"]);
    assert!((3_000..3_300).contains(&at), "{at}");
    // Nothing comes, so the next poll waits for its whole time.
    let after = format!("wait=5&after={}", next.as_str().unwrap());
    let (said, same, end) = visitor.polls(&w, &after);
    assert_eq!((said, &same), (Vec::new(), &next));
    assert!((at + 5_000..at + 5_300).contains(&end), "{end}");
    w.after(1_000, |w| w.reply_to_only("还在吗"));
    assert_eq!(visitor.polls(&w, &after).0, ["还在吗"]);
    // No other visitor gets any of it.
    other.says(&w, "m1", "我也在");
    assert_eq!(other.polls(&w, "wait=0").0, Vec::<String>::new());
}

#[test]
fn a_poll_without_a_wait_answers_at_once_and_longer_ones_than_are_taken_are_refused() {
    let w = shop();
    let visitor = Visitor::new(&w);
    assert_eq!(visitor.polls(&w, ""), (Vec::new(), Value::Null, 0));
    let answer = visitor.ask(&w, Method::GET, "/messages?wait=26", "");
    assert_eq!((answer.borrow().status, answer.borrow().code().as_str()), (400, "bad_parameter"));
}

#[test]
fn a_stream_says_that_it_is_there_brings_each_reply_once_and_ends_in_time() {
    let w = shop();
    let (visitor, other) = (Visitor::new(&w), Visitor::new(&w));
    visitor.says(&w, "m1", "在吗");
    other.says(&w, "m1", "我也在");
    // Ids are in the order of time.
    let mine = w.conversations().into_iter().min_by_key(|c| c.id).unwrap();
    for (ms, text) in [(2_000, "一"), (3_000, "二")] {
        let mine = mine.clone();
        w.after(ms, move |w| w.reply(&mine, text));
    }
    let answer = visitor.ask(&w, Method::GET, "/events", "");
    let answer = answer.borrow();
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "text/event-stream"));
    assert_eq!(answer.headers["access-control-allow-origin"], "https://shop.example");
    let pieces: Vec<&str> = answer.pieces.iter().map(|(_, piece)| piece.as_str()).collect();
    assert_eq!(pieces.len(), 5, "{pieces:?}");
    assert_eq!(pieces[0], ": connected\n\n");
    // After ten silent seconds it shows that it is alive; after 25 it ends.
    let expected = [(2_000, "一"), (3_000, "二"), (13_000, ": alive\n\n"), (23_000, ": alive\n\n")];
    for (piece, (ms, text)) in answer.pieces[1..].iter().zip(expected) {
        assert!(piece.1.contains(text) && (ms..ms + 1_000).contains(&piece.0), "{piece:?}");
        assert_eq!(piece.1.starts_with("id: "), !text.starts_with(':'), "{piece:?}");
    }
    assert!((25_000..25_300).contains(&w.now()), "{}", w.now());
    // A client that comes back names the last event that it has.
    let id = pieces[1].lines().next().unwrap().strip_prefix("id: ").unwrap();
    let headers = [("authorization", visitor.bearer.as_str()), ("last-event-id", id)];
    let again = ask(&w, Method::GET, "/events", &headers, "");
    let again: Vec<_> = again.borrow().pieces.iter().map(|(_, piece)| piece.clone()).collect();
    assert!(again[1].contains("二") && !again.iter().any(|piece| piece.contains("一")), "{again:?}");
    // The other visitor's stream has none of it.
    let others = other.ask(&w, Method::GET, "/events", "");
    assert!(others.borrow().pieces.iter().all(|(_, piece)| piece.starts_with(": ")), "{:?}", others.borrow().pieces);
}

#[test]
fn a_page_of_another_origin_gets_no_session_and_may_not_read_the_refusal() {
    let w = shop();
    let path = format!("{PLACE}/session");
    let incoming = request(Method::POST, &path, &[("origin", "https://evil.example")], b"");
    let answer = w.serve_client(&WebchatAdapter, incoming);
    assert_eq!((answer.borrow().status, answer.borrow().code().as_str()), (403, "origin_denied"));
    assert!(!answer.borrow().headers.contains_key("access-control-allow-origin"));
}
