//! Housekeeping of one database: checkpoints, so that no guest pays for them, and transactions held too long.

use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError, Weak};
use std::time::Duration;

use super::{Connection, Database, READER_CACHE_KIB, lock};

/// Lengths of the write-ahead log in pages of 4 KiB.
const CHECKPOINT_PAGES: i32 = 2_000;
const RESTART_PAGES: i32 = 12_000;
const PAUSE: Duration = Duration::from_millis(200);
/// Rounds of the housekeeping in a second, and in a minute.
const LOOK_ROUNDS: u32 = 5;
const MINUTE_ROUNDS: u32 = 300;

/// Runs until the database is gone.
pub async fn keep_house(database: Weak<Database>) {
    let mut connection = None;
    let mut after_last = 0;
    let mut watched = Watched::default();
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(database) = database.upgrade() else { return };
        database.expire_holder();
        watched.look(&database);
        let pages = database.wal_pages.load(Ordering::Relaxed);
        // The log starts again from zero once a checkpoint has caught up with it.
        if pages < after_last {
            after_last = 0;
        }
        if pages < CHECKPOINT_PAGES || pages - after_last < CHECKPOINT_PAGES {
            continue;
        }
        let done = checkpoint(&database, connection.take()).await;
        match done {
            Ok((mine, restarted)) => {
                connection = Some(mine);
                after_last = if restarted { 0 } else { pages };
            }
            Err(error) => tracing::warn!(database = database.label(), %error, "checkpoint failed"),
        }
    }
}

/// The state of the file at the last look, and the time of the last report of damage.
#[derive(Default)]
struct Watched {
    rounds: u32,
    trouble: Option<&'static str>,
    damaged: u64,
    told: Option<u32>,
}

impl Watched {
    /// Looks once a second. Reports each change, and damage once a minute.
    fn look(&mut self, database: &Database) {
        self.rounds = self.rounds.wrapping_add(1);
        if !self.rounds.is_multiple_of(LOOK_ROUNDS) {
            return;
        }
        database.watch.look(database.min_free);
        let (trouble, label) = (database.watch.trouble(), database.label());
        if trouble != self.trouble {
            match trouble {
                Some(trouble) => tracing::error!(database = label, "nothing is written: {trouble}"),
                None => tracing::info!(database = label, "the database takes writes again"),
            }
            self.trouble = trouble;
        }
        self.damaged += database.watch.damaged();
        let due = self.told.is_none_or(|round| self.rounds.wrapping_sub(round) >= MINUTE_ROUNDS);
        if self.damaged > 0 && due {
            let count = std::mem::take(&mut self.damaged);
            tracing::error!(database = label, count, "statements met damaged pages: restore the database from a back-up");
            self.told = Some(self.rounds);
        }
    }
}

/// Runs a passive checkpoint beside the writers. If the log stays long, runs a short one that holds them up.
async fn checkpoint(database: &Arc<Database>, connection: Option<Connection>) -> anyhow::Result<(Connection, bool)> {
    let here = Arc::clone(database);
    let connection = tokio::task::spawn_blocking(move || {
        let connection = connection.map_or_else(|| here.connect(READER_CACHE_KIB), Ok)?;
        connection.raw().busy_timeout(Duration::from_millis(100))?;
        run(&connection, "PASSIVE")?;
        Ok::<_, rusqlite::Error>(connection)
    })
    .await??;
    if database.wal_pages.load(Ordering::Relaxed) < RESTART_PAGES {
        return Ok((connection, false));
    }
    let writer = Arc::clone(&database.writer).lock_owned().await;
    let pages = Arc::clone(&database.wal_pages);
    let connection = tokio::task::spawn_blocking(move || {
        // A reader in the way makes it give up quickly. The next round tries again.
        if run(&connection, "RESTART")? {
            pages.store(0, Ordering::Relaxed);
        }
        drop(writer);
        Ok::<_, rusqlite::Error>(connection)
    })
    .await??;
    Ok((connection, true))
}

/// Runs a checkpoint. Returns whether it came to the end of the log.
fn run(connection: &Connection, mode: &str) -> rusqlite::Result<bool> {
    connection.raw().query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let (busy, length, done): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(busy == 0 && length == done)
    })
}

impl Database {
    fn expire_holder(&self) {
        let Some(state) = lock(&self.holder).upgrade() else { return };
        // The state is locked: a statement is running, so the guest is at work.
        match state.try_lock() {
            Ok(mut state) => state.expire(),
            Err(TryLockError::Poisoned(state)) => state.into_inner().expire(),
            Err(TryLockError::WouldBlock) => {}
        };
    }

    /// Writes the whole log back and empties it, at the end of the process.
    pub async fn close(&self) {
        let Ok(mut turn) = self.wait_for_writer(false).await else { return };
        let writer = &mut turn.writer;
        lock(&self.idle).clear();
        *lock(&self.anchor) = None;
        let result =
            tokio::task::block_in_place(|| writer.connection(self).and_then(|connection| run(connection, "TRUNCATE")));
        if let Err(error) = result {
            tracing::warn!(database = self.label(), %error, "the last checkpoint failed; the next start does it");
        }
        writer.connection = None;
    }
}
