//! The routing plan, in versions. Versions are only added; going back means adding an earlier document again.

use warmline_model::{AgentId, Timestamp};
use warmline_store::{Db, StoreError};

const VERSION: &str = "SELECT coalesce(max(version), 0) FROM plans";
const LATEST: &str =
    "SELECT version, CASE WHEN version = ?1 THEN NULL ELSE document END FROM plans ORDER BY version DESC LIMIT 1";
const GET: &str = "SELECT document FROM plans WHERE version = ?1";
const LIST: &str = "SELECT version, at, author FROM plans WHERE version < ?1 ORDER BY version DESC LIMIT ?2";
const INSERT: &str = "INSERT INTO plans (version, document, author, at) \
                      VALUES ((SELECT coalesce(max(version), 0) + 1 FROM plans), ?1, ?2, ?3) RETURNING version";

/// The version in force; 0 before the first.
pub fn version(db: &dyn Db) -> Result<i64, StoreError> {
    db.first(VERSION, &[])?.ok_or(StoreError::Missing("plan"))?.int(0)
}

/// The version in force, with its document (JSON) unless it is the `known` version; `None` before the first.
pub fn latest(db: &dyn Db, known: Option<i64>) -> Result<Option<(i64, Option<String>)>, StoreError> {
    let row = db.first(LATEST, &[known.into()])?;
    row.map(|r| Ok((r.int(0)?, r.opt_text(1)?.map(str::to_owned)))).transpose()
}

/// The document of a version.
pub fn get(db: &dyn Db, version: i64) -> Result<Option<String>, StoreError> {
    db.first(GET, &[version.into()])?.map(|r| Ok(r.text(0)?.to_owned())).transpose()
}

/// One version in the list.
pub struct Listed {
    /// The version.
    pub version: i64,
    /// The time since which it was in force.
    pub at: Timestamp,
    /// The author; `None`: the administrator.
    pub author: Option<AgentId>,
}

/// Versions below one, newest first.
pub fn list(db: &dyn Db, below: i64, limit: i64) -> Result<Vec<Listed>, StoreError> {
    db.execute(LIST, &[below.into(), limit.into()])?
        .iter()
        .map(|r| {
            let author = r.opt_blob(2)?.map(|b| r.made(2, AgentId::from_bytes(b))).transpose()?;
            Ok(Listed { version: r.int(0)?, at: r.time(1)?, author })
        })
        .collect()
}

/// Adds a version. Returns its number.
pub fn insert(db: &dyn Db, document: &str, author: Option<AgentId>, now: Timestamp) -> Result<i64, StoreError> {
    let author = author.map(|a| a.as_bytes().to_vec());
    db.first(INSERT, &[document.into(), author.into(), now.into()])?.ok_or(StoreError::Missing("plan"))?.int(0)
}
