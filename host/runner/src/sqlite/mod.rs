//! SQLite as guests see it: a fresh connection each, on files that all instances share.
//!
//! Three things make it fast without a guest noticing:
//! - connections are pooled: opening one and parsing the schema costs more than a commit;
//! - there is ONE writing connection per file, and the right to use it is handed on in order of arrival
//!   (`Database::writer`), instead of every writer sleeping and retrying in SQLite's busy handler. Because all
//!   writes go through it, its page cache stays valid;
//! - statements outside a transaction share commits (`group`), since with full durability the commit is the price.
//!
//! `session` holds the state of one guest connection. `checkpoint` keeps the write-ahead log short. `watch` ensures that
//! every acknowledged write will be found by the next start.

mod checkpoint;
mod connection;
mod group;
mod session;
mod statement;
mod watch;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::OwnedMutexGuard;

use super::private;

pub use connection::{Durability, StatementError};
pub use session::Session;

use connection::Connection;
use watch::Watch;

/// The time for which a writer waits for its turn: as long as Spin's busy handler tries.
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
    /// The right of a chained call's transaction to wait for the writer. Only one at a time has it, so that a request from
    /// outside never has more than one of them before it.
    background: Arc<tokio::sync::Mutex<()>>,
    /// Statements waiting to share a commit.
    queue: Mutex<group::Queue>,
    /// The holder of an explicit write transaction, for the janitor.
    holder: Mutex<Weak<Mutex<session::State>>>,
    /// Length of the write-ahead log in pages after the latest commit.
    wal_pages: Arc<AtomicI32>,
    /// Watches that the file is still there.
    watch: Watch,
    /// Free bytes on the disk below which nothing is written.
    min_free: u64,
    /// This connection is never used. While it is open, SQLite does not delete the log and make another.
    anchor: Mutex<Option<Connection>>,
}

/// The place of the writing connection. It is empty until the next writer opens one.
#[derive(Default)]
pub struct Writer {
    connection: Option<Connection>,
}

impl Database {
    /// Opens (or creates) the file, for its owner alone, and starts its housekeeping, which ends with the database. Below
    /// `min_free` free bytes on its disk nothing is written.
    ///
    /// # Errors
    /// The file cannot be used, or another process has it.
    pub fn open(label: &str, path: PathBuf, durability: Durability, min_free: u64) -> anyhow::Result<Arc<Self>> {
        let failed = || format!("cannot open the database {}", path.display());
        watch::refuse_emptied(&path)?;
        let file = private::file(&path).with_context(failed)?;
        ensure!(
            Watch::lock_alone(&file).with_context(failed)?,
            "another process has the database {} open: stop it, or choose another folder with --state and --keys",
            path.display()
        );
        let database = Arc::new(Self {
            label: label.to_owned(),
            watch: Watch::new(&path, file).with_context(failed)?,
            path: path.clone(),
            durability,
            idle: Mutex::default(),
            writer: Arc::default(),
            background: Arc::default(),
            queue: Mutex::new(group::Queue { jobs: VecDeque::new(), led: false }),
            holder: Mutex::default(),
            wal_pages: Arc::default(),
            min_free,
            anchor: Mutex::default(),
        });
        let first = database.connect(READER_CACHE_KIB).with_context(failed)?;
        lock(&database.idle).push(first);
        *lock(&database.anchor) = Some(database.connect(64).with_context(failed)?);
        tokio::spawn(checkpoint::keep_house(Arc::downgrade(&database)));
        Ok(database)
    }

    /// The application id: a number in the file that SQLite keeps for the program; 0 if it was never set.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn application_id(&self) -> rusqlite::Result<i32> {
        self.take_connection()?.raw().query_row("PRAGMA application_id", [], |row| row.get(0))
    }

    /// Sets the application id.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_application_id(&self, id: i32) -> rusqlite::Result<()> {
        self.take_connection()?.raw().pragma_update(None, "application_id", id)
    }

    /// The version of the schema, as its migrations count it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn user_version(&self) -> rusqlite::Result<i64> {
        self.take_connection()?.raw().query_row("PRAGMA user_version", [], |row| row.get(0))
    }

    /// Whether the file contains no table.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_empty(&self) -> rusqlite::Result<bool> {
        self.take_connection()?.raw().query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
    }

    /// The faults that SQLite finds in the file. It reads all of it.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn check(&self) -> rusqlite::Result<Option<String>> {
        let found: String = self.take_connection()?.raw().query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((found != "ok").then_some(found))
    }

    /// The label under which the manifest grants it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connect(&self, cache_kib: u32) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path, self.durability, cache_kib, &self.wal_pages)?;
        self.watch.same()?;
        Ok(connection)
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

    /// Runs a step that may wait for the disk without holding up the other tasks of this thread.
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
    /// Dropped after the writer: the next owner queues behind the requests that waited meanwhile.
    _background: Option<OwnedMutexGuard<()>>,
}

impl Writer {
    /// The writing connection. It is opened if there is none.
    fn connection(&mut self, database: &Database) -> rusqlite::Result<&Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            empty => Ok(empty.insert(database.connect(WRITER_CACHE_KIB)?)),
        }
    }
}

/// Locks a mutex. A panic elsewhere while it was held left nothing half done behind these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
