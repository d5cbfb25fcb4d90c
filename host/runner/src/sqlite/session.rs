//! One guest connection: the SQLite connection for each of its statements, and the changes that it leaves behind.
//!
//! A guest reads on a pooled connection that is its own for one statement or one transaction. It writes on the
//! file's one writing connection: through the shared commits of `group` outside a transaction, or holding the writer
//! from BEGIN IMMEDIATE to COMMIT. A guest that changes its connection (TEMP tables, settings) works on its own from
//! then on, which is closed after it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::statement::{Kind, classify, is_checkpoint};
use super::{Connection, Database, StatementError, Turn, lock};
use crate::bindings::sqlite::{QueryResult, Value};

/// The longest time for which a guest may leave a write transaction idle, and the longest time of one in all.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);
const WHOLE_TRANSACTION: Duration = Duration::from_secs(60);

/// A guest's open connection.
pub struct Session {
    database: Arc<Database>,
    state: Arc<Mutex<State>>,
    /// Whether its transactions belong to a chained call, which lets requests from outside go first.
    background: bool,
}

/// The present state of a session.
pub struct State {
    database: Arc<Database>,
    own: Option<Connection>,
    /// Whether `own` carries a change that the next guest must not see.
    dirty: bool,
    transaction: Transaction,
    /// Whether the right to write was given and not used yet.
    entered: bool,
    begun: Instant,
    last_used: Instant,
}

enum Transaction {
    None,
    /// On the session's own connection, without the right to write.
    Reading,
    /// On the session's own connection, with the right to write.
    Own {
        _turn: Turn,
    },
    /// On the writing connection.
    Shared(Turn),
    /// Taken away by the janitor.
    Expired,
}

/// The place where a statement is to run.
enum Place {
    Own,
    Shared,
    Group,
}

type Outcome = Result<QueryResult, StatementError>;

impl Session {
    /// Makes a fresh connection to `database`.
    pub fn new(database: Arc<Database>) -> Self {
        let now = Instant::now();
        let state = State {
            database: Arc::clone(&database),
            own: None,
            dirty: false,
            transaction: Transaction::None,
            entered: false,
            begun: now,
            last_used: now,
        };
        Self { database, state: Arc::new(Mutex::new(state)), background: false }
    }

    /// Lets requests from outside go before this session's transactions: a platform gives up on a webhook after seconds,
    /// while committed work can wait.
    pub fn in_background(self) -> Self {
        Self { background: true, ..self }
    }

    /// Runs the first statement of `sql`.
    pub async fn execute(&self, sql: String, parameters: Vec<Value>) -> Outcome {
        let kind = classify(&sql);
        let explain = |error| self.database.watch.explain(error, &self.database.wal_pages);
        let place = match self.place(&kind, &sql).map_err(explain)? {
            Ok(place) => place,
            Err(needs) => {
                let turn = self.database.wait_for_writer(self.background).await?;
                self.enter(turn, needs)
            }
        };
        match place {
            Place::Group => self.database.write(sql, parameters).await,
            Place::Own | Place::Shared => {
                let sql = if let Kind::Owned(question) = &kind { question.as_str() } else { sql.as_str() };
                let ends = matches!(kind, Kind::End | Kind::Alone);
                let run = || lock(&self.state).run(&place, &kind, sql, &parameters);
                if ends { self.database.blocking(run) } else { run() }
            }
        }
    }

    /// The place where the statement runs. The inner error is the place where it will run once this session has the writer.
    fn place(&self, kind: &Kind, sql: &str) -> Result<Result<Place, Place>, StatementError> {
        let mut state = lock(&self.state);
        match &state.transaction {
            Transaction::Shared(_) => return Ok(Ok(Place::Shared)),
            Transaction::Own { .. } => return Ok(Ok(Place::Own)),
            Transaction::Expired => {
                state.transaction = Transaction::None;
                return Err(StatementError::new("the transaction was rolled back: it held the write lock for too long"));
            }
            Transaction::None | Transaction::Reading => {}
        }
        let writes = match kind {
            Kind::Write | Kind::Alone | Kind::Begin(true) => true,
            Kind::With => !state.own()?.only_reads(sql)?,
            _ => false,
        };
        let reading = matches!(state.transaction, Transaction::Reading);
        Ok(match kind {
            _ if !writes => Ok(Place::Own),
            _ if reading || state.dirty => Err(Place::Own),
            Kind::Write | Kind::With => Ok(Place::Group),
            _ => Err(Place::Shared),
        })
    }

    fn enter(&self, turn: Turn, needs: Place) -> Place {
        let mut state = lock(&self.state);
        state.begun = Instant::now();
        state.last_used = state.begun;
        state.entered = true;
        state.transaction = match needs {
            Place::Shared => Transaction::Shared(turn),
            Place::Own | Place::Group => Transaction::Own { _turn: turn },
        };
        drop(state);
        *lock(&self.database.holder) = Arc::downgrade(&self.state);
        needs
    }
}

