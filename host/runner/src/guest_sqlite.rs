//! `fermyon:spin/sqlite` for guests: labels and grants here, everything else in `sqlite`.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::sqlite::{Connection, Error, Host, HostConnection, QueryResult, Value};
use crate::guest::Guest;
use crate::sqlite::{Session, StatementError};

/// More connections than any honest request opens.
const CONNECTIONS: usize = 32;

impl Host for Guest {}

impl HostConnection for Guest {
    async fn open(&mut self, database: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        if !self.grants.sqlite_databases.contains(&database) {
            return Ok(Err(Error::AccessDenied));
        }
        let Some(database) = self.services.databases.get(&database) else { return Ok(Err(Error::NoSuchDatabase)) };
        if self.connections >= CONNECTIONS {
            return Ok(Err(Error::Io(format!("more than {CONNECTIONS} connections are open"))));
        }
        let mut session = Session::new(Arc::clone(database));
        if self.chained {
            session = session.in_background();
        }
        let session = self.table.push(session)?;
        self.connections += 1;
        Ok(Ok(Resource::new_own(session.rep())))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let session = self.table.get(&Resource::<Session>::new_borrow(connection.rep()))?;
        Ok(session.execute(statement, parameters).await.map_err(|StatementError { message, .. }| Error::Io(message)))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Session>::new_own(connection.rep()))?;
        self.connections -= 1;
        Ok(())
    }
}
