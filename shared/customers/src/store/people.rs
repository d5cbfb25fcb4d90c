//! Which customers are one person: identifiers, merges, and the customers that merges connect.

use warmline_model::{AgentId, ConversationId, CustomerId, IdentifierKind, MergeId, Timestamp};
pub use warmline_store::customers::{Member, members, person};
use warmline_store::{Db, Row, StoreError};

/// An identifier of a customer, as stored.
pub struct Identifier {
    /// Blind index of kind, platform and value.
    pub lookup: [u8; 16],
    /// The customer.
    pub customer: CustomerId,
    /// The kind.
    pub kind: IdentifierKind,
    /// The platform that issues the value; empty if the value does not depend on one.
    pub platform: String,
    /// The value, sealed under the customer's key.
    pub value: Vec<u8>,
    /// Whether it is proof of identity.
    pub strong: bool,
    /// Its source: a channel's name, or `staff`.
    pub source: String,
    /// The time since which it is known.
    pub at: Timestamp,
}

/// A merge, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// Id.
    pub id: MergeId,
    /// The one customer.
    pub a: CustomerId,
    /// The other.
    pub b: CustomerId,
    /// The kind of identifier that both have; `None` if a member of staff made the merge.
    pub kind: Option<IdentifierKind>,
    /// The identifier's blind index.
    pub evidence: Option<[u8; 16]>,
    /// The member of staff who made it.
    pub by: Option<AgentId>,
    /// When.
    pub at: Timestamp,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
}

const LEARN: &str = "INSERT INTO identifiers (lookup, customer_id, kind, platform, value, strong, source, at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                     ON CONFLICT (lookup, customer_id) DO UPDATE \
                     SET strong = excluded.strong, source = excluded.source, at = excluded.at \
                     WHERE strong = 0 AND (excluded.strong = 1 OR (source = 'staff' AND excluded.source <> 'staff')) RETURNING 1";
const FORGET: &str = "DELETE FROM identifiers WHERE lookup = ?1 AND customer_id = ?2 RETURNING 1";
const FORGET_TYPED: &str = "DELETE FROM identifiers WHERE lookup = ?1 AND customer_id = ?2 AND source = 'staff' RETURNING 1";
const OF: &str = "SELECT lookup, customer_id, kind, platform, value, strong, source, at FROM identifiers \
                  WHERE customer_id = ?1 ORDER BY kind, lookup";
const HOLDING: &str = "SELECT i.customer_id, i.strong, c.person, i.source FROM identifiers i JOIN customers c ON c.id = i.customer_id \
                       WHERE i.lookup = ?1 ORDER BY i.customer_id LIMIT ?2";
const KNOWN: &str = "UPDATE identities SET known = ?2 WHERE id = ?1 RETURNING 1";
const DISTRUST: &str = "INSERT INTO distrusted (lookup, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING 1";
const IS_DISTRUSTED: &str = "SELECT 1 FROM distrusted WHERE lookup = ?1";
const BELONGS: &str = "UPDATE customers SET person = ?2 WHERE id = ?1 RETURNING 1";
const SUMMARY: &str = "UPDATE customers SET person_tags = ?2, person_owner = ?3 WHERE id = ?1 RETURNING 1";
const TALKS: &str = "SELECT 1 FROM conversations v INDEXED BY conversations_held JOIN customers c ON c.id = v.customer_id \
                     WHERE v.agent_id = ?1 AND v.closed_at IS NULL AND c.person = ?2 LIMIT 1";
const ASKED: &str = "SELECT 1 FROM consults s JOIN conversations v ON v.id = s.conversation_id \
                     JOIN customers c ON c.id = v.customer_id WHERE s.agent_id = ?1 AND c.person = ?2 LIMIT 1";
const MET: &str = "SELECT 1 FROM customers c CROSS JOIN conversations v INDEXED BY conversations_by_customer \
                   ON v.customer_id = c.id WHERE c.person = ?1 AND c.erasure IS NULL AND (v.agent_id = ?2 \
                   OR (v.state = 'queued' AND EXISTS (SELECT 1 FROM agent_groups g WHERE g.group_id = v.group_id AND g.agent_id = ?2))) \
                   LIMIT 1";
const PROVED: &str = "SELECT 1 FROM identifiers a JOIN identifiers b ON b.lookup = a.lookup AND b.customer_id = ?3 \
                      WHERE a.lookup = ?1 AND a.customer_id = ?2 AND a.source <> 'staff' AND b.source <> 'staff'";
const ELSEWHERE: &str = "SELECT o.id FROM conversations v INDEXED BY conversations_held CROSS JOIN customers c ON c.id = v.customer_id \
                         CROSS JOIN customers m ON m.person = c.person CROSS JOIN identities i ON i.customer_id = m.id \
                         CROSS JOIN conversations o INDEXED BY conversations_open ON o.identity_id = i.id AND o.state <> 'closed' \
                         WHERE v.agent_id = ?1 AND v.closed_at IS NULL AND o.channel <> v.channel AND coalesce(o.agent_id, x'') <> ?1";
