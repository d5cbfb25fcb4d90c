//! One call of a component: a fresh instance, its answer, and its life after the answer.
//!
//! The guest runs inside the caller's task until it has answered, which for most requests is its whole life. No task is
//! spawned and no thread is woken. If it lives on, after its answer or after its client has gone, it moves to a task of its
//! own.
//!
//! An endless stream and a look-up are different. If their client goes away, the guest ends at once, since nobody reads it
//! any more and it leaves nothing half done. Each stream is counted against its caller ([`crate::bounds`]), and so is a
//! look-up that takes long without an answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use warmline_process::stopped;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView as _};

use crate::answers::Whole;
use crate::app::App;
use crate::bounds::Stream;
use crate::chain::{Chain, Chained};
use crate::component::Component;
use crate::guest::Guest;
use crate::problem::{failed, full, problem};
use crate::slots::Place;
use crate::spin_headers::set_spin_headers;
use crate::vitals::Vitals;

/// A guest's future. If it is dropped before its end, it continues in a task of its own, unless it is only a look-up.
struct Running {
    life: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    vitals: Arc<Vitals>,
    app: Arc<App>,
    /// Whether it has a task of its own already. If it is dropped there, it ends.
    alone: bool,
    /// Whether it is a look-up from outside. It then ends when its client goes away.
    looks: bool,
}

impl Running {
    fn poll_life(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(life) = &mut self.life else { return Poll::Ready(()) };
        self.vitals.enter(self.app.services.ticker.now());
        let done = life.as_mut().poll(context);
        if done.is_ready() || self.vitals.is_doomed() {
            self.life = None;
            return Poll::Ready(());
        }
        done
    }

