//! Requests in and responses out, in Spin's types.

use crate::environment::Environment;
use crate::host::{Chunks, Spin, header_map};
pub use spin_sdk::http::{IncomingRequest, ResponseOutparam};
use warmline_endpoint::message::SECURITY;
use warmline_endpoint::route::Pieces;
use warmline_endpoint::{Problem, Request, Response};
use warmline_transport::host::{self, Body, Broken};
use warmline_transport::incoming::{self, Incoming};

/// A request in the shell's types.
pub(crate) fn of(incoming: IncomingRequest) -> Incoming<Coming> {
    let mut headers = header_map(&incoming.headers());
    let path_and_query = incoming.path_with_query().unwrap_or_default();
    let (path, query) = path_and_query.split_once('?').unwrap_or((&path_and_query, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let method = http::Method::from_bytes(incoming.method().to_string().as_bytes()).unwrap_or_default();
    if let Some(host) = incoming.authority().and_then(|a| http::HeaderValue::try_from(a).ok()) {
        // Over WASI the host is separate from the headers.
        headers.entry(http::header::HOST).or_insert(host);
    }
    let head = Request { method, path, query, headers, body: Vec::new() };
    Incoming { head, body: Coming::Untouched(Some(incoming)) }
}

/// The body of a request. It is opened only when it is read: a request that is refused by its head leaves it untouched.
pub(crate) enum Coming {
    Untouched(Option<IncomingRequest>),
    Read(Chunks),
}

impl Body for Coming {
    async fn next(&mut self) -> Option<Result<Vec<u8>, Broken>> {
        if let Self::Untouched(incoming) = self {
            *self = Self::Read(Chunks::of(incoming.take()?.into_body_stream()));
        }
        match self {
            Self::Read(chunks) => chunks.next().await,
            Self::Untouched(_) => None,
        }
    }
}

/// Reads a request ([`incoming::read`]).
///
/// # Errors
/// The body is too large, encoded or incomplete, or the internal token is missing.
pub async fn read(incoming: IncomingRequest) -> Result<Request, Problem> {
    incoming::read(&Spin, of(incoming)).await.map_err(|unread| unread.problem)
}

/// Sends a response. The client does not wait for anything that the component does afterwards.
pub async fn respond(out: ResponseOutparam, response: Response) {
    host::respond(&Spin, out, response).await;
}

/// Logs a problem's internal reason, and turns it into a response ([`host::refuse`]).
pub fn refuse(problem: Problem) -> Response {
    host::refuse(&Spin, problem)
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

/// Sends an answer of the API piece by piece, as it is produced ([`host::pass`]).
pub async fn pass(world: &Environment, mut pieces: Box<dyn Pieces>, out: ResponseOutparam) {
    let security = SECURITY.map(|(name, value)| (name, value.to_owned())).into();
    host::pass(&Spin, &world.ctx(), &mut *pieces, security, out).await;
}
