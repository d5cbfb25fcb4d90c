//! One request from outside: its route, its body, a place for an instance, and the call.
//!
//! A request gets its place last: its route, its host and its stated length are checked first, and then its body is
//! gathered ([`crate::gather`]). A refusal is answered at once, whatever the client still means to send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::WasiBody;

use crate::app::App;
use crate::call::call;
use crate::component::Component;
use crate::gather::Refused;
use crate::problem::{full, problem};
use crate::spin_headers::set_spin_headers;

/// The most bytes of a refused body that are still read, and the time for it, so that the client sees the answer. No
/// channel accepts bodies longer than half of this. A client whose body is a little too long therefore sees the refusal
/// even if it reads nothing before it has sent everything.
const DISCARDED: usize = 64 << 20;
const DISCARDING: Duration = Duration::from_secs(5);
/// The most refused bodies that are still read at once.
static LINGERING: Semaphore = Semaphore::const_new(64);

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
        return refuse(problem(StatusCode::NOT_FOUND, "not_found", "no route of the manifest leads to this path"), request);
    };
    // Only routed components are loaded, so this always finds one.
    let Some(target) = app.components.get(&found.target.component) else {
        return refuse(problem(StatusCode::NOT_FOUND, "not_found", "no component is here"), request);
    };
    *route = Some(&found.target.route);
    *component = Some(target.id());
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
    let Some(mut place) = app.slots.outside(&target.share, who).await else {
        return busy();
    };
    place.large = large;
    let mut request = Request::from_parts(head, body);
    set_spin_headers(&mut request, &found.target.route, found.path_info, Some(peer));
    call(app, target, request, place).await
}

/// Answers at once, before the body was read. The rest of the body is read beside the answer for a while: closing the
/// connection on it could destroy the answer on its way.
pub(crate) fn refuse<B>(mut response: Response<WasiBody>, request: Request<B>) -> Response<WasiBody>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let waits = request.headers().contains_key(header::EXPECT);
    let mut body = request.into_body();
    if body.is_end_stream() {
        return response;
    }
    // The connection cannot be used again before the whole body was read.
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

/// The reason why a body was not gathered, as a code.
const fn code(why: &Refused) -> &'static str {
    match why {
        Refused::TooLarge => "body_too_large",
        Refused::TooSlow => "body_timeout",
        Refused::Broken => "body_broken",
        Refused::NoRoom => "too_many_requests",
        Refused::Disk => "store_full",
    }
}

/// The reason why a body was not gathered, as the answer to its sender.
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
    // A host in the request line wins over the header Host (RFC 9112, section 3.2.2).
    let host = match (request.uri().authority(), request.headers().get(header::HOST)) {
        (Some(authority), _) => authority.as_str().as_bytes(),
        (None, Some(host)) => host.as_bytes(),
        (None, None) => app.services.authority.get().map_or(&b"localhost"[..], String::as_bytes),
    };
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let uri = Uri::builder().scheme("http").authority(host).path_and_query(path).build()?;
    *request.uri_mut() = uri;
    Ok(())
}
