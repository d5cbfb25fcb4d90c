//! Connections: their number, the one that gives way to a new one, and the time for which a client may read nothing.
//!
//! A connection takes a file descriptor, and these run out. If the most possible connections are open, the oldest silent
//! one is closed; if there is none, the oldest that waits for its next request; and then the oldest whose body is still
//! arriving.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::bounds::{Entry, Oldest};

/// The longest time for which a client may read nothing of an answer.
const STALLED: Duration = Duration::from_secs(30);
/// File descriptors that connections never get: for databases, calls to platforms, and spooled bodies.
const OTHERS: usize = 1_024;
/// The most connections that the runner's memory allows for.
const MOST: usize = 24_576;

/// The number of connections that a process with this many file descriptors may hold.
pub fn affordable(descriptors: usize) -> usize {
    descriptors.saturating_sub(OTHERS.min(descriptors / 2)).clamp(1, MOST)
}

/// Raises the number of file descriptors to the system's limit for this process, and returns it.
#[cfg(unix)]
pub fn raise_descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // If it may not be raised, the present number stays.
    let now = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    now.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn raise_descriptors() -> usize {
    usize::MAX
}

/// All connections.
pub struct Connections {
    most: usize,
    held: AtomicUsize,
    /// Connections that have not sent a whole request yet.
    silent: Arc<Oldest>,
    /// Connections that wait for their next request.
    kept: Arc<Oldest>,
}

/// One connection, as its requests see it.
pub struct Connection {
    all: Arc<Connections>,
    end: Arc<Notify>,
    idle: Mutex<Option<Entry>>,
}

/// A connection, counted until it is dropped.
pub struct Held(Arc<Connections>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    /// Allows at most `most` connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: AtomicUsize::new(0), silent: Arc::default(), kept: Arc::default() })
    }

    /// Makes room for a new connection. Returns false if none can be closed for it. `bodies` are those that are still
    /// arriving.
    pub fn make_room(&self, bodies: &Oldest) -> bool {
        self.held.load(Ordering::Relaxed) < self.most || self.close_one(bodies)
    }

    /// Closes the connection that can best be spared.
    pub fn close_one(&self, bodies: &Oldest) -> bool {
        self.silent.end_oldest() || self.kept.end_oldest() || bodies.end_oldest()
    }

    /// Counts a new connection.
    pub fn accept(self: &Arc<Self>, stream: TcpStream) -> (Watched, Arc<Connection>) {
        self.held.fetch_add(1, Ordering::Relaxed);
        let end = Arc::new(Notify::new());
        let idle = Mutex::new(Some(self.silent.enter(&end)));
        let watched = Watched { inner: stream, stalled: None, _held: Held(Arc::clone(self)) };
        (watched, Arc::new(Connection { all: Arc::clone(self), end, idle }))
    }
}

impl Connection {
    fn set(&self, entry: Option<Entry>) {
        // The old entry is dropped after the lock.
        let _old = std::mem::replace(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner), entry);
    }

    /// Notes that a request has come. Until the guard is dropped, the connection is not idle.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.set(None);
        Busy(Arc::clone(self))
    }

    /// Whether no request of it is being answered.
    pub fn is_idle(&self) -> bool {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The signal that the connection has to make room.
    pub fn end(&self) -> &Arc<Notify> {
        &self.end
    }

    /// Waits until the connection has to make room.
    pub async fn ended(&self) {
        self.end.notified().await;
    }
}

/// A request under way.
pub struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(Some(self.0.all.kept.enter(&self.0.end)));
    }
}

/// An answer's body. Its connection is busy until all of it was read.
pub struct Answering {
    /// The body.
    pub inner: WasiBody,
    /// The connection.
    pub busy: Busy,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A connection's bytes. A client that reads nothing for long counts as gone.
pub struct Watched {
    inner: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
    _held: Held,
}

impl Watched {
    fn progress<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.progress(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.progress(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connects");
        (listener.accept().await.expect("accepts").0, client)
    }

    #[test]
    fn m5_connections_leave_descriptors_for_everything_else() {
        assert_eq!(affordable(1_024), 512);
        assert_eq!(affordable(20_000), 18_976);
        assert_eq!(affordable(1 << 30), MOST);
        assert_eq!(affordable(1), 1);
        assert!(raise_descriptors() > 0);
    }

    #[tokio::test]
    async fn m5_the_silent_go_before_those_that_were_served_and_a_busy_one_stays() {
        let (all, bodies) = (Connections::new(2), Oldest::default());
        let (first, second) = (pair().await, pair().await);
        let (io, served) = all.accept(first.0);
        let busy = served.busy();
        assert!(all.make_room(&bodies));
        let (silent_io, silent) = all.accept(second.0);
        assert!(all.make_room(&bodies), "the silent one is closed");
        silent.ended().await;
        drop((silent_io, silent));
        let third = pair().await;
        let (third_io, third) = all.accept(third.0);
        let third_busy = third.busy();
        assert!(!all.make_room(&bodies), "both are at work");
        drop(busy);
        assert!(all.make_room(&bodies), "what is kept for a next request is closed");
        served.ended().await;
        drop((io, third_io, third_busy));
        assert_eq!(all.held.load(Ordering::Relaxed), 0);
    }
}
