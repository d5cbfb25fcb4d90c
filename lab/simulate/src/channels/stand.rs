//! A real HTTP server that plays the part of one platform: it checks every call as the platform does, keeps what it was given,
//! and misbehaves as told.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use crate::histogram::Histogram;
use crate::listen::Listening;
use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const BODY_LIMIT: usize = 1 << 20;
/// Kept messages beyond this number are forgotten once they were given out, oldest first: a demo may run for days.
const MEMORY: usize = 10_000;

/// What the platform does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misstep {
    /// Refuses in its own words.
    Say(Trouble),
    /// Answers this status with an empty body.
    Status(u16),
    /// Takes the call and answers after this time.
    Hang(Duration),
}

#[derive(Default)]
struct State {
    tokens: u64,
    kept: Vec<(u64, Value)>,
    next: u64,
    /// Kept messages that nobody has fetched yet, and since when.
    waiting: BTreeMap<u64, Instant>,
    fetched: Histogram,
    sent: Vec<Sent>,
    by_customer: HashMap<String, Vec<usize>>,
    calls: BTreeMap<Endpoint, usize>,
    refused: u64,
    missteps: VecDeque<(Endpoint, Misstep)>,
}

impl State {
    fn token(&self) -> String {
        format!("simulated-token-{}", self.tokens)
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

    fn take(&mut self, sent: Sent) {
        self.by_customer.entry(sent.to.clone()).or_default().push(self.sent.len());
        self.sent.push(sent);
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

/// A platform being served. It has a thread of its own and ends when dropped.
pub struct Stand {
    shared: Arc<Shared>,
    listening: Listening,
}

impl Stand {
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

    /// The account, with its API here.
    pub fn account(&self) -> Account {
        self.platform().account(&format!("http://{}", self.listening.address))
    }

    /// Lets a customer do something; the webhook that the platform sends for it, if it sends one. What the platform keeps is
    /// kept here.
    pub fn act(&self, act: &Act<'_>) -> Option<Request> {
        match self.platform().arrival(act) {
            Arrival::Webhook(request) => Some(request),
            Arrival::Kept { item, hint } => {
                self.shared.lock().keep(item);
                hint
            }
        }
    }

    /// The messages that the API took, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.lock().sent.clone()
    }

    /// How many messages the API took.
    pub fn sent_count(&self) -> usize {
        self.shared.lock().sent.len()
    }

    /// What one customer was sent after the first `seen` messages, in order.
    pub fn sent_after(&self, open_id: &str, seen: usize) -> Vec<Sent> {
        let state = self.shared.lock();
        let places = state.by_customer.get(open_id).map(Vec::as_slice).unwrap_or_default();
        places.iter().skip(seen).filter_map(|place| state.sent.get(*place)).cloned().collect()
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

    /// How long messages were kept until they were fetched.
    pub fn fetched(&self) -> Histogram {
        self.shared.lock().fetched.clone()
    }

    /// Misbehaves at the next call of an endpoint for which nothing was scripted yet.
    pub fn script(&self, endpoint: Endpoint, misstep: Misstep) {
        self.shared.lock().missteps.push_back((endpoint, misstep));
    }

    /// Makes the present access token invalid.
    pub fn expire_token(&self) {
        self.shared.lock().tokens += 1;
    }

    /// Keeps a message until it is asked for, whichever it is.
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

async fn handle(
    request: hyper::Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<hyper::Response<Full<Bytes>>, std::convert::Infallible> {
    let answer = match read(request).await {
        Some(call) => {
            let (answer, pause) = answer(&shared, &call);
            tokio::time::sleep(pause).await;
            answer
        }
        None => Answer { status: 400, body: Vec::new() },
    };
    let mut response = hyper::Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::IM_A_TEAPOT);
    Ok(response)
}

fn answer(shared: &Shared, call: &Request) -> (Answer, Duration) {
    let (platform, mut state) = (shared.platform.as_ref(), shared.lock());
    let Some(endpoint) = platform.endpoint(call) else {
        return (Answer { status: 404, body: Vec::new() }, Duration::ZERO);
    };
    *state.calls.entry(endpoint).or_default() += 1;
    let misstep = state.missteps.iter().position(|(at, _)| *at == endpoint).and_then(|i| state.missteps.remove(i));
    let mut pause = Duration::ZERO;
    match misstep {
        Some((_, Misstep::Say(trouble))) => {
            state.refused += 1;
            return (platform.refuse(endpoint, trouble), pause);
        }
        Some((_, Misstep::Status(status))) => {
            state.refused += 1;
            return (Answer { status, body: Vec::new() }, pause);
        }
        Some((_, Misstep::Hang(time))) => pause = time,
        None => {}
    }
    let token = state.token();
    match platform.check(endpoint, call, &token) {
        Ok(sent) => sent.into_iter().for_each(|sent| state.take(sent)),
        Err(trouble) => {
            state.refused += 1;
            return (platform.refuse(endpoint, trouble), pause);
        }
    }
    if endpoint == Endpoint::Confirm {
        let confirmed = platform.confirmed(call, &state.kept);
        state.kept.retain(|(position, _)| !confirmed.contains(position));
    }
    if endpoint == Endpoint::Pull {
        let given = platform.given(call, &state.kept);
        state.give(&given);
    }
    (platform.answer(endpoint, call, &token, &state.kept), pause)
}
