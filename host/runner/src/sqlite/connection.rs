//! One SQLite connection with every setting that a guest may rely on, and the running of one statement on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Batch, OpenFlags, Statement};

use super::statement::{is_blank, is_single};
use crate::bindings::sqlite::{QueryResult, RowResult, Value};

/// The longest time of one statement.
const STATEMENT_TIME: Duration = Duration::from_secs(30);
/// The most bytes of one result.
const RESULT_BYTES: usize = 64 << 20;

/// The durability of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Durability {
    /// Survives a power cut: every commit waits for the disk.
    Full,
    /// Survives a crash of the process. A power cut may lose the last commits, but the file stays whole.
    Normal,
}

/// An open connection.
pub struct Connection {
    inner: rusqlite::Connection,
    /// Milliseconds after `born` at which the running statement is interrupted.
    deadline: Arc<AtomicU64>,
    born: Instant,
}

/// The reason why a statement failed.
#[derive(Debug, Clone)]
pub struct StatementError {
    /// SQLite's own words.
    pub message: String,
    /// SQLite's primary result code, if there is one.
    pub code: Option<rusqlite::ErrorCode>,
}

impl StatementError {
    /// SQLite's error after it waited in vain for the write lock.
    pub fn locked() -> Self {
        Self { message: "database is locked".to_owned(), code: Some(rusqlite::ErrorCode::DatabaseBusy) }
    }

    /// An error of the runner's own.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None }
    }
}

impl From<rusqlite::Error> for StatementError {
    fn from(error: rusqlite::Error) -> Self {
        let mut message = error.to_string();
        let code = error.sqlite_error_code();
        if code == Some(rusqlite::ErrorCode::OperationInterrupted) {
            message = format!("interrupted: the statement ran longer than {STATEMENT_TIME:?}");
        } else if message.contains("not authorized to use function") {
            message.push_str(" (commits are shared between connections: use RETURNING)");
        }
        Self { message, code }
    }
}

impl Connection {
    /// Opens the file at `path`, which must exist. `wal_pages` gets the length of the write-ahead log after each commit.
    pub fn open(path: &Path, durability: Durability, cache_kib: u32, wal_pages: &Arc<AtomicI32>) -> rusqlite::Result<Self> {
        let mut inner = rusqlite::Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        inner.busy_timeout(Duration::from_millis(5000))?;
        // The free pages of a new file can be given back in steps. A file that has this setting already would be written.
        if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
            inner.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        inner.pragma_update(None, "journal_mode", "WAL")?;
        inner.pragma_update(
            None,
            "synchronous",
            match durability {
                Durability::Full => "FULL",
                Durability::Normal => "NORMAL",
            },
        )?;
        inner.pragma_update(None, "foreign_keys", true)?;
        inner.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
        inner.pragma_update(None, "journal_size_limit", 64 << 20)?;
        inner.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        inner.set_prepared_statement_cache_capacity(192);
        // A query plan must not depend on a parameter's value. Otherwise SQLite prepares a kept statement again at each
        // binding for which a partial index might fit (sqlite.org/qpsg.html).
        inner.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        inner.authorizer(Some(authorize))?;
        let pages = Arc::clone(wal_pages);
        inner.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, length| {
            pages.store(length, Ordering::Relaxed);
            Ok(())
        }))?;
        let deadline = Arc::new(AtomicU64::new(u64::MAX));
        let born = Instant::now();
        let limit = Arc::clone(&deadline);
        inner.progress_handler(20_000, Some(move || elapsed_ms(born) > limit.load(Ordering::Relaxed)))?;
        Ok(Self { inner, deadline, born })
    }

    /// Runs the first statement of `sql`. The rest is ignored.
    pub fn run(&self, sql: &str, parameters: &[Value]) -> Result<QueryResult, StatementError> {
        if is_blank(sql) {
            return Ok(QueryResult { columns: Vec::new(), rows: Vec::new() });
        }
        let until = elapsed_ms(self.born).saturating_add(STATEMENT_TIME.as_millis() as u64);
        self.deadline.store(until, Ordering::Relaxed);
        let result = if is_single(sql) {
            self.inner.prepare_cached(sql).map_err(Into::into).and_then(|mut statement| collect(&mut statement, parameters))
        } else {
            match Batch::new(&self.inner, sql).next() {
                Ok(Some(mut statement)) => collect(&mut statement, parameters),
                Ok(None) => Ok(QueryResult { columns: Vec::new(), rows: Vec::new() }),
                Err(error) => Err(error.into()),
            }
        };
        self.deadline.store(u64::MAX, Ordering::Relaxed);
        result
    }

    /// Whether the first statement of `sql` only reads.
    pub fn only_reads(&self, sql: &str) -> rusqlite::Result<bool> {
        if is_single(sql) {
            return Ok(self.inner.prepare_cached(sql)?.readonly());
        }
        Ok(Batch::new(&self.inner, sql).next()?.is_none_or(|statement| statement.readonly()))
    }

    /// Whether no transaction is open.
    pub fn is_idle(&self) -> bool {
        self.inner.is_autocommit()
    }

    /// Ends an open transaction without keeping it. Returns false if that failed.
    pub fn roll_back(&self) -> bool {
        self.is_idle() || self.run("ROLLBACK", &[]).is_ok()
    }

    /// The connection underneath, for the runner's own statements.
    pub fn raw(&self) -> &rusqlite::Connection {
        &self.inner
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Refuses the functions that a shared commit makes wrong: they would report on another guest's statement.
fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Function { function_name }
            if ["last_insert_rowid", "changes", "total_changes"]
                .iter()
                .any(|name| function_name.eq_ignore_ascii_case(name)) =>
        {
            Authorization::Deny
        }
        _ => Authorization::Allow,
    }
}

fn collect(statement: &mut Statement<'_>, parameters: &[Value]) -> Result<QueryResult, StatementError> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
    let mut collected = Vec::new();
    let mut bytes = 0_usize;
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for column in 0..columns.len() {
            let value = match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Real(number) => Value::Real(number),
                ValueRef::Text(text) => match std::str::from_utf8(text) {
                    Ok(text) => Value::Text(text.to_owned()),
                    Err(_) => {
                        let name = columns.get(column).map_or("", String::as_str);
                        return Err(StatementError::new(format!(
                            "column {name:?} holds TEXT that is not UTF-8; store it as a BLOB"
                        )));
                    }
                },
                ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
            };
            bytes += 16
                + match &value {
                    Value::Text(text) => text.len(),
                    Value::Blob(blob) => blob.len(),
                    _ => 0,
                };
            values.push(value);
        }
        if bytes > RESULT_BYTES {
            return Err(StatementError::new(format!("the result is larger than {RESULT_BYTES} bytes: read it in pages")));
        }
        collected.push(RowResult { values });
    }
    Ok(QueryResult { columns, rows: collected })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(blob) => ValueRef::Blob(blob),
            Self::Null => ValueRef::Null,
        }))
    }
}
