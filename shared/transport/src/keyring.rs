//! The keys of the store, opened with the master keys of the configuration.

use crate::host::Host;
use warmline_endpoint::Problem;
use warmline_kernel::keys;
use warmline_model::Rng;
use warmline_privacy::{KeyError, KeyId, Keyring, Masters};
use warmline_store::migrate::State;
use warmline_store::{Db, StoreError, meta};

/// The place where a version without root keys noted the master key of the store.
const BELONGS: &str = "master_key_fingerprint";

/// The master keys of the configuration.
///
/// # Errors
/// A key is missing or malformed.
pub fn masters(host: &impl Host) -> Result<Masters, Problem> {
    Masters::from_base64(&host.variable("master_key"), &host.variable("master_key_previous")).map_err(no_keys)
}

/// The state of a store, with the root key that [`open`] wants.
///
/// # Errors
/// The store fails, or needs a newer program.
pub fn state(db: &dyn Db) -> Result<State, StoreError> {
    State::read(db, keys::ROOT)
}

/// Opens the keys of a store, or makes them for a store that has none. `root`: the root key, if it was read.
///
/// # Errors
/// The store fails, or belongs to another master key.
pub fn open(db: &dyn Db, root: Option<Vec<u8>>, masters: Masters, rng: &dyn Rng) -> Result<Keyring, Problem> {
    match root.map_or_else(|| meta::get(db, keys::ROOT), |root| Ok(Some(root)))? {
        Some(stored) => Keyring::open(masters, &stored).map_err(no_keys),
        None => first(db, masters, rng),
    }
}

/// Makes the keys of a store that has none. If several requests come at the same time, one stores its root key, and the
/// others use that key from their next request on.
fn first(db: &dyn Db, masters: Masters, rng: &dyn Rng) -> Result<Keyring, Problem> {
    let belongs = meta::get(db, BELONGS)?.and_then(|id| KeyId::from_bytes(&id));
    let keys = Keyring::create(masters, belongs, rng).map_err(no_keys)?;
    let new = keys.store(rng)?;
    match meta::get_or_put(db, keys::ROOT, &new)? == new {
        true => Ok(keys),
        false => Err(StoreError::Busy.into()),
    }
}

fn no_keys(error: KeyError) -> Problem {
    let (code, detail) = match error {
        KeyError::Malformed => {
            ("no_master_key", "the service is not set up: its master key is missing or malformed".to_owned())
        }
        KeyError::Wanted(id) => (
            "wrong_master_key",
            format!("the store belongs to master key {id}; start with that one, or give it as the previous one"),
        ),
        KeyError::Root => ("wrong_master_key", "the root key in the store does not open; restore the store".to_owned()),
    };
    Problem { internal: Some(error.to_string()), ..Problem::new(503, code, detail) }
}
