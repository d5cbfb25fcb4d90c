//! Request bodies, gathered before a component is called: a client that sends slowly holds a connection and nothing else.
//!
//! | bound | by |
//! |---|---|
//! | length of one | the component's limit |
//! | time of one | [`GRACE`], and a second more for every `rate` bytes that came |
//! | how many at once | `most`; the oldest gives way to the newest |
//! | memory of all | `memory`: it holds a body up to [`IN_MEMORY`]; the rest of the body is in a file without a name |
//! | disk of all | `spool` |
//! | memory of instances | `large`: bytes of bodies above [`IN_MEMORY`] that instances read at once |

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::bounds::Oldest;
use crate::problem::full;

/// The time of a body before its rate counts.
const GRACE: Duration = Duration::from_secs(5);
/// The longest body that is held in memory.
const IN_MEMORY: usize = 256 << 10;
/// The bytes read from a file at once.
const PIECE: usize = 64 << 10;
/// The time for which a body waits for room.
const WAIT: Duration = Duration::from_secs(1);
/// The time for which a large body waits until an instance may read it.
const WAIT_LARGE: Duration = Duration::from_secs(10);
/// The unit in which room is counted.
const KIB: usize = 1 << 10;

/// The limits of gathering.
#[derive(Debug, Clone)]
pub struct Room {
    /// Bodies at once.
    pub most: usize,
    /// Bytes in memory. Instances may hold as many again of large bodies.
    pub memory: usize,
    /// Bytes on disk.
    pub spool: u64,
    /// The bytes that must come in a second.
    pub rate: u64,
}

/// The reason why a body was not gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is longer than allowed.
    TooLarge,
    /// It came too slowly.
    TooSlow,
    /// It broke off.
    Broken,
    /// There was no room for it, or it had to make room for others.
    NoRoom,
    /// The disk could not store it.
    Disk,
}

/// A whole body.
pub struct Gathered {
    /// The body.
    pub body: WasiBody,
    /// Its length.
    pub length: u64,
}

/// Gathers bodies.
pub struct Gatherer {
    room: Room,
    bodies: Arc<Oldest>,
    memory: Arc<Semaphore>,
    spool: Arc<Semaphore>,
    large: Arc<Semaphore>,
    dir: PathBuf,
    next: AtomicU64,
    grace: Duration,
    wait_large: Duration,
}

/// The place of a body while it arrives.
enum Store {
    Memory(Vec<u8>),
    Disk(File),
}

/// A body that is still arriving.
struct Coming {
    store: Store,
    length: u64,
    /// Its share of `memory` or of `spool`.
    held: Option<OwnedSemaphorePermit>,
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX)
}

fn semaphore(bytes: u64) -> Arc<Semaphore> {
    let permits = usize::try_from(bytes / KIB as u64).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(permits.clamp(IN_MEMORY / KIB, u32::MAX as usize)))
}

impl Gatherer {
    /// Gathers within `room`. Long bodies lie in `dir`, which must exist.
    pub fn new(room: Room, dir: &Path) -> Self {
        Self {
            bodies: Arc::default(),
            memory: semaphore(room.memory as u64),
            spool: semaphore(room.spool),
            large: semaphore(room.memory as u64),
            dir: dir.to_owned(),
            next: AtomicU64::new(0),
            grace: GRACE,
            wait_large: WAIT_LARGE,
            room,
        }
    }

    /// The bodies that are still arriving.
    pub fn on_their_way(&self) -> &Oldest {
        &self.bodies
    }

