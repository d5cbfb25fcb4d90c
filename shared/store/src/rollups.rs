//! Rollups folded from the event log: a count and a total for each figure, hour, channel and histogram bucket.

use crate::db::{Db, StoreError};

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The figure's formula id.
    pub figure: String,
    /// Hours since 1970-01-01T00:00Z, of the event's own time.
    pub hour: i64,
    /// The channel; empty if the figure has none.
    pub channel: String,
    /// Histogram bucket; 0 for plain counts.
    pub bucket: i64,
    /// Events.
    pub n: i64,
    /// Sum of the measured values.
    pub total: i64,
}

const ADD: &str = "INSERT INTO rollups (figure, hour, channel, bucket, n, total) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                   ON CONFLICT (figure, hour, channel, bucket) DO UPDATE SET n = n + ?5, total = total + ?6";
const SINCE: &str = "SELECT figure, channel, bucket, sum(n), sum(total) FROM rollups WHERE hour >= ?1 \
                     GROUP BY figure, channel, bucket ORDER BY figure, channel, bucket";

/// Adds to a cell.
pub fn add(db: &dyn Db, cell: &Cell) -> Result<(), StoreError> {
    let params = [
        cell.figure.as_str().into(),
        cell.hour.into(),
        cell.channel.as_str().into(),
        cell.bucket.into(),
        cell.n.into(),
        cell.total.into(),
    ];
    db.execute(ADD, &params)?;
    Ok(())
}

/// All cells from an hour on, with the hours added up.
pub fn since(db: &dyn Db, hour: i64) -> Result<Vec<Cell>, StoreError> {
    db.execute(SINCE, &[hour.into()])?
        .iter()
        .map(|r| {
            Ok(Cell {
                figure: r.text(0)?.to_owned(),
                hour,
                channel: r.text(1)?.to_owned(),
                bucket: r.int(2)?,
                n: r.int(3)?,
                total: r.int(4)?,
            })
        })
        .collect()
}
