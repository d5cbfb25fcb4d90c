//! The documents of service levels. Versions are only added; going back means adding an earlier document again.

use warmline_model::{AgentId, Timestamp};
use warmline_store::{Db, StoreError};

const LATEST: &str = "SELECT version, document FROM sla_documents WHERE version = (SELECT max(version) FROM sla_documents)";
const GET: &str = "SELECT document FROM sla_documents WHERE version = ?1";
const LIST: &str = "SELECT version, at, author FROM sla_documents WHERE version < ?1 ORDER BY version DESC LIMIT ?2";
const INSERT: &str = "INSERT INTO sla_documents (version, document, author, at) \
                      VALUES ((SELECT coalesce(max(version), 0) + 1 FROM sla_documents), ?1, ?2, ?3) RETURNING version";

/// The document in force (JSON) and its version; `None` before the first.
pub fn latest(db: &dyn Db) -> Result<Option<(i64, String)>, StoreError> {
    db.first(LATEST, &[])?.map(|r| Ok((r.int(0)?, r.text(1)?.to_owned()))).transpose()
}

/// The document of a version.
pub fn get(db: &dyn Db, version: i64) -> Result<Option<String>, StoreError> {
    db.first(GET, &[version.into()])?.map(|r| Ok(r.text(0)?.to_owned())).transpose()
}

/// A version: its number, since when it was in force, and its author (`None`: the administrator).
pub type Listed = (i64, Timestamp, Option<AgentId>);

/// Versions below one, newest first.
pub fn list(db: &dyn Db, below: i64, limit: i64) -> Result<Vec<Listed>, StoreError> {
    let rows = db.execute(LIST, &[below.into(), limit.into()])?;
    let read = |r: &warmline_store::Row| {
        let author = r.opt_blob(2)?.map(|b| r.made(2, AgentId::from_bytes(b))).transpose()?;
        Ok((r.int(0)?, r.time(1)?, author))
    };
    rows.iter().map(read).collect()
}

/// Adds a version. Returns its number.
pub fn insert(db: &dyn Db, document: &str, author: Option<AgentId>, now: Timestamp) -> Result<i64, StoreError> {
    let author = author.map(|a| a.as_bytes().to_vec());
    db.first(INSERT, &[document.into(), author.into(), now.into()])?.ok_or(StoreError::Missing("document"))?.int(0)
}
