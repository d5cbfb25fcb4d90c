//! Customers and their identities. An identity is found by a blind index of channel, account and open id. Merges join
//! several customers to one person: see `warmline-customers`.

use crate::conversations::{self, Conversation};
use crate::db::{Db, Row, StoreError};
use warmline_model::{AccountId, AgentId, Channel, CustomerId, IdentityId, Timestamp};

/// A known sender: identity, customer, and the open conversation on that account, if there is one.
pub struct Contact {
    /// The identity.
    pub identity: IdentityId,
    /// The customer.
    pub customer: CustomerId,
    /// The customer's person.
    pub person: CustomerId,
    /// The person's tags.
    pub tags: Vec<String>,
    /// The person's own agent.
    pub owner: Option<AgentId>,
    /// A digest of the identifiers that the identity last brought.
    pub known: Option<Vec<u8>>,
    /// The open conversation.
    pub conversation: Option<Conversation>,
}

fn tags(row: &Row, i: usize) -> Result<Vec<String>, StoreError> {
    row.made(i, serde_json::from_slice(row.text(i)?.as_bytes()))
}

fn owner(row: &Row, i: usize) -> Result<Option<AgentId>, StoreError> {
    row.opt_blob(i)?.map(|b| row.made(i, AgentId::from_bytes(b))).transpose()
}

/// The columns that [`read_contact`] reads after those of the conversation: of the identity `i` and the person `p`.
macro_rules! contact_columns {
    () => {
        "i.id, i.customer_id, p.person_tags, p.person_owner, p.id, i.known"
    };
}
pub(crate) use contact_columns;

/// The number of columns in `contact_columns!`.
pub(crate) const CONTACT_COLUMNS: usize = 6;

// The LEFT JOIN finds at most one row, because of the unique index on open conversations.
const CONTACT: &str = concat!(
    "SELECT ",
    conversations::columns!(),
    ", ",
    contact_columns!(),
    " FROM identities i JOIN customers c ON c.id = i.customer_id JOIN customers p ON p.id = c.person \
     LEFT JOIN conversations v ON v.identity_id = i.id AND v.state <> 'closed' WHERE i.lookup = ?1"
);
const INSERT_CUSTOMER: &str =
    "INSERT INTO customers (id, wrapped_key, tags, created_at, person, person_tags) VALUES (?1, x'', ?2, ?3, ?1, ?2)";
const INSERT_IDENTITY: &str = "INSERT INTO identities (id, lookup, customer_id, channel, account, sender, created_at) \
                               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const GET: &str = "SELECT p.person_tags, c.created_at, p.person_owner, p.id, c.tags, c.name \
                   FROM customers c JOIN customers p ON p.id = c.person WHERE c.id = ?1 AND c.erasure IS NULL";
const UNMOVED_KEY: &str = "SELECT wrapped_key FROM customers WHERE id = ?1 AND wrapped_key <> x''";
const UNMOVED: &str = "SELECT id, wrapped_key FROM customers INDEXED BY customers_unmoved WHERE wrapped_key <> x'' LIMIT ?1";
const MOVED: &str = "UPDATE customers SET wrapped_key = x'' WHERE id = ?1";
const SET_NAME: &str = "UPDATE customers SET name = ?2 WHERE id = ?1 RETURNING 1";
const SENDER: &str = "SELECT sender, customer_id FROM identities WHERE id = ?1";
const BY_LOOKUP: &str = "SELECT id FROM identities WHERE lookup = ?1";
const SET_TAGS: &str = "UPDATE customers SET tags = ?2 WHERE id = ?1 RETURNING 1";
const SET_OWNER: &str = "UPDATE customers SET owner = ?2 WHERE id = ?1 RETURNING 1";
const IDENTITIES: &str = "SELECT i.id, i.channel, i.account FROM customers c JOIN identities i ON i.customer_id = c.id \
                          WHERE c.person = ?1 ORDER BY c.id";

