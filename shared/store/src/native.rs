//! The store on rusqlite, for native tests and tools. Same settings as Spin: foreign keys on, 5 s busy time-out.

use crate::db::{Db, Row, StoreError, Value};
use crate::kv::Kv;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, params_from_iter};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A rusqlite connection.
pub struct NativeDb(Connection);

impl NativeDb {
    /// Opens a file.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::set_up(Connection::open(path).map_err(error)?)
    }

    /// An empty database in memory.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn memory() -> Result<Self, StoreError> {
        Self::set_up(Connection::open_in_memory().map_err(error)?)
    }

    fn set_up(mut connection: Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(Duration::from_secs(5)).map_err(error)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(error)?;
        connection.set_prepared_statement_cache_capacity(256);
        // As in the embedded runner: a plan does not depend on the values of parameters.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(error)?;
        connection.authorizer(Some(authorize)).map_err(error)?;
        Ok(Self(connection))
    }

    /// The number of rows written so far.
    pub fn rows_written(&self) -> u64 {
        self.0.total_changes()
    }
}

/// Refuses what the embedded runner refuses, because several guests share a connection there.
fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Function { function_name: "changes" | "total_changes" | "last_insert_rowid" } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

/// A key-value store in memory.
#[derive(Default)]
pub struct MemoryKv(pub RefCell<BTreeMap<String, Vec<u8>>>);

impl Kv for MemoryKv {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.borrow().get(key).cloned()
    }

    fn set(&self, key: &str, value: &[u8]) {
        self.0.borrow_mut().insert(key.to_owned(), value.to_vec());
    }

    fn delete(&self, key: &str) {
        self.0.borrow_mut().remove(key);
    }
}

/// A store that keeps nothing.
pub struct NoKv;

impl Kv for NoKv {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn set(&self, _: &str, _: &[u8]) {}

    fn delete(&self, _: &str) {}
}

fn error(e: rusqlite::Error) -> StoreError {
    StoreError::from_message(&e.to_string())
}

impl Db for NativeDb {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.0.prepare_cached(sql).map_err(error)?;
        let columns = statement.column_count();
        let params = params.iter().map(|p| match p {
            Value::Null => Sql::Null,
            Value::Int(v) => Sql::Integer(*v),
            Value::Text(v) => Sql::Text(v.clone()),
            Value::Blob(v) => Sql::Blob(v.clone()),
        });
        let mut found = statement.query(params_from_iter(params)).map_err(error)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(error)? {
            let mut values = Vec::with_capacity(columns);
            for i in 0..columns {
                values.push(match row.get_ref(i).map_err(error)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(v) => Value::Int(v),
                    ValueRef::Real(_) => return Err(StoreError::Shape(i)),
                    ValueRef::Text(v) => Value::Text(String::from_utf8_lossy(v).into_owned()),
                    ValueRef::Blob(v) => Value::Blob(v.to_vec()),
                });
            }
            rows.push(Row(values));
        }
        Ok(rows)
    }
}
