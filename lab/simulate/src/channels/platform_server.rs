//! A real HTTP server that plays one platform. It checks every call like the platform, keeps the messages, and misbehaves
//! according to [`Rule`]s.
//!
//! A connection may break before the platform accepted a message or after it. No sender can tell these apart. The record
//! here, and not the sender's, therefore shows what a customer received.

use super::rules::RuleSet;
use super::{Account, Act, Answer, Arrival, Behaviour, Endpoint, Request, Rule, Sent, Simulated};
use crate::histogram::Histogram;
use crate::listen::Listening;
use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const BODY_LIMIT: usize = 1 << 20;
/// Kept messages beyond this number are forgotten after they were fetched, oldest first, because a demo may run for days.
const MEMORY: usize = 10_000;

/// A message that the platform accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The recipient and the content.
    pub sent: Sent,
    /// The call that brought it.
    pub body: Vec<u8>,
    /// Whether the sender got the answer; false if the connection was dropped afterwards.
    pub answered: bool,
}

/// The use of the platform, in counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls for a token.
    pub token_calls: u64,
    /// Different tokens issued.
    pub tokens_issued: u64,
    /// Calls to send, whatever their result.
    pub send_calls: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Calls to send with an error as answer.
    pub refused: u64,
    /// Connections dropped before the message was accepted.
    pub dropped_before: u64,
    /// Connections dropped after the message was accepted.
    pub dropped_after: u64,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped as scripted")]
struct Dropped;

#[derive(Default)]
struct State {
    /// The number of the present token, and the time since which a caller has it.
    token: u64,
    issued: Option<Instant>,
    kept: Vec<(u64, Value)>,
    next: u64,
    /// Kept messages that nobody has fetched yet, and the time since when.
    waiting: BTreeMap<u64, Instant>,
    fetched: Histogram,
    taken: Vec<Taken>,
    by_customer: HashMap<String, Vec<usize>>,
    calls: BTreeMap<Endpoint, usize>,
    refused: u64,
    counts: Counts,
    rules: RuleSet,
}

impl State {
    /// The present token. A token that has expired is replaced.
    fn token(&mut self, life: Duration) -> String {
        if self.issued.is_some_and(|since| since.elapsed() >= life) {
            self.expire_token();
        }
        format!("simulated-token-{}", self.token)
    }

    fn expire_token(&mut self) {
        self.token += 1;
        self.issued = None;
    }

    /// Issues the present token.
    fn issue(&mut self) {
        if self.issued.is_none() {
            self.issued = Some(Instant::now());
            self.counts.tokens_issued += 1;
        }
    }

    fn refuse(&mut self, endpoint: Endpoint) {
        self.refused += 1;
        self.counts.refused += u64::from(endpoint == Endpoint::Send);
    }

    fn keep(&mut self, item: Value) {
        self.next += 1;
        self.waiting.insert(self.next, Instant::now());
        self.kept.push((self.next, item));
        if self.kept.len() > MEMORY {
            let first = self.waiting.first_key_value().map_or(self.next, |(position, _)| *position);
            let forgotten = self.kept.iter().take_while(|(position, _)| *position < first).count().min(MEMORY / 10);
            self.kept.drain(..forgotten);
        }
    }

    fn give(&mut self, positions: &[u64]) {
        for since in positions.iter().filter_map(|position| self.waiting.remove(position)) {
            self.fetched.record_time(since.elapsed());
        }
    }

    fn take(&mut self, sent: Sent, body: &[u8], answered: bool) {
        self.by_customer.entry(sent.to.clone()).or_default().push(self.taken.len());
        self.taken.push(Taken { sent, body: body.to_vec(), answered });
        self.counts.accepted += 1;
    }
}

struct Shared {
    platform: Box<dyn Simulated>,
    state: Mutex<State>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A platform with its server. It has a thread of its own and ends when dropped.
pub struct PlatformServer {
    shared: Arc<Shared>,
    listening: Listening,
}

impl PlatformServer {
    /// Serves a platform on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(platform: Box<dyn Simulated>) -> Result<Self> {
        Self::on(0, platform)
    }

