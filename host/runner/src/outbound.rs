//! Calls that guests make: to other components in process, to granted hosts over pooled connections.
//!
//! Every call has a deadline, for the answer and for the whole of its body.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, Sleep};
use warmline_process::connector;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use crate::app::{App, Component};
use crate::call::call;
use crate::guest::Vitals;

const CHAIN_SUFFIX: &str = ".spin.internal";

/// The pool of connections to other hosts.
pub struct Client(legacy::Client<HttpsConnector<HttpConnector>, WasiBody>);

impl Default for Client {
    fn default() -> Self {
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(32)
            .build(connector());
        Self(client)
    }
}

/// What wasi:http asks of the runner, for one instance.
pub struct Hooks {
    app: Arc<App>,
    component: Arc<Component>,
    vitals: Arc<Vitals>,
}

impl Hooks {
    /// The hooks of an instance of `component`.
    pub fn new(app: &Arc<App>, component: &Arc<Component>, vitals: &Arc<Vitals>) -> Self {
        Self { app: Arc::clone(app), component: Arc::clone(component), vitals: Arc::clone(vitals) }
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (app, component) = (Arc::clone(&self.app), Arc::clone(&self.component));
        let unknown = callee(&request).is_some_and(|callee| !app.components.contains_key(callee));
        if unknown && component.allowed_hosts.allows(request.uri(), "") {
            // On Spin this traps the caller. It is not answered here, so that the guest waits and is ended.
            tracing::error!(component = &*component.id, uri = %request.uri(), "the component called one that does not exist");
            self.vitals.doom();
            return Box::new(std::future::pending());
        }
        Box::new(async move {
            let response = send(&app, &component, request, options).await?;
            let io: Io = Box::new(std::future::ready(Ok(())));
            Ok((response, io))
        })
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&FORBIDDEN_HEADERS)
    }
}

/// One filter for all instances: each set of headers holds it.
static FORBIDDEN_HEADERS: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)));

/// The component that a request is for, when it is for one.
fn callee(request: &Request<WasiBody>) -> Option<&str> {
    request.uri().host()?.strip_suffix(CHAIN_SUFFIX)
}

async fn send(
    app: &Arc<App>,
    caller: &Component,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Error> {
    let own = app.authority.get().map_or("", String::as_str);
    if !caller.allowed_hosts.allows(request.uri(), own) {
        tracing::warn!(
            component = &*caller.id,
            host = request.uri().authority().map(http::uri::Authority::as_str),
            "refused an outbound call: not in allowed_outbound_hosts"
        );
        return Err(Error::HttpRequestDenied);
    }
    if let Some(callee) = callee(&request) {
        let callee = callee.to_owned();
        return chain(app, &callee, request).await.ok_or(Error::ConnectionLimitReached);
    }
    let given = |wanted: Option<Duration>| wanted.unwrap_or(app.limits.outbound).min(app.limits.outbound);
    let first_byte = given(options.and_then(|options| options.first_byte_timeout));
    let deadline = Instant::now() + app.limits.outbound;
    let response = tokio::time::timeout(first_byte, app.client.0.request(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)?
        .map_err(client_error)?;
    Ok(response.map(|inner| Timed { inner, deadline: Box::pin(tokio::time::sleep_until(deadline)) }.boxed_unsync()))
}

/// Calls the component `callee` in process. None when it does not exist or no place for an instance became free.
pub async fn chain(app: &Arc<App>, callee: &str, mut request: Request<WasiBody>) -> Option<Response<WasiBody>> {
    let component = app.components.get(callee)?;
    let slot = app.slots.chained().await?;
    let path = request.uri().path().to_owned();
    crate::serve::set_spin_headers(&mut request, "/...", &path, None);
    tracing::debug!(component = callee, method = %request.method(), "chained call");
    Some(call(app, component, request, slot).await)
}

fn client_error(error: legacy::Error) -> Error {
    if error.is_connect() {
        return match cause::<std::io::Error>(&error).map(std::io::Error::kind) {
            Some(std::io::ErrorKind::TimedOut) => Error::ConnectionTimeout,
            Some(std::io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
            _ if format!("{error:?}").contains("dns") => Error::DnsError { rcode: None, info_code: None },
            _ => Error::DestinationUnavailable,
        };
    }
    match cause::<hyper::Error>(&error) {
        Some(cause) if cause.is_incomplete_message() => Error::ConnectionTerminated,
        Some(cause) if cause.is_timeout() => Error::HttpResponseTimeout,
        _ => Error::HttpProtocolError,
    }
}

/// The nearest cause of a kind.
fn cause<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    std::iter::successors(error.source(), |cause| cause.source()).find_map(|cause| cause.downcast_ref())
}

/// A response's body with a deadline for all of it.
struct Timed {
    inner: Incoming,
    deadline: Pin<Box<Sleep>>,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Error::from))),
            Poll::Pending => match self.deadline.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
