//! The interface to the database.

use crate::dialect;
use std::fmt;
use warmline_model::Timestamp;

/// A parameter or a column.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// INTEGER.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}

impl fmt::Debug for Value {
    /// Shows types and sizes only, because values can be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Int(_) => f.write_str("Int"),
            Self::Text(t) => write!(f, "Text({})", t.len()),
            Self::Blob(b) => write!(f, "Blob({})", b.len()),
        }
    }
}

impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}
impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Int(v.into())
    }
}
impl From<Timestamp> for Value {
    fn from(v: Timestamp) -> Self {
        Self::Int(v.millis())
    }
}
impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::Text(v.to_owned())
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::Text(v)
    }
}
impl From<&[u8]> for Value {
    fn from(v: &[u8]) -> Self {
        Self::Blob(v.to_vec())
    }
}
impl From<Vec<u8>> for Value {
    fn from(v: Vec<u8>) -> Self {
        Self::Blob(v)
    }
}
impl<const N: usize> From<&[u8; N]> for Value {
    fn from(v: &[u8; N]) -> Self {
        Self::Blob(v.to_vec())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// A failure of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another writer has held the database for longer than we wait. Another try helps.
    #[error("the store is locked")]
    Busy,
    /// No space is left. Nothing is lost, and nothing new is accepted.
    #[error("the store is full")]
    Full,
    /// The file was removed, replaced or cut while it was open. Data written now would not be found again.
    #[error("the store's file is not the one that was opened")]
    Lost,
    /// The file does not contain the data that was written into it.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A table of the schema is missing, for example because the vault is missing.
    #[error("the store is incomplete: {0}")]
    Incomplete(String),
    /// The database was migrated by a newer version of the program.
    #[error("the store has schema version {found}, newer than the {known} that this program knows")]
    Newer {
        /// The version found in the file.
        found: i64,
        /// The newest version that the program knows.
        known: i64,
    },
    /// A row does not have the types that its statement promises.
    #[error("unexpected data in column {0}")]
    Shape(usize),
    /// A write that had to change a row found none.
    #[error("a row that must be there is not: {0}")]
    Missing(&'static str),
    /// Any other failure, in the database's words. These name tables and columns, never values.
    #[error("the store failed: {0}")]
    Other(String),
}

impl StoreError {
    /// The error for a message of the database.
    pub fn from_message(message: &str) -> Self {
        let lower = message.to_ascii_lowercase();
        let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        // libSQL ends the stream of a transaction that takes too long, and SQLite a statement whose caller is gone. Nothing of
        // either is kept. Our own statements say the last one where somebody else was quicker (migration 19).
        if says(&["is locked", "busy", "stream_expired", "stream expired", "interrupt", "not as it was read"]) {
            Self::Busy
        } else if says(&["is full", "disk i/o"]) {
            Self::Full
        } else if says(&["removed, replaced or cut", "readonly database", "unable to open database"]) {
            Self::Lost
        } else if says(&["malformed", "not a database", "not utf-8"]) {
            Self::Damaged(message.to_owned())
        } else if says(&["no such table"]) {
            Self::Incomplete(message.to_owned())
        } else {
            Self::Other(message.to_owned())
        }
    }
}

/// One row. Its readers fail with [`StoreError::Shape`] if the column is missing or has another type.
#[derive(Debug)]
pub struct Row(pub Vec<Value>);

impl Row {
    fn at(&self, i: usize) -> Result<&Value, StoreError> {
        self.0.get(i).ok_or(StoreError::Shape(i))
    }

    /// An integer.
    pub fn int(&self, i: usize) -> Result<i64, StoreError> {
        match self.at(i)? {
            Value::Int(v) => Ok(*v),
            _ => Err(StoreError::Shape(i)),
        }
    }

    /// An integer or NULL.
    pub fn opt_int(&self, i: usize) -> Result<Option<i64>, StoreError> {
        match self.at(i)? {
            Value::Null => Ok(None),
            Value::Int(v) => Ok(Some(*v)),
            _ => Err(StoreError::Shape(i)),
        }
    }

    /// A flag: an integer that is not 0.
    pub fn flag(&self, i: usize) -> Result<bool, StoreError> {
        Ok(self.int(i)? != 0)
    }

    /// An instant.
    pub fn time(&self, i: usize) -> Result<Timestamp, StoreError> {
        self.int(i).map(Timestamp::from_millis)
    }

    /// An instant or NULL.
    pub fn opt_time(&self, i: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.opt_int(i)?.map(Timestamp::from_millis))
    }

    /// A text.
    pub fn text(&self, i: usize) -> Result<&str, StoreError> {
        match self.at(i)? {
            Value::Text(v) => Ok(v),
            _ => Err(StoreError::Shape(i)),
        }
    }

    /// A text or NULL.
    pub fn opt_text(&self, i: usize) -> Result<Option<&str>, StoreError> {
        match self.at(i)? {
            Value::Null => Ok(None),
            Value::Text(v) => Ok(Some(v)),
            _ => Err(StoreError::Shape(i)),
        }
    }

    /// Bytes.
    pub fn blob(&self, i: usize) -> Result<&[u8], StoreError> {
        match self.at(i)? {
            Value::Blob(v) => Ok(v),
            _ => Err(StoreError::Shape(i)),
        }
    }

    /// Bytes or NULL.
    pub fn opt_blob(&self, i: usize) -> Result<Option<&[u8]>, StoreError> {
        match self.at(i)? {
            Value::Null => Ok(None),
            Value::Blob(v) => Ok(Some(v)),
            _ => Err(StoreError::Shape(i)),
        }
    }

    /// A value made from a text or bytes by a function that can fail.
    ///
    /// # Errors
    /// The function failed.
    pub fn made<T, E>(&self, i: usize, made: Result<T, E>) -> Result<T, StoreError> {
        made.map_err(|_| StoreError::Shape(i))
    }
}

/// A database connection: one statement at a time.
pub trait Db {
    /// Runs one statement and returns its rows. Only constant statements are run, never text that was put together.
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// Runs a statement and returns its first row.
    fn first(&self, sql: &'static str, params: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.execute(sql, params)?.into_iter().next())
    }
}

/// Runs `work` in one immediate transaction: all of it is committed, or nothing. The transaction is immediate because a
/// deferred one can fail at its first write after a read. Network calls do not belong inside.
///
/// Needs one writer: nobody else writes between the first statement and the commit, so what `work` reads stays true.
///
/// # Errors
/// The error of `work` or of the database. The transaction is then rolled back.
pub fn immediate<T, E: From<StoreError>>(db: &dyn Db, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    db.execute(dialect::BEGIN_WRITING, &[])?;
    match work() {
        Ok(value) => match db.execute("COMMIT", &[]) {
            Ok(_) => Ok(value),
            Err(e) => {
                let _ = db.execute("ROLLBACK", &[]);
                Err(e.into())
            }
        },
        Err(e) => {
            // If the roll-back fails, the dead transaction ends with the connection.
            let _ = db.execute("ROLLBACK", &[]);
            Err(e)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_says_is_told_apart() {
        let of = StoreError::from_message;
        for busy in ["database is locked", "interrupted", "STREAM_EXPIRED: The stream has expired due to inactivity"] {
            assert_eq!(of(busy), StoreError::Busy, "{busy}");
        }
        for full in ["database or disk is full", "disk I/O error"] {
            assert_eq!(of(full), StoreError::Full);
        }
        for lost in [
            "the database file was removed, replaced or cut while it was open",
            "attempt to write a readonly database",
            "unable to open database file",
        ] {
            assert_eq!(of(lost), StoreError::Lost);
        }
        for damaged in [
            "database disk image is malformed",
            "malformed database schema (messages)",
            "file is not a database",
            "column \"name\" holds TEXT that is not UTF-8; store it as a BLOB",
        ] {
            assert!(matches!(of(damaged), StoreError::Damaged(_)), "{damaged}");
        }
        assert!(matches!(of("no such table: customer_keys"), StoreError::Incomplete(_)));
        assert!(matches!(of("no such column: x"), StoreError::Other(_)));
    }
}
