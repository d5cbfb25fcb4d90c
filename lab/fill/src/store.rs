//! A server's files, opened like the components open them.

use anyhow::{Context as _, Result, bail, ensure};
use std::cell::Cell;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use warmline_client::state;
use warmline_conversations::drain::{Distance, Drainer, Step};
use warmline_kernel::installed::NOTHING;
use warmline_kernel::memo::Memo;
use warmline_kernel::{Ctx, keys};
use warmline_model::{AccountId, Channel, Clock, Inbound, Rng, Timestamp};
use warmline_privacy::{Keyring, Masters};
use warmline_simulate::fixture::ACCOUNT;
use warmline_store::native::{NativeDb, NoKv};
use warmline_store::{Db as _, inbox, meta};
use warmline_transport::ingest;

/// A clock that is set by hand.
struct SetClock(Cell<i64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.get())
    }
}

/// The system's randomness.
struct System;

impl Rng for System {
    #[expect(clippy::expect_used, reason = "a system without randomness can do nothing here")]
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the system has randomness");
    }
}

/// The store with its keys.
pub(super) struct Store {
    db: NativeDb,
    vault: NativeDb,
    keys: Keyring,
    clock: SetClock,
    memo: Memo,
    channel: Channel,
    account: AccountId,
    _lock: File,
}

impl Store {
    /// Opens the files of a state folder that a server made and nothing uses.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let lock = lock(folder)?;
        let mut beside = folder.to_path_buf().into_os_string();
        beside.push("-keys");
        let open = |path: PathBuf| -> Result<NativeDb> {
            ensure!(path.exists(), "there is no {}", path.display());
            let db = NativeDb::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
            // A fill that is interrupted has to be repeated anyway, so nothing needs to wait for the disk.
            db.execute("PRAGMA synchronous = OFF", &[])?;
            Ok(db)
        };
        let (db, vault) = (open(folder.join("sqlite.db"))?, open(PathBuf::from(beside).join("keys.db"))?);
        let masters = Masters::from_base64(&state::secret(folder, "SPIN_VARIABLE_MASTER_KEY")?, "");
        let masters = masters.map_err(|e| anyhow::anyhow!("the master key: {e}"))?;
        let root = meta::get(&db, keys::ROOT)?.context("the store has no root key: start a server on it once")?;
        let keys = Keyring::open(masters, &root).map_err(|e| anyhow::anyhow!("the store's keys: {e}"))?;
        Ok(Self {
            db,
            vault,
            keys,
            clock: SetClock(Cell::new(0)),
            memo: Memo::default(),
            channel: Channel::new("wechat")?,
            account: AccountId::new(ACCOUNT)?,
            _lock: lock,
        })
    }

    fn ctx(&self) -> Ctx<'_> {
        let Self { db, vault, keys, clock, memo, .. } = self;
        Ctx { db, vault, kv: &NoKv, contexts: 0, clock, rng: &System, keys, installed: &NOTHING, memo }
    }

    /// Sets the time, in milliseconds since 1970.
    pub(super) fn set_time(&self, at: i64) {
        self.clock.0.set(at);
    }

    /// Takes messages in, and all the way into their conversations.
    pub(super) fn take(&self, messages: Vec<Inbound>) -> Result<()> {
        let ctx = self.ctx();
        ingest::ingest(&ctx, &self.channel, &self.account, messages, None, &[]).context("taking messages in")?;
        for shard in 0..inbox::SHARDS {
            let mut drainer = Drainer::new(&ctx, shard, Distance::Near);
            while let Step::Handled { .. } = drainer.step().context("handling messages")? {}
            drainer.let_go().context("handling messages")?;
        }
        Ok(())
    }

    /// Writes the write-ahead logs back into their files.
    pub(super) fn close(self) -> Result<()> {
        for db in [&self.db, &self.vault] {
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)", &[])?;
        }
        Ok(())
    }
}

/// Checks that no server uses the folder.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("a server is using {}: stop it first", folder.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}
