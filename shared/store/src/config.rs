//! Documents that staff edit or the system keeps: sensitive words, limits, retention. Each has a version that rises with
//! every change.

use crate::db::{Db, StoreError};
use warmline_model::Timestamp;

const GET: &str = "SELECT value, version FROM config WHERE name = ?1";
const PUT: &str = "INSERT INTO config (name, value, version, updated_at) VALUES (?1, ?2, 1, ?3) \
                   ON CONFLICT (name) DO UPDATE SET value = ?2, version = version + 1, updated_at = ?3 RETURNING version";

/// A document (JSON) and its version.
pub fn get(db: &dyn Db, name: &str) -> Result<Option<(String, i64)>, StoreError> {
    db.first(GET, &[name.into()])?.map(|r| Ok((r.text(0)?.to_owned(), r.int(1)?))).transpose()
}

/// Stores a document. Returns its new version.
pub fn put(db: &dyn Db, name: &str, value: &str, now: Timestamp) -> Result<i64, StoreError> {
    db.first(PUT, &[name.into(), value.into(), now.into()])?.ok_or(StoreError::Missing("config"))?.int(0)
}
