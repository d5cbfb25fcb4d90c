//! The HTTP/1.1 server: connections, and the way of each request to a component ([`handle`]) or to the gateway of
//! WebSockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use warmline_process::stopped;

use crate::app::App;
use crate::connections::{Answering, Connection, Watched};
use crate::gateway::socket;
use crate::handle::{handle, refuse};
use crate::problem::problem;

/// The longest time for requests in flight once the runner is stopping.
const DRAIN: Duration = Duration::from_secs(10);
/// The answer to a connection for which there is no room.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves until the runner is stopping and requests in flight are answered.
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
                // A small answer must not wait for the acknowledgement of the answer before.
                let _ = stream.set_nodelay(true);
                let (stream, connection) = app.connections.accept(stream);
                connections.spawn(hold(Arc::clone(&app), stream, connection, peer));
            }
            Ok((stream, _)) => turn_away(&stream),
            Err(error) => {
                // Mostly the file descriptors have run out. It passes when connections close.
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

/// Answers a connection for which there is no room, if it accepts the answer at once.
fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(NO_ROOM);
}

/// Serves one connection to its end.
async fn hold(app: Arc<App>, stream: Watched, connection: Arc<Connection>, peer: SocketAddr) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(app.services.limits.head)
        .max_header_size(32 << 10)
        .max_buf_size(64 << 10);
    let (service_app, served) = (Arc::clone(&app), Arc::clone(&connection));
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, busy, connection) = (Arc::clone(&service_app), served.busy(), Arc::clone(&served));
        async move {
            let response = match &app.gateway {
                _ if misaddressed(&request) => refuse(problem(StatusCode::BAD_REQUEST, "bad_request", ONE_HOST), request),
                Some(gateway) if socket::wanted(&request) => socket::open(&app, gateway, request, peer).await,
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
            // A request may have come since the signal.
            () = connection.ended() => if connection.is_idle() { return },
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, "connection ended: {error}");
    }
}

const ONE_HOST: &str = "a request has one Host header (RFC 9112, section 3.2)";

/// Whether the host of a request from outside is unclear: HTTP/1.1 requires one Host header and forbids two.
fn misaddressed<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11)
}
