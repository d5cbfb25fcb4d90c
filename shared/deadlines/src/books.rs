//! The document of service levels, and its versions.

use crate::clock::Books;
use crate::policy::{Document, Ready};
use crate::store::documents;
use serde::Serialize;
use std::collections::BTreeSet;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::AgentId;
use warmline_store::{StoreError, events};

/// The events of documents.
#[derive(Serialize)]
#[serde(tag = "type", content = "data")]
enum Told {
    /// Another version is in force.
    #[serde(rename = "deadlines.policies_changed")]
    Changed { version: i64, by: Option<AgentId> },
}

fn read(document: &str) -> Result<Document, StepError> {
    Ok(serde_json::from_str(document).map_err(|_| StoreError::Shape(0))?)
}

/// The document in force and its version; the usual one, version 0, before the first.
pub fn current(ctx: &Ctx<'_>) -> Result<(Document, i64), StepError> {
    match documents::latest(ctx.db)? {
        Some((version, document)) => Ok((read(&document)?, version)),
        None => Ok((Document::default(), 0)),
    }
}

/// The document of a version.
///
/// # Errors
/// There is no such version.
pub fn of_version(ctx: &Ctx<'_>, version: i64) -> Result<Document, StepError> {
    match documents::get(ctx.db, version)? {
        Some(document) => read(&document),
        None if version == 0 => Ok(Document::default()),
        None => Err(StepError::NotFound("version of the policies")),
    }
}

/// The version in force, and those of deadlines that run.
pub(crate) fn of(ctx: &Ctx<'_>, versions: &BTreeSet<i64>) -> Result<Books, StepError> {
    let (document, version) = current(ctx)?;
    let mut books = Books::of(Ready::new(document, version));
    for old in versions.iter().filter(|old| **old != version) {
        books.all.insert(*old, Ready::new(of_version(ctx, *old)?, *old));
    }
    Ok(books)
}

/// Puts a document into force, for deadlines that start from now on. Returns its version. `base` is the version that the author
/// edited: if another one has come since, nothing is overwritten. Runs in the caller's transaction.
///
/// # Errors
/// The document has a fault, or another version has come since `base` (`policies_changed`).
pub fn put(ctx: &Ctx<'_>, author: Option<AgentId>, document: &Document, base: Option<i64>) -> Result<i64, StepError> {
    document.check().map_err(|f| StepError::Invalid { code: f.code, field: f.path, problem: f.detail })?;
    let before = documents::latest(ctx.db)?.map_or(0, |(version, _)| version);
    if base.is_some_and(|base| base != before) {
        let advice = "the policies were changed meanwhile; read them again and repeat the change";
        return Err(StepError::conflict("policies_changed", advice));
    }
    let text = serde_json::to_string(document).map_err(|_| StoreError::Shape(0))?;
    let version = documents::insert(ctx.db, &text, author, ctx.now())?;
    events::append(ctx.db, ctx.now(), None, &Told::Changed { version, by: author })?;
    Ok(version)
}
