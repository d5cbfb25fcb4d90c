//! The HTTP/1.1 server: connections, routes, and the bounds that hold before a component is asked.
//!
//! A request gets a place for an instance last: its route, its host and the length that it names are looked at first, then its
//! body is gathered ([`super::gather`]). What is refused is answered at once, whatever the client still means to send.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use warmline_process::stopped;
use wasmtime_wasi_http::WasiBody;

use crate::app::{App, Component};
use crate::call::call;
use crate::connections::{Answering, Connection, Watched};
use crate::gateway;
use crate::gather::Refused;
use crate::problem::{full, problem};

/// How long requests in flight may take once the runner is stopping.
const DRAIN: Duration = Duration::from_secs(10);
/// How much of a body that was refused is still read, so that the client sees the answer, and for how long. No channel takes
/// bodies longer than half of this, so a client whose body is somewhat too long is told so even if it reads nothing before it
/// has sent everything.
const DISCARDED: usize = 64 << 20;
const DISCARDING: Duration = Duration::from_secs(5);
/// How many refused bodies are still read at once.
static LINGERING: Semaphore = Semaphore::const_new(64);
/// What is said to a connection for which there is no room.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves until the runner is stopping and what was in flight is answered.
pub async fn serve(app: Arc<App>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    let stop = stopped(app.stopping.clone());
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) if app.connections.make_room(app.bodies.on_their_way()) => {
                // A small answer must not wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                let (stream, connection) = app.connections.accept(stream);
                connections.spawn(hold(Arc::clone(&app), stream, connection, peer));
            }
            Ok((stream, _)) => turn_away(&stream),
            Err(error) => {
                // Out of file descriptors, mostly: it passes when connections close.
                tracing::warn!("cannot accept a connection: {error}");
                app.connections.close_one(app.bodies.on_their_way());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
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

/// Answers a connection for which there is no room, if it takes the answer at once.
fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(NO_ROOM);
}

/// Serves one connection to its end.
async fn hold(app: Arc<App>, stream: Watched, connection: Arc<Connection>, peer: SocketAddr) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(app.limits.head).max_header_size(32 << 10).max_buf_size(64 << 10);
    let (service_app, served) = (Arc::clone(&app), Arc::clone(&connection));
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, busy, connection) = (Arc::clone(&service_app), served.busy(), Arc::clone(&served));
        async move {
            let response = match &app.gateway {
                _ if misaddressed(&request) => refuse(problem(StatusCode::BAD_REQUEST, "bad_request", ONE_HOST), request),
                Some(gateway) if gateway::wanted(&request) => gateway::open(&app, gateway, request, peer).await,
                _ => handle(&app, request, peer).await,
            };
            let response = app.answers.hold(response, &connection).await;
            Ok::<_, Infallible>(response.map(|inner| Answering { inner, busy }))
        }
    });
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let stop = stopped(app.stopping.clone());
    let mut stop = std::pin::pin!(stop);
    let mut stopping = false;
    let result = loop {
        tokio::select! {
            result = serving.as_mut() => break result,
            () = &mut stop, if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
            // A request may have come since it was told.
            () = connection.ended() => if connection.is_idle() { return },
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, "connection ended: {error}");
    }
}

const ONE_HOST: &str = "a request has one Host header (RFC 9112, section 3.2)";

/// Whether it is unclear which host a request from outside is for: HTTP/1.1 wants one Host header, and nobody may send two.
fn misaddressed<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11)
}