const MERGE: &str = "INSERT INTO merges (id, a, b, kind, evidence, made_by, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const UNDO: &str = "UPDATE merges SET undone_by = ?2, undone_at = ?3 WHERE id = ?1 AND undone_at IS NULL RETURNING 1";
const MERGE_GET: &str = "SELECT id, a, b, kind, evidence, made_by, at, undone_at FROM merges WHERE id = ?1";
const MERGES_A: &str = "SELECT id, a, b, kind, evidence, made_by, at, undone_at FROM merges WHERE a = ?1 ORDER BY id";
const MERGES_B: &str = "SELECT id, a, b, kind, evidence, made_by, at, undone_at FROM merges WHERE b = ?1 ORDER BY id";

fn customer(row: &Row, i: usize) -> Result<CustomerId, StoreError> {
    row.made(i, CustomerId::from_bytes(row.blob(i)?))
}

fn agent(row: &Row, i: usize) -> Result<Option<AgentId>, StoreError> {
    row.opt_blob(i)?.map(|b| row.made(i, AgentId::from_bytes(b))).transpose()
}

fn lookup(bytes: &[u8], i: usize) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Shape(i))
}

/// Notes an identifier of a customer. True if it is new, or if it is proof now and was not before.
pub fn learn(db: &dyn Db, new: &Identifier) -> Result<bool, StoreError> {
    let params = [
        (&new.lookup).into(),
        new.customer.as_bytes().into(),
        new.kind.as_str().into(),
        new.platform.as_str().into(),
        new.value.as_slice().into(),
        new.strong.into(),
        new.source.as_str().into(),
        new.at.into(),
    ];
    Ok(db.first(LEARN, &params)?.is_some())
}

/// Removes an identifier from a customer; false if the customer does not have it.
pub fn forget(db: &dyn Db, of: &[u8; 16], customer: CustomerId) -> Result<bool, StoreError> {
    Ok(db.first(FORGET, &[of.into(), customer.as_bytes().into()])?.is_some())
}

/// Removes an identifier that staff typed from a customer; false if the customer does not have it.
pub fn forget_typed(db: &dyn Db, of: &[u8; 16], customer: CustomerId) -> Result<bool, StoreError> {
    Ok(db.first(FORGET_TYPED, &[of.into(), customer.as_bytes().into()])?.is_some())
}

/// The identifiers of a customer.
pub fn identifiers(db: &dyn Db, id: CustomerId) -> Result<Vec<Identifier>, StoreError> {
    let read = |r: &Row| {
        Ok(Identifier {
            lookup: lookup(r.blob(0)?, 0)?,
            customer: customer(r, 1)?,
            kind: IdentifierKind::parse(r.text(2)?).ok_or(StoreError::Shape(2))?,
            platform: r.text(3)?.to_owned(),
            value: r.blob(4)?.to_vec(),
            strong: r.flag(5)?,
            source: r.text(6)?.to_owned(),
            at: r.time(7)?,
        })
    };
    db.execute(OF, &[id.as_bytes().into()])?.iter().map(read).collect()
}

/// A customer with an identifier.
pub struct Holder {
    /// The customer.
    pub customer: CustomerId,
    /// Whether it is proof for that customer.
    pub strong: bool,
    /// The person.
    pub person: CustomerId,
    /// Its source.
    pub source: String,
}

/// The most customers looked at for one identifier, the oldest ones.
pub const HOLDERS: i64 = 50;

/// The customers with an identifier, oldest first.
pub fn holders(db: &dyn Db, of: &[u8; 16], limit: i64) -> Result<Vec<Holder>, StoreError> {
    db.execute(HOLDING, &[of.into(), limit.into()])?
        .iter()
        .map(|r| {
            Ok(Holder {
                customer: customer(r, 0)?,
                strong: r.flag(1)?,
                person: customer(r, 2)?,
                source: r.text(3)?.to_owned(),
            })
        })
        .collect()
}

/// Stores the digest of the identifiers that an identity last brought.
///
/// # Errors
/// There is no such identity.
pub fn set_known(db: &dyn Db, identity: warmline_model::IdentityId, digest: &[u8; 16]) -> Result<(), StoreError> {
    db.first(KNOWN, &[identity.as_bytes().into(), digest.into()])?.map(|_| ()).ok_or(StoreError::Missing("identity"))
}

/// Distrusts an identifier: it joins no customers from now on.
pub fn distrust(db: &dyn Db, of: &[u8; 16], now: Timestamp) -> Result<(), StoreError> {
    db.first(DISTRUST, &[of.into(), now.into()])?;
    Ok(())
}

/// Whether an identifier is distrusted.
pub fn is_distrusted(db: &dyn Db, of: &[u8; 16]) -> Result<bool, StoreError> {
    Ok(db.first(IS_DISTRUSTED, &[of.into()])?.is_some())
}

