//! What customers agreed to and withdrew: append-only, which the database enforces.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AgentId, CustomerId, Timestamp};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Position among all records: a later one is greater.
    pub seq: i64,
    /// The customer who said it.
    pub customer: CustomerId,
    /// What for, as a code of the brand's list.
    pub purpose: String,
    /// The version of the text agreed to.
    pub version: String,
    /// Given, or withdrawn.
    pub given: bool,
    /// Where it was said: a channel, or `staff`.
    pub source: String,
    /// Who noted it; none: the administrator's token of the configuration.
    pub by: Option<AgentId>,
    /// When it was noted.
    pub at: Timestamp,
}

const APPEND: &str = "INSERT INTO consents (customer_id, purpose, version, given, source, agent_id, at) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const NEWEST: &str = "SELECT seq, customer_id, purpose, version, given, source, agent_id, at \
                      FROM consents INDEXED BY consents_by_purpose \
                      WHERE customer_id = ?1 AND purpose = ?2 ORDER BY seq DESC LIMIT 1";
// With max(), SQLite takes the other columns from the row that has it.
const STANDING: &str = "SELECT max(seq), customer_id, purpose, version, given, source, agent_id, at \
                        FROM consents INDEXED BY consents_by_purpose \
                        WHERE customer_id = ?1 GROUP BY purpose";
const BEFORE: &str = "SELECT seq, customer_id, purpose, version, given, source, agent_id, at \
                      FROM consents INDEXED BY consents_by_customer \
                      WHERE customer_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";

fn read(r: &Row) -> Result<Consent, StoreError> {
    Ok(Consent {
        seq: r.int(0)?,
        customer: r.made(1, CustomerId::from_bytes(r.blob(1)?))?,
        purpose: r.text(2)?.to_owned(),
        version: r.text(3)?.to_owned(),
        given: r.flag(4)?,
        source: r.text(5)?.to_owned(),
        by: r.opt_blob(6)?.map(|b| r.made(6, AgentId::from_bytes(b))).transpose()?,
        at: r.time(7)?,
    })
}

/// Appends a record; its `seq` is given here.
///
/// # Errors
/// See [`StoreError`].
pub fn append(db: &dyn Db, c: &Consent) -> Result<(), StoreError> {
    let params = [
        c.customer.as_bytes().into(),
        c.purpose.as_str().into(),
        c.version.as_str().into(),
        c.given.into(),
        c.source.as_str().into(),
        c.by.map(|a| a.as_bytes().to_vec()).into(),
        c.at.into(),
    ];
    db.execute(APPEND, &params)?;
    Ok(())
}

/// A customer's newest record of a purpose.
///
/// # Errors
/// See [`StoreError`].
pub fn newest(db: &dyn Db, customer: CustomerId, purpose: &str) -> Result<Option<Consent>, StoreError> {
    db.first(NEWEST, &[customer.as_bytes().into(), purpose.into()])?.as_ref().map(read).transpose()
}

/// A customer's newest record of each purpose.
///
/// # Errors
/// See [`StoreError`].
pub fn standing(db: &dyn Db, customer: CustomerId) -> Result<Vec<Consent>, StoreError> {
    db.execute(STANDING, &[customer.as_bytes().into()])?.iter().map(read).collect()
}

/// A customer's records before a position, the newest first.
///
/// # Errors
/// See [`StoreError`].
pub fn before(db: &dyn Db, customer: CustomerId, seq: i64, limit: i64) -> Result<Vec<Consent>, StoreError> {
    db.execute(BEFORE, &[customer.as_bytes().into(), seq.into(), limit.into()])?.iter().map(read).collect()
}
