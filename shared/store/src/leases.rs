//! Leases: the right to do something alone for a while. A lease ends by itself, so a crash blocks nobody for long.

use crate::db::{Db, StoreError};
use warmline_model::Timestamp;

const CLAIM: &str = "INSERT INTO leases (name, owner, until) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (name) DO UPDATE SET owner = ?2, until = ?3 WHERE until <= ?4 RETURNING 1";
const RENEW: &str = "UPDATE leases SET until = ?3 WHERE name = ?1 AND owner = ?2 AND until > ?4 RETURNING 1";
const HELD: &str = "SELECT 1 FROM leases WHERE name = ?1 AND until > ?2";
const RELEASE: &str = "UPDATE leases SET until = 0 WHERE name = ?1 AND owner = ?2";

/// Takes a free lease. Returns false if it is held.
pub fn claim(db: &dyn Db, name: &str, owner: &[u8; 16], now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(CLAIM, &[name.into(), owner.into(), until.into(), now.into()])?.is_some())
}

/// Whether anybody holds a lease.
pub fn is_held(db: &dyn Db, name: &str, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(HELD, &[name.into(), now.into()])?.is_some())
}

/// Prolongs a lease. Returns false if it has run out. Inside the transaction of the work, it proves that nobody else does
/// the same work.
pub fn renew(db: &dyn Db, name: &str, owner: &[u8; 16], now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(RENEW, &[name.into(), owner.into(), until.into(), now.into()])?.is_some())
}

/// Releases a lease.
pub fn release(db: &dyn Db, name: &str, owner: &[u8; 16]) -> Result<(), StoreError> {
    db.execute(RELEASE, &[name.into(), owner.into()])?;
    Ok(())
}