impl State {
    fn own(&mut self) -> Result<&Connection, StatementError> {
        if self.own.is_none() {
            self.own = Some(self.database.take_connection()?);
        }
        self.own.as_ref().ok_or_else(|| StatementError::new("no connection"))
    }

    fn run(&mut self, place: &Place, kind: &Kind, sql: &str, parameters: &[Value]) -> Outcome {
        let outcome = self.run_watched(place, kind, sql, parameters);
        outcome.map_err(|error| self.database.watch.explain(error, &self.database.wal_pages))
    }

    /// Runs a statement. A transaction begins only if the file is there, and a commit counts only if it still is.
    fn run_watched(&mut self, place: &Place, kind: &Kind, sql: &str, parameters: &[Value]) -> Outcome {
        let writes = matches!(self.transaction, Transaction::Shared(_) | Transaction::Own { .. });
        if std::mem::take(&mut self.entered)
            && let Err(error) = self.admit()
        {
            self.leave();
            self.give_back_idle();
            return Err(error);
        }
        let outcome = self.run_here(place, kind, sql, parameters);
        let ended = writes && matches!(self.transaction, Transaction::None);
        match outcome {
            Ok(result) if ended => self.database.watch.confirm().map(|()| result),
            outcome => outcome,
        }
    }

    /// Checks that the file accepts a transaction.
    fn admit(&mut self) -> Result<(), StatementError> {
        let database = Arc::clone(&self.database);
        let connection = match &mut self.transaction {
            Transaction::Shared(turn) => turn.writer.connection(&database)?,
            _ => self.own()?,
        };
        database.watch.admit(connection, &database.wal_pages)
    }

    fn run_here(&mut self, place: &Place, kind: &Kind, sql: &str, parameters: &[Value]) -> Outcome {
        let dirties = matches!(kind, Kind::Dirties);
        let database = Arc::clone(&self.database);
        let (outcome, idle) = match (place, &mut self.transaction) {
            (Place::Shared, Transaction::Shared(turn)) => {
                let connection = turn.writer.connection(&database)?;
                let outcome = connection.run(sql, parameters);
                let idle = connection.is_idle();
                if dirties {
                    // The next writer gets a new connection. This guest keeps the old one until its transaction ends.
                    self.dirty = true;
                }
                (outcome, idle)
            }
            (Place::Shared, _) => return Err(StatementError::new("the transaction has ended")),
            (Place::Own | Place::Group, _) => {
                self.dirty |= dirties;
                let connection = self.own()?;
                let outcome = connection.run(sql, parameters);
                let idle = connection.is_idle();
                (outcome, idle)
            }
        };
        self.last_used = Instant::now();
        match (&self.transaction, idle) {
            (Transaction::None, false) => self.transaction = Transaction::Reading,
            (Transaction::None, true) | (_, false) => {}
            (_, true) => self.leave(),
        }
        self.give_back_idle();
        if matches!(kind, Kind::Alone) && is_checkpoint(sql) {
            // The log may be empty now. The next commit sets its length.
            database.wal_pages.store(0, Ordering::Relaxed);
        }
        outcome
    }

    fn give_back_idle(&mut self) {
        if matches!(self.transaction, Transaction::None) {
            self.give_back();
        }
    }

    /// Gives up the right to write. An open transaction is rolled back.
    fn leave(&mut self) {
        match std::mem::replace(&mut self.transaction, Transaction::None) {
            Transaction::Shared(mut turn) => {
                let writer = &mut turn.writer;
                let usable = writer.connection.as_ref().is_some_and(Connection::roll_back);
                if self.dirty {
                    // It carries this guest's settings. It becomes the guest's own connection, to be closed with it.
                    self.own = writer.connection.take();
                } else if !usable {
                    writer.connection = None;
                }
            }
            Transaction::Own { .. } | Transaction::Reading => {
                if self.own.as_ref().is_some_and(|own| !own.roll_back()) {
                    self.own = None;
                }
            }
            Transaction::None | Transaction::Expired => {}
        }
    }

    /// Returns the session's own connection as soon as it carries no state. The fewer connections there are, the warmer
    /// their caches are and the less memory they take.
    fn give_back(&mut self) {
        if !self.dirty
            && let Some(own) = self.own.take()
        {
            self.database.give_back(own);
        }
    }

    /// Takes the transaction away if the guest held it too long. The housekeeping calls this.
    pub fn expire(&mut self) {
        let held = matches!(self.transaction, Transaction::Shared(_) | Transaction::Own { .. });
        if held && (self.last_used.elapsed() > IDLE_IN_TRANSACTION || self.begun.elapsed() > WHOLE_TRANSACTION) {
            self.leave();
            self.transaction = Transaction::Expired;
            tracing::warn!(database = self.database.label(), "rolled back a write transaction that was held for too long");
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.leave();
        self.give_back();
    }
}
