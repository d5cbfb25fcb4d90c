//! The vault: keys in a database of their own. A backup of the main store alone opens nothing, and a key destroyed here is
//! lost to all backups of the main store. Every key is wrapped by a master key.
//!
//! * One key per customer.
//! * Transient keys (for webhook payloads, and answers kept for retries), in generations: new data gets the newest key, and
//!   an older key is destroyed once nothing needs it.
//!
//! Nothing is written here inside a transaction of the main store. On a platform with only one database, both can therefore
//! be that one.

use crate::db::{Db, Row, StoreError, Value, immediate};
use crate::dialect::ids;
use crate::dialect::{CHECKPOINT, SHRED, WRITE_AHEAD, strict, strict_by_key};
use warmline_model::{CustomerId, Timestamp};

const TABLES: [&str; 3] = [
    concat!(
        "CREATE TABLE IF NOT EXISTS customer_keys (customer_id BLOB PRIMARY KEY, master BLOB NOT NULL, wrapped BLOB NOT NULL)",
        strict_by_key!()
    ),
    "CREATE INDEX IF NOT EXISTS customer_keys_by_master ON customer_keys (master, customer_id)",
    concat!(
        "CREATE TABLE IF NOT EXISTS passing_keys (generation INTEGER PRIMARY KEY, purpose TEXT NOT NULL, \
         master BLOB NOT NULL, wrapped BLOB NOT NULL, made_at INTEGER NOT NULL)",
        strict!()
    ),
];
const INSERT: &str = "INSERT INTO customer_keys (customer_id, master, wrapped) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const GET: &str = "SELECT master, wrapped FROM customer_keys WHERE customer_id = ?1";
const MANY: &str = concat!(
    "WITH RECURSIVE ",
    ids!("part", "?1"),
    " SELECT k.customer_id, k.master, k.wrapped FROM part CROSS JOIN customer_keys k ON k.customer_id = part.id"
);
const BOTH: &str = "SELECT 'generation', master, wrapped FROM passing_keys WHERE generation = ?1 \
                    UNION ALL SELECT 'customer', master, wrapped FROM customer_keys WHERE customer_id = ?2";
const DESTROY: &str = "DELETE FROM customer_keys WHERE customer_id = ?1";
const BEFORE: &str = "SELECT customer_id, master, wrapped FROM customer_keys WHERE master < ?1 ORDER BY master LIMIT ?2";
const BEHIND: &str = "SELECT customer_id, master, wrapped FROM customer_keys WHERE master > ?1 ORDER BY master LIMIT ?2";
const REWRAP: &str = "UPDATE customer_keys SET master = ?3, wrapped = ?4 WHERE customer_id = ?1 AND master = ?2 RETURNING 1";
const COUNT: &str = "SELECT master, count(*) FROM customer_keys GROUP BY master";
const PASSING: &str = "SELECT generation, purpose, master, wrapped, made_at FROM passing_keys ORDER BY generation";
const NEWEST: &str = "SELECT generation, purpose, master, wrapped, made_at FROM passing_keys WHERE generation = \
                      (SELECT max(generation) FROM passing_keys WHERE purpose = ?1)";
const GENERATION: &str = "SELECT generation, purpose, master, wrapped, made_at FROM passing_keys WHERE generation = ?1";
const NEXT: &str = "INSERT INTO passing_keys (generation, purpose, master, wrapped, made_at) \
                    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING RETURNING 1";
const LAST: &str = "SELECT coalesce(max(generation), 0) FROM passing_keys";
const DESTROY_GENERATION: &str = "DELETE FROM passing_keys WHERE generation = ?1";
/// The number of a generation that exists only inside a transaction.
const TRIAL: i64 = -1;
const REWRAP_GENERATION: &str =
    "UPDATE passing_keys SET master = ?3, wrapped = ?4 WHERE generation = ?1 AND master = ?2 RETURNING 1";

