//! The key-value store. Its content may be lost at any time.

use spin_sdk::key_value::Store;
use warmline_store::Kv;

/// The default key-value store. If it is not granted, or fails, nothing is stored.
pub struct SpinKv;

impl Kv for SpinKv {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        Store::open_default().ok()?.get(key).ok()?
    }

    fn set(&self, key: &str, value: &[u8]) {
        let _ = Store::open_default().map(|store| store.set(key, value));
    }

    fn delete(&self, key: &str) {
        let _ = Store::open_default().map(|store| store.delete(key));
    }
}
