//! Deletes the data of an erased customer from conversations.

use warmline_model::CustomerId;
use warmline_store::{Db, StoreError};

// 2 means that the messages are gone.
const EMPTY: &str = "UPDATE conversations SET reply_to = NULL, orders = x'', archived = 2 WHERE customer_id = ?1";
const PACKS: &str = "DELETE FROM packs WHERE conversation_id IN (SELECT id FROM conversations WHERE customer_id = ?1) \
                     RETURNING last - first + 1";
const MESSAGES: &str = "DELETE FROM messages WHERE (conversation_id, n) IN \
                        (SELECT m.conversation_id, m.n FROM conversations v CROSS JOIN messages m ON m.conversation_id = v.id \
                         WHERE v.customer_id = ?1 LIMIT ?2) RETURNING 1";

/// Removes everything from a customer's conversations that could identify the customer. Messages stay until [`messages`]
/// deletes them.
pub fn empty(db: &dyn Db, customer: CustomerId) -> Result<(), StoreError> {
    db.execute(EMPTY, &[customer.as_bytes().into()])?;
    Ok(())
}

/// Deletes messages of a customer: all archived ones, and at most `limit` of the others. Returns how many messages it
/// deleted in all, and how many of the others.
pub fn messages(db: &dyn Db, customer: CustomerId, limit: i64) -> Result<(i64, i64), StoreError> {
    let deleted = db.execute(MESSAGES, &[customer.as_bytes().into(), limit.into()])?.len();
    let deleted = i64::try_from(deleted).unwrap_or(limit);
    let packed = db.execute(PACKS, &[customer.as_bytes().into()])?;
    let packed = packed.iter().map(|row| row.int(0)).sum::<Result<i64, _>>()?;
    Ok((deleted + packed, deleted))
}
