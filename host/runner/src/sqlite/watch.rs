//! Ensures that committed data will be found again: the open file must still be the file at its path, whole, on a disk with
//! room.
//!
//! A removed or replaced file still accepts writes under its old inode, and all of them are lost with the process. Nothing
//! is therefore acknowledged before the file was seen at its path. A nearly full disk accepts no writes either: the
//! remaining room is for checkpoints, which write the log's content into the database.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use rusqlite::ErrorCode;

use super::{Connection, StatementError, lock};

/// The first bytes of a file that SQLite made.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The length of a log's own header, and of the one before each page in it.
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
const PAGE: u64 = 4_096;
/// Programs compare a part of it: see `StoreError::from_message` in shared/store.
const LOST: &str = "the database file was removed, replaced or cut while it was open";

/// The identity of a file, whatever its name.
type Identity = (u64, u64);

/// Watches over the file of one database.
pub struct Watch {
    path: PathBuf,
    log_path: PathBuf,
    /// Open for as long as the database is. Closing it would give up SQLite's own locks, which belong to the process.
    file: File,
    identity: Identity,
    log: Mutex<Option<Identity>>,
    /// The greatest length seen so far.
    length: AtomicU64,
    /// Whether the disk has less room than the reserve.
    full: AtomicBool,
    /// Whether the file begins with wrong bytes.
    garbled: AtomicBool,
    /// Whether the file or its log was cut.
    cut: AtomicBool,
    /// Statements that met damaged pages since the last report.
    damaged: AtomicU64,
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// On other systems an open file cannot be removed.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    (0, 0)
}

fn lost() -> StatementError {
    StatementError::new(LOST)
}

/// The path of a database's log.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Refuses a database that was cut to nothing. SQLite would take such a file for a new one, and remove the log with its
/// content.
pub fn refuse_emptied(path: &Path) -> anyhow::Result<()> {
    let log = log_of(path);
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    anyhow::ensure!(
        !path.exists() || length(path) > 0 || length(&log) == 0,
        "the database {} is empty, but its log {} is not: somebody cut the database; keep both files, and restore the newest back-up",
        path.display(),
        log.display()
    );
    Ok(())
}

/// The least length of a log with this many pages.
fn written(pages: &AtomicI32) -> u64 {
    match u64::try_from(pages.load(Ordering::Relaxed)).unwrap_or(0) {
        0 => 0,
        pages => LOG_HEADER + pages * (FRAME_HEADER + PAGE),
    }
}

