//! Facts about the database itself.

use crate::db::{Db, StoreError};

const GET: &str = "SELECT value FROM meta WHERE name = ?1";
const PUT: &str = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const TOUCH: &str = "INSERT INTO meta (name, value) VALUES ('touched', x'') ON CONFLICT (name) DO UPDATE SET value = x''";

/// Stores a fact if it is not known yet, and returns the one that is.
///
/// # Errors
/// See [`StoreError`].
pub fn get_or_put(db: &dyn Db, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    if let Some(row) = db.first(GET, &[name.into()])? {
        return Ok(row.blob(0)?.to_vec());
    }
    db.execute(PUT, &[name.into(), value.into()])?;
    db.first(GET, &[name.into()])?.ok_or(StoreError::Missing("meta"))?.blob(0).map(<[u8]>::to_vec)
}

/// Writes something, to learn whether the store takes writes.
///
/// # Errors
/// It does not.
pub fn touch(db: &dyn Db) -> Result<(), StoreError> {
    db.execute(TOUCH, &[])?;
    Ok(())
}
