//! The store on Spin's SQLite interface.

use std::cell::OnceCell;

use spin_sdk::sqlite::{Connection, Error, Value as Sql};
use warmline_store::dialect::{TRY_BRIEFLY, TRY_MS, is_locked};
use warmline_store::{Db, Row, StoreError, Value};
use wasi::clocks::monotonic_clock;

/// The label of the vault.
const KEYS: &str = "keys";

/// How long a statement waits for the writer in all: about as long as a platform waits for an answer.
const PATIENCE_NS: u64 = 5_000_000_000;

/// One connection, for one request.
///
/// SQLite itself waits for the writer by sleeping, at last for 100 ms at a time, while transactions take a few. Many who wait
/// then leave the writer idle, and some of them never find it free. So a connection that may waits briefly, again and again.
/// The embedded runner has a queue for the writer and keeps its own time.
pub struct SpinDb {
    connection: Connection,
    /// Whether the database gives up after [`TRY_MS`].
    briefly: bool,
}

impl SpinDb {
    /// Opens the default database.
    ///
    /// # Errors
    /// Access is not granted, or the database cannot be opened.
    pub fn open() -> Result<Self, StoreError> {
        Self::of(Connection::open_default())
    }

    /// Whether writers wait without order.
    pub(crate) fn is_unqueued(&self) -> bool {
        self.briefly
    }

    fn of(connection: Result<Connection, Error>) -> Result<Self, StoreError> {
        let connection = connection.map_err(error)?;
        // libSQL's client refuses the setting without asking its server.
        let set = connection.execute(TRY_BRIEFLY, &[]);
        let briefly = set.is_ok_and(|set| {
            let value = set.rows.first().and_then(|row| row.values.first());
            matches!(value, Some(Sql::Integer(TRY_MS)))
        });
        Ok(Self { connection, briefly })
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
                let db = SpinDb::of(Connection::open(KEYS))?;
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
        let mut until = None;
        let mut waits = || {
            let now = monotonic_clock::now();
            now < *until.get_or_insert(now.saturating_add(PATIENCE_NS))
        };
        let result = loop {
            match self.connection.execute(sql, &params) {
                Err(Error::Io(why)) if self.briefly && is_locked(&why) && waits() => {}
                result => break result.map_err(error)?,
            }
        };
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