/// A stored key.
#[derive(Clone)]
pub struct Stored {
    /// The eight bytes that name its master key.
    pub master: Vec<u8>,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
}

fn stored(row: &Row, i: usize) -> Result<Stored, StoreError> {
    Ok(Stored { master: row.blob(i)?.to_vec(), wrapped: row.blob(i + 1)?.to_vec() })
}

/// Creates the tables if they are missing.
pub fn prepare(vault: &dyn Db) -> Result<(), StoreError> {
    // A hint, as in the main store.
    let _ = vault.execute(WRITE_AHEAD, &[]);
    TABLES.iter().try_for_each(|table| vault.execute(table, &[]).map(drop))
}

/// Writes a row and removes it in the same transaction, to learn whether keys can be written.
///
/// # Errors
/// Keys cannot be written.
pub fn touch(vault: &dyn Db, now: Timestamp) -> Result<(), StoreError> {
    immediate(vault, || {
        let params = [TRIAL.into(), "trial".into(), Value::Blob(Vec::new()), Value::Blob(Vec::new()), now.into()];
        vault.execute(NEXT, &params)?;
        vault.execute(DESTROY_GENERATION, &[TRIAL.into()])?;
        Ok(())
    })
}

/// Adds a customer's key.
pub fn insert(vault: &dyn Db, id: CustomerId, key: &Stored) -> Result<(), StoreError> {
    vault.execute(INSERT, &[id.as_bytes().into(), key.master.as_slice().into(), key.wrapped.as_slice().into()])?;
    Ok(())
}

/// A customer's key; `None` if it was destroyed.
pub fn get(vault: &dyn Db, id: CustomerId) -> Result<Option<Stored>, StoreError> {
    vault.first(GET, &[id.as_bytes().into()])?.map(|r| stored(&r, 0)).transpose()
}

/// The keys of several customers. Of one without a key nothing comes.
pub fn get_many(vault: &dyn Db, customers: &[CustomerId]) -> Result<Vec<(CustomerId, Stored)>, StoreError> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<u8> = customers.iter().flat_map(|id| *id.as_bytes()).collect();
    let rows = vault.execute(MANY, &[ids.into()])?;
    rows.iter().map(|row| Ok((row.made(0, CustomerId::from_bytes(row.blob(0)?))?, stored(row, 1)?))).collect()
}

/// The key of a generation and a customer's key; `None` if either is missing.
pub fn both(vault: &dyn Db, n: i64, id: CustomerId) -> Result<Option<(Stored, Stored)>, StoreError> {
    let (mut generation, mut customer) = (None, None);
    for row in vault.execute(BOTH, &[n.into(), id.as_bytes().into()])? {
        let of = if row.text(0)? == "generation" { &mut generation } else { &mut customer };
        *of = Some(stored(&row, 1)?);
    }
    Ok(generation.zip(customer))
}

/// Destroys a customer's key. Its bytes are overwritten in the file, not only freed.
pub fn destroy(vault: &dyn Db, id: CustomerId) -> Result<(), StoreError> {
    shred(vault);
    vault.execute(DESTROY, &[id.as_bytes().into()])?;
    Ok(())
}

/// Writes the write-ahead log back, so that no destroyed key is left in it. Returns false if another connection was
/// reading. Try again then.
pub fn settle(vault: &dyn Db) -> Result<bool, StoreError> {
    match vault.first(CHECKPOINT, &[]) {
        Ok(row) => row.map_or(Ok(true), |row| Ok(row.int(0)? == 0)),
        // A server that keeps its own log, such as libSQL's, does not know this statement.
        Err(StoreError::Other(_)) => Ok(true),
        Err(e) => Err(e),
    }
}

/// Makes this connection overwrite the bytes that it deletes. This is a hint: see [`settle`].
fn shred(vault: &dyn Db) {
    let _ = vault.execute(SHRED, &[]);
}

