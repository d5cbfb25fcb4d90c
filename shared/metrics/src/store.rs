//! The cells in the store.

use crate::cell::Cell;
use warmline_store::dialect::{at_paths, entries};
use warmline_store::{Db, StoreError};

const ADD: &str = concat!(
    "INSERT INTO rollups (figure, hour, channel, bucket, n, total) SELECT ",
    at_paths!("value", "$[0]", "$[1]", "$[2]", "$[3]", "$[4]", "$[5]"),
    " FROM ",
    entries!("?1"),
    " WHERE true ON CONFLICT (figure, hour, channel, bucket) \
      DO UPDATE SET n = n + excluded.n, total = total + excluded.total"
);
const SINCE: &str = "SELECT figure, channel, bucket, sum(n), sum(total) FROM rollups WHERE hour >= ?1 \
                     GROUP BY figure, channel, bucket ORDER BY figure, channel, bucket";

/// Adds to cells, in one statement.
pub fn add(db: &dyn Db, cells: &[Cell]) -> Result<(), StoreError> {
    let rows: Vec<_> = cells.iter().map(|c| (&c.figure, c.hour, &c.channel, c.bucket, c.n, c.total)).collect();
    let rows = serde_json::to_string(&rows).map_err(|_| StoreError::Shape(0))?;
    db.execute(ADD, &[rows.into()]).map(drop)
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
