//! The key-value stores: one table of a SQLite file of its own, in the runner's shared commits.

use std::path::Path;
use std::sync::Arc;

use crate::bindings::key_value::Error;
use crate::bindings::sqlite::{QueryResult, Value};
use crate::sqlite::{Database, Durability, Session, StatementError};

const CREATE: &str = "CREATE TABLE IF NOT EXISTS entries (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key)) STRICT, WITHOUT ROWID";
pub(crate) const GET: &str = "SELECT value FROM entries WHERE store = ?1 AND key = ?2";
pub(crate) const EXISTS: &str = "SELECT 1 FROM entries WHERE store = ?1 AND key = ?2";
pub(crate) const KEYS: &str = "SELECT key FROM entries WHERE store = ?1";
pub(crate) const SET: &str = "INSERT INTO entries (store, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";
pub(crate) const DELETE: &str = "DELETE FROM entries WHERE store = ?1 AND key = ?2";
const HAS_ROOM: &str =
    "SELECT 1 WHERE (SELECT count(*) FROM entries) < ?3 OR EXISTS (SELECT 1 FROM entries WHERE store = ?1 AND key = ?2)";

/// All key-value stores.
pub struct KeyValue(Arc<Database>);

impl KeyValue {
    /// Opens (or creates) the stores' file. Its content may be lost, so its commits do not wait for the disk.
    pub async fn open(path: &Path, min_free: u64) -> anyhow::Result<Self> {
        let database = Database::open("key-value", path.to_path_buf(), Durability::Normal, min_free)?;
        let create = database.write(CREATE.to_owned(), Vec::new()).await;
        create.map_err(|error| anyhow::anyhow!("cannot use {}: {}", path.display(), error.message))?;
        Ok(Self(database))
    }

    /// Runs one of the statements above.
    pub(crate) async fn run(&self, sql: &str, parameters: Vec<Value>) -> Result<QueryResult, Error> {
        let outcome = match sql {
            SET | DELETE => self.0.write(sql.to_owned(), parameters).await,
            _ => Session::new(Arc::clone(&self.0)).execute(sql.to_owned(), parameters).await,
        };
        outcome.map_err(|StatementError { message, .. }| Error::Other(message))
    }

    /// Whether a key is there, or fewer than `most` are. Calls at the same time can go a little beyond that.
    pub(crate) async fn has_room(&self, most: i64, store: &str, key: &str) -> bool {
        let parameters = vec![Value::Text(store.to_owned()), Value::Text(key.to_owned()), Value::Integer(most)];
        self.run(HAS_ROOM, parameters).await.is_ok_and(|result| !result.rows.is_empty())
    }

    /// Writes the write-ahead log back, at the end of the process.
    pub async fn close(&self) {
        self.0.close().await;
    }
}