    /// Serves a platform on a port of 127.0.0.1; 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub fn on(port: u16, platform: Box<dyn Simulated>) -> Result<Self> {
        let shared = Arc::new(Shared { platform, state: Mutex::default() });
        let served = Arc::clone(&shared);
        let listening = Listening::start(port, move |request| handle(request, Arc::clone(&served)))?;
        Ok(Self { shared, listening })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.listening.address.port()
    }

    /// The platform.
    pub fn platform(&self) -> &dyn Simulated {
        self.shared.platform.as_ref()
    }

    /// The account, with this server as its API.
    pub fn account(&self) -> Account {
        self.platform().account(&self.url())
    }

    /// The address of its API, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.listening.address)
    }

    /// Lets a customer act. Returns the webhook that the platform sends for it, if it sends one. A message that the
    /// platform keeps is kept here.
    pub fn act(&self, act: &Act<'_>) -> Option<Request> {
        match self.platform().arrival(act) {
            Arrival::Webhook(request) => Some(request),
            Arrival::Kept { item, hint } => {
                self.shared.lock().keep(item);
                hint
            }
        }
    }

    /// The messages that the API accepted, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.lock().taken.iter().map(|taken| taken.sent.clone()).collect()
    }

    /// The number of messages that the API accepted.
    pub fn sent_count(&self) -> usize {
        self.shared.lock().taken.len()
    }

    /// The messages that the API accepted from number `first` on, with the fate of each.
    pub fn taken_since(&self, first: usize) -> Vec<Taken> {
        self.shared.lock().taken.get(first..).unwrap_or_default().to_vec()
    }

    /// The messages sent to one customer after the first `seen` messages, in order.
    pub fn sent_after(&self, open_id: &str, seen: usize) -> Vec<Sent> {
        let state = self.shared.lock();
        let places = state.by_customer.get(open_id).map(Vec::as_slice).unwrap_or_default();
        places.iter().skip(seen).filter_map(|place| Some(state.taken.get(*place)?.sent.clone())).collect()
    }

    /// The texts sent to one customer, in order.
    pub fn texts_to(&self, open_id: &str) -> Vec<String> {
        self.sent_after(open_id, 0).into_iter().map(|sent| sent.text).filter(|text| !text.is_empty()).collect()
    }

    /// The use of the platform, in counts.
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// The calls of an endpoint so far.
    pub fn calls(&self, endpoint: Endpoint) -> usize {
        self.shared.lock().calls.get(&endpoint).copied().unwrap_or_default()
    }

    /// Calls that were refused so far.
    pub fn refused(&self) -> u64 {
        self.shared.lock().refused
    }

    /// Messages that are kept and not confirmed.
    pub fn kept(&self) -> usize {
        self.shared.lock().kept.len()
    }

    /// Messages that are kept and were not fetched yet.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// The time for which messages were kept until they were fetched.
    pub fn fetched(&self) -> Histogram {
        self.shared.lock().fetched.clone()
    }

    /// Adds a rule after the present ones.
    pub fn script(&self, rule: Rule) {
        self.shared.lock().rules.add(rule);
    }

    /// Drops all rules, so that everything works again.
    pub fn clear_script(&self) {
        self.shared.lock().rules = RuleSet::default();
    }

    /// Makes the present access token invalid, like the platform when another system fetches one.
    pub fn expire_token(&self) {
        self.shared.lock().expire_token();
    }

    /// Keeps any message until it is asked for.
    pub fn keep(&self, item: Value) {
        let mut state = self.shared.lock();
        state.next += 1;
        let position = state.next;
        state.kept.push((position, item));
    }
}

async fn read(request: hyper::Request<Incoming>) -> Option<Request> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await.ok()?.to_bytes().to_vec();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Some(Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body,
    })
}

