//! Calls to the outside. Each has a deadline, and answers are read only up to a limit.

use futures::future::{Either, poll_fn, select};
use futures::{Stream, StreamExt as _};
use spin_executor::CancelOnDropToken;
use spin_sdk::http::{ErrorCode, IncomingResponse, Method, SendError};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use warmline_channels::ApiRequest;
use wasi::clocks::monotonic_clock;

/// How long a platform may take to answer.
pub const DEADLINE_MS: u64 = 8_000;
/// How long a platform may take to show that it is reachable.
const KNOCK_MS: u64 = 3_000;
const ANSWER_LIMIT: usize = 256 * 1024;
/// A page of messages may be longer: if it cannot be read it comes again, and blocks the pages behind it.
const PAGE_LIMIT: usize = 1024 * 1024;

/// Completes after a while.
pub async fn sleep(ms: u64) {
    let until = monotonic_clock::now().saturating_add(ms.saturating_mul(1_000_000));
    // The executor polls every future whenever one is ready. Each poll before the time registers a new timer. Dropping the
    // old registration (here, or with the whole future) cancels it.
    let mut registered: Option<CancelOnDropToken> = None;
    poll_fn(move |context| {
        if monotonic_clock::now() >= until {
            return Poll::Ready(());
        }
        let timer = monotonic_clock::subscribe_instant(until);
        drop(registered.replace(spin_executor::push_waker_and_get_token(timer, context.waker().clone()).into()));
        Poll::Pending
    })
    .await;
}

/// The future's value; `None` if it takes longer than `ms` milliseconds.
pub async fn within<T>(ms: u64, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(sleep(ms))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

/// A platform's answer.
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The request never reached the platform: trying again is safe.
    NotReached(&'static str),
    /// The request may have arrived.
    Unknown(&'static str),
}

/// Sends a request and reads the answer, within the deadline.
///
/// # Errors
/// See [`NoAnswer`].
pub async fn call(request: &ApiRequest) -> Result<Answer, NoAnswer> {
    call_within(DEADLINE_MS, request).await
}

/// Whether anybody answers at the address of a request, or at least accepts connections. It asks with a request that cannot
/// be taken for a message.
pub(crate) async fn is_there(request: &ApiRequest) -> bool {
    let address = request.url.split_once('?').map_or(request.url.as_str(), |(address, _)| address);
    // The scheme, an empty part, and the host.
    let origin: Vec<&str> = address.splitn(4, '/').take(3).collect();
    let url = origin.join("/") + "/";
    let knock = ApiRequest { method: http::Method::GET, url, headers: Vec::new(), body: Vec::new() };
    // A slow platform is there.
    within(KNOCK_MS, send(&knock)).await.is_none_or(|answer| answer.is_ok())
}

pub(crate) async fn call_within(ms: u64, request: &ApiRequest) -> Result<Answer, NoAnswer> {
    within(ms, exchange(request, ANSWER_LIMIT)).await.unwrap_or(Err(NoAnswer::Unknown("timeout")))
}

/// Like [`call`], for a page of messages, which may be longer.
///
/// # Errors
/// See [`NoAnswer`].
pub async fn page(request: &ApiRequest) -> Result<Answer, NoAnswer> {
    within(DEADLINE_MS, exchange(request, PAGE_LIMIT)).await.unwrap_or(Err(NoAnswer::Unknown("timeout")))
}

/// An answer whose body is still being received.
pub struct Opened {
    /// Status.
    pub status: u16,
    response: IncomingResponse,
}

impl Opened {
    /// A header, if it is present and is text.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.response.headers().get(name).into_iter().next()?;
        String::from_utf8(value).ok()
    }

    /// The body, chunk by chunk, each within the deadline.
    pub fn body(self) -> impl Stream<Item = Result<Vec<u8>, NoAnswer>> {
        let chunks = Box::pin(self.response.take_body_stream());
        futures::stream::unfold(Some(chunks), |chunks| async move {
            let mut chunks = chunks?;
            match within(DEADLINE_MS, chunks.next()).await {
                Some(Some(Ok(chunk))) => Some((Ok(chunk), Some(chunks))),
                Some(Some(Err(_))) => Some((Err(NoAnswer::Unknown("answer_broke_off")), None)),
                Some(None) => None,
                None => Some((Err(NoAnswer::Unknown("timeout")), None)),
            }
        })
    }
}

/// Sends a request and returns the head of the answer, within the deadline.
///
/// # Errors
/// See [`NoAnswer`].
pub async fn open(request: &ApiRequest) -> Result<Opened, NoAnswer> {
    within(DEADLINE_MS, send(request)).await.unwrap_or(Err(NoAnswer::Unknown("timeout")))
}

async fn exchange(request: &ApiRequest, limit: usize) -> Result<Answer, NoAnswer> {
    let opened = send(request).await?;
    let (status, retry_after, mut body) = (opened.status, opened.header("retry-after"), Vec::new());
    let mut stream = pin!(opened.body());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > limit {
            return Err(NoAnswer::Unknown("answer_too_large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body, retry_after })
}

async fn send(request: &ApiRequest) -> Result<Opened, NoAnswer> {
    let method = match request.method {
        http::Method::GET => Method::Get,
        http::Method::PUT => Method::Put,
        http::Method::DELETE => Method::Delete,
        _ => Method::Post,
    };
    let mut builder = spin_sdk::http::Request::builder();
    builder.method(method).uri(request.url.as_str());
    for (name, value) in &request.headers {
        builder.header(*name, value.as_str());
    }
    builder.header("content-length", request.body.len().to_string());
    let sent = builder.body(request.body.clone()).build();
    let response: IncomingResponse = spin_sdk::http::send(sent).await.map_err(|e| failure(&e))?;
    Ok(Opened { status: response.status(), response })
}

fn failure(error: &SendError) -> NoAnswer {
    let SendError::Http(code) = error else { return NoAnswer::Unknown("connection_broken") };
    match code {
        ErrorCode::HttpRequestDenied => NoAnswer::NotReached("host_not_granted"),
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => NoAnswer::NotReached("platform_unreachable"),
        _ => NoAnswer::Unknown("connection_broken"),
    }
}

/// Runs futures concurrently until all are done. The executor polls every future whenever one is ready, and there are at
/// most some tens of them. A loop is therefore enough, and compiles to much less code than a set of futures.
pub async fn all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut pending = false;
        for (future, done) in running.iter_mut().filter(|(_, done)| done.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(value) => *done = Some(value),
                Poll::Pending => pending = true,
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}
