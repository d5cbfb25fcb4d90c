//! The part of tools that talks to a server beside them: a small client of Warmline's HTTP API, a follower of its event
//! log, and the server's state folder. The operators' commands and all of `lab/` use it. Only the load generator has
//! connections of its own.
//!
//! Each POST carries an idempotency key. [`Api::insist`] repeats a call with the same key until an answer comes, like a
//! careful caller when a server goes away in the middle of a call.

#![expect(clippy::disallowed_methods, reason = "measures real time")]

mod http;
mod server_args;
pub mod state;
mod tail;
mod views;

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use warmline_model::{AgentId, ConversationId, Event};

pub use http::{Answer, Http};
pub use server_args::ServerArgs;
pub use tail::Tail;
pub use views::{Account, Agent, Conversation, Customer, Delivery, Message, Page};

/// The reason why a call has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer: nothing listens, the connection broke, or it took too long.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The server answered with an error.
    #[error("{status} {code}: {detail}")]
    Refused {
        /// Status.
        status: u16,
        /// The problem's stable code.
        code: String,
        /// The problem's text.
        detail: String,
    },
    /// The answer does not fit the API's description.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
}

impl ApiError {
    /// The status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::Unreadable(_) => false,
        }
    }

    fn from_answer(answer: &Answer) -> Self {
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let field = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let detail = match field("detail") {
            detail if detail.is_empty() => field("title"),
            detail => detail,
        };
        Self::Refused { status: answer.status, code: field("code"), detail }
    }
}

/// The result of a call.
pub type ApiResult<T> = Result<T, ApiError>;

struct Keys {
    prefix: u128,
    next: AtomicU64,
}

/// The API as one bearer of a token sees it. It is cheap to clone. A call fails if there is no answer, or if its status is
/// outside 2xx.
#[derive(Clone)]
pub struct Api {
    http: Http,
    base: Arc<str>,
    token: Arc<str>,
    keys: Arc<Keys>,
}

impl Api {
    /// `base` is the server's address without a path, such as `http://127.0.0.1:3000`.
    pub fn new(base: &str, token: &str) -> Self {
        let prefix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self {
            http: Http::new(),
            base: base.trim_end_matches('/').into(),
            token: token.into(),
            keys: Arc::new(Keys { prefix, next: AtomicU64::new(0) }),
        }
    }

