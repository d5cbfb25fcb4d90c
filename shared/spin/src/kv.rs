//! The key-value store: what may be lost.

use spin_sdk::key_value::Store;
use warmline_store::Kv;

/// The default key-value store. Where it is not granted or fails, nothing is kept.
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
