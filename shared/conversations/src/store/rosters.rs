//! The seats that decisions saw. An entry of the event log names them by the number of their roster.

use warmline_model::AgentId;
use warmline_routing::Roster;
use warmline_store::{Db, Row, StoreError};

const KNOWN: &str = "SELECT 1 FROM rosters WHERE number = ?1";
const INSERT: &str = "INSERT INTO rosters (number, agents) VALUES (?1, ?2)";
const GET: &str = "SELECT agents FROM rosters WHERE number = ?1";

/// Stores a roster, unless it is stored. Nearly always it is: it changes only when an agent joins or leaves a group.
pub fn keep(db: &dyn Db, roster: &Roster) -> Result<(), StoreError> {
    if db.first(KNOWN, &[roster.number.into()])?.is_none() {
        let agents: Vec<u8> = roster.agents.iter().flat_map(AgentId::as_bytes).copied().collect();
        db.execute(INSERT, &[roster.number.into(), agents.into()])?;
    }
    Ok(())
}

/// The agents of a roster, in order.
pub fn get(db: &dyn Db, number: i64) -> Result<Option<Vec<AgentId>>, StoreError> {
    let agents = |row: Row| row.blob(0)?.chunks(16).map(|id| row.made(0, AgentId::from_bytes(id))).collect();
    db.first(GET, &[number.into()])?.map(agents).transpose()
}
