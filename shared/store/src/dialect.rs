//! The words that only SQLite understands. The statements elsewhere hold none of them, as a test below checks; docs/STORE.md
//! tells what another engine would need, and which four things stay in the statements all the same.

/// Begins a transaction that holds the write lock from its first statement on: nobody else writes until it ends, so what it
/// reads stays true.
pub const BEGIN_WRITING: &str = "BEGIN IMMEDIATE";

/// Lets a statement wait for the writer no longer than [`TRY_MS`], and answers with the time that is in force now.
pub const TRY_BRIEFLY: &str = "PRAGMA busy_timeout = 33";
/// The value of [`TRY_BRIEFLY`]: SQLite looks after 1, 2, 5, 10 and 15 ms. Shorter values cost more CPU than they save time.
pub const TRY_MS: i64 = 33;

/// Whether an error says that somebody else holds the writer, so that nothing was done and the same statement may be run again.
pub fn is_locked(message: &str) -> bool {
    message.contains("database is locked")
}

/// Lets readers read while somebody writes. The file remembers it.
pub(crate) const WRITE_AHEAD: &str = "PRAGMA journal_mode = WAL";
/// Overwrites what this connection deletes.
pub(crate) const SHRED: &str = "PRAGMA secure_delete = ON";
/// Moves everything from the write-ahead log into the file, and empties the log.
pub(crate) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// Lets [`GIVE_BACK`] shrink the file. A database that has tables already stays as it is.
pub(crate) const SHRINKS: &str = "PRAGMA auto_vacuum = INCREMENTAL";
/// The number of pages, of free ones, and the bytes of one.
pub(crate) const PAGES: &str =
    "SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
/// Moves pages from the end of the file into free ones, at most so many, and cuts the end off.
pub(crate) const GIVE_BACK: &str = "PRAGMA incremental_vacuum(256)";
/// The number that releases without the table of versions read.
pub(crate) const USER_VERSION: &str = "PRAGMA user_version";
/// Sets that number to [`crate::migrate::USER_VERSION`].
pub(crate) const SET_USER_VERSION: &str = "PRAGMA user_version = 12";

/// The end of a table's definition: its columns have the types that they say.
macro_rules! strict {
    () => {
        " STRICT"
    };
}
/// The same, for a table that is stored in the order of its primary key.
macro_rules! strict_by_key {
    () => {
        " STRICT, WITHOUT ROWID"
    };
}
/// The value at a path of a JSON document, as an expression. An index over the same expression serves it.
#[macro_export]
macro_rules! at_path {
    ($document:literal, $path:literal) => {
        concat!("json_extract(", $document, ", '", $path, "')")
    };
}
/// The values at several paths of a JSON document, as a list of expressions.
#[macro_export]
macro_rules! at_paths {
    ($document:literal, $first:literal $(, $path:literal)*) => {
        concat!($crate::at_path!($document, $first) $(, ", ", $crate::at_path!($document, $path))*)
    };
}
/// The value under a key (an expression) of the object at a path of a JSON document.
macro_rules! under_key {
    ($document:literal, $path:literal, $key:literal) => {
        concat!("json_extract(", $document, ", '", $path, ".\"' || ", $key, " || '\"')")
    };
}
/// A JSON object in which a key has this value.
macro_rules! with_key {
    ($object:literal, $key:literal, $($value:expr),+) => {
        concat!("json_set(", $object, ", '$.\"' || ", $key, " || '\"', ", $($value),+, ")")
    };
}
/// A JSON object in which a key has this value, or is missing if the value is NULL.
macro_rules! with_key_or_not {
    ($object:literal, $key:literal, $($value:expr),+) => {
        concat!("json_patch(", $object, ", json_object(", $key, ", ", $($value),+, "))")
    };
}
/// The entries of a JSON object or list, as a table with the columns `key` and `value`.
#[macro_export]
macro_rules! entries {
    ($document:literal) => {
        concat!("json_each(", $document, ")")
    };
}
/// A table of a `WITH RECURSIVE` with the column `id`: the ids of 16 bytes that stand one after the other in a blob that is passed.
#[macro_export]
macro_rules! ids {
    ($table:literal, $blob:literal) => {
        concat!(
            $table,
            " (id, i) AS (SELECT substr(",
            $blob,
            ", 1, 16), 0 UNION ALL SELECT substr(",
            $blob,
            ", 16 * i + 17, 16), i + 1 FROM ",
            $table,
            " WHERE 16 * i + 17 <= length(",
            $blob,
            "))"
        )
    };
}
pub use crate::{at_path, at_paths, entries, ids};
pub(crate) use {strict, strict_by_key, under_key, with_key, with_key_or_not};

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    /// Words that no statement outside this file may hold.
    const WORDS: [&str; 17] = [
        "PRAGMA ",
        "BEGIN IMMEDIATE",
        "STRICT",
        "WITHOUT ROWID",
        "CREATE TRIGGER",
        "json_extract(",
        "json_each(",
        "json_set(",
        "json_patch(",
        "json_object(",
        "json_group_",
        "iif(",
        "OR IGNORE",
        "OR REPLACE",
        "strftime(",
        "unixepoch(",
        "sqlite_",
    ];

    fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !["tests", "benches", "fuzz", "target"].iter().any(|name| path.ends_with(name)) {
                sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }

    /// The lines of a file before its tests, without comments.
    fn code(text: &str) -> impl Iterator<Item = &str> {
        let code = text.split("#[cfg(test)]").next().unwrap_or(text);
        let code = code.split("#[cfg(all(test").next().unwrap_or(code);
        code.lines().filter(|line| !line.trim_start().starts_with("//"))
    }

    #[test]
    fn no_statement_elsewhere_is_for_sqlite_alone() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        for part in ["shared", "components"] {
            sources(&root.join(part), &mut files);
        }
        assert!(files.len() > 200, "{} files", files.len());
        let mut found = Vec::new();
        for file in files.iter().filter(|file| !file.ends_with("store/src/dialect.rs")) {
            let text = std::fs::read_to_string(file).unwrap();
            for line in code(&text) {
                found.extend(WORDS.iter().filter(|word| line.contains(**word)).map(|word| (file, *word, line.to_owned())));
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }
}
