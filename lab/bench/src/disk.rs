//! The disk's own pace: the durable commits that one native process gets out of SQLite, with rows of the inbox's size. No
//! server on this disk can commit faster one by one. Only several messages in one commit are faster.

use anyhow::Result;
use rusqlite::Connection;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

use warmline_simulate::histogram::{Histogram, Summary};

/// Commits at one durability.
#[derive(Clone, Debug, Serialize)]
pub struct Disk {
    /// `full` or `normal`.
    pub durability: &'static str,
    /// Commits made.
    pub commits: u64,
    /// Commits a second.
    pub rate: f64,
    /// Time of one commit.
    pub latency: Summary,
}

const CREATE: &str = "CREATE TABLE inbox(seq INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT";
const INSERT: &str = "INSERT INTO inbox(key, body) VALUES (?1, ?2)";

/// Commits rows one by one, up to a number and up to a time.
///
/// # Errors
/// SQLite fails.
pub fn measure(directory: &Path, durability: &'static str, commits: u64, limit: Duration) -> Result<Disk> {
    let path = directory.join(format!("disk-{durability}.db"));
    let db = Connection::open(&path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", durability)?;
    db.execute(CREATE, [])?;
    let mut insert = db.prepare(INSERT)?;
    let (body, mut histogram, begin) = ([0x5au8; 480], Histogram::default(), Instant::now());
    let mut done = 0;
    while done < commits && begin.elapsed() < limit {
        let at = Instant::now();
        // Keys without order, like hashes.
        let key = done.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().repeat(4);
        insert.execute((key, body))?;
        histogram.record_time(at.elapsed());
        done += 1;
    }
    let rate = done as f64 / begin.elapsed().as_secs_f64().max(1e-9);
    Ok(Disk { durability, commits: done, rate, latency: histogram.summary() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_counted_and_timed() {
        let directory = tempfile::tempdir().unwrap();
        let disk = measure(directory.path(), "normal", 50, Duration::from_secs(20)).unwrap();
        assert_eq!((disk.commits, disk.latency.count), (50, 50));
        assert!(disk.rate > 0.0);
    }
}
