//! SQLite as guests see it: a fresh connection each, on files that all instances share.
//!
//! Three things make it fast without a guest noticing:
//! - connections are pooled: opening one and parsing the schema costs more than a commit;
//! - there is ONE writing connection per file, and the right to use it is handed on in order of arrival
//!   (`Database::writer`), instead of every writer sleeping and retrying in SQLite's busy handler. Because all
//!   writes go through it, its page cache stays valid;
//! - statements outside a transaction share commits (`group`), since with full durability the commit is the price.
//!
//! `session` holds what one guest connection is in the middle of, `checkpoint` keeps the write-ahead log short.

mod checkpoint;
mod connection;
mod group;
mod session;
mod statement;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::OwnedMutexGuard;

pub use connection::{Durability, StatementError};
pub use session::Session;

use connection::Connection;

/// How long a writer waits for its turn, as long as Spin's busy handler tries.
pub const WRITER_WAIT: Duration = Duration::from_secs(5);
/// Connections kept open for readers, and the page cache of each.
const IDLE_CONNECTIONS: usize = 8;
const READER_CACHE_KIB: u32 = 2 << 10;
const WRITER_CACHE_KIB: u32 = 24 << 10;

/// One database file.
pub struct Database {
    label: String,
    path: PathBuf,
    durability: Durability,
    /// Clean connections that no guest is using.
    idle: Mutex<Vec<Connection>>,
    /// The writing connection; holding the lock is the right to write. Waiters are served in order.
    writer: Arc<tokio::sync::Mutex<Writer>>,
    /// Which of the transactions of chained calls may wait for the writer: one at a time, so that a request from outside never
    /// has more than one of them before it.
    background: Arc<tokio::sync::Mutex<()>>,
    /// Statements waiting to share a commit.
    queue: Mutex<group::Queue>,
    /// Who holds an explicit write transaction, for the janitor.
    holder: Mutex<Weak<Mutex<session::State>>>,
    /// Length of the write-ahead log in pages after the latest commit.
    wal_pages: Arc<AtomicI32>,
}

/// The place of the writing connection; empty until the next writer opens it.
#[derive(Default)]
pub struct Writer {
    connection: Option<Connection>,
}

impl Database {
    /// Opens (or creates) the file and starts its housekeeping, which ends with the database.
    pub fn open(label: &str, path: PathBuf, durability: Durability) -> anyhow::Result<Arc<Self>> {
        let database = Arc::new(Self {
            label: label.to_owned(),
            path,
            durability,
            idle: Mutex::default(),
            writer: Arc::default(),
            background: Arc::default(),
            queue: Mutex::new(group::Queue { jobs: VecDeque::new(), led: false }),
            holder: Mutex::default(),
            wal_pages: Arc::default(),
        });
        let first = database
            .connect(READER_CACHE_KIB)
            .with_context(|| format!("cannot open the database {}", database.path.display()))?;
        lock(&database.idle).push(first);
        tokio::spawn(checkpoint::keep_house(Arc::downgrade(&database)));
        Ok(database)
    }

    /// The label under which the manifest grants it.
    pub fn label(&self) -> &str {
        &self.label
    }

    fn connect(&self, cache_kib: u32) -> rusqlite::Result<Connection> {
        Connection::open(&self.path, self.durability, cache_kib, &self.wal_pages)
    }

    fn take_connection(&self) -> rusqlite::Result<Connection> {
        let idle = lock(&self.idle).pop();
        idle.map_or_else(|| self.connect(READER_CACHE_KIB), Ok)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(connection);
        }
    }

    /// Waits for the right to write.
    async fn wait_for_writer(&self, background: bool) -> Result<Turn, StatementError> {
        let wait = async {
            let background = match background {
                true => Some(Arc::clone(&self.background).lock_owned().await),
                false => None,
            };
            Turn { writer: Arc::clone(&self.writer).lock_owned().await, _background: background }
        };
        tokio::time::timeout(WRITER_WAIT, wait).await.map_err(|_| StatementError::locked())
    }

    /// Runs what may wait for the disk without holding up the other tasks of this thread.
    fn blocking<T>(&self, run: impl FnOnce() -> T) -> T {
        match self.durability {
            Durability::Full => tokio::task::block_in_place(run),
            Durability::Normal => run(),
        }
    }
}

/// The right to write.
pub struct Turn {
    writer: OwnedMutexGuard<Writer>,
    /// Given up after the writer: whoever waits for it queues behind the requests that waited meanwhile.
    _background: Option<OwnedMutexGuard<()>>,
}

impl Writer {
    /// The writing connection, opened when there is none.
    fn connection(&mut self, database: &Database) -> rusqlite::Result<&Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            empty => Ok(empty.insert(database.connect(WRITER_CACHE_KIB)?)),
        }
    }
}

/// Locks a mutex; a panic elsewhere while it was held left nothing half done behind these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
