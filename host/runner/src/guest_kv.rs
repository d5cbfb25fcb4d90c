//! `fermyon:spin/key-value` for guests: one table of a SQLite file of its own, in the runner's shared commits.

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::key_value::{Error, Host, HostStore};
use crate::bindings::sqlite::{QueryResult, Value};
use crate::guest::Guest;
use crate::sqlite::{Database, Durability, Session, StatementError};

/// The longest key and the largest value, as on the strictest host that runs Spin applications; the store of Spin 4.0 takes more.
const KEY_BYTES: usize = 256;
const VALUE_BYTES: usize = 1_000_000;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS entries (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key)) STRICT, WITHOUT ROWID";
const GET: &str = "SELECT value FROM entries WHERE store = ?1 AND key = ?2";
const EXISTS: &str = "SELECT 1 FROM entries WHERE store = ?1 AND key = ?2";
const KEYS: &str = "SELECT key FROM entries WHERE store = ?1";
const SET: &str = "INSERT INTO entries (store, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";
const DELETE: &str = "DELETE FROM entries WHERE store = ?1 AND key = ?2";

/// What a guest holds as a `store`.
pub struct GuestStore {
    label: String,
}

/// All key-value stores.
pub struct KeyValue(Arc<Database>);

impl KeyValue {
    /// Opens (or creates) the stores' file. What it holds may be lost, so its commits do not wait for the disk.
    pub async fn open(path: &Path, min_free: u64) -> anyhow::Result<Self> {
        let database = Database::open("key-value", path.to_path_buf(), Durability::Normal, min_free)?;
        let create = database.write(CREATE.to_owned(), Vec::new()).await;
        create.map_err(|error| anyhow::anyhow!("cannot use {}: {}", path.display(), error.message))?;
        Ok(Self(database))
    }

    async fn run(&self, sql: &str, parameters: Vec<Value>) -> Result<QueryResult, Error> {
        let outcome = match sql {
            SET | DELETE => self.0.write(sql.to_owned(), parameters).await,
            _ => Session::new(Arc::clone(&self.0)).execute(sql.to_owned(), parameters).await,
        };
        outcome.map_err(|StatementError { message, .. }| Error::Other(message))
    }

    /// Writes the log back, at the end of the process.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl Guest {
    async fn entry(
        &mut self,
        store: &Resource<GuestStore>,
        sql: &str,
        key: String,
        value: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let label = self.table.get(store)?.label.clone();
        if key.len() > KEY_BYTES {
            return Ok(Err(Error::Other(format!("the key is longer than {KEY_BYTES} bytes"))));
        }
        let mut parameters = vec![Value::Text(label), Value::Text(key)];
        parameters.extend(value.map(Value::Blob));
        Ok(self.app.key_value.run(sql, parameters).await)
    }
}

impl Host for Guest {}

impl HostStore for Guest {
    async fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<GuestStore>, Error>> {
        if !self.component.key_value_stores.contains(&label) {
            return Ok(Err(Error::AccessDenied));
        }
        Ok(Ok(self.table.push(GuestStore { label })?))
    }

    async fn get(&mut self, store: Resource<GuestStore>, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let found = self.entry(&store, GET, key, None).await?;
        Ok(found.map(|result| match result.rows.into_iter().next().and_then(|row| row.values.into_iter().next()) {
            Some(Value::Blob(value)) => Some(value),
            _ => None,
        }))
    }

    async fn set(
        &mut self,
        store: Resource<GuestStore>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        if value.len() > VALUE_BYTES {
            return Ok(Err(Error::Other(format!("the value is larger than {VALUE_BYTES} bytes"))));
        }
        Ok(self.entry(&store, SET, key, Some(value)).await?.map(drop))
    }

    async fn delete(&mut self, store: Resource<GuestStore>, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.entry(&store, DELETE, key, None).await?.map(drop))
    }

    async fn exists(&mut self, store: Resource<GuestStore>, key: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.entry(&store, EXISTS, key, None).await?.map(|result| !result.rows.is_empty()))
    }

    async fn get_keys(&mut self, store: Resource<GuestStore>) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let label = self.table.get(&store)?.label.clone();
        let found = self.app.key_value.run(KEYS, vec![Value::Text(label)]).await;
        let text = |value| if let Value::Text(key) = value { Some(key) } else { None };
        Ok(found
            .map(|result| result.rows.into_iter().filter_map(|row| row.values.into_iter().next().and_then(text)).collect()))
    }

    async fn drop(&mut self, store: Resource<GuestStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}