/// Customers' keys that another master key wraps.
pub fn of_other_masters(vault: &dyn Db, master: &[u8], limit: i64) -> Result<Vec<(CustomerId, Stored)>, StoreError> {
    let mut rows = vault.execute(BEFORE, &[master.into(), limit.into()])?;
    if rows.is_empty() {
        rows = vault.execute(BEHIND, &[master.into(), limit.into()])?;
    }
    rows.iter().map(|r| Ok((r.made(0, CustomerId::from_bytes(r.blob(0)?))?, stored(r, 1)?))).collect()
}

/// Replaces a customer's key by the same key under another master key. Returns false if the stored key has changed.
pub fn rewrap(vault: &dyn Db, id: CustomerId, old: &Stored, new: &Stored) -> Result<bool, StoreError> {
    let of = |b: &[u8]| -> Value { b.into() };
    Ok(vault.first(REWRAP, &[of(id.as_bytes()), of(&old.master), of(&new.master), of(&new.wrapped)])?.is_some())
}

/// The number of customers' keys that each master key wraps. It reads the whole index.
pub fn by_master(vault: &dyn Db) -> Result<Vec<(Vec<u8>, i64)>, StoreError> {
    vault.execute(COUNT, &[])?.iter().map(|r| Ok((r.blob(0)?.to_vec(), r.int(1)?))).collect()
}

/// One generation of transient keys.
pub struct Generation {
    /// The number; newer ones are greater.
    pub n: i64,
    /// The purpose.
    pub purpose: String,
    /// The key.
    pub key: Stored,
    /// The time at which it was made.
    pub made_at: Timestamp,
}

fn generation(r: &Row) -> Result<Generation, StoreError> {
    Ok(Generation { n: r.int(0)?, purpose: r.text(1)?.to_owned(), key: stored(r, 2)?, made_at: r.time(4)? })
}

/// All generations, oldest first.
pub fn generations(vault: &dyn Db) -> Result<Vec<Generation>, StoreError> {
    vault.execute(PASSING, &[])?.iter().map(generation).collect()
}

/// The newest generation for a purpose.
pub fn newest(vault: &dyn Db, purpose: &str) -> Result<Option<Generation>, StoreError> {
    vault.first(NEWEST, &[purpose.into()])?.as_ref().map(generation).transpose()
}

/// One generation; `None` if it was destroyed.
pub fn by_number(vault: &dyn Db, n: i64) -> Result<Option<Generation>, StoreError> {
    vault.first(GENERATION, &[n.into()])?.as_ref().map(generation).transpose()
}

/// The number of the next generation.
pub fn next(vault: &dyn Db) -> Result<i64, StoreError> {
    Ok(vault.first(LAST, &[])?.ok_or(StoreError::Missing("generation"))?.int(0)? + 1)
}

/// Adds a generation. Returns false if another caller has added that number.
pub fn add(vault: &dyn Db, new: &Generation) -> Result<bool, StoreError> {
    let Generation { n, purpose, key, made_at } = new;
    let params = [
        (*n).into(),
        purpose.as_str().into(),
        key.master.as_slice().into(),
        key.wrapped.as_slice().into(),
        (*made_at).into(),
    ];
    Ok(vault.first(NEXT, &params)?.is_some())
}

/// Destroys a generation's key, as [`destroy`] does a customer's.
pub fn destroy_generation(vault: &dyn Db, n: i64) -> Result<(), StoreError> {
    shred(vault);
    vault.execute(DESTROY_GENERATION, &[n.into()])?;
    Ok(())
}

/// Like [`rewrap`], for a generation.
pub fn rewrap_generation(vault: &dyn Db, n: i64, old: &Stored, new: &Stored) -> Result<bool, StoreError> {
    let params = [n.into(), old.master.as_slice().into(), new.master.as_slice().into(), new.wrapped.as_slice().into()];
    Ok(vault.first(REWRAP_GENERATION, &params)?.is_some())
}
