//! Facts about the database itself.

use crate::db::{Db, StoreError};

const GET: &str = "SELECT value FROM meta WHERE name = ?1";
const PUT: &str = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const REPLACE: &str =
    "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
/// The name under which [`touch`] writes.
const TOUCHED: &str = "touched";

/// A fact.
pub fn get(db: &dyn Db, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    db.first(GET, &[name.into()])?.map(|row| row.blob(0).map(<[u8]>::to_vec)).transpose()
}

/// Replaces a fact.
pub fn put(db: &dyn Db, name: &str, value: &[u8]) -> Result<(), StoreError> {
    db.execute(REPLACE, &[name.into(), value.into()])?;
    Ok(())
}

/// Stores a fact if none of that name exists, and returns the stored one.
pub fn get_or_put(db: &dyn Db, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    db.execute(PUT, &[name.into(), value.into()])?;
    get(db, name)?.ok_or(StoreError::Missing("meta"))
}

/// Writes a value, to learn whether the store accepts writes. Callers pass a new value each time, because SQLite does not
/// write a value that is stored already.
///
/// # Errors
/// The store does not accept writes.
pub fn touch(db: &dyn Db, value: &[u8; 16]) -> Result<(), StoreError> {
    put(db, TOUCHED, value)
}