/// Finds a sender by blind index.
pub fn contact(db: &dyn Db, lookup: &[u8; 16]) -> Result<Option<Contact>, StoreError> {
    db.first(CONTACT, &[lookup.into()])?.map_or(Ok(None), |row| read_contact(&row))
}

/// Reads a conversation's columns and `contact_columns!`; `None` if there is no such sender.
pub(crate) fn read_contact(row: &Row) -> Result<Option<Contact>, StoreError> {
    let base = conversations::COLUMNS;
    let Some(identity) = row.opt_blob(base)? else { return Ok(None) };
    Ok(Some(Contact {
        identity: row.made(base, IdentityId::from_bytes(identity))?,
        customer: row.made(base + 1, CustomerId::from_bytes(row.blob(base + 1)?))?,
        tags: tags(row, base + 2)?,
        owner: owner(row, base + 3)?,
        person: row.made(base + 4, CustomerId::from_bytes(row.blob(base + 4)?))?,
        known: row.opt_blob(base + 5)?.map(<[u8]>::to_vec),
        conversation: row.opt_blob(0)?.is_some().then(|| conversations::read(row)).transpose()?,
    }))
}

/// Finds an identity's id by blind index.
pub fn identity_by_lookup(db: &dyn Db, lookup: &[u8; 16]) -> Result<Option<IdentityId>, StoreError> {
    db.first(BY_LOOKUP, &[lookup.into()])?.map(|r| r.made(0, IdentityId::from_bytes(r.blob(0)?))).transpose()
}

/// Adds a customer.
pub fn insert(db: &dyn Db, id: CustomerId, tags: &[String], now: Timestamp) -> Result<(), StoreError> {
    let tags = serde_json::json!(tags).to_string();
    db.execute(INSERT_CUSTOMER, &[id.as_bytes().into(), tags.into(), now.into()])?;
    Ok(())
}

/// A new identity.
pub struct NewIdentity<'a> {
    /// Id.
    pub id: IdentityId,
    /// Blind index of channel, account and open id.
    pub lookup: &'a [u8; 16],
    /// The customer whose identity it is.
    pub customer: CustomerId,
    /// The channel.
    pub channel: &'a Channel,
    /// The account.
    pub account: &'a AccountId,
    /// The platform's names of the sender, sealed under the customer's key.
    pub sender: &'a [u8],
}

