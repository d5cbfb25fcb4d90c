//! An adapter of any type, with an open account.

use super::super::Request;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use warmline_channels::{Adapter, ApiResponse, Asked, Call, Page, Parsed, Refusal, Reply, Secrets};
use warmline_model::Timestamp;

/// The result of a webhook.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// It was the platform's check of the address.
    Greeted(Reply),
    /// The verified body, its messages and unreadable items, and the acknowledgement.
    Messages(Vec<u8>, Parsed, Reply),
}

/// A webhook as the server hands it to an adapter.
struct Arrived {
    method: Method,
    headers: HeaderMap,
    request: Request,
}

impl Arrived {
    /// `None` if no HTTP server would accept it: an invalid method or header.
    fn new(request: Request) -> Option<Self> {
        let method = request.method.parse().ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
        Some(Self { method, headers, request })
    }

    fn webhook(&self) -> warmline_channels::Request<'_> {
        warmline_channels::Request {
            method: &self.method,
            rest: &self.request.path,
            query: &self.request.query,
            headers: &self.headers,
            body: &self.request.body,
        }
    }
}

pub(super) trait Door: Send + Sync {
    fn take(&self, webhook: &Request, now: i64) -> Result<Taken, Refusal>;
    fn answered(&self, status: u16, body: &[u8]) -> Option<Page>;
}

pub(super) struct Opened<A: Adapter> {
    adapter: A,
    account: A::Account,
}

impl<A: Adapter> Opened<A> {
    #[expect(clippy::panic, reason = "only tests use this, and the tables of this module are wrong then")]
    pub(super) fn new(adapter: A, settings: &Value, secrets: &Secrets) -> Self {
        let account = adapter
            .account(&settings.clone().into(), secrets)
            .unwrap_or_else(|e| panic!("{}: {e}", adapter.capabilities().channel));
        Self { adapter, account }
    }
}

impl<A> Door for Opened<A>
where
    A: Adapter + Send + Sync,
    A::Account: Send + Sync,
{
    fn take(&self, webhook: &Request, now: i64) -> Result<Taken, Refusal> {
        // A request that is not HTTP never reaches an adapter.
        let arrived = Arrived::new(webhook.clone()).ok_or(Refusal::NotFound)?;
        let (webhook, now) = (arrived.webhook(), Timestamp::from_secs(now));
        if let Some(reply) = self.adapter.handshake(&self.account, &webhook, now)? {
            return Ok(Taken::Greeted(reply));
        }
        let verified = self.adapter.verify(&self.account, &webhook, now)?;
        let parsed = self.adapter.receive(&self.account, &verified)?;
        if let Some(pull) = self.adapter.pull() {
            pull.hinted(&self.account, &verified);
        }
        let reply = self.adapter.acknowledge(&self.account, &verified);
        Ok(Taken::Messages(verified.body().to_vec(), parsed, reply))
    }

    fn answered(&self, status: u16, body: &[u8]) -> Option<Page> {
        let answer = ApiResponse { status, body };
        self.adapter.read_answer(&answer);
        let call = Call { token: None, now: Timestamp::from_secs(super::NOW), nonce: &[7; 16] };
        if self.adapter.token_request(&self.account, false, &call).is_some() {
            let _ = self.adapter.read_token(&answer);
        }
        let pull = self.adapter.pull()?;
        let source = pull.polled(&self.account).into_iter().next().unwrap_or_else(|| "source".to_owned());
        pull.read(&self.account, &Asked { source: &source, cursor: None, now: call.now }, &answer).ok()
    }
}
