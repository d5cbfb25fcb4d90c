//! What the simulated platform knows: apps, tokens, and the messages that it took.

use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A message that the platform took.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Place among all accepted messages, from 0.
    pub order: usize,
    /// When, in milliseconds since the epoch.
    pub at: u128,
    /// The customer's open id.
    pub to: String,
    /// WeChat's word for the kind.
    pub kind: String,
    /// The text, of a text message.
    pub text: Option<String>,
    /// The whole request.
    pub body: Value,
    /// Whether the sender was told: false where the connection was dropped afterwards.
    pub answered: bool,
}

/// How the simulator was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls for a token.
    pub token_calls: u64,
    /// Different tokens issued.
    pub tokens_issued: u64,
    /// Calls to send, whatever became of them.
    pub send_calls: u64,
    /// Messages taken.
    pub accepted: u64,
    /// Calls to send that were answered with an error.
    pub refused: u64,
    /// Connections dropped before the message was taken.
    pub dropped_before: u64,
    /// Connections dropped after the message was taken.
    pub dropped_after: u64,
}

struct Token {
    value: String,
    until: Instant,
}

/// Everything that the platform remembers.
pub(super) struct Record {
    pub(super) counts: Counts,
    pub(super) token_life: Duration,
    secrets: HashMap<String, String>,
    tokens: HashMap<String, Token>,
    sent: Vec<Sent>,
    by_customer: HashMap<String, Vec<usize>>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            counts: Counts::default(),
            token_life: Duration::from_secs(7200),
            secrets: HashMap::new(),
            tokens: HashMap::new(),
            sent: Vec::new(),
            by_customer: HashMap::new(),
        }
    }
}

impl Record {
    pub(super) fn register(&mut self, app_id: &str, secret: &str) {
        self.secrets.insert(app_id.to_owned(), secret.to_owned());
    }

    /// The app's token: the same one while it is valid, unless a new one is forced. Otherwise WeChat's error code.
    pub(super) fn issue(&mut self, app_id: &str, secret: &str, force: bool) -> Result<(String, u64), i64> {
        if app_id.is_empty() {
            return Err(40013);
        }
        if self.secrets.get(app_id).is_some_and(|known| known != secret) {
            return Err(40125);
        }
        let now = Instant::now();
        if let Some(token) = self.tokens.get(app_id).filter(|t| !force && t.until > now) {
            return Ok((token.value.clone(), token.until.saturating_duration_since(now).as_secs()));
        }
        self.counts.tokens_issued += 1;
        let value = format!("sim-token-{app_id}-{}", self.counts.tokens_issued);
        self.tokens.insert(app_id.to_owned(), Token { value: value.clone(), until: now + self.token_life });
        Ok((value, self.token_life.as_secs()))
    }

    pub(super) fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    pub(super) fn token_is_valid(&self, token: &str) -> bool {
        let now = Instant::now();
        self.tokens.values().any(|known| known.value == token && known.until > now)
    }

    pub(super) fn accept(&mut self, body: Value, answered: bool) {
        let text_of = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let to = text_of("/touser").unwrap_or_default();
        let sent = Sent {
            order: self.sent.len(),
            at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis(),
            kind: text_of("/msgtype").unwrap_or_default(),
            text: text_of("/text/content"),
            to: to.clone(),
            body,
            answered,
        };
        self.by_customer.entry(to).or_default().push(self.sent.len());
        self.sent.push(sent);
        self.counts.accepted += 1;
    }

    pub(super) fn sent(&self) -> &[Sent] {
        &self.sent
    }

    pub(super) fn sent_to(&self, open_id: &str, skip: usize) -> Vec<Sent> {
        let places = self.by_customer.get(open_id).map(Vec::as_slice).unwrap_or_default();
        places.iter().skip(skip).filter_map(|place| self.sent.get(*place)).cloned().collect()
    }
}
