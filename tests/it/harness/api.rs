//! The API as the bearer of one token sees it. Every answer is compared with the description.

use super::http::{Answer, send};
use super::spec::Spec;
use super::stream::Stream;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The API for one bearer. It is cheap to clone.
#[derive(Clone)]
pub struct Api {
    base: Arc<str>,
    token: Arc<str>,
    spec: Arc<Spec>,
}

impl Api {
    /// The API at `base` for the bearer of `token`.
    pub fn new(base: &str, token: &str, spec: Arc<Spec>) -> Self {
        Self { base: base.into(), token: token.into(), spec }
    }

    /// The same server for another bearer.
    pub fn bearer(&self, token: &str) -> Self {
        Self { token: token.into(), ..self.clone() }
    }

    /// The same bearer on a server with another address.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.into(), ..self.clone() }
    }

    /// The bearer's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The description.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Sends any request, with the token.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let mut all = vec![("authorization", format!("Bearer {}", self.token))];
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let answer = send(method, &format!("{}{path}", self.base), &all, body.as_ref().to_vec());
        self.spec.check(method, path, &answer);
        answer
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// POST without an idempotency key.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string())
    }

    /// POST with an idempotency key.
    #[track_caller]
    pub fn post_once(&self, path: &str, body: &Value, key: &str) -> Answer {
        self.send("POST", path, &[("content-type", "application/json"), ("idempotency-key", key)], body.to_string())
    }

    /// PUT.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[("content-type", "application/json")], body.to_string())
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "")
    }

    /// All items of a paged list.
    #[track_caller]
    pub fn all(&self, path: &str) -> Vec<Value> {
        self.all_after(path, "")
    }

    /// All items of a paged list after a place.
    #[track_caller]
    pub fn all_after(&self, path: &str, after: &str) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), after.to_owned());
        let joint = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{path}{joint}limit=200&after={next}")).expect(200).json();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = cursor.to_owned(),
                None => return items,
            }
        }
    }

    /// The event log after a place, to its present end.
    #[track_caller]
    pub fn events(&self, after: i64) -> Vec<Value> {
        let (mut events, mut last) = (Vec::new(), after);
        loop {
            let page = self.get(&format!("/api/events?limit=1000&after={last}")).expect(200).text();
            let lines: Vec<Value> = page.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            match lines.last() {
                Some(event) => last = event["seq"].as_i64().unwrap(),
                None => return events,
            }
            events.extend(lines);
        }
    }

    /// The event log as a stream of server-sent events.
    pub fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        let mut all = vec![("authorization", format!("Bearer {}", self.token)), ("accept", "text/event-stream".to_owned())];
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Stream::open(&format!("{}{path}", self.base), &all)
    }
}

/// A name that is unique in this run.
pub fn fresh(word: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{word}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
