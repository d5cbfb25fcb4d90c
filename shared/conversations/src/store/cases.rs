//! Cases: which of a person's conversations are about one matter.

use warmline_model::case::{OrderKey, Part};
use warmline_model::{CaseId, Channel, ConversationId, CustomerId, Timestamp};
use warmline_store::conversations::{Conversation, columns, hit, id_param, read};
use warmline_store::{Db, Row, StoreError};

// Newest customers first. A conversation that was opened long before its last message is still found.
const RECENT: &str = "SELECT v.case_id FROM customers m CROSS JOIN conversations v INDEXED BY conversations_by_customer \
                      ON v.customer_id = m.id AND v.id > ?2 WHERE m.person = ?1 AND v.last_message_at >= ?3 \
                      ORDER BY m.id DESC LIMIT ?4";
const PARTS: &str = "SELECT v.id, v.case_id, v.channel, v.last_message_at, v.orders \
                     FROM conversations v INDEXED BY conversations_by_case CROSS JOIN customers m ON m.id = v.customer_id \
                     WHERE v.case_id = ?1 AND m.person = ?2 ORDER BY v.id DESC LIMIT ?3";
const OF: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations v INDEXED BY conversations_by_case CROSS JOIN customers m ON m.id = v.customer_id \
     WHERE v.case_id = ?1 AND m.person = ?2 ORDER BY v.id LIMIT ?3"
);
const PERSONS: &str = "SELECT m.person FROM conversations v INDEXED BY conversations_by_case CROSS JOIN customers m \
                       ON m.id = v.customer_id WHERE v.case_id = ?1 ORDER BY v.id LIMIT ?2";
const ORDERS: &str = "SELECT orders, case_fixed FROM conversations WHERE id = ?1";
const NAME: &str = "UPDATE conversations SET orders = ?2 WHERE id = ?1 RETURNING 1";
const PUT: &str = "UPDATE conversations SET case_id = ?2, case_fixed = ?3 WHERE id = ?1 RETURNING 1";

/// The most conversations of a case that are read or shown.
pub const MOST: i64 = 200;

fn case(row: &Row, i: usize) -> Result<CaseId, StoreError> {
    row.made(i, CaseId::from_bytes(row.blob(i)?))
}

fn orders(row: &Row, i: usize) -> Result<Vec<OrderKey>, StoreError> {
    let (keys, rest) = row.blob(i)?.as_chunks();
    if rest.is_empty() { Ok(keys.to_vec()) } else { Err(StoreError::Shape(i)) }
}

/// The cases of a person's conversations that were opened after an id and had a message since an instant. A case can occur
/// more than once.
pub fn recent(db: &dyn Db, person: CustomerId, after: ConversationId, since: Timestamp) -> Result<Vec<CaseId>, StoreError> {
    let params = [person.as_bytes().into(), id_param(after), since.into(), MOST.into()];
    db.execute(RECENT, &params)?.iter().map(|r| case(r, 0)).collect()
}

/// The conversations of a case with a person, newest first, with the columns that show what the case is about.
pub fn parts(db: &dyn Db, id: CaseId, person: CustomerId) -> Result<Vec<Part>, StoreError> {
    let part = |r: &Row| {
        Ok(Part {
            conversation: r.made(0, ConversationId::from_bytes(r.blob(0)?))?,
            case: case(r, 1)?,
            channel: r.made(2, Channel::new(r.text(2)?))?,
            last: r.time(3)?,
            orders: orders(r, 4)?,
        })
    };
    db.execute(PARTS, &[id.as_bytes().into(), person.as_bytes().into(), MOST.into()])?.iter().map(part).collect()
}

/// The conversations of a case with a person, oldest first.
pub fn of(db: &dyn Db, id: CaseId, person: CustomerId) -> Result<Vec<Conversation>, StoreError> {
    db.execute(OF, &[id.as_bytes().into(), person.as_bytes().into(), MOST.into()])?.iter().map(read).collect()
}

/// The persons of a case, each once, in the order of their first conversation. There are several only if a merge was undone.
pub fn persons(db: &dyn Db, id: CaseId) -> Result<Vec<CustomerId>, StoreError> {
    let mut persons = Vec::new();
    for row in db.execute(PERSONS, &[id.as_bytes().into(), MOST.into()])? {
        let person = row.made(0, CustomerId::from_bytes(row.blob(0)?))?;
        if !persons.contains(&person) {
            persons.push(person);
        }
    }
    Ok(persons)
}

/// The orders named in a conversation, and whether staff set its case.
///
/// # Errors
/// There is no such conversation.
pub fn orders_of(db: &dyn Db, id: ConversationId) -> Result<(Vec<OrderKey>, bool), StoreError> {
    let row = db.first(ORDERS, &[id_param(id)])?.ok_or(StoreError::Missing("conversation"))?;
    Ok((orders(&row, 0)?, row.flag(1)?))
}

/// Notes the orders named in a conversation.
///
/// # Errors
/// There is no such conversation.
pub fn set_orders(db: &dyn Db, id: ConversationId, orders: &[OrderKey]) -> Result<(), StoreError> {
    hit(db.first(NAME, &[id_param(id), orders.concat().into()])?)
}

/// Puts a conversation into a case; `fixed` marks a decision of staff.
///
/// # Errors
/// There is no such conversation.
pub fn put(db: &dyn Db, id: ConversationId, case: CaseId, fixed: bool) -> Result<(), StoreError> {
    hit(db.first(PUT, &[id_param(id), case.as_bytes().into(), fixed.into()])?)
}
