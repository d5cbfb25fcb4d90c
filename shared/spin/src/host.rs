//! Spin as the [`Host`] of the shell.

use crate::db::SpinDb;
use crate::environment::{Environment, SpinClock};
use futures::future::{Either, pending, poll_fn, select};
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use spin_executor::CancelOnDropToken;
use spin_sdk::http::conversions::TryIntoOutgoingRequest as _;
use spin_sdk::http::{ErrorCode, Fields, IncomingResponse, Method, OutgoingResponse, Request, ResponseOutparam, SendError};
use spin_sdk::variables;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::{Pin, pin};
use std::task::Poll;
use warmline_channels::ApiRequest;
use warmline_endpoint::Problem;
use warmline_model::Clock as _;
use warmline_store::damage;
use warmline_transport::host::{Body, Broken, Head, Host, NoAnswer, Opened, Writer};
use wasi::clocks::monotonic_clock;
use wasi::io::error::Error;
use wasi::io::streams::StreamError;

/// Spin.
pub struct Spin;

impl Host for Spin {
    type Environment = Environment;
    type Out = ResponseOutparam;
    type Writer = Pieces;
    type Body = Chunks;

    fn open(&self) -> Result<Environment, Problem> {
        Environment::open_ready()
    }

    fn damage_is_new(&self) -> bool {
        // If the count fails, the damage is logged.
        SpinDb::open().and_then(|db| damage::count(&db, SpinClock.now())).unwrap_or(true)
    }

    fn variable(&self, name: &str) -> String {
        variables::get(name).unwrap_or_default()
    }

    fn log(&self, line: &str) {
        // On a full disk Spin cannot take it. The answer matters more: `eprintln!` would end the component without one.
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    async fn sleep(&self, ms: u64) {
        let until = monotonic_clock::now().saturating_add(ms.saturating_mul(1_000_000));
        // The executor polls every future whenever one is ready. Each poll before the time registers a new timer. Dropping
        // the old registration (here, or with the whole future) cancels it.
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

    async fn send(&self, request: &ApiRequest) -> Result<Opened<Chunks>, NoAnswer> {
        let method = match request.method {
            http::Method::GET => Method::Get,
            http::Method::PUT => Method::Put,
            http::Method::DELETE => Method::Delete,
            _ => Method::Post,
        };
        let mut builder = Request::builder();
        builder.method(method).uri(request.url.as_str());
        for (name, value) in &request.headers {
            builder.header(*name, value.as_str());
        }
        builder.header("content-length", request.body.len().to_string());
        let response = send(builder.body(request.body.clone()).build()).await?;
        let (status, headers) = (response.status(), header_map(&response.headers()));
        Ok(Opened { status, headers, body: Chunks::of(response.take_body_stream()) })
    }

    async fn answer(&self, out: ResponseOutparam, head: Head, body: Vec<u8>) {
        // If the client is gone, there is nobody to answer.
        let _ = out.set_with_body(response(head), body).await;
    }

    fn begin(&self, out: ResponseOutparam, head: Head) -> Pieces {
        let response = response(head);
        let body = response.take_body();
        out.set(response);
        Pieces(Box::pin(body))
    }
}

fn response(head: Head) -> OutgoingResponse {
    let headers: Vec<_> = head.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
    // Names and values are ours and valid. If one were not, the answer would go out without headers.
    let fields = Fields::from_list(&headers).unwrap_or_else(|_| Fields::new());
    let response = OutgoingResponse::new(fields);
    // The host knows all statuses that we use.
    let _ = response.set_status_code(head.status);
    response
}

/// The headers of a request or an answer. Headers that are not valid in HTTP are left out.
pub(crate) fn header_map(fields: &Fields) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    for (name, value) in fields.entries() {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// An answer that is written piece by piece.
pub struct Pieces(Pin<Box<dyn Sink<Vec<u8>, Error = StreamError>>>);

impl Writer for Pieces {
    async fn write(&mut self, bytes: Vec<u8>) -> bool {
        self.0.send(bytes).await.is_ok()
    }
}

/// A body as it comes in.
pub struct Chunks(Pin<Box<dyn Stream<Item = Option<Vec<u8>>>>>);

impl Chunks {
    pub(crate) fn of(stream: impl Stream<Item = Result<Vec<u8>, Error>> + 'static) -> Self {
        Self(Box::pin(stream.map(Result::ok)))
    }
}

impl Body for Chunks {
    async fn next(&mut self) -> Option<Result<Vec<u8>, Broken>> {
        self.0.next().await.map(|chunk| chunk.ok_or(Broken))
    }
}

/// Sends a request and waits for the answer.
///
/// The SDK's own way reports the broken body where a call fails before its body is written. Only the answer's error tells
/// whether the request left: a reply that was refused may go again, another one may not.
async fn send(request: Request) -> Result<IncomingResponse, NoAnswer> {
    // A request that cannot be built is not sent.
    let unfit = NoAnswer::NotReached("platform_unreachable");
    let (request, body) = request.try_into_outgoing_request().map_err(|_| unfit)?;
    let mut to = request.take_body();
    let written = async move {
        // If this fails, the answer says why.
        let _ = to.send(body.unwrap_or_default()).await;
        drop(to);
        pending::<Infallible>().await
    };
    match select(pin!(spin_sdk::http::send(request)), pin!(written)).await {
        Either::Left((answer, _)) => answer.map_err(|error| failure(&error)),
    }
}

fn failure(error: &SendError) -> NoAnswer {
    let SendError::Http(code) = error else { return NoAnswer::Unknown("connection_broken") };
    match code {
        ErrorCode::HttpRequestDenied => NoAnswer::NotReached("host_not_granted"),
        ErrorCode::DestinationIpProhibited => NoAnswer::NotReached("address_not_allowed"),
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => NoAnswer::NotReached("platform_unreachable"),
        _ => NoAnswer::Unknown("connection_broken"),
    }
}
