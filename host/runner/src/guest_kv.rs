//! `fermyon:spin/key-value` for guests: labels, grants and bounds here, the stores in `key_value`.

use wasmtime::component::Resource;

use crate::bindings::key_value::{Error, Host, HostStore, Store};
use crate::bindings::sqlite::{QueryResult, Value};
use crate::guest::Guest;
use crate::key_value::{DELETE, EXISTS, GET, KEYS, SET};

/// The longest key and the largest value, as on the strictest host of Spin applications. The store of Spin 4.0 accepts
/// more.
const KEY_BYTES: usize = 256;
const VALUE_BYTES: usize = 1_000_000;

/// The value behind a guest's `store` handle.
struct Label(String);

impl Guest {
    fn label(&self, store: &Resource<Store>) -> wasmtime::Result<String> {
        Ok(self.table.get(&Resource::<Label>::new_borrow(store.rep()))?.0.clone())
    }

    async fn entry(
        &mut self,
        store: &Resource<Store>,
        sql: &str,
        key: String,
        value: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let label = self.label(store)?;
        if key.len() > KEY_BYTES {
            return Ok(Err(Error::Other(format!("the key is longer than {KEY_BYTES} bytes"))));
        }
        let mut parameters = vec![Value::Text(label), Value::Text(key)];
        parameters.extend(value.map(Value::Blob));
        Ok(self.services.key_value.run(sql, parameters).await)
    }
}

impl Host for Guest {}

impl HostStore for Guest {
    async fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Store>, Error>> {
        if !self.grants.key_value_stores.contains(&label) {
            return Ok(Err(Error::AccessDenied));
        }
        Ok(Ok(Resource::new_own(self.table.push(Label(label))?.rep())))
    }

    async fn get(&mut self, store: Resource<Store>, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let found = self.entry(&store, GET, key, None).await?;
        Ok(found.map(|result| match result.rows.into_iter().next().and_then(|row| row.values.into_iter().next()) {
            Some(Value::Blob(value)) => Some(value),
            _ => None,
        }))
    }

    async fn set(&mut self, store: Resource<Store>, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        if value.len() > VALUE_BYTES {
            return Ok(Err(Error::Other(format!("the value is larger than {VALUE_BYTES} bytes"))));
        }
        if let Some(most) = self.services.platform.keys
            && !self.services.key_value.has_room(most, &self.label(&store)?, &key).await
        {
            return Ok(Err(Error::StoreTableFull));
        }
        Ok(self.entry(&store, SET, key, Some(value)).await?.map(drop))
    }

    async fn delete(&mut self, store: Resource<Store>, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.entry(&store, DELETE, key, None).await?.map(drop))
    }

    async fn exists(&mut self, store: Resource<Store>, key: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.entry(&store, EXISTS, key, None).await?.map(|result| !result.rows.is_empty()))
    }

    async fn get_keys(&mut self, store: Resource<Store>) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let label = self.label(&store)?;
        let found = self.services.key_value.run(KEYS, vec![Value::Text(label)]).await;
        let text = |value| if let Value::Text(key) = value { Some(key) } else { None };
        Ok(found
            .map(|result| result.rows.into_iter().filter_map(|row| row.values.into_iter().next().and_then(text)).collect()))
    }

    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Label>::new_own(store.rep()))?;
        Ok(())
    }
}
