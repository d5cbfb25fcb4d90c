//! Store, keys, clock and randomness of one request.

use crate::db::SpinDb;
use spin_sdk::variables;
use warmline_flow::Ctx;
use warmline_http::Problem;
use warmline_model::{Clock, Rng, Timestamp};
use warmline_privacy::Keyring;
use warmline_store::{meta, migrate};

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

/// A variable's value; empty where it is not set.
pub fn variable(name: &str) -> String {
    variables::get(name).unwrap_or_default()
}

/// What a request works with.
pub struct World {
    db: SpinDb,
    keys: Keyring,
    clock: SpinClock,
    rng: SpinRng,
}

impl World {
    /// Opens the store, migrates it where it is not, and reads the master key.
    ///
    /// # Errors
    /// The store cannot be opened or migrated, or the master key is missing or malformed.
    pub fn open() -> Result<Self, Problem> {
        let keys = keys()?;
        let db = SpinDb::open()?;
        if migrate(&db)? {
            // From now on this database belongs to this key; /readyz compares.
            meta::get_or_put(&db, "master_key_fingerprint", &keys.fingerprint())?;
        }
        Ok(Self { db, keys, clock: SpinClock, rng: SpinRng })
    }

    /// The world as the steps of the flow take it.
    pub fn ctx(&self) -> Ctx<'_> {
        Ctx { db: &self.db, clock: &self.clock, rng: &self.rng, keys: &self.keys }
    }

    /// The keys.
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }
}

/// The keys, without a store.
///
/// # Errors
/// The master key is missing or malformed.
pub fn keys() -> Result<Keyring, Problem> {
    Keyring::from_base64(&variable("master_key")).map_err(|e| Problem {
        internal: Some(e.to_string()),
        ..Problem::new(503, "no_master_key", "the service is not set up: its master key is missing or malformed")
    })
}
