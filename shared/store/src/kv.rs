//! The key-value store, for data that may be lost.

/// A key-value store, which may lose everything at any time.
pub trait Kv {
    /// A value, if there is one.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// Stores a value if it can.
    fn set(&self, key: &str, value: &[u8]);
    /// Deletes a value.
    fn delete(&self, key: &str);
}
