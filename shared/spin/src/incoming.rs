//! Requests in, responses out. Bodies are capped while they stream in, and a large one is reduced to the parts that are
//! read. A response is written as a whole, so that no part of it waits for the acknowledgement of another.

use crate::db::SpinDb;
use crate::world::{SpinClock, World};
use crate::{internal, outgoing};
use futures::{Sink, SinkExt as _, StreamExt as _};
use spin_sdk::http::{Fields, OutgoingResponse};
pub use spin_sdk::http::{IncomingRequest, ResponseOutparam};
use warmline_channels::{Gather, Whole};
use warmline_endpoint::message::SECURITY;
use warmline_endpoint::route::{Piece, Pieces};
use warmline_endpoint::{BODY_LIMIT, Problem, Request, Response, sse};
use warmline_model::Clock as _;
use warmline_store::damage;

/// How long a client may take to send its body; [`MIB_MS`] is added for each MiB beyond the first that the limit allows.
const BODY_MS: u64 = 10_000;
const MIB_MS: u64 = 2_000;

/// Reads a request. Paths below `/internal/<component>` are the public way for calls between components, for platforms
/// without a private one. They need the internal token, and lose that prefix. All other paths that do not begin with the
/// component's public route can come only from another component.
///
/// # Errors
/// The body is too large, encoded or incomplete, or the internal token is missing.
pub async fn read(incoming: IncomingRequest) -> Result<Request, Problem> {
    read_whole(incoming).await.map_err(|unread| unread.problem)
}

/// Like [`read`], for callers that report requests that were not read.
pub(crate) async fn read_whole(incoming: IncomingRequest) -> Result<Request, Unread> {
    read_into(incoming, |_| Box::new(Whole(Vec::new()))).await
}

/// A request that was not read, and its path.
pub(crate) struct Unread {
    pub(crate) path: String,
    pub(crate) problem: Problem,
}

/// Like [`read_whole`], for a channel that accepts other bodies: `gather` gets the body's media type.
pub(crate) async fn read_into(
    incoming: IncomingRequest,
    gather: impl FnOnce(&str) -> Box<dyn Gather>,
) -> Result<Request, Unread> {
    let mut headers = http::HeaderMap::new();
    for (name, value) in incoming.headers().entries() {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    let path_and_query = incoming.path_with_query().unwrap_or_default();
    let (path, query) = path_and_query.split_once('?').unwrap_or((&path_and_query, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let method = http::Method::from_bytes(incoming.method().to_string().as_bytes()).unwrap_or_default();
    if let Some(host) = incoming.authority().and_then(|a| http::HeaderValue::try_from(a).ok()) {
        // Over WASI the host is separate from the headers.
        headers.entry(http::header::HOST).or_insert(host);
    }
    let unread = |problem| Unread { path: path.clone(), problem };
    Request::plain_body(&headers).map_err(unread)?;
    let declared = headers.get(http::header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let gather = gather(kind);
    let limit = gather.limit();
    if declared.is_some_and(|n| n > limit) {
        return Err(unread(too_large(limit)));
    }
    let body = if declared == Some(0) || (method == http::Method::GET && declared.is_none()) {
        Vec::new()
    } else {
        let beyond = u64::try_from(limit.saturating_sub(BODY_LIMIT) >> 20).unwrap_or_default();
        outgoing::within(BODY_MS + MIB_MS * beyond, body(incoming, gather))
            .await
            .unwrap_or_else(|| Err(Problem::new(408, "body_timeout", "the body did not arrive in time")))
            .map_err(unread)?
    };
    internal::admit(Request { method, path: path.clone(), query, headers, body }).map_err(unread)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(413, "body_too_large", format!("a body takes at most {limit} bytes"))
}

async fn body(incoming: IncomingRequest, mut gather: Box<dyn Gather>) -> Result<Vec<u8>, Problem> {
    let (limit, mut came) = (gather.limit(), 0usize);
    let mut stream = std::pin::pin!(incoming.into_body_stream());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::new(400, "body_broken", "the body broke off"))?;
        came = came.saturating_add(chunk.len());
        if came > limit {
            return Err(too_large(limit));
        }
        gather.push(&chunk);
    }
    Ok(gather.finish())
}

fn head(status: u16, headers: &[(String, Vec<u8>)]) -> OutgoingResponse {
    // Names and values are ours and valid. If one were not, the answer would go out without headers.
    let fields = Fields::from_list(headers).unwrap_or_else(|_| Fields::new());
    let response = OutgoingResponse::new(fields);
    // The host knows all statuses that we use.
    let _ = response.set_status_code(status);
    response
}

/// Sends a response. The client does not wait for anything that the component does afterwards.
pub async fn respond(out: ResponseOutparam, response: Response) {
    let mut headers = vec![
        ("content-type".to_owned(), response.content_type.as_bytes().to_vec()),
        ("content-length".to_owned(), response.body.len().to_string().into_bytes()),
        ("x-content-type-options".to_owned(), b"nosniff".to_vec()),
    ];
    if !response.headers.iter().any(|(name, _)| *name == "cache-control") {
        headers.push(("cache-control".to_owned(), b"no-store".to_vec()));
    }
    headers.extend(response.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())));
    // The client may be gone; then there is nobody to answer.
    let _ = out.set_with_body(head(response.status, &headers), response.body).await;
}

