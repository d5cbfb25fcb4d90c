//! The tools' HTTP client, in the form that the checks need.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use warmline_client::Http;

/// The server of the probe.
#[derive(Clone)]
pub struct Probe {
    base: String,
    http: Http,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Bytes that are not UTF-8 are replaced.
    pub body: String,
}

/// The longest time for a body. The client itself waits as long for the answer to begin.
const PATIENCE: Duration = Duration::from_secs(30);

impl Probe {
    /// A client for the probe at `base`, such as `http://127.0.0.1:3000`.
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http: Http::new() }
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Sends a request and returns the head of the answer as soon as it has come.
    pub async fn begin(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Response<Incoming>> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let answer = self.http.open(method.as_str(), &format!("{}{path}", self.base), &headers, body).await;
        answer.map_err(|error| anyhow::anyhow!("{path}: {error}"))
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer> {
        let (parts, body) = self.begin(method, path, headers, body).await?.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.context("the body did not end")??.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], Vec::new()).await
    }

    /// Sends a GET, expects 200, and returns the body.
    pub async fn text(&self, path: &str) -> Result<String> {
        let answer = self.get(path).await?;
        ensure!(answer.status == 200, "{path}: status {} {}", answer.status, answer.body);
        Ok(answer.body)
    }

    /// Sends a GET, and expects 200 with exactly this body.
    pub async fn expect(&self, path: &str, expected: &str) -> Result<()> {
        let body = self.text(path).await?;
        ensure!(body == expected, "{path}: expected {expected:?}, got {body:?}");
        Ok(())
    }

    /// Writes bytes to a connection of its own, and returns the answer until the connection is closed, or for 2 s.
    pub async fn raw(&self, bytes: &[u8]) -> Result<String> {
        let mut stream = TcpStream::connect(self.authority()).await?;
        // The other side may answer and close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
