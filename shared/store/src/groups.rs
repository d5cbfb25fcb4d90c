//! Skill groups (技能组).

use crate::db::{Db, Row, StoreError};
use warmline_model::{GroupId, Timestamp};

/// A skill group as stored.
pub struct Group {
    /// Id.
    pub id: GroupId,
    /// Name shown to people.
    pub name: String,
    /// Settings, as JSON.
    pub settings: String,
    /// When it was made.
    pub created_at: Timestamp,
}

const INSERT: &str = "INSERT INTO groups (id, name, settings, created_at) VALUES (?1, ?2, ?3, ?4) \
                      ON CONFLICT DO NOTHING RETURNING 1";
const GET: &str = "SELECT id, name, settings, created_at FROM groups WHERE id = ?1";
const LIST: &str = "SELECT id, name, settings, created_at FROM groups ORDER BY created_at, id";

fn read(row: &Row) -> Result<Group, StoreError> {
    Ok(Group {
        id: row.made(0, GroupId::new(row.text(0)?))?,
        name: row.text(1)?.to_owned(),
        settings: row.text(2)?.to_owned(),
        created_at: row.time(3)?,
    })
}

/// Adds a group; false when it exists.
///
/// # Errors
/// See [`StoreError`].
pub fn insert(db: &dyn Db, group: &Group) -> Result<bool, StoreError> {
    let params =
        [group.id.as_str().into(), group.name.as_str().into(), group.settings.as_str().into(), group.created_at.into()];
    Ok(db.first(INSERT, &params)?.is_some())
}

/// Finds a group.
///
/// # Errors
/// See [`StoreError`].
pub fn get(db: &dyn Db, id: &GroupId) -> Result<Option<Group>, StoreError> {
    db.first(GET, &[id.as_str().into()])?.as_ref().map(read).transpose()
}

/// All groups, oldest first. A brand has tens of them.
///
/// # Errors
/// See [`StoreError`].
pub fn list(db: &dyn Db) -> Result<Vec<Group>, StoreError> {
    db.execute(LIST, &[])?.iter().map(read).collect()
}
