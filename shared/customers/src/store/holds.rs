//! Legal holds. A row names a customer, but covers the whole person: all customers that merges connect with that one.

use warmline_model::{AgentId, CustomerId, Timestamp};
use warmline_store::{Db, StoreError};

/// A hold, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The reason, as a stable code.
    pub reason: String,
    /// The reference under which it is filed elsewhere.
    pub reference: Option<String>,
    /// The member of staff who placed it; `None`: the administrator's token of the configuration.
    pub by: Option<AgentId>,
    /// The time since which it holds.
    pub at: Timestamp,
}

const PLACE: &str = "INSERT INTO holds (customer_id, reason, reference, placed_by, at) VALUES (?1, ?2, ?3, ?4, ?5) \
                     ON CONFLICT (customer_id) DO UPDATE SET reason = ?2, reference = ?3, placed_by = ?4, at = ?5";
const LIFT: &str = "DELETE FROM holds WHERE customer_id = ?1 RETURNING 1";
const OF_PERSON: &str = "SELECT h.reason, h.reference, h.placed_by, h.at FROM customers c JOIN holds h ON h.customer_id = c.id \
                         WHERE c.person = ?1 ORDER BY c.id LIMIT 1";

/// Places a hold on a customer, or replaces the present one.
pub fn place(db: &dyn Db, customer: CustomerId, hold: &Hold) -> Result<(), StoreError> {
    let params = [
        customer.as_bytes().into(),
        hold.reason.as_str().into(),
        hold.reference.as_deref().into(),
        hold.by.map(|a| a.as_bytes().to_vec()).into(),
        hold.at.into(),
    ];
    db.execute(PLACE, &params)?;
    Ok(())
}

/// Lifts a customer's hold. Returns false if there is none.
pub fn lift(db: &dyn Db, customer: CustomerId) -> Result<bool, StoreError> {
    Ok(db.first(LIFT, &[customer.as_bytes().into()])?.is_some())
}

/// The hold that covers a person: that of the oldest customer with one.
pub fn of_person(db: &dyn Db, person: CustomerId) -> Result<Option<Hold>, StoreError> {
    let Some(r) = db.first(OF_PERSON, &[person.as_bytes().into()])? else { return Ok(None) };
    Ok(Some(Hold {
        reason: r.text(0)?.to_owned(),
        reference: r.opt_text(1)?.map(str::to_owned),
        by: r.opt_blob(2)?.map(|b| r.made(2, AgentId::from_bytes(b))).transpose()?,
        at: r.time(3)?,
    }))
}
