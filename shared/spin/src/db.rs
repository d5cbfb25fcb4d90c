//! The store on Spin's SQLite interface.

use std::cell::OnceCell;

use spin_sdk::sqlite::{Connection, Error, Value as Sql};
use warmline_store::{Db, Row, StoreError, Value};

/// The label of the vault.
const KEYS: &str = "keys";

/// One connection, for one request.
pub struct SpinDb(Connection);

impl SpinDb {
    /// Opens the default database.
    ///
    /// # Errors
    /// Access is not granted, or the database cannot be opened.
    pub fn open() -> Result<Self, StoreError> {
        Connection::open_default().map(Self).map_err(error)
    }
}

/// The vault. It is opened at its first use, because not every request needs a key.
#[derive(Default)]
pub struct Vault(OnceCell<SpinDb>);

impl Db for Vault {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let db = match self.0.get() {
            Some(db) => db,
            None => {
                let db = Connection::open(KEYS).map(SpinDb).map_err(error)?;
                self.0.get_or_init(|| db)
            }
        };
        db.execute(sql, params)
    }
}

fn error(e: Error) -> StoreError {
    match e {
        Error::DatabaseFull => StoreError::Full,
        Error::Io(message) => StoreError::from_message(&message),
        Error::NoSuchDatabase => StoreError::Other("a database of spin.toml does not exist".into()),
        Error::AccessDenied => StoreError::Other("a database is not granted in spin.toml".into()),
        Error::InvalidConnection => StoreError::Other("the connection is not valid".into()),
    }
}

impl Db for SpinDb {
    fn execute(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let params: Vec<Sql> = params
            .iter()
            .map(|p| match p {
                Value::Null => Sql::Null,
                Value::Int(v) => Sql::Integer(*v),
                Value::Text(v) => Sql::Text(v.clone()),
                Value::Blob(v) => Sql::Blob(v.clone()),
            })
            .collect();
        let result = self.0.execute(sql, &params).map_err(error)?;
        result
            .rows
            .into_iter()
            .map(|row| row.values.into_iter().enumerate().map(value).collect::<Result<_, _>>().map(Row))
            .collect()
    }
}

fn value((i, value): (usize, Sql)) -> Result<Value, StoreError> {
    match value {
        Sql::Null => Ok(Value::Null),
        Sql::Integer(v) => Ok(Value::Int(v)),
        Sql::Text(v) => Ok(Value::Text(v)),
        Sql::Blob(v) => Ok(Value::Blob(v)),
        Sql::Real(_) => Err(StoreError::Shape(i)),
    }
}
