//! Store, keys, clock and randomness of one request.

use crate::db::{SpinDb, Vault};
use crate::host::Spin;
use crate::kv::SpinKv;
use warmline_endpoint::Problem;
use warmline_kernel::Ctx;
use warmline_kernel::installed::{Installed, NOTHING};
use warmline_kernel::memo::Memo;
use warmline_model::{Clock, Rng, Timestamp};
use warmline_privacy::Keyring;
use warmline_store::migrate::{Migrations, State, migrate_all};
use warmline_store::vault;
use warmline_transport::host::{self, Host as _};
use warmline_transport::keyring;

/// The wall clock.
pub struct SpinClock;

impl Clock for SpinClock {
    fn now(&self) -> Timestamp {
        let now = wasi::clocks::wall_clock::now();
        let seconds = i64::try_from(now.seconds).unwrap_or(i64::MAX);
        Timestamp::from_secs(seconds).plus_millis(i64::from(now.nanoseconds / 1_000_000))
    }
}

/// The host's cryptographic randomness.
pub struct SpinRng;

impl Rng for SpinRng {
    fn fill(&self, out: &mut [u8]) {
        let bytes = wasi::random::random::get_random_bytes(out.len() as u64);
        out.copy_from_slice(&bytes);
    }
}

/// A variable's value; empty if it is not set.
pub fn variable(name: &str) -> String {
    Spin.variable(name)
}

/// The means of a request: the store, the vault, the keys, the clock and randomness.
pub struct Environment {
    db: SpinDb,
    vault: Vault,
    keys: Keyring,
    clock: SpinClock,
    rng: SpinRng,
    contexts: u64,
    installed: &'static Installed,
    memo: Memo,
}

impl Environment {
    /// Opens the store, migrates it if it is not current, and opens the keys. `installed` holds the parts that the
    /// capabilities give to each other.
    ///
    /// # Errors
    /// The store cannot be opened or migrated, a master key is missing or malformed, or the store belongs to another master
    /// key.
    pub fn open(migrations: &[Migrations], installed: &'static Installed) -> Result<Self, Problem> {
        let opened = Self::with(|db, vault, state| {
            if !state.is_current(migrations.iter().map(|m| (m.of, m.latest()))) {
                vault::prepare(vault)?;
                migrate_all(db, migrations)?;
            }
            Ok(())
        })?;
        Ok(Self { contexts: variable("context_entries").parse().unwrap_or(0), ..opened }.knowing(installed))
    }

    /// Gives steps the parts that the capabilities give to each other.
    #[must_use]
    pub fn knowing(self, installed: &'static Installed) -> Self {
        Self { installed, ..self }
    }

    /// Like [`Environment::open`], for adapters. They do not contain the migrations, and accept nothing before another component
    /// has applied them. Platforms send again.
    ///
    /// # Errors
    /// The errors of [`Environment::open`]; also if the store is not migrated.
    pub fn open_ready() -> Result<Self, Problem> {
        Self::open_current(&[])
    }

    /// Like [`Environment::open_ready`], for components that read tables of these capabilities.
    ///
    /// # Errors
    /// The errors of [`Environment::open_ready`].
    pub fn open_current(capabilities: &[(&'static str, i64)]) -> Result<Self, Problem> {
        Self::with(|_, _, state| match state.is_current(capabilities.iter().copied()) {
            true => Ok(()),
            false => Err(Problem {
                retry_after: Some(2),
                ..Problem::new(
                    503,
                    "store_not_ready",
                    "the store is being set up or updated; nothing was changed, try again",
                )
            }),
        })
    }

    fn with(ready: impl FnOnce(&SpinDb, &Vault, &State) -> Result<(), Problem>) -> Result<Self, Problem> {
        let masters = keyring::masters(&Spin)?;
        let (db, vault, rng) = (SpinDb::open()?, Vault::default(), SpinRng);
        let state = keyring::state(&db)?;
        ready(&db, &vault, &state)?;
        let keys = keyring::open(&db, state.fact, masters, &rng)?;
        Ok(Self { db, vault, keys, clock: SpinClock, rng, contexts: 0, installed: &NOTHING, memo: Memo::default() })
    }

    /// Whether writers of the store wait without order: see [`SpinDb`].
    pub fn is_unqueued(&self) -> bool {
        self.db.is_unqueued()
    }

    /// The context for the steps.
    pub fn ctx(&self) -> Ctx<'_> {
        let Self { db, vault, keys, clock, rng, contexts, installed, memo } = self;
        Ctx { db, vault, kv: &SpinKv, contexts: *contexts, clock, rng, keys, installed, memo }
    }
}

impl host::Environment for Environment {
    fn ctx(&self) -> Ctx<'_> {
        Environment::ctx(self)
    }
}