/// Answers one request from outside.
pub async fn handle<B>(app: &Arc<App>, request: Request<B>, peer: SocketAddr) -> Response<WasiBody>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
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
{
    let path = request.uri().path().to_owned();
    let told = |reason: &'static str| app.told.refused(&path, reason);
    let Some(found) = app.routes.find(&path) else {
        told("not_found");
        return refuse(problem(StatusCode::NOT_FOUND, "not_found", "no route leads here"), request);
    };
    // Only routed components are loaded, so this always finds one.
    let Some(target) = app.components.get(&found.target.component) else {
        return refuse(problem(StatusCode::NOT_FOUND, "not_found", "no component is here"), request);
    };
    *route = Some(&found.target.route);
    *component = Some(&target.id);
    let who = app.streams.who(&request, peer);
    if content_length(&request).is_some_and(|length| length > target.body) {
        told("body_too_large");
        return refuse(too_large(target), request);
    }
    if complete_uri(app, &mut request).is_err() {
        return refuse(problem(StatusCode::BAD_REQUEST, "bad_request", "the Host header is not a host"), request);
    }
    let (head, mut body) = request.into_parts();
    let (body, large) = if body.is_end_stream() {
        (full(Bytes::new()), None)
    } else {
        let gathered = match app.bodies.gather(&mut body, target.body).await {
            Ok(gathered) => gathered,
            Err(why) => {
                told(code(&why));
                return refuse(ungathered(why, target), Request::from_parts(head, body));
            }
        };
        match app.bodies.admit(gathered.length).await {
            Ok(large) => (gathered.body, large),
            Err(why) => {
                told(code(&why));
                return ungathered(why, target);
            }
        }
    };
    let Some(mut place) = app.slots.outside(target, who).await else {
        return busy();
    };
    place.large = large;
    let mut request = Request::from_parts(head, body);
    set_spin_headers(&mut request, &found.target.route, found.path_info, Some(peer));
    call(app, target, request, place).await
}

/// Answers before the body was read, and at once. What the client goes on to send is read beside the answer for a while:
/// closing on it could destroy the answer on its way.
fn refuse<B>(mut response: Response<WasiBody>, request: Request<B>) -> Response<WasiBody>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let waits = request.headers().contains_key(header::EXPECT);
    let mut body = request.into_body();
    if body.is_end_stream() {
        return response;
    }
    // The connection cannot be used again before all of the body was read.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    if !waits && let Ok(permit) = LINGERING.try_acquire() {
        tokio::spawn(async move {
            let _permit = permit;
            let _ = tokio::time::timeout(DISCARDING, discard(&mut body)).await;
        });
    }
    response
}

async fn discard<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > DISCARDED {
            break;
        }
    }
}

fn busy() -> Response<WasiBody> {
    let detail = "too many requests at once; try again in a second";
    problem(StatusCode::SERVICE_UNAVAILABLE, "too_many_requests", detail)
}

fn too_large(component: &Component) -> Response<WasiBody> {
    let detail = format!("a body takes at most {} bytes here", component.body);
    problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &detail)
}

/// Why a body was not gathered, in a word.
const fn code(why: &Refused) -> &'static str {
    match why {
        Refused::TooLarge => "body_too_large",
        Refused::TooSlow => "body_timeout",
        Refused::Broken => "body_broken",
        Refused::NoRoom => "too_many_requests",
        Refused::Disk => "store_full",
    }
}

/// Why a body was not gathered, as its sender is told.
fn ungathered(why: Refused, component: &Component) -> Response<WasiBody> {
    let code = code(&why);
    match why {
        Refused::TooLarge => too_large(component),
        Refused::TooSlow => problem(StatusCode::REQUEST_TIMEOUT, code, "the body did not arrive in time; send it faster"),
        Refused::Broken => problem(StatusCode::BAD_REQUEST, code, "the body broke off"),
        Refused::NoRoom => busy(),
        Refused::Disk => {
            let detail = "the disk takes no large bodies now; nothing was changed, try again later";
            problem(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        }
    }
}

fn content_length<B>(request: &Request<B>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Gives the request the complete URI that a guest sees on Spin.
fn complete_uri<B>(app: &App, request: &mut Request<B>) -> Result<(), http::Error> {
    // A host in the request line is the one that is meant, whatever Host says (RFC 9112, section 3.2.2).
    let host = match (request.uri().authority(), request.headers().get(header::HOST)) {
        (Some(authority), _) => authority.as_str().as_bytes(),
        (None, Some(host)) => host.as_bytes(),
        (None, None) => app.authority.get().map_or(&b"localhost"[..], String::as_bytes),
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