    /// The same server for another bearer.
    pub fn bearer(&self, token: &str) -> Self {
        Self { token: token.into(), ..self.clone() }
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The HTTP client, for calls outside the API.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// An idempotency key that was not used before.
    pub fn fresh_key(&self) -> String {
        format!("sim-{:x}-{}", self.keys.prefix, self.keys.next.fetch_add(1, Ordering::Relaxed))
    }

    async fn raw(&self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> ApiResult<Answer> {
        let url = format!("{}{path}", self.base);
        let mut headers = vec![("authorization", format!("Bearer {}", self.token))];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        if let Some(key) = key {
            headers.push(("idempotency-key", key.to_owned()));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.http.send(method, &url, &headers, body).await.map_err(|e| ApiError::NoAnswer(e.to_string()))?;
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(ApiError::from_answer(&answer)) }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> ApiResult<T> {
        let answer = self.raw("GET", path, None, None).await?;
        serde_json::from_slice(&answer.body).map_err(|e| ApiError::Unreadable(format!("GET {path}: {e}")))
    }

    /// GET.
    pub async fn get(&self, path: &str) -> ApiResult<Value> {
        self.read(path).await
    }

    /// POST with an idempotency key of its own.
    pub async fn post(&self, path: &str, body: &Value) -> ApiResult<Value> {
        self.post_once(path, body, &self.fresh_key()).await
    }

    /// POST with this idempotency key.
    pub async fn post_once(&self, path: &str, body: &Value, key: &str) -> ApiResult<Value> {
        let answer = self.raw("POST", path, Some(body), Some(key)).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> ApiResult<Value> {
        let answer = self.raw("PUT", path, Some(body), None).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// POST with one key until the server answers with anything but a temporary failure, for at most `patience`.
    ///
    /// # Errors
    /// The last error.
    pub async fn insist(&self, path: &str, body: &Value, key: &str, patience: Duration) -> ApiResult<Value> {
        let end = Instant::now() + patience;
        loop {
            match self.post_once(path, body, key).await {
                Err(error) if error.is_transient() && Instant::now() < end => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => return other,
            }
        }
    }

    /// Sets an agent's presence.
    pub async fn set_state(&self, agent: AgentId, state: &str) -> ApiResult<Value> {
        self.put(&format!("/api/agents/{agent}/state"), &json!({ "state": state })).await
    }

    /// Replies in a conversation.
    pub async fn reply(&self, conversation: ConversationId, text: &str) -> ApiResult<Value> {
        self.post(&format!("/api/conversations/{conversation}/messages"), &text_body(text)).await
    }

    /// Accepts an assigned conversation.
    pub async fn accept(&self, conversation: ConversationId) -> ApiResult<Value> {
        self.post(&format!("/api/conversations/{conversation}/accept"), &json!({})).await
    }

    /// Closes a conversation.
    pub async fn close(&self, conversation: ConversationId, disposition: &str) -> ApiResult<Value> {
        self.post(&format!("/api/conversations/{conversation}/close"), &json!({ "disposition": disposition })).await
    }

    /// All agents, with their loads.
    pub async fn agents(&self) -> ApiResult<Vec<Agent>> {
        self.pages("/api/agents?limit=100").await
    }

    /// All accounts.
    pub async fn accounts(&self) -> ApiResult<Vec<Account>> {
        self.read::<Page<Account>>("/api/accounts").await.map(|page| page.items)
    }

    /// All conversations that fit the filter, a query such as `state=assigned`.
    pub async fn conversations(&self, filter: &str) -> ApiResult<Vec<Conversation>> {
        self.pages(&format!("/api/conversations?limit=100&{filter}")).await
    }

    /// All messages of a conversation, in order.
    pub async fn messages(&self, conversation: ConversationId) -> ApiResult<Vec<Message>> {
        self.pages(&format!("/api/conversations/{conversation}/messages?limit=100")).await
    }

    /// One page of the event log: the events after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// A line is not an event.
    pub async fn events(&self, after: i64, limit: usize) -> ApiResult<Vec<Event>> {
        let answer = self.raw("GET", &format!("/api/events?after={after}&limit={limit}"), None, None).await?;
        answer
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|e| ApiError::Unreadable(format!("event: {e}"))))
            .collect()
    }

    /// The number of the newest event; 0 if there is none.
    ///
    /// # Errors
    /// The errors of [`Api::events`].
    pub async fn last_event(&self) -> ApiResult<i64> {
        let mut last = 0;
        loop {
            let events = self.events(last, 1000).await?;
            match events.last() {
                Some(event) => last = event.seq,
                None => return Ok(last),
            }
        }
    }

    async fn pages<T: serde::de::DeserializeOwned>(&self, path: &str) -> ApiResult<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page: Page<T> = match &cursor {
                None => self.read(path).await?,
                Some(cursor) => {
                    let cursor: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
                    self.read(&format!("{path}&after={cursor}")).await?
                }
            };
            items.extend(page.items);
            if page.next.is_none() || page.next == cursor {
                return Ok(items);
            }
            cursor = page.next;
        }
    }

    /// Waits until the server answers `/readyz`.
    ///
    /// # Errors
    /// The server did not answer in time.
    pub async fn wait_ready(&self, patience: Duration) -> ApiResult<()> {
        let end = Instant::now() + patience;
        loop {
            match self.raw("GET", "/readyz", None, None).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= end => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// The body of a text reply that goes at once: a program takes nothing back.
pub fn text_body(text: &str) -> Value {
    json!({ "content": { "kind": "text", "text": text }, "undo_secs": 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_repeat_among_clones() {
        let api = Api::new("http://127.0.0.1:1/", "a");
        let other = api.bearer("b");
        assert_eq!(api.base(), "http://127.0.0.1:1");
        assert_ne!(api.fresh_key(), other.fresh_key());
    }

    #[test]
    fn a_problem_is_read_into_status_and_code() {
        let body = br#"{"type":"about:blank","title":"Conflict","status":409,"code":"conversation_closed"}"#;
        let error = ApiError::from_answer(&Answer { status: 409, body: body.to_vec().into() });
        assert!(
            matches!(&error, ApiError::Refused { code, detail, .. } if code == "conversation_closed" && detail == "Conflict")
        );
        assert!(!error.is_transient());
        assert!(ApiError::from_answer(&Answer { status: 503, body: bytes::Bytes::new() }).is_transient());
    }
}
