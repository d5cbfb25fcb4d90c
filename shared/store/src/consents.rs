//! Consent and its withdrawal by customers: append-only, which the database enforces.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AgentId, CustomerId, MessageId, Timestamp};

/// A record of consent or of its withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Position among all records; later ones are greater.
    pub seq: i64,
    /// The customer who made it.
    pub customer: CustomerId,
    /// The purpose, as a code of the brand's list.
    pub purpose: String,
    /// The version of the text agreed to.
    pub version: String,
    /// Whether consent was given; otherwise it was withdrawn.
    pub given: bool,
    /// The place where it was made: a channel, or `staff`.
    pub source: String,
    /// The member of staff who noted it; `None`: the customer's own message, or the administrator's token of the
    /// configuration.
    pub by: Option<AgentId>,
    /// The customer's own words, in the spelling of the list of such words.
    pub wording: Option<String>,
    /// The message that proves it.
    pub message: Option<MessageId>,
    /// When it was noted.
    pub at: Timestamp,
}

const APPEND: &str = "INSERT INTO consents (customer_id, purpose, version, given, source, agent_id, at, wording, message_id) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
// With max(), SQLite takes the other columns from the same row.
const OF_PERSON: &str = "SELECT max(c.seq), c.given \
                         FROM customers m CROSS JOIN consents c INDEXED BY consents_by_purpose ON c.customer_id = m.id \
                         WHERE m.person = ?1 AND m.erasure IS NULL AND c.purpose = ?2";
const STANDING: &str = "SELECT max(seq), customer_id, purpose, version, given, source, agent_id, at, wording, message_id \
                        FROM consents INDEXED BY consents_by_purpose \
                        WHERE customer_id = ?1 GROUP BY purpose";
const BEFORE: &str = "SELECT seq, customer_id, purpose, version, given, source, agent_id, at, wording, message_id \
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
        wording: r.opt_text(8)?.map(str::to_owned),
        message: r.opt_blob(9)?.map(|b| r.made(9, MessageId::from_bytes(b))).transpose()?,
    })
}

/// Appends a record. Its `seq` is assigned here.
pub fn append(db: &dyn Db, c: &Consent) -> Result<(), StoreError> {
    let params = [
        c.customer.as_bytes().into(),
        c.purpose.as_str().into(),
        c.version.as_str().into(),
        c.given.into(),
        c.source.as_str().into(),
        c.by.map(|a| a.as_bytes().to_vec()).into(),
        c.at.into(),
        c.wording.as_deref().into(),
        c.message.map(|m| m.as_bytes().to_vec()).into(),
    ];
    db.execute(APPEND, &params)?;
    Ok(())
}

/// The newest record of a purpose among all the person's customers: true if consent was given, `None` if there is no
/// record.
pub fn of_person(db: &dyn Db, person: CustomerId, purpose: &str) -> Result<Option<bool>, StoreError> {
    let Some(row) = db.first(OF_PERSON, &[person.as_bytes().into(), purpose.into()])? else { return Ok(None) };
    Ok(row.opt_int(1)?.map(|given| given != 0))
}

/// A customer's newest record of each purpose.
pub fn standing(db: &dyn Db, customer: CustomerId) -> Result<Vec<Consent>, StoreError> {
    db.execute(STANDING, &[customer.as_bytes().into()])?.iter().map(read).collect()
}

/// A customer's records before a position, newest first.
pub fn before(db: &dyn Db, customer: CustomerId, seq: i64, limit: i64) -> Result<Vec<Consent>, StoreError> {
    db.execute(BEFORE, &[customer.as_bytes().into(), seq.into(), limit.into()])?.iter().map(read).collect()
}
