//! Erased customers: the request, the work that is left, and the receipt.

use warmline_model::{AgentId, CustomerId, ErasureId, Timestamp};
use warmline_store::{Db, Row, StoreError};

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Id.
    pub id: ErasureId,
    /// The person.
    pub person: CustomerId,
    /// The member of staff who asked; `None`: the administrator of the configuration.
    pub asked_by: Option<AgentId>,
    /// The reason, as a stable code.
    pub reason: String,
    /// The time of the request.
    pub asked_at: Timestamp,
    /// The first generation of inbox keys that seals nothing of the person; `None` before that step.
    pub inbox_from: Option<i64>,
    /// Messages deleted so far.
    pub messages: i64,
    /// The time at which everything was done.
    pub done_at: Option<Timestamp>,
    /// The receipt, in the signed form.
    pub receipt: Option<String>,
}

const INSERT: &str = "INSERT INTO erasures (id, person, asked_by, reason, asked_at) VALUES (?1, ?2, ?3, ?4, ?5)";
const GET: &str =
    "SELECT id, person, asked_by, reason, asked_at, inbox_from, messages, done_at, receipt FROM erasures WHERE id = ?1";
const LIST: &str = "SELECT id, person, asked_by, reason, asked_at, inbox_from, messages, done_at, receipt FROM erasures \
                    WHERE id > ?1 ORDER BY id LIMIT ?2";
const RUNNING: &str = "SELECT id, person, asked_by, reason, asked_at, inbox_from, messages, done_at, receipt \
                       FROM erasures INDEXED BY erasures_running WHERE done_at IS NULL ORDER BY id LIMIT ?1";
const COUNT_RUNNING: &str = "SELECT count(*) FROM erasures INDEXED BY erasures_running WHERE done_at IS NULL";
const INBOX_FROM: &str = "UPDATE erasures SET inbox_from = ?2 WHERE id = ?1 AND inbox_from IS NULL";
const DONE: &str = "UPDATE erasures SET done_at = ?2, receipt = ?3 WHERE id = ?1 AND done_at IS NULL RETURNING 1";
const OF: &str = "SELECT erasure FROM customers WHERE id = ?1 AND erasure IS NOT NULL";
const CUSTOMERS: &str = "SELECT id FROM customers WHERE erasure = ?1 ORDER BY id";
const ERASE: &str = "UPDATE customers SET erasure = ?2, tags = '[]', owner = NULL, person_tags = '[]', person_owner = NULL, \
                     name = NULL, wrapped_key = x'' WHERE id = ?1 AND erasure IS NULL RETURNING 1";
// The identity's own id is as unique as a look-up, and no sender is found by it.
const IDENTITIES: &str = "UPDATE identities SET lookup = id, sender = x'', known = NULL WHERE customer_id = ?1";
const IDENTIFIERS: &str = "DELETE FROM identifiers WHERE customer_id = ?1 RETURNING lookup";
const DISTRUSTED: &str = "DELETE FROM distrusted WHERE lookup = ?1 \
                          AND NOT EXISTS (SELECT 1 FROM identifiers i WHERE i.lookup = ?1)";
const EVIDENCE_A: &str = "UPDATE merges SET evidence = NULL WHERE a = ?1";
const EVIDENCE_B: &str = "UPDATE merges SET evidence = NULL WHERE b = ?1";
const COUNTED: &str = "UPDATE erasures SET messages = messages + ?2 WHERE id = ?1";

fn erasure(r: &Row) -> Result<Erasure, StoreError> {
    Ok(Erasure {
        id: r.made(0, ErasureId::from_bytes(r.blob(0)?))?,
        person: r.made(1, CustomerId::from_bytes(r.blob(1)?))?,
        asked_by: r.opt_blob(2)?.map(|b| r.made(2, AgentId::from_bytes(b))).transpose()?,
        reason: r.text(3)?.to_owned(),
        asked_at: r.time(4)?,
        inbox_from: r.opt_int(5)?,
        messages: r.int(6)?,
        done_at: r.opt_time(7)?,
        receipt: r.opt_text(8)?.map(str::to_owned),
    })
}

