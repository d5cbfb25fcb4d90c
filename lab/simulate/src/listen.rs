//! An HTTP server on a thread of its own, for simulated platforms.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest wait for answers under way at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// A server that listens on 127.0.0.1 and ends when dropped.
pub(crate) struct Listening {
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Listens on a port; 0 takes a free one. A handler's error closes the connection without an answer.
    ///
    /// # Errors
    /// The port is taken.
    pub(crate) fn start<F, E>(port: u16, handle: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> Result<Self>
    where
        F: Future<Output = Result<Response<Full<Bytes>>, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("the platform simulator cannot listen on port {port}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("platform".into()).spawn(move || {
            runtime.block_on(async {
                let open = GracefulShutdown::new();
                tokio::select! {
                    () = accept(listener, handle, &open) => {}
                    _ = stopped => {}
                }
                // Requests that have come are answered. Their senders would otherwise not know the result.
                let _ = tokio::time::timeout(FAREWELL, open.shutdown()).await;
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept<F, E>(
    listener: TcpListener,
    handle: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    open: &GracefulShutdown,
) where
    F: Future<Output = Result<Response<Full<Bytes>>, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service_fn(handle.clone()));
        tokio::spawn(open.watch(connection));
    }
}