    /// Gathers a body of at most `limit` bytes.
    ///
    /// # Errors
    /// The body cannot be gathered; see [`Refused`].
    pub async fn gather<B>(&self, body: &mut B, limit: u64) -> Result<Gathered, Refused>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if self.bodies.count() >= self.room.most {
            self.bodies.end_oldest();
        }
        let end = Arc::new(Notify::new());
        let _entry = self.bodies.enter(&end);
        tokio::select! {
            biased;
            gathered = self.read(body, limit) => gathered,
            () = end.notified() => Err(Refused::NoRoom),
        }
    }

    async fn read<B>(&self, body: &mut B, limit: u64) -> Result<Gathered, Refused>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let begun = Instant::now();
        let mut coming = Coming { store: Store::Memory(Vec::new()), length: 0, held: None };
        loop {
            let earned = Duration::from_millis(coming.length.saturating_mul(1_000) / self.room.rate.max(1));
            let data = match timeout_at(begun + self.grace + earned, body.frame()).await {
                Err(_) => return Err(Refused::TooSlow),
                Ok(None) => return coming.finish().await,
                Ok(Some(Err(_))) => return Err(Refused::Broken),
                // No component reads trailers.
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            };
            if coming.length + data.len() as u64 > limit {
                return Err(Refused::TooLarge);
            }
            coming.add(self, &data).await?;
        }
    }

    /// Waits until an instance may read a body of this length. Small bodies need not wait.
    ///
    /// # Errors
    /// Instances are reading other large bodies, and did not finish in time.
    pub async fn admit(&self, length: u64) -> Result<Option<OwnedSemaphorePermit>, Refused> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length <= IN_MEMORY {
            return Ok(None);
        }
        // A body larger than the whole room takes all of it.
        let wanted = kib(length.min(self.room.memory.max(IN_MEMORY)));
        match timeout(self.wait_large, Arc::clone(&self.large).acquire_many_owned(wanted)).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            _ => Err(Refused::NoRoom),
        }
    }

    /// Takes room for more bytes. If there is none, the oldest arriving body makes room.
    async fn take(&self, of: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
        if let Ok(permit) = Arc::clone(of).try_acquire_many_owned(kib(bytes)) {
            return Ok(permit);
        }
        self.bodies.end_oldest();
        match timeout(WAIT, Arc::clone(of).acquire_many_owned(kib(bytes))).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refused::NoRoom),
        }
    }

    /// A file without a name. It is gone when it is closed, however this process ends.
    async fn file(&self) -> std::io::Result<File> {
        let path = self.dir.join(format!("{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed)));
        tokio::task::spawn_blocking(move || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            std::fs::remove_file(&path)?;
            let mut file = File::from_std(file);
            file.set_max_buf_size(PIECE);
            Ok(file)
        })
        .await
        .map_err(std::io::Error::other)?
    }
}

impl Coming {
    async fn add(&mut self, gatherer: &Gatherer, data: &[u8]) -> Result<(), Refused> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX).saturating_add(data.len());
        if matches!(self.store, Store::Memory(_)) && length > IN_MEMORY {
            self.move_to_disk(gatherer).await?;
        }
        match &mut self.store {
            Store::Memory(bytes) => {
                if length > bytes.capacity() {
                    let capacity = length.max((bytes.capacity() * 2).min(IN_MEMORY)).next_multiple_of(KIB);
                    let more = gatherer.take(&gatherer.memory, capacity - bytes.capacity()).await?;
                    merge(&mut self.held, more);
                    bytes.reserve_exact(capacity - bytes.len());
                }
                bytes.extend_from_slice(data);
            }
            Store::Disk(file) => {
                let covered = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) * KIB;
                if length > covered {
                    let more = gatherer.take(&gatherer.spool, (length - covered).max(PIECE)).await?;
                    merge(&mut self.held, more);
                }
                file.write_all(data).await.map_err(disk)?;
            }
        }
        self.length += data.len() as u64;
        Ok(())
    }

    async fn move_to_disk(&mut self, gatherer: &Gatherer) -> Result<(), Refused> {
        let Store::Memory(bytes) = &self.store else { return Ok(()) };
        let held = gatherer.take(&gatherer.spool, bytes.len()).await?;
        let mut file = gatherer.file().await.map_err(disk)?;
        file.write_all(bytes).await.map_err(disk)?;
        self.store = Store::Disk(file);
        self.held = Some(held);
        Ok(())
    }

    async fn finish(self) -> Result<Gathered, Refused> {
        let body = match self.store {
            Store::Memory(bytes) if bytes.is_empty() => full(Bytes::new()),
            Store::Memory(bytes) => InMemory { inner: Full::new(bytes.into()), _held: self.held }.boxed_unsync(),
            Store::Disk(mut file) => {
                file.flush().await.map_err(disk)?;
                file.rewind().await.map_err(disk)?;
                on_disk(file, self.held)
            }
        };
        Ok(Gathered { body, length: self.length })
    }
}

