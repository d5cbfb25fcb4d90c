//! A blocking HTTP client over the simulator's pooled one.

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use serde_json::Value;
use std::sync::LazyLock;
use std::time::Duration;
use warmline_client::Http;

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
static HTTP: LazyLock<Http> = LazyLock::new(Http::new);

/// The longest time for an answer: longer than the longest poll and the store's own patience together.
const DEADLINE: Duration = Duration::from_secs(45);

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// Runs a future beside the test, until it ends or the tests end.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    RUNTIME.spawn(future);
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Fails unless it is a problem of this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.json()["status"], status);
        self
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The problem's code.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a request. Fails if the connection breaks or no answer comes.
pub fn try_send(
    method: &str,
    url: &str,
    headers: &[(&str, String)],
    body: impl Into<Bytes>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let body = body.into();
    block_on(async {
        let response = HTTP.open(method, url, headers, body).await?;
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(DEADLINE, body.collect()).await??.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    })
}

/// Sends a request.
#[track_caller]
pub fn send(method: &str, url: &str, headers: &[(&str, String)], body: impl Into<Bytes>) -> Answer {
    match try_send(method, url, headers, body) {
        Ok(answer) => answer,
        Err(error) => panic!("{method} {url}: {error}"),
    }
}

/// Sends a request and returns the head of the answer. The body streams.
#[track_caller]
pub fn open(url: &str, headers: &[(&str, String)]) -> http::Response<Incoming> {
    match block_on(HTTP.open("GET", url, headers, Bytes::new())) {
        Ok(response) => response,
        Err(error) => panic!("GET {url}: {error}"),
    }
}