/// Makes a customer one of a person's customers.
///
/// # Errors
/// There is no such customer.
pub fn set_person(db: &dyn Db, id: CustomerId, person: CustomerId) -> Result<(), StoreError> {
    db.first(BELONGS, &[id.as_bytes().into(), person.as_bytes().into()])?.map(|_| ()).ok_or(StoreError::Missing("customer"))
}

/// Stores the tags and the own agent of all the person's customers with the customer that stands for the person.
///
/// # Errors
/// There is no such customer.
pub fn set_summary(db: &dyn Db, person: CustomerId, tags: &[String], owner: Option<AgentId>) -> Result<(), StoreError> {
    let owner = owner.map(|a| a.as_bytes().to_vec());
    db.first(SUMMARY, &[person.as_bytes().into(), serde_json::json!(tags).to_string().into(), owner.into()])?
        .map(|_| ())
        .ok_or(StoreError::Missing("customer"))
}

/// Whether an agent talks with a person now, or was asked about a conversation with them.
pub fn served_by(db: &dyn Db, person: CustomerId, agent: AgentId) -> Result<bool, StoreError> {
    Ok(held_by(db, person, agent)? || db.first(ASKED, &[agent.as_bytes().into(), person.as_bytes().into()])?.is_some())
}

/// Whether an agent talks with a person now.
pub fn held_by(db: &dyn Db, person: CustomerId, agent: AgentId) -> Result<bool, StoreError> {
    Ok(db.first(TALKS, &[agent.as_bytes().into(), person.as_bytes().into()])?.is_some())
}

/// Whether an agent holds or held one of a person's conversations, or one of them waits in a queue of the agent's groups.
pub fn met_by(db: &dyn Db, person: CustomerId, agent: AgentId) -> Result<bool, StoreError> {
    Ok(db.first(MET, &[person.as_bytes().into(), agent.as_bytes().into()])?.is_some())
}

/// Whether a merge rests on staff alone: on their word, or on an identifier that they typed, even if it was removed later.
pub fn is_by_hand(db: &dyn Db, m: &Merge) -> Result<bool, StoreError> {
    if m.kind.is_none() {
        return Ok(true);
    }
    // If the evidence is missing, one side was erased. The merge then extends no erasure.
    let Some(evidence) = &m.evidence else { return Ok(false) };
    Ok(db.first(PROVED, &[evidence.into(), m.a.as_bytes().into(), m.b.as_bytes().into()])?.is_none())
}

/// The open conversations on other channels of persons with whom an agent talks now, without those that the agent holds.
pub fn elsewhere(db: &dyn Db, agent: AgentId) -> Result<Vec<ConversationId>, StoreError> {
    let found = db.execute(ELSEWHERE, &[agent.as_bytes().into()])?;
    found.iter().map(|r| r.made(0, ConversationId::from_bytes(r.blob(0)?))).collect()
}

/// Logs a merge.
pub fn insert_merge(db: &dyn Db, m: &Merge) -> Result<(), StoreError> {
    let params = [
        m.id.as_bytes().into(),
        m.a.as_bytes().into(),
        m.b.as_bytes().into(),
        m.kind.map(IdentifierKind::as_str).into(),
        m.evidence.map(|e| e.to_vec()).into(),
        m.by.map(|a| a.as_bytes().to_vec()).into(),
        m.at.into(),
    ];
    db.execute(MERGE, &params)?;
    Ok(())
}

/// Undoes a merge; false if it is already undone.
pub fn undo_merge(db: &dyn Db, id: MergeId, by: Option<AgentId>, now: Timestamp) -> Result<bool, StoreError> {
    let by = by.map(|a| a.as_bytes().to_vec());
    Ok(db.first(UNDO, &[id.as_bytes().into(), by.into(), now.into()])?.is_some())
}

fn merge_row(r: &Row) -> Result<Merge, StoreError> {
    Ok(Merge {
        id: r.made(0, MergeId::from_bytes(r.blob(0)?))?,
        a: customer(r, 1)?,
        b: customer(r, 2)?,
        kind: r.opt_text(3)?.map(|t| IdentifierKind::parse(t).ok_or(StoreError::Shape(3))).transpose()?,
        evidence: r.opt_blob(4)?.map(|b| lookup(b, 4)).transpose()?,
        by: agent(r, 5)?,
        at: r.time(6)?,
        undone_at: r.opt_time(7)?,
    })
}

/// One merge.
pub fn merge(db: &dyn Db, id: MergeId) -> Result<Option<Merge>, StoreError> {
    db.first(MERGE_GET, &[id.as_bytes().into()])?.as_ref().map(merge_row).transpose()
}

/// The merges of a customer, including undone ones: first those that name it as `a`, then the others.
pub fn merges(db: &dyn Db, id: CustomerId) -> Result<Vec<Merge>, StoreError> {
    let id = id.as_bytes();
    let (first, second) = (db.execute(MERGES_A, &[id.into()])?, db.execute(MERGES_B, &[id.into()])?);
    first.iter().chain(&second).map(merge_row).collect()
}