impl Watch {
    /// Watches over `file`, which was opened at `path`.
    pub fn new(path: &Path, file: File) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            path: path.to_path_buf(),
            log_path: log_of(path),
            identity: identity(&metadata),
            length: AtomicU64::new(metadata.len()),
            file,
            log: Mutex::default(),
            full: AtomicBool::new(false),
            garbled: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            damaged: AtomicU64::new(0),
        })
    }

    /// Whether a write may begin on `connection`, which is the only one that writes.
    ///
    /// # Errors
    /// The file is not at its path, it was cut, or the disk has no room.
    pub fn admit(&self, connection: &Connection, log_pages: &AtomicI32) -> Result<(), StatementError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(StatementError { message: "database or disk is full".to_owned(), code: Some(ErrorCode::DiskFull) });
        }
        let (length, log_length) = self.found()?;
        if self.is_cut(length) || self.log_is_cut(log_length, connection, log_pages) {
            self.cut.store(true, Ordering::Relaxed);
        }
        // A file that was cut stays unusable, even if later writes make it longer again.
        if self.cut.load(Ordering::Relaxed) || self.garbled.load(Ordering::Relaxed) {
            return Err(lost());
        }
        Ok(())
    }

    /// Whether the file is shorter than it was, and shorter than its own header says. After a VACUUM the header would
    /// agree.
    fn is_cut(&self, length: u64) -> bool {
        if length >= self.length.fetch_max(length, Ordering::Relaxed) {
            return false;
        }
        let mut head = [0; 32];
        let [.., a, b, c, d] = match read_beginning(&self.file, &mut head) {
            true => head,
            false => return true,
        };
        if length < u64::from(u32::from_be_bytes([a, b, c, d])) * PAGE {
            return true;
        }
        self.length.store(length, Ordering::Relaxed);
        false
    }

    /// Whether the log is shorter than what was written into it. Another program may have written it back into the database
    /// and emptied it. SQLite knows of that, and detects missing pages.
    fn log_is_cut(&self, length: u64, connection: &Connection, pages: &AtomicI32) -> bool {
        let cut = || length < written(pages);
        if !cut() {
            return false;
        }
        let known = connection.raw().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i32>(1));
        match known {
            Ok(known) => pages.store(known, Ordering::Relaxed),
            Err(_) => return true,
        }
        cut()
    }

    /// Checks that a new connection opened the watched file, and not another one at its path.
    ///
    /// # Errors
    /// It opened another file.
    pub fn same(&self) -> rusqlite::Result<()> {
        let gone = || rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        self.found().map(drop).map_err(|_| rusqlite::Error::SqliteFailure(gone(), Some(LOST.to_owned())))
    }

    /// Checks that the last commit is in the files that the next start will open.
    ///
    /// # Errors
    /// It is not.
    pub fn confirm(&self) -> Result<(), StatementError> {
        self.found().map(drop)
    }

    /// The lengths of the file and of its log, if they are the ones that are open.
    fn found(&self) -> Result<(u64, u64), StatementError> {
        let file = std::fs::metadata(&self.path).map_err(|_| lost())?;
        if identity(&file) != self.identity {
            return Err(lost());
        }
        let log = std::fs::metadata(&self.log_path).ok();
        let found = log.as_ref().map(identity);
        let mut known = lock(&self.log);
        match (*known, found) {
            (None, Some(_)) => *known = found,
            (Some(_), _) if *known != found => return Err(lost()),
            _ => {}
        }
        Ok((file.len(), log.map_or(0, |log| log.len())))
    }

    /// Explains a failed statement: what SQLite calls damaged or unreadable is missing if the file was cut. Counts all
    /// other damage.
    pub fn explain(&self, error: StatementError, log_pages: &AtomicI32) -> StatementError {
        let damaged = matches!(error.code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
        if !damaged && !matches!(error.code, Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)) {
            return error;
        }
        let gone = match self.found() {
            Err(_) => true,
            Ok((length, log)) => {
                let cut = self.is_cut(length) || log < written(log_pages);
                self.cut.fetch_or(cut && damaged, Ordering::Relaxed) || cut
            }
        };
        if gone {
            return lost();
        }
        self.damaged.fetch_add(u64::from(damaged), Ordering::Relaxed);
        error
    }

    /// The number of statements that met damaged pages since the last call.
    pub fn damaged(&self) -> u64 {
        self.damaged.swap(0, Ordering::Relaxed)
    }

    /// Checks what is too expensive for each commit: the beginning of the file, and the room on the disk.
    pub fn look(&self, min_free: u64) {
        let mut begins = [0; MAGIC.len()];
        // Before the first write, the file is empty.
        let written = self.length.load(Ordering::Relaxed) >= PAGE;
        self.garbled.store(written && !(read_beginning(&self.file, &mut begins) && begins == *MAGIC), Ordering::Relaxed);
        if let Some(room) = room(&self.path) {
            self.full.store(room.free < min_free.min(room.whole / 20), Ordering::Relaxed);
        }
    }

    /// Makes the watch behave as if the disk were full.
    #[cfg(test)]
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// The reason why the database accepts no writes, in a few words.
    pub fn trouble(&self) -> Option<&'static str> {
        match self.found() {
            Err(_) => Some(LOST),
            Ok(_) if self.cut.load(Ordering::Relaxed) => Some(LOST),
            Ok(_) if self.garbled.load(Ordering::Relaxed) => Some("the database file does not begin as it must"),
            Ok(_) if self.full.load(Ordering::Relaxed) => Some("the disk is nearly full"),
            Ok(_) => None,
        }
    }

    /// Takes the database for this process alone, whatever happens to other files in its folder. Returns false if another
    /// process has it. The lock is of a kind that SQLite does not use, so programs that read the file are not kept out.
    pub fn lock_alone(file: &File) -> std::io::Result<bool> {
        if cfg!(not(unix)) {
            return Ok(true);
        }
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(unix)]
fn read_beginning(file: &File, begins: &mut [u8]) -> bool {
    std::os::unix::fs::FileExt::read_exact_at(file, begins, 0).is_ok()
}

#[cfg(not(unix))]
fn read_beginning(_: &File, begins: &mut [u8]) -> bool {
    begins.iter_mut().zip(MAGIC).for_each(|(byte, magic)| *byte = *magic);
    true
}

struct Room {
    free: u64,
    whole: u64,
}

#[cfg(unix)]
fn room(path: &Path) -> Option<Room> {
    let room =
        rustix::fs::statvfs(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))).ok()?;
    Some(Room { free: room.f_bavail * room.f_frsize, whole: room.f_blocks * room.f_frsize })
}

#[cfg(not(unix))]
fn room(_: &Path) -> Option<Room> {
    None
}