/// Notes the beginning of an erasure.
pub fn insert(db: &dyn Db, new: &Erasure) -> Result<(), StoreError> {
    let params = [
        new.id.as_bytes().into(),
        new.person.as_bytes().into(),
        new.asked_by.map(|a| a.as_bytes().to_vec()).into(),
        new.reason.as_str().into(),
        new.asked_at.into(),
    ];
    db.execute(INSERT, &params)?;
    Ok(())
}

/// One erasure.
pub fn get(db: &dyn Db, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
    db.first(GET, &[id.as_bytes().into()])?.as_ref().map(erasure).transpose()
}

/// Erasures after an id, oldest first.
pub fn list(db: &dyn Db, after: Option<ErasureId>, limit: i64) -> Result<Vec<Erasure>, StoreError> {
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    db.execute(LIST, &[after.into(), limit.into()])?.iter().map(erasure).collect()
}

/// Erasures that are not completed.
pub fn running(db: &dyn Db, limit: i64) -> Result<Vec<Erasure>, StoreError> {
    db.execute(RUNNING, &[limit.into()])?.iter().map(erasure).collect()
}

/// The number of erasures that are not completed.
pub fn count_running(db: &dyn Db) -> Result<i64, StoreError> {
    db.first(COUNT_RUNNING, &[])?.ok_or(StoreError::Missing("count"))?.int(0)
}

/// The erasure that erased a customer.
pub fn of(db: &dyn Db, id: CustomerId) -> Result<Option<Erasure>, StoreError> {
    let Some(row) = db.first(OF, &[id.as_bytes().into()])? else { return Ok(None) };
    get(db, row.made(0, ErasureId::from_bytes(row.blob(0)?))?)
}

/// The customers that an erasure erased.
pub fn customers(db: &dyn Db, id: ErasureId) -> Result<Vec<CustomerId>, StoreError> {
    db.execute(CUSTOMERS, &[id.as_bytes().into()])?.iter().map(|r| r.made(0, CustomerId::from_bytes(r.blob(0)?))).collect()
}

/// Removes everything by which a customer could be found or recognised.
///
/// # Errors
/// There is no such customer.
pub fn unname(db: &dyn Db, customer: CustomerId, erasure: ErasureId) -> Result<(), StoreError> {
    let id = customer.as_bytes();
    db.first(ERASE, &[id.into(), erasure.as_bytes().into()])?.ok_or(StoreError::Missing("customer"))?;
    db.execute(IDENTITIES, &[id.into()])?;
    for row in db.execute(IDENTIFIERS, &[id.into()])? {
        db.execute(DISTRUSTED, &[row.blob(0)?.into()])?;
    }
    for sql in [EVIDENCE_A, EVIDENCE_B] {
        db.execute(sql, &[id.into()])?;
    }
    Ok(())
}

/// Adds to the number of messages that an erasure deleted.
pub fn count(db: &dyn Db, id: ErasureId, messages: i64) -> Result<(), StoreError> {
    db.execute(COUNTED, &[id.as_bytes().into(), messages.into()])?;
    Ok(())
}

/// Sets the generation of inbox keys from which on nothing of the person is readable.
pub fn set_inbox_from(db: &dyn Db, id: ErasureId, from: i64) -> Result<(), StoreError> {
    db.execute(INBOX_FROM, &[id.as_bytes().into(), from.into()])?;
    Ok(())
}

/// Stores the receipt. Returns false if one is stored already.
pub fn done(db: &dyn Db, id: ErasureId, at: Timestamp, receipt: &str) -> Result<bool, StoreError> {
    Ok(db.first(DONE, &[id.as_bytes().into(), at.into(), receipt.into()])?.is_some())
}
