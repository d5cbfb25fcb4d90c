//! The words that do something to a message of the brand before it goes out. Quality publishes them here, and each outgoing
//! message reads those that it may contain: the work depends on the message's length, and not on the number of words.

use crate::db::{Db, StoreError};
use crate::dialect::{at_paths, entries};

const CLEAR: &str = "DELETE FROM watched_words";
const INSERT: &str = concat!(
    "INSERT INTO watched_words (n, head, word) SELECT key, ",
    at_paths!("value", "$[0]", "$[1]"),
    " FROM ",
    entries!("?1")
);
const BEGINNING_WITH: &str =
    concat!("SELECT w.word FROM ", entries!("?1"), " l CROSS JOIN watched_words w ON w.head = l.value");

/// Replaces all words. `words` is a JSON list of pairs: the word's beginning (`warmline_language::head`), and its entry in the
/// brand's list as a text. Runs in the caller's transaction.
pub fn replace(db: &dyn Db, words: &str) -> Result<(), StoreError> {
    db.execute(CLEAR, &[])?;
    db.execute(INSERT, &[words.into()])?;
    Ok(())
}

/// The entries of the words that begin so, in any order. `heads` is a JSON list without repetitions.
pub fn beginning_with(db: &dyn Db, heads: &str) -> Result<Vec<String>, StoreError> {
    db.execute(BEGINNING_WITH, &[heads.into()])?.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}
