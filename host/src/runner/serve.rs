//! The HTTP/1.1 server: connections, routes, and the bounds that hold before a component is asked.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use wasmtime_wasi_http::{Error, WasiBody};

use super::app::{App, stopped};
use super::call::call;
use super::gateway;
use super::problem::problem;

/// How long requests in flight may take once the runner is stopping.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's head.
const HEAD: Duration = Duration::from_secs(15);
/// How much of a body that is too large is still read, so that the client sees the answer.
const DISCARDED: usize = 32 << 20;

/// Serves until the runner is stopping and what was in flight is answered.
pub async fn serve(app: Arc<App>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    let stop = stopped(app.stopping.clone());
    let mut stop = std::pin::pin!(stop);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_header_size(32 << 10).max_buf_size(64 << 10);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: it passes when connections close.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // A small answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let service_app = Arc::clone(&app);
        let service = service_fn(move |request| {
            let app = Arc::clone(&service_app);
            async move {
                Ok::<_, Infallible>(match &app.gateway {
                    Some(gateway) if gateway::wanted(&request) => gateway::open(&app, gateway, request, peer).await,
                    _ => handle(&app, request, peer).await,
                })
            }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let stop = stopped(app.stopping.clone());
        connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let result = tokio::select! {
                result = connection.as_mut() => result,
                () = stop => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = result {
                tracing::debug!(%peer, "connection ended: {error}");
            }
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!("requests were still in flight after {DRAIN:?}");
    }
    if let Some(gateway) = &app.gateway {
        gateway.drained().await;
    }
}

/// Answers one request from outside.
pub async fn handle<B>(app: &Arc<App>, request: Request<B>, peer: SocketAddr) -> Response<WasiBody>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Error>,
{
    let begun = Instant::now();
    let method = request.method().clone();
    let mut component = None;
    let mut route = None;
    let response = answer(app, request, peer, &mut route, &mut component).await;
    tracing::debug!(
        %method,
        route,
        component,
        status = response.status().as_u16(),
        micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

async fn answer<'a, B>(
    app: &'a Arc<App>,
    mut request: Request<B>,
    peer: SocketAddr,
    route: &mut Option<&'a str>,
    component: &mut Option<&'a str>,
) -> Response<WasiBody>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Error>,
{
    let path = request.uri().path().to_owned();
    let Some(found) = app.routes.find(&path) else {
        return problem(StatusCode::NOT_FOUND, "not_found", "no route leads here");
    };
    // Only routed components are loaded, so this always finds one.
    let Some(target) = app.components.get(&found.target.component) else {
        return problem(StatusCode::NOT_FOUND, "not_found", "no component is here");
    };
    *route = Some(&found.target.route);
    *component = Some(&target.id);
    if content_length(&request).is_some_and(|length| length > app.limits.body) {
        discard(request.body_mut()).await;
        return too_large(app);
    }
    if complete_uri(app, &mut request).is_err() {
        return problem(StatusCode::BAD_REQUEST, "bad_request", "the Host header is not a host");
    }
    let Some(slot) = app.slots.outside(target).await else {
        return problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_requests",
            "too many requests at once; try again in a second",
        );
    };
    let overrun = Arc::new(AtomicBool::new(false));
    let mut request = request.map(|inner| {
        if inner.is_end_stream() {
            return super::problem::full(Bytes::new());
        }
        Capped { inner, left: app.limits.body, discarded: 0, overrun: Arc::clone(&overrun) }.boxed_unsync()
    });
    set_spin_headers(&mut request, &found.target.route, found.path_info, Some(peer));
    let response = call(app, target, request, slot).await;
    if overrun.load(Ordering::Relaxed) { too_large(app) } else { response }
}

/// Reads what a client insists on sending, within reason: closing on it could destroy the answer on its way.
async fn discard<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let read = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > DISCARDED {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
}

fn too_large(app: &App) -> Response<WasiBody> {
    let mut response =
        problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &format!("a body takes at most {} bytes", app.limits.body));
    // The rest of the body is not read, so the connection cannot be used again.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn content_length<B>(request: &Request<B>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Gives the request the complete URI that a guest sees on Spin.
fn complete_uri<B>(app: &App, request: &mut Request<B>) -> Result<(), http::Error> {
    let host = match request.headers().get(header::HOST) {
        Some(host) => host.as_bytes(),
        None => request.uri().authority().map_or_else(
            || app.authority.get().map_or(&b"localhost"[..], String::as_bytes),
            |authority| authority.as_str().as_bytes(),
        ),
    };
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let uri = Uri::builder().scheme("http").authority(host).path_and_query(path).build()?;
    *request.uri_mut() = uri;
    Ok(())
}

/// Sets the headers by which Spin tells a component how it was reached, after removing what the client sent.
pub fn set_spin_headers(request: &mut Request<WasiBody>, route: &str, path_info: &str, peer: Option<SocketAddr>) {
    let full_url = request.uri().to_string();
    let headers = request.headers_mut();
    let forged: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    let prefix = route.strip_suffix("/...").unwrap_or(route);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("spin-path-info", path_info);
    set("spin-full-url", &full_url);
    set("spin-matched-route", route);
    set("spin-base-path", "/");
    set("spin-raw-component-route", route);
    set("spin-component-route", prefix);
    if let Some(peer) = peer {
        let ip = match peer.ip() {
            IpAddr::V6(ip) => ip.to_canonical(),
            ip => ip,
        };
        set("spin-client-addr", &SocketAddr::new(ip, peer.port()).to_string());
    }
}

/// A request's body, ended with an error once it is longer than allowed.
struct Capped<B> {
    inner: B,
    left: u64,
    discarded: usize,
    overrun: Arc<AtomicBool>,
}

impl<B> Body for Capped<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            let frame = match std::task::ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(frame) => frame.map_err(Into::into)?,
                None if self.discarded > 0 => return Poll::Ready(Some(Err(Error::HttpRequestBodySize(None)))),
                None => return Poll::Ready(None),
            };
            let length = frame.data_ref().map_or(0, Bytes::len);
            match self.left.checked_sub(length as u64) {
                Some(left) if self.discarded == 0 => {
                    self.left = left;
                    return Poll::Ready(Some(Ok(frame)));
                }
                _ => {
                    self.overrun.store(true, Ordering::Relaxed);
                    self.discarded += length.max(1);
                    if self.discarded > DISCARDED {
                        return Poll::Ready(Some(Err(Error::HttpRequestBodySize(None))));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
