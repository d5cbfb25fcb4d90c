//! The customers' side of each channel: requests as the platform, the app and the web page make them.

use super::http::{Answer, send};
use super::stream::Stream;
use super::{api::fresh, now};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use warmline_channels::app::sign as app;
use warmline_channels::wechat::sign as wechat;
use warmline_channels::wx_crypto::AesKey;

static NEXT: AtomicU64 = AtomicU64::new(24_000_000_000_001);

/// A number that no message has as its id yet.
pub fn fresh_id() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A WeChat official account, as the platform sees it.
#[derive(Clone, Debug)]
pub struct Wechat {
    /// The address of its webhooks.
    pub url: String,
    pub account: String,
    pub app_id: String,
    pub app_secret: String,
    pub token: String,
    pub aes_key: String,
}

impl Wechat {
    /// An account of that name, not connected yet.
    pub fn new(base: &str, account: &str) -> Self {
        Self {
            url: format!("{base}/channels/wechat/{account}"),
            account: account.to_owned(),
            app_id: format!("wx{account}"),
            app_secret: fresh("app-secret-"),
            token: fresh("webhook-token-"),
            aes_key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG".to_owned(),
        }
    }

    /// The query of a plain webhook signed now.
    pub fn query(&self) -> String {
        wechat::plain_query(&self.token, &now().to_string(), "n0nce")
    }

    /// Posts any body with any query.
    #[track_caller]
    pub fn post(&self, query: &str, body: impl AsRef<[u8]>) -> Answer {
        let headers = [("content-type", "text/xml".to_owned())];
        send("POST", &format!("{}?{query}", self.url), &headers, body.as_ref().to_vec())
    }

    /// Posts a plain webhook.
    #[track_caller]
    pub fn plain(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post(&self.query(), body)
    }

    /// The query and body of an encrypted webhook.
    pub fn seal(&self, app_id: &str, message: &str) -> (String, String) {
        let (key, time) = (AesKey::decode(&self.aes_key).unwrap(), now().to_string());
        wechat::safe(&self.token, &key, app_id, &time, "n0nce", b"0123456789abcdef", message.as_bytes())
    }

    /// Posts an encrypted webhook.
    #[track_caller]
    pub fn safe(&self, message: &str) -> Answer {
        let (query, body) = self.seal(&self.app_id, message);
        self.post(&query, body)
    }

    /// A text message in XML.
    pub fn text(&self, from: &str, id: u64, text: &str) -> String {
        wechat::text(from, &self.account, now(), id, text)
    }

    /// Any message in XML, with an id of its own.
    pub fn message(&self, from: &str, kind: &str, fields: &[(&str, &str)]) -> String {
        let id = fresh_id().to_string();
        let fields: Vec<_> = fields.iter().copied().chain([("MsgId", id.as_str())]).collect();
        wechat::message(from, &self.account, now(), kind, &fields)
    }

    /// The customer writes, and the webhook is acknowledged.
    #[track_caller]
    pub fn say(&self, from: &str, text: &str) {
        let answer = self.plain(self.text(from, fresh_id(), text)).expect(200);
        assert_eq!(answer.text(), "success");
    }
}

/// The brand's app on a server.
#[derive(Clone, Debug)]
pub struct App {
    pub url: String,
    pub jwt_secret: String,
    pub body_secret: String,
}

impl App {
    /// An account of that name, not connected yet.
    pub fn new(base: &str, account: &str) -> Self {
        let url = format!("{base}/channels/app/{account}");
        Self { url, jwt_secret: fresh("jwt-secret-of-the-shop-"), body_secret: fresh("body-secret-of-the-shop-") }
    }

    /// A member's token, good for an hour.
    pub fn jwt(&self, member: &str, name: Option<&str>, tags: &[&str]) -> String {
        app::jwt(&self.jwt_secret, member, name, tags, now() + 3600)
    }

    /// The headers of a message sent now.
    pub fn headers(&self, jwt: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        self.headers_at(jwt, body, now())
    }

    /// The headers of a message sent at another time.
    pub fn headers_at(&self, jwt: &str, body: &[u8], at: i64) -> Vec<(&'static str, String)> {
        vec![
            ("authorization", format!("Bearer {jwt}")),
            ("content-type", "application/json".to_owned()),
            ("x-warmline-timestamp", at.to_string()),
            ("x-warmline-signature", app::body(&self.body_secret, at, body)),
        ]
    }

    /// Posts any body, signed.
    #[track_caller]
    pub fn post(&self, jwt: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        send("POST", &self.url, &self.headers(jwt, body), body.to_vec())
    }

    /// The member writes, and the message is accepted.
    #[track_caller]
    pub fn say(&self, jwt: &str, text: &str) {
        let answer = self.post(jwt, json!({ "id": fresh("c"), "text": text }).to_string()).expect(200);
        assert_eq!(answer.json(), json!({ "accepted": true }));
    }
}

/// A web chat account on a server.
#[derive(Clone, Debug)]
pub struct Web {
    pub url: String,
}

impl Web {
    /// An account of that name.
    pub fn new(base: &str, account: &str) -> Self {
        Self { url: format!("{base}/channels/webchat/{account}") }
    }

    /// Starts a new visitor's session.
    #[track_caller]
    pub fn visitor(&self) -> Visitor {
        let session = send("POST", &format!("{}/session", self.url), &[], "").expect(201).json();
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        Visitor { url: self.url.clone(), id: text("visitor"), token: text("token") }
    }
}

/// A client of ours (app or web page) that reads replies: a base URL and a token.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub url: String,
    pub id: String,
    pub token: String,
}

impl Visitor {
    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("authorization", format!("Bearer {}", self.token)), ("content-type", "application/json".to_owned())]
    }

    /// Posts any body.
    #[track_caller]
    pub fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        send("POST", &format!("{}/messages", self.url), &self.headers(), body.as_ref().to_vec())
    }

    /// The visitor writes, and the message is accepted.
    #[track_caller]
    pub fn say(&self, text: &str) {
        self.post(json!({ "id": fresh("w"), "text": text }).to_string()).expect(200);
    }

    /// Replies after a cursor, waiting for the first.
    #[track_caller]
    pub fn poll(&self, after: &str, wait: u32) -> Answer {
        send("GET", &format!("{}/messages?after={after}&wait={wait}", self.url), &self.headers(), "")
    }

    /// The texts of all replies of the newest conversation.
    #[track_caller]
    pub fn texts(&self) -> Vec<String> {
        texts(&self.poll("", 0).expect(200).json())
    }

    /// The stream of replies, from the beginning or after an event.
    pub fn stream(&self, last: Option<&str>) -> Stream {
        let mut headers = self.headers();
        headers.extend(last.map(|id| ("last-event-id", id.to_owned())));
        Stream::open(&format!("{}/events", self.url), &headers)
    }
}

fn texts(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["content"]["text"].as_str().unwrap_or_default().to_owned()).collect()
}
