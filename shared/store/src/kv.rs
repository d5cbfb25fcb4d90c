//! The key-value store, for what may be lost.

/// A key-value store, which may lose everything at any time.
pub trait Kv {
    /// A value, where there is one.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// Keeps a value, if it can.
    fn set(&self, key: &str, value: &[u8]);
    /// Drops a value.
    fn delete(&self, key: &str);
}

/// Keeps nothing.
pub struct NoKv;

impl Kv for NoKv {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn set(&self, _: &str, _: &[u8]) {}

    fn delete(&self, _: &str) {}
}