/// Serves a component with complete answers: reads the request, answers it, and sends the answer or the refusal.
pub async fn serve(
    incoming: IncomingRequest,
    out: ResponseOutparam,
    answer: impl AsyncFnOnce(&Request) -> Result<Response, Problem>,
) {
    let response = answered(incoming, answer).await;
    respond(out, response).await;
}

/// Like [`serve`], for the API, whose answers carry more headers for browsers.
pub async fn serve_api(
    incoming: IncomingRequest,
    out: ResponseOutparam,
    answer: impl AsyncFnOnce(&Request) -> Result<Response, Problem>,
) {
    let response = answered(incoming, answer).await;
    respond(out, response.secured()).await;
}

async fn answered(incoming: IncomingRequest, answer: impl AsyncFnOnce(&Request) -> Result<Response, Problem>) -> Response {
    let response = match read(incoming).await {
        Ok(request) => answer(&request).await,
        Err(problem) => Err(problem),
    };
    response.unwrap_or_else(refuse)
}

/// Logs a problem's internal reason, once, where it leaves the component, and turns it into a response. Damage in the store
/// is counted here and logged once a minute, because every request may run into it.
pub fn refuse(problem: Problem) -> Response {
    let damaged = problem.code == "store_damaged";
    if let Some(reason) = &problem.internal
        && (!damaged || damage_is_new())
    {
        eprintln!("{} {}: {reason}", problem.status, problem.code);
    }
    problem.into()
}

/// Counts damage. True if this minute's log does not mention it yet, or if that cannot be known.
fn damage_is_new() -> bool {
    SpinDb::open().and_then(|db| damage::count(&db, SpinClock.now())).unwrap_or(true)
}

/// Starts a response whose body is written piece by piece. The caller writes to the returned sink.
pub(crate) fn open(
    out: ResponseOutparam,
    status: u16,
    headers: Vec<(&'static str, String)>,
) -> impl Sink<Vec<u8>, Error = impl std::fmt::Debug> {
    let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
    let response = head(status, &headers);
    let body = response.take_body();
    out.set(response);
    body
}

/// Sends an answer piece by piece, as it is produced. If it cannot be finished, it breaks off, so that nobody takes it for
/// complete.
pub async fn pass(world: &World, mut pieces: Box<dyn Pieces>, out: ResponseOutparam) {
    let headers = pieces.headers().into_iter().chain(SECURITY).map(|(name, value)| (name, value.to_owned()));
    let mut body = std::pin::pin!(open(out, 200, headers.collect()));
    loop {
        match pieces.next(&world.ctx()) {
            Ok(Piece::Bytes(bytes)) => match body.send(bytes).await {
                Ok(()) => {}
                Err(_) => return,
            },
            Ok(Piece::Wait(ms)) => outgoing::sleep(ms).await,
            Ok(Piece::End) => return,
            Err(problem) => {
                refuse(problem);
                return;
            }
        }
    }
}

/// A stream of server-sent events.
pub(crate) struct Events<S>(std::pin::Pin<Box<S>>);

/// Starts a stream of server-sent events with extra headers.
pub(crate) fn events(
    out: ResponseOutparam,
    extra: Vec<(&'static str, String)>,
) -> Events<impl Sink<Vec<u8>, Error = impl std::fmt::Debug>> {
    let mut headers: Vec<_> = sse::HEADERS.map(|(name, value)| (name, value.to_owned())).into();
    headers.extend(extra);
    Events(Box::pin(open(out, 200, headers)))
}

impl<S: Sink<Vec<u8>, Error = E>, E> Events<S> {
    /// Sends one event; false if the client is gone.
    pub async fn send(&mut self, id: Option<&str>, data: &str) -> bool {
        self.0.send(sse::event(id, data).into_bytes()).await.is_ok()
    }

    /// Sends a comment. It keeps the connection open and reveals a client that is gone.
    pub async fn comment(&mut self, text: &str) -> bool {
        self.0.send(sse::comment(text).into_bytes()).await.is_ok()
    }
}