/// Adds an identity.
pub fn insert_identity(db: &dyn Db, new: &NewIdentity<'_>, now: Timestamp) -> Result<(), StoreError> {
    db.execute(
        INSERT_IDENTITY,
        &[
            new.id.as_bytes().into(),
            new.lookup.into(),
            new.customer.as_bytes().into(),
            new.channel.as_str().into(),
            new.account.as_str().into(),
            new.sender.into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// A customer as stored.
pub struct Customer {
    /// The customer's person.
    pub person: CustomerId,
    /// The person's tags.
    pub tags: Vec<String>,
    /// Its own tags, which are among the person's.
    pub own_tags: Vec<String>,
    /// The time since which the customer is known.
    pub created_at: Timestamp,
    /// The person's own agent.
    pub owner: Option<AgentId>,
    /// The name to which staff corrected the customer's name, sealed.
    pub name: Option<Vec<u8>>,
}

/// Finds a customer; `None` if it was erased.
pub fn get(db: &dyn Db, id: CustomerId) -> Result<Option<Customer>, StoreError> {
    let Some(row) = db.first(GET, &[id.as_bytes().into()])? else { return Ok(None) };
    Ok(Some(Customer {
        tags: tags(&row, 0)?,
        created_at: row.time(1)?,
        owner: owner(&row, 2)?,
        person: row.made(3, CustomerId::from_bytes(row.blob(3)?))?,
        own_tags: tags(&row, 4)?,
        name: row.opt_blob(5)?.map(<[u8]>::to_vec),
    }))
}

/// A customer's wrapped key that has not moved into the vault yet.
pub fn unmoved_key(db: &dyn Db, id: CustomerId) -> Result<Option<Vec<u8>>, StoreError> {
    db.first(UNMOVED_KEY, &[id.as_bytes().into()])?.map(|r| r.blob(0).map(<[u8]>::to_vec)).transpose()
}

/// Wrapped keys that have not moved into the vault yet.
pub fn unmoved(db: &dyn Db, limit: i64) -> Result<Vec<(CustomerId, Vec<u8>)>, StoreError> {
    db.execute(UNMOVED, &[limit.into()])?
        .iter()
        .map(|r| Ok((r.made(0, CustomerId::from_bytes(r.blob(0)?))?, r.blob(1)?.to_vec())))
        .collect()
}

/// Empties a wrapped key that is in the vault now.
pub fn moved(db: &dyn Db, id: CustomerId) -> Result<(), StoreError> {
    db.execute(MOVED, &[id.as_bytes().into()])?;
    Ok(())
}

/// Replaces the corrected name. Returns false if there is no such customer.
pub fn set_name(db: &dyn Db, id: CustomerId, name: Option<&[u8]>) -> Result<bool, StoreError> {
    Ok(db.first(SET_NAME, &[id.as_bytes().into(), name.into()])?.is_some())
}

/// An identity's sealed sender, and its customer.
pub fn sender(db: &dyn Db, id: IdentityId) -> Result<Option<(Vec<u8>, CustomerId)>, StoreError> {
    let Some(row) = db.first(SENDER, &[id.as_bytes().into()])? else { return Ok(None) };
    Ok(Some((row.blob(0)?.to_vec(), row.made(1, CustomerId::from_bytes(row.blob(1)?))?)))
}

/// Replaces a customer's own tags. Returns false if there is no such customer.
pub fn set_tags(db: &dyn Db, id: CustomerId, tags: &[String]) -> Result<bool, StoreError> {
    Ok(db.first(SET_TAGS, &[id.as_bytes().into(), serde_json::json!(tags).to_string().into()])?.is_some())
}

/// Gives a customer an agent of its own, or none. Returns false if there is no such customer.
pub fn set_owner(db: &dyn Db, id: CustomerId, owner: Option<AgentId>) -> Result<bool, StoreError> {
    let owner = owner.map(|a| a.as_bytes().to_vec());
    Ok(db.first(SET_OWNER, &[id.as_bytes().into(), owner.into()])?.is_some())
}

/// A person's identities, with channel and account.
pub fn identities(db: &dyn Db, person: CustomerId) -> Result<Vec<(IdentityId, Channel, AccountId)>, StoreError> {
    db.execute(IDENTITIES, &[person.as_bytes().into()])?
        .iter()
        .map(|r| {
            Ok((
                r.made(0, IdentityId::from_bytes(r.blob(0)?))?,
                r.made(1, Channel::new(r.text(1)?))?,
                r.made(2, AccountId::new(r.text(2)?))?,
            ))
        })
        .collect()
}

const PERSON: &str = "SELECT person FROM customers WHERE id = ?1 AND erasure IS NULL";
const MEMBERS: &str = "SELECT id, tags, owner FROM customers WHERE person = ?1 AND erasure IS NULL ORDER BY id";

/// A customer's person, named by its oldest customer. `None` if the customer was erased.
pub fn person(db: &dyn Db, id: CustomerId) -> Result<Option<CustomerId>, StoreError> {
    db.first(PERSON, &[id.as_bytes().into()])?.map(|r| r.made(0, CustomerId::from_bytes(r.blob(0)?))).transpose()
}

/// One of a person's customers.
pub struct Member {
    /// The customer.
    pub id: CustomerId,
    /// Its own tags.
    pub tags: Vec<String>,
    /// Its own agent.
    pub owner: Option<AgentId>,
}

/// The customers of a person, oldest first.
pub fn members(db: &dyn Db, person: CustomerId) -> Result<Vec<Member>, StoreError> {
    db.execute(MEMBERS, &[person.as_bytes().into()])?
        .iter()
        .map(|r| Ok(Member { id: r.made(0, CustomerId::from_bytes(r.blob(0)?))?, tags: tags(r, 1)?, owner: owner(r, 2)? }))
        .collect()
}