    /// Lets the guest continue until its end, or until `grace` after its answer was sent. A message on `answered` ends it
    /// at once.
    fn live_on(mut self, answered: Option<oneshot::Receiver<()>>) {
        let grace = self.app.services.limits.answer;
        self.alone = true;
        tokio::spawn(async move {
            let overtime = async {
                // Its sender is dropped with the answer's body.
                if let Some(answered) = answered
                    && answered.await.is_ok()
                {
                    return;
                }
                tokio::time::sleep(grace).await;
            };
            tokio::select! {
                () = poll_fn(|context| self.poll_life(context)) => {}
                () = overtime => {}
            }
            drop(self.life.take());
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(life) = self.life.take()
            && !self.alone
            && !self.looks
            && tokio::runtime::Handle::try_current().is_ok()
        {
            let (vitals, app) = (Arc::clone(&self.vitals), Arc::clone(&self.app));
            Self { life: Some(life), vitals, app, alone: true, looks: false }.live_on(None);
        }
    }
}

impl Chain for App {
    fn knows(&self, component: &str) -> bool {
        self.components.contains_key(component)
    }

    fn call(self: Arc<Self>, component: String, mut request: Request<WasiBody>) -> Chained {
        Box::pin(async move {
            let callee = self.components.get(&component)?;
            let slot = self.slots.chained().await?;
            let path = request.uri().path().to_owned();
            set_spin_headers(&mut request, "/...", &path, None);
            tracing::debug!(component, method = %request.method(), "chained call");
            Some(call(&self, callee, request, slot).await)
        })
    }
}

/// Calls `component` with `request`, whose URI is complete, and returns its answer.
pub async fn call(
    app: &Arc<App>,
    component: &Arc<Component>,
    request: Request<WasiBody>,
    slot: Place,
) -> Response<WasiBody> {
    let vitals = Arc::new(Vitals::default());
    let (sender, mut receiver) = oneshot::channel();
    let who = slot.who();
    // A look-up that is ended in its middle leaves nothing half done.
    let looks = who.is_some() && matches!(*request.method(), Method::GET | Method::HEAD);
    let life = live(Arc::clone(app), Arc::clone(component), Arc::clone(&vitals), request, sender, slot);
    let mut running = Running { life: Some(Box::pin(life)), vitals, app: Arc::clone(app), alone: false, looks };
    let mut counted: Option<Stream> = None;
    let mut answer = answered(&mut running, &mut receiver, LONG.min(app.services.limits.answer)).await;
    if answer.is_none() {
        if let Some(who) = who.filter(|_| looks) {
            match app.streams.begin(&component.share, who) {
                Ok(stream) => counted = Some(stream),
                Err(refused) => {
                    running.life = None;
                    return *refused;
                }
            }
        }
        answer = answered(&mut running, &mut receiver, app.services.limits.answer.saturating_sub(LONG)).await;
    }
    match answer {
        Some(Ok(Ok(response))) if running.life.is_none() => {
            let mut response = response.map(whole);
            response.extensions_mut().insert(Whole);
            response
        }
        Some(Ok(Ok(response))) => {
            let endless = !response.headers().contains_key(header::CONTENT_LENGTH) && !response.body().is_end_stream();
            if let (true, None, Some(who)) = (endless, &counted, who) {
                match app.streams.begin(&component.share, who) {
                    Ok(stream) => counted = Some(stream),
                    Err(refused) => {
                        running.life = None;
                        return *refused;
                    }
                }
            }
            let (body_dropped, answered) = oneshot::channel();
            let stopping = stop_signal(app);
            running.live_on(Some(answered));
            let streamed = |inner| Streamed {
                inner,
                stopping,
                ended: !endless,
                dropped: Some(body_dropped),
                _counted: counted.filter(|_| endless),
            };
            response.map(|inner| streamed(inner).boxed_unsync())
        }
        Some(Ok(Err(code))) => {
            tracing::warn!(component = component.id(), "the component answered with an error: {code:?}");
            failed()
        }
        // It ended without an answer. The reason was logged there.
        Some(Err(_)) => failed(),
        None => {
            running.life = None;
            tracing::warn!(component = component.id(), "no answer in {:?}", app.services.limits.answer);
            problem(StatusCode::GATEWAY_TIMEOUT, "component_timeout", "the component did not answer in time")
        }
    }
}

/// The time after which a look-up without an answer counts as a stream. Clients that poll may wait for half a minute.
const LONG: Duration = Duration::from_secs(2);

/// Runs the guest until it answers or ends without an answer. `None` if it does neither in time.
async fn answered(
    running: &mut Running,
    receiver: &mut oneshot::Receiver<Answer>,
    within: Duration,
) -> Option<Result<Answer, oneshot::error::RecvError>> {
    let answer = poll_fn(|context| {
        let _ = running.poll_life(context);
        Pin::new(&mut *receiver).poll(context)
    });
    tokio::time::timeout(within, answer).await.ok()
}

type Answer = Result<Response<WasiBody>, ErrorCode>;

/// The whole life of one instance.
async fn live(
    app: Arc<App>,
    component: Arc<Component>,
    vitals: Arc<Vitals>,
    request: Request<WasiBody>,
    sender: oneshot::Sender<Answer>,
    slot: Place,
) {
    let chain: Arc<dyn Chain> = Arc::<App>::clone(&app);
    let mut store = Guest::store(&app.services, chain, &component.grants, vitals, slot.is_chained());
    let outcome = async {
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request)?;
        let answer = http.new_response_outparam(sender)?;
        let instance = component.pre.instantiate_async(&mut store).await?;
        instance.wasi_http_incoming_handler().call_handle(&mut store, request, answer).await
    };
    if let Err(error) = outcome.await {
        tracing::error!(component = component.id(), "the component trapped: {}", error.root_cause());
    }
    drop(store);
    drop(slot);
}

/// The body of a guest that has ended. All of it is here already, so its length is known.
fn whole(body: WasiBody) -> WasiBody {
    let mut collected = Box::pin(body.collect());
    match collected.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(body)) if body.trailers().is_none() => full(body.to_bytes()),
        Poll::Ready(Ok(body)) => body.map_err(|never| match never {}).boxed_unsync(),
        Poll::Ready(Err(error)) => Broken(Some(error)).boxed_unsync(),
        Poll::Pending => Broken(Some(Error::HttpProtocolError)).boxed_unsync(),
    }
}

/// A body that breaks off at the place where the guest left it.
struct Broken(Option<Error>);

impl Body for Broken {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}

type StopSignal = Pin<Box<dyn Future<Output = ()> + Send>>;

fn stop_signal(app: &Arc<App>) -> StopSignal {
    let stopping = app.stopping.clone();
    Box::pin(async move {
        stopped(stopping).await;
        // Answers that are nearly done may finish. An event stream would never finish.
        tokio::time::sleep(Duration::from_millis(500)).await;
    })
}

/// The body of a guest that still runs. It ends early when the runner stops.
struct Streamed {
    inner: WasiBody,
    stopping: StopSignal,
    /// Whether all of it was read. An answer with a known length counts as read: its guest continues without its client, as
    /// it would on Spin.
    ended: bool,
    dropped: Option<oneshot::Sender<()>>,
    _counted: Option<Stream>,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Pending if self.stopping.as_mut().poll(context).is_ready() => Poll::Ready(None),
            other => other,
        };
        self.ended |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if !self.ended
            && !self.inner.is_end_stream()
            && let Some(dropped) = self.dropped.take()
        {
            // The client has gone in the middle of a stream, and nobody reads the guest any more.
            let _ = dropped.send(());
        }
    }
}
