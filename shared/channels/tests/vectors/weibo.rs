//! Weibo: the official samples of a message and of an event, through the whole adapter.

use crate::{Vector, Verdict};
use serde_json::{Value, json};
use warmline_channels::weibo::{WeiboAdapter, sign};
use warmline_channels::{Adapter, Request};
use warmline_model::{Content, Timestamp};

const SECRET: &str = "0123456789abcdef";

pub(crate) fn check(vector: &Vector) -> Verdict {
    let secrets = [("app_secret".to_owned(), SECRET.to_owned())].into();
    let account = WeiboAdapter.account(&json!({ "uid": "1902538057" }).into(), &secrets).ok().unwrap();
    let body = vector.input("body");
    let query = sign::query(SECRET, "1342433360", "n");
    let (method, headers) = (http::Method::POST, http::HeaderMap::new());
    let request = Request { method: &method, rest: "", query: &query, headers: &headers, body: body.as_bytes() };
    let now = Timestamp::from_secs(1_342_433_360);
    let verified = WeiboAdapter.verify(&account, &request, now).unwrap();
    let messages = WeiboAdapter.parse(&account, &verified).unwrap().messages;
    let [message] = messages.as_slice() else { panic!("{}: one message", vector.id()) };
    let sent: Value = serde_json::from_str(body).unwrap();
    assert_eq!(message.sender.open_id, sent["sender_id"].to_string());
    assert_eq!(message.at, now, "Mon Jul 16 18:09:20 +0800 2012");
    let expected = match vector.id() {
        "text" => Content::text("the content of a general message"),
        "event" => Content::Event {
            event: "event".into(),
            key: Some("EVENT_KEY".into()),
            data: json!({ "ticket": "TICKET", "text": "事件消息" }),
        },
        other => panic!("{other}: a message that this test does not know"),
    };
    assert_eq!(message.content, expected);
    // The platform has no message ids. The key is made from the message, and is the same for each retry.
    assert!(message.key.starts_with("weibo-") && !message.key.contains(&message.sender.open_id));
    let again = WeiboAdapter.parse(&account, &verified).unwrap().messages;
    assert_eq!(again[0].key, message.key);
    Verdict::Passed
}