fn merge(held: &mut Option<OwnedSemaphorePermit>, more: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(more),
        empty => *empty = Some(more),
    }
}

fn disk(error: std::io::Error) -> Refused {
    tracing::warn!("cannot keep a large request body: {error}");
    Refused::Disk
}

/// A body in memory, with its share of the room.
struct InMemory {
    inner: Full<Bytes>,
    _held: Option<OwnedSemaphorePermit>,
}

impl Body for InMemory {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.inner).poll_frame(context).map_err(|never| match never {})
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body in a file, read piece by piece.
fn on_disk(file: File, held: Option<OwnedSemaphorePermit>) -> WasiBody {
    let pieces = futures_util::stream::try_unfold((file, held), async |(mut file, held)| {
        let mut piece = vec![0; PIECE];
        let length = file.read(&mut piece).await.map_err(|error| {
            tracing::warn!("cannot read a large request body again: {error}");
            Error::HttpProtocolError
        })?;
        piece.truncate(length);
        Ok((length > 0).then(|| (Frame::data(Bytes::from(piece)), (file, held))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn gatherer(room: &Room) -> (Gatherer, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("temp");
        let gatherer = Gatherer::new(room.clone(), dir.path());
        (Gatherer { grace: GRACE / 20, wait_large: WAIT_LARGE / 20, ..gatherer }, dir)
    }

    const ROOM: Room = Room { most: 4, memory: 1 << 20, spool: 8 << 20, rate: 16 << 10 };

    type Piece = Result<Frame<Bytes>, std::io::Error>;

    fn body(pieces: Vec<Vec<u8>>) -> impl Body<Data = Bytes, Error = std::io::Error> + Unpin {
        let pieces = pieces.into_iter().map(|piece| -> Piece { Ok(Frame::data(piece.into())) });
        StreamBody::new(stream::iter(pieces))
    }

    /// One byte, and then nothing for ever.
    fn stuck() -> impl Body<Data = Bytes, Error = std::io::Error> + Unpin {
        let byte: Piece = Ok(Frame::data(Bytes::from_static(b"x")));
        StreamBody::new(Box::pin(stream::unfold(Some(byte), async |byte| match byte {
            Some(byte) => Some((byte, None)),
            None => std::future::pending().await,
        })))
    }

    #[tokio::test]
    async fn h1_bodies_of_any_length_come_back_as_they_were() {
        let (gatherer, dir) = gatherer(&ROOM);
        for length in [0, 1, KIB, IN_MEMORY - 1, IN_MEMORY, IN_MEMORY + 1, 3 << 20] {
            let sent: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).expect("small")).collect();
            for piece in [7_000, 100_000, 4 << 20] {
                let mut coming = body(sent.chunks(piece).map(<[u8]>::to_vec).collect());
                let gathered = gatherer.gather(&mut coming, 4 << 20).await.expect("gathers");
                assert_eq!(gathered.length, length as u64);
                let read = gathered.body.collect().await.expect("reads").to_bytes();
                assert!(read == sent, "{length} bytes in pieces of {piece}");
            }
        }
        assert_eq!(gatherer.memory.available_permits(), 1 << 10, "all memory is given back");
        assert_eq!(gatherer.spool.available_permits(), 8 << 10, "all disk is given back");
        assert_eq!(std::fs::read_dir(dir.path()).expect("reads").count(), 0, "no file has a name");
    }

    #[tokio::test]
    async fn h1_a_body_above_the_limit_is_refused_however_it_is_cut() {
        let (gatherer, _dir) = gatherer(&ROOM);
        for piece in [10, 1 << 20] {
            let sent = vec![b'x'; 2_000];
            let mut coming = body(sent.chunks(piece).map(<[u8]>::to_vec).collect());
            assert_eq!(gatherer.gather(&mut coming, 1_999).await.err(), Some(Refused::TooLarge));
            let mut coming = body(sent.chunks(piece).map(<[u8]>::to_vec).collect());
            assert_eq!(gatherer.gather(&mut coming, 2_000).await.expect("fits").length, 2_000);
        }
    }

    #[tokio::test]
    async fn h1_a_body_that_dribbles_is_given_up() {
        let (gatherer, _dir) = gatherer(&ROOM);
        let begun = Instant::now();
        assert_eq!(gatherer.gather(&mut stuck(), 100).await.err(), Some(Refused::TooSlow));
        assert!((gatherer.grace..GRACE).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        // A hundred bytes a second are a hundred times too slow.
        let dribble = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Some((Piece::Ok(Frame::data(Bytes::from_static(b"x"))), ()))
        });
        let begun = Instant::now();
        let mut coming = StreamBody::new(Box::pin(dribble));
        assert_eq!(gatherer.gather(&mut coming, 1 << 20).await.err(), Some(Refused::TooSlow));
        assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn h1_the_newest_bodies_come_through_while_slow_ones_fill_every_place() {
        let (gatherer, _dir) = gatherer(&ROOM);
        let gatherer = Arc::new(gatherer);
        let slow: Vec<_> = (0..ROOM.most)
            .map(|_| {
                let gatherer = Arc::clone(&gatherer);
                tokio::spawn(async move { gatherer.gather(&mut stuck(), 100).await.err() })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(gatherer.on_their_way().count(), ROOM.most);
        let begun = Instant::now();
        for _ in 0..3 {
            gatherer.gather(&mut body(vec![vec![b'x'; 100]]), 100).await.expect("comes through");
        }
        assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
        let mut ends = Vec::new();
        for task in slow {
            ends.push(task.await.expect("no panic"));
        }
        assert_eq!(ends[0], Some(Refused::NoRoom), "the oldest made room");
        assert_eq!(ends[3], Some(Refused::TooSlow), "the newest had its time");
    }

    #[tokio::test]
    async fn h1_memory_that_bodies_hold_is_bounded() {
        let room = Room { most: 1_000, memory: 1 << 20, spool: 1 << 20, rate: 16 << 10 };
        let (gatherer, _dir) = gatherer(&room);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(gatherer.gather(&mut body(vec![vec![b'x'; IN_MEMORY]]), 1 << 20).await.expect("fits"));
        }
        assert_eq!(gatherer.gather(&mut body(vec![vec![b'x'; KIB]]), 1 << 20).await.err(), Some(Refused::NoRoom));
        held.pop();
        gatherer.gather(&mut body(vec![vec![b'x'; KIB]]), 1 << 20).await.expect("fits again");
    }

    #[tokio::test]
    async fn h1_instances_read_so_many_large_bodies_at_once() {
        let (gatherer, _dir) = gatherer(&ROOM);
        assert!(gatherer.admit(IN_MEMORY as u64).await.expect("small").is_none());
        let all = gatherer.admit(36 << 20).await.expect("one that is larger than the room");
        assert_eq!(gatherer.admit(300 << 10).await.err(), Some(Refused::NoRoom));
        drop(all);
        assert!(gatherer.admit(300 << 10).await.expect("room again").is_some());
    }
}