async fn handle(request: hyper::Request<Incoming>, shared: Arc<Shared>) -> Result<hyper::Response<Full<Bytes>>, Dropped> {
    let answer = match read(request).await {
        Some(call) => answer(&shared, &call).await?,
        None => Answer::new(400, Vec::new()),
    };
    let mut response = hyper::Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::IM_A_TEAPOT);
    for (name, value) in answer.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

async fn answer(shared: &Shared, call: &Request) -> Result<Answer, Dropped> {
    let Some(endpoint) = shared.platform.endpoint(call) else { return Ok(Answer::new(404, Vec::new())) };
    let (delay, behaviour) = decide(shared, endpoint, call);
    tokio::time::sleep(delay).await;
    let answer = carry_out(shared, endpoint, call, behaviour)?;
    if let Some(Behaviour::Late(time)) = behaviour {
        tokio::time::sleep(time).await;
    }
    Ok(answer)
}

/// Counts a call, and lets the rules decide on it.
fn decide(shared: &Shared, endpoint: Endpoint, call: &Request) -> (Duration, Option<Behaviour>) {
    let (platform, mut state) = (shared.platform.as_ref(), shared.lock());
    *state.calls.entry(endpoint).or_default() += 1;
    match endpoint {
        Endpoint::Token => state.counts.token_calls += 1,
        Endpoint::Send => state.counts.send_calls += 1,
        _ => {}
    }
    let token = state.token(Duration::from_secs(platform.token_secs()));
    let sent = platform.check(endpoint, call, &token).ok().flatten();
    let (to, text) = sent.as_ref().map(|sent| (sent.to.as_str(), sent.text.as_str())).unwrap_or_default();
    state.rules.decide(endpoint, to, text)
}

/// Carries out a rule's behaviour, or the platform's normal one.
fn carry_out(shared: &Shared, endpoint: Endpoint, call: &Request, behaviour: Option<Behaviour>) -> Result<Answer, Dropped> {
    let (platform, mut state) = (shared.platform.as_ref(), shared.lock());
    let refusal = match behaviour {
        Some(Behaviour::Say(trouble)) => Some(platform.refuse(endpoint, trouble)),
        Some(Behaviour::Error(code)) => Some(platform.error(code)),
        Some(Behaviour::Status(status)) => Some(Answer::new(status, Vec::new())),
        Some(Behaviour::Later(status, secs)) => Some(Answer::new(status, Vec::new()).with("retry-after", secs.to_string())),
        Some(Behaviour::DropBefore) => {
            state.counts.dropped_before += 1;
            return Err(Dropped);
        }
        Some(Behaviour::DropAfter | Behaviour::Unreadable | Behaviour::Late(_) | Behaviour::Delay(_)) | None => None,
    };
    if let Some(refusal) = refusal {
        state.refuse(endpoint);
        return Ok(refusal);
    }
    let life = Duration::from_secs(platform.token_secs());
    let mut token = state.token(life);
    let answered = behaviour != Some(Behaviour::DropAfter);
    match platform.check(endpoint, call, &token) {
        Ok(sent) => sent.into_iter().for_each(|sent| state.take(sent, &call.body, answered)),
        Err(trouble) => {
            state.refuse(endpoint);
            return Ok(platform.refuse(endpoint, trouble));
        }
    }
    match endpoint {
        Endpoint::Token => {
            if platform.renews(call) {
                state.expire_token();
                token = state.token(life);
            }
            state.issue();
        }
        Endpoint::Confirm => {
            let confirmed = platform.confirmed(call, &state.kept);
            state.kept.retain(|(position, _)| !confirmed.contains(position));
        }
        Endpoint::Pull => {
            let given = platform.given(call, &state.kept);
            state.give(&given);
        }
        Endpoint::Send | Endpoint::Media => {}
    }
    if !answered {
        state.counts.dropped_after += 1;
        return Err(Dropped);
    }
    Ok(match behaviour {
        Some(Behaviour::Unreadable) => Answer::new(200, b"<html>ok</html>".to_vec()).with("content-type", "text/html"),
        _ => platform.answer(endpoint, call, &token, &state.kept),
    })
}

#[cfg(test)]
mod tests;
