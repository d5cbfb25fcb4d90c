//! Sealed values that were found not to open.

use crate::db::{Db, StoreError};
use warmline_model::Timestamp;

const KNOWN: &str = "SELECT 1 FROM broken WHERE row = ?1";
const NOTE: &str = "INSERT INTO broken (row, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING 1";

/// Whether a value is known not to open.
pub fn is_known(db: &dyn Db, row: &[u8]) -> Result<bool, StoreError> {
    Ok(db.first(KNOWN, &[row.into()])?.is_some())
}

/// Notes that a value does not open. Returns false if that was known.
pub fn note(db: &dyn Db, row: &[u8], now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(NOTE, &[row.into(), now.into()])?.is_some())
}
