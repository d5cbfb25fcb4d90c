//! `fermyon:spin/sqlite` for guests: labels and grants here, everything else in `sqlite`.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::sqlite::{Error, Host, HostConnection, QueryResult, Value};
use crate::guest::Guest;
use crate::sqlite::{Session, StatementError};

/// What a guest holds as a `connection`.
pub struct GuestConnection(Session);

/// More connections than any honest request opens.
const CONNECTIONS: usize = 32;

impl Host for Guest {}

impl HostConnection for Guest {
    async fn open(&mut self, database: String) -> wasmtime::Result<Result<Resource<GuestConnection>, Error>> {
        if !self.component.sqlite_databases.contains(&database) {
            return Ok(Err(Error::AccessDenied));
        }
        let Some(database) = self.app.databases.get(&database) else { return Ok(Err(Error::NoSuchDatabase)) };
        if self.connections >= CONNECTIONS {
            return Ok(Err(Error::Io(format!("more than {CONNECTIONS} connections are open"))));
        }
        let mut session = Session::new(Arc::clone(database));
        if self.chained {
            session = session.in_background();
        }
        let resource = self.table.push(GuestConnection(session))?;
        self.connections += 1;
        Ok(Ok(resource))
    }

    async fn execute(
        &mut self,
        connection: Resource<GuestConnection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let session = &self.table.get(&connection)?.0;
        Ok(session.execute(statement, parameters).await.map_err(|StatementError { message, .. }| Error::Io(message)))
    }

    async fn drop(&mut self, connection: Resource<GuestConnection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.connections -= 1;
        Ok(())
    }
}
