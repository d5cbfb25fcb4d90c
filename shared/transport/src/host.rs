//! The services that the shell of an adapter needs from its host: time, calls, answers, and variables. The crate `spin`
//! implements the trait on Spin. Tests implement it on a clock that runs only while somebody waits.
//!
//! The shell is compiled for one host at a time, so these traits cost a component nothing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use warmline_channels::ApiRequest;
use warmline_endpoint::route::{Piece, Pieces};
use warmline_endpoint::{Problem, Response};
use warmline_kernel::Ctx;

/// The host of one component.
pub trait Host {
    /// The world of a request: see [`Environment`].
    type Environment: Environment;
    /// The place for the answer to a request.
    type Out;
    /// An answer that is written piece by piece.
    type Writer: Writer;
    /// The body of a platform's answer.
    type Body: Body;

    /// Opens the store and the keys. The store must be migrated already.
    ///
    /// # Errors
    /// The store or the keys cannot be opened, or the store is not migrated.
    fn open(&self) -> Result<Self::Environment, Problem>;

    /// Counts damage of the store. Returns false if this minute's log mentions it already.
    fn damage_is_new(&self) -> bool;

    /// A variable's value; empty if it is not set.
    fn variable(&self, name: &str) -> String;

    /// Writes a line to the log.
    fn log(&self, line: &str);

    /// Completes after this many milliseconds.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;

    /// Sends a request and returns the head of the answer. It has no deadline; the shell sets one.
    fn send(&self, request: &ApiRequest) -> impl Future<Output = Result<Opened<Self::Body>, NoAnswer>>;

    /// Sends a whole answer. The client does not wait for anything that the component does afterwards.
    fn answer(&self, out: Self::Out, head: Head, body: Vec<u8>) -> impl Future<Output = ()>;

    /// Starts an answer that is written piece by piece.
    fn begin(&self, out: Self::Out, head: Head) -> Self::Writer;
}

/// The means of a request: the store, the vault, the keys, the clock and randomness.
pub trait Environment {
    /// The context of its steps.
    fn ctx(&self) -> Ctx<'_>;
}

/// Status and headers of an answer.
pub struct Head {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
}

/// An answer that is written piece by piece. Dropping it ends the answer.
pub trait Writer {
    /// Writes bytes. Returns false if the client is gone.
    fn write(&mut self, bytes: Vec<u8>) -> impl Future<Output = bool>;
}

/// A body as it comes in.
pub trait Body {
    /// The next bytes; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Option<Result<Vec<u8>, Broken>>>;
}

/// The body broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// The head of a platform's answer, whose body is still to come.
pub struct Opened<B> {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body.
    pub body: B,
}

/// The reason for a missing answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The request never reached the platform. Trying again is safe.
    NotReached(&'static str),
    /// The request may have arrived.
    Unknown(&'static str),
}

/// The future's value; `None` if it takes longer than `ms` milliseconds.
pub async fn within<T>(host: &impl Host, ms: u64, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut sleep) = (pin!(future), pin!(host.sleep(ms)));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
    })
    .await
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

/// An answer's own headers, and those of every answer: browsers do not guess its type, and nobody keeps it unless it says
/// for how long.
pub(crate) fn guarded(own: impl IntoIterator<Item = (&'static str, String)>) -> Vec<(&'static str, String)> {
    let mut headers: Vec<_> = own.into_iter().collect();
    headers.push(("x-content-type-options", "nosniff".to_owned()));
    if !headers.iter().any(|(name, _)| *name == "cache-control") {
        headers.push(("cache-control", "no-store".to_owned()));
    }
    headers
}

/// Sends a response. The client does not wait for anything that the component does afterwards.
pub fn respond<H: Host>(host: &H, out: H::Out, response: Response) -> impl Future<Output = ()> {
    let own = [("content-type", response.content_type.to_owned()), ("content-length", response.body.len().to_string())];
    let headers = guarded(own.into_iter().chain(response.headers));
    host.answer(out, Head { status: response.status, headers }, response.body)
}

/// Logs a problem's internal reason, once, where it leaves the component, and turns the problem into a response. Damage
/// in the store is counted here and logged once a minute, because every request may run into it.
pub fn refuse(host: &impl Host, problem: Problem) -> Response {
    let damaged = problem.code == "store_damaged";
    if let Some(reason) = &problem.internal
        && (!damaged || host.damage_is_new())
    {
        host.log(&format!("{} {}: {reason}", problem.status, problem.code));
    }
    problem.into()
}

/// Sends an answer piece by piece, as it is produced, with extra headers. If it cannot be finished, it breaks off, so that
/// nobody takes it for complete.
pub async fn pass<H: Host>(
    host: &H,
    ctx: &Ctx<'_>,
    pieces: &mut dyn Pieces,
    extra: Vec<(&'static str, String)>,
    out: H::Out,
) {
    let own = pieces.headers().into_iter().map(|(name, value)| (name, value.to_owned()));
    let mut writer = host.begin(out, Head { status: 200, headers: guarded(own.chain(extra)) });
    loop {
        match pieces.next(ctx) {
            Ok(Piece::Bytes(bytes)) => match writer.write(bytes).await {
                true => {}
                false => return,
            },
            Ok(Piece::Wait(ms)) => host.sleep(ms).await,
            Ok(Piece::End) => return,
            Err(problem) => {
                refuse(host, problem);
                return;
            }
        }
    }
}
