//! A pooled HTTP/1.1 client with a deadline.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);
const BODY_LIMIT: usize = 32 << 20;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Body.
    pub body: Bytes,
}

/// The client. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Http {
    /// A new client without connections.
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        Self(Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(20)).build(connector))
    }

    /// Sends a request and begins to read the answer; the body streams.
    ///
    /// # Errors
    /// There is no connection, it breaks, or no head of an answer comes in 30 s.
    pub async fn open(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: impl Into<Bytes>,
    ) -> Result<Response<Incoming>, Cause> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body.into()))?;
        let answer = tokio::time::timeout(DEADLINE, self.0.request(request)).await?;
        answer.map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}").into(),
            None => error.into(),
        })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// There is no connection, it breaks, no answer comes in 30 s, or the answer is longer than 32 MiB.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Cause> {
        let response = self.open(method, url, headers, body).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), BODY_LIMIT);
        let body = tokio::time::timeout(DEADLINE, body.collect()).await??.to_bytes();
        Ok(Answer { status, body })
    }
}
