//! Calls to the outside. Each has a deadline, and answers are read only up to a limit.

use crate::host::{Body, Host, NoAnswer, Opened, within};
use warmline_channels::ApiRequest;

/// How long a platform may take to answer.
const DEADLINE_MS: u64 = 8_000;
/// How long a platform may take to show that it is reachable.
const KNOCK_MS: u64 = 3_000;
const ANSWER_LIMIT: usize = 256 * 1024;
/// The limit of a page of messages. It is larger: a page that cannot be read comes again, and blocks the pages behind
/// it.
const PAGE_LIMIT: usize = 1024 * 1024;

/// A platform's answer.
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
}

impl<B> Opened<B> {
    /// A header, if it is present and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }
}

/// Sends a request and reads the answer, within the deadline.
///
/// # Errors
/// There is no answer; [`NoAnswer`] says whether the request may have arrived.
pub fn call(host: &impl Host, request: &ApiRequest) -> impl Future<Output = Result<Answer, NoAnswer>> {
    call_within(host, DEADLINE_MS, request)
}

/// Like [`call`], with another deadline.
pub(crate) fn call_within(
    host: &impl Host,
    ms: u64,
    request: &ApiRequest,
) -> impl Future<Output = Result<Answer, NoAnswer>> {
    exchange(host, ms, request, ANSWER_LIMIT)
}

/// Like [`call`], for a page of messages, which may be longer.
pub(crate) fn page(host: &impl Host, request: &ApiRequest) -> impl Future<Output = Result<Answer, NoAnswer>> {
    exchange(host, DEADLINE_MS, request, PAGE_LIMIT)
}

/// Sends a request and returns the head of the answer, within the deadline.
pub(crate) async fn open<H: Host>(host: &H, request: &ApiRequest) -> Result<Opened<H::Body>, NoAnswer> {
    within(host, DEADLINE_MS, host.send(request)).await.unwrap_or(Err(NoAnswer::Unknown("timeout")))
}

/// The next bytes of an answer, within the deadline; `None` at its end.
pub(crate) async fn next(host: &impl Host, body: &mut impl Body) -> Option<Result<Vec<u8>, NoAnswer>> {
    match within(host, DEADLINE_MS, body.next()).await {
        Some(next) => next.map(|read| read.map_err(|_| NoAnswer::Unknown("answer_broke_off"))),
        None => Some(Err(NoAnswer::Unknown("timeout"))),
    }
}

/// Whether anything answers at the address of a request, or at least accepts connections. It asks with a request that
/// cannot be taken for a message.
pub(crate) async fn is_there(host: &impl Host, request: &ApiRequest) -> bool {
    let address = request.url.split_once('?').map_or(request.url.as_str(), |(address, _)| address);
    // The scheme, an empty part, and the host.
    let origin: Vec<&str> = address.splitn(4, '/').take(3).collect();
    let url = origin.join("/") + "/";
    let knock = ApiRequest { method: http::Method::GET, url, headers: Vec::new(), body: Vec::new() };
    // A slow platform counts as present.
    within(host, KNOCK_MS, host.send(&knock)).await.is_none_or(|answer| answer.is_ok())
}

async fn exchange(host: &impl Host, ms: u64, request: &ApiRequest, limit: usize) -> Result<Answer, NoAnswer> {
    let read = async {
        let mut opened = host.send(request).await?;
        let retry_after = opened.header("retry-after").map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = next(host, &mut opened.body).await {
            let chunk = chunk?;
            if body.len() + chunk.len() > limit {
                return Err(NoAnswer::Unknown("answer_too_large"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: opened.status, body, retry_after })
    };
    within(host, ms, read).await.unwrap_or(Err(NoAnswer::Unknown("timeout")))
}
