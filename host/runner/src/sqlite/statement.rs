//! The kind of a statement, judged by its first words, so that it can be sent to the right connection.
//!
//! This decides only WHERE a statement runs. SQLite itself still parses it. If the first word does not tell (`WITH`),
//! SQLite is asked whether the prepared statement is read-only.

/// The kind of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Reads only.
    Read,
    /// INSERT, UPDATE, DELETE, REPLACE: may share a commit with others.
    Write,
    /// Begins with WITH: ask SQLite.
    With,
    /// BEGIN; true if it takes the write lock at once.
    Begin(bool),
    /// SAVEPOINT: begins a transaction if there is none.
    Savepoint,
    /// COMMIT, END, ROLLBACK, RELEASE.
    End,
    /// Changes the schema or the file, on a connection of its own.
    Alone,
    /// Leaves a change in the connection: TEMP objects, a setting, an attached file.
    Dirties,
    /// A setting that belongs to the runner. Its value is read and not set. Holds the statement that reads it.
    Owned(String),
}

/// Settings that the runner decides. A guest that sets one gets the value in force.
const OWNED: [&str; 9] = [
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "journal_mode",
    "journal_size_limit",
    "locking_mode",
    "mmap_size",
    "synchronous",
    "wal_autocheckpoint",
];

/// Settings whose argument is a question, not a value.
const QUESTIONS: [&str; 9] = [
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_xinfo",
];

/// Settings that are kept in the file, not in the connection.
const IN_FILE: [&str; 6] = ["application_id", "auto_vacuum", "encoding", "incremental_vacuum", "page_size", "user_version"];

/// Classifies a statement.
pub fn classify(sql: &str) -> Kind {
    let (word, rest) = next_word(sql);
    let second = || next_word(rest).0;
    match word.as_str() {
        "SELECT" | "VALUES" | "EXPLAIN" => Kind::Read,
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" => Kind::Write,
        "WITH" => Kind::With,
        "BEGIN" => Kind::Begin(matches!(second().as_str(), "IMMEDIATE" | "EXCLUSIVE")),
        "SAVEPOINT" => Kind::Savepoint,
        "COMMIT" | "END" | "ROLLBACK" | "RELEASE" => Kind::End,
        "CREATE" if matches!(second().as_str(), "TEMP" | "TEMPORARY") => Kind::Dirties,
        "CREATE" | "DROP" | "ALTER" | "REINDEX" | "ANALYZE" | "VACUUM" => Kind::Alone,
        "PRAGMA" => pragma(rest),
        "" => Kind::Read,
        _ => Kind::Dirties,
    }
}

fn pragma(rest: &str) -> Kind {
    let (mut name, mut rest) = next_word(rest);
    if let Some(after) = skip_blank(rest).strip_prefix('.') {
        (name, rest) = next_word(after);
    }
    let name = name.to_ascii_lowercase();
    let has_argument = skip_blank(rest).starts_with(['=', '(']);
    match name.as_str() {
        "optimize" | "wal_checkpoint" | "incremental_vacuum" => Kind::Alone,
        _ if !has_argument => Kind::Read,
        name if QUESTIONS.contains(&name) => Kind::Read,
        name if IN_FILE.contains(&name) => Kind::Alone,
        name if OWNED.contains(&name) => Kind::Owned(format!("PRAGMA {name}")),
        _ => Kind::Dirties,
    }
}

/// The first word in capitals, and the text after it. Blanks and comments before it are skipped.
fn next_word(sql: &str) -> (String, &str) {
    let sql = skip_blank(sql);
    let end = sql.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(sql.len());
    let (word, rest) = sql.split_at(end);
    (word.to_ascii_uppercase(), rest)
}

fn skip_blank(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ';' || c == '\u{feff}');
        if let Some(comment) = sql.strip_prefix("--") {
            sql = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = sql.strip_prefix("/*") {
            sql = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else {
            return sql;
        }
    }
}

/// Whether there is no statement, only blanks and comments.
pub fn is_blank(sql: &str) -> bool {
    skip_blank(sql).is_empty()
}

/// Whether a statement writes the log back into the file.
pub fn is_checkpoint(sql: &str) -> bool {
    sql.to_ascii_lowercase().contains("wal_checkpoint")
}

/// Whether nothing can follow the first statement, so that the text may be prepared and cached as it is.
pub fn is_single(sql: &str) -> bool {
    match sql.find(';') {
        None => true,
        Some(at) => sql[at..].bytes().all(|b| b == b';' || b.is_ascii_whitespace()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_go_where_they_belong() {
        for (sql, kind) in [
            ("SELECT 1", Kind::Read),
            ("  -- why\n /* x */ select 1", Kind::Read),
            ("insert into t values (1)", Kind::Write),
            ("REPLACE INTO t VALUES (1)", Kind::Write),
            ("WITH a AS (SELECT 1) SELECT * FROM a", Kind::With),
            ("BEGIN", Kind::Begin(false)),
            ("begin deferred transaction", Kind::Begin(false)),
            ("BEGIN IMMEDIATE", Kind::Begin(true)),
            ("BEGIN exclusive TRANSACTION;", Kind::Begin(true)),
            ("SAVEPOINT a", Kind::Savepoint),
            ("COMMIT", Kind::End),
            ("ROLLBACK TO a", Kind::End),
            ("RELEASE a", Kind::End),
            ("CREATE TABLE t (a)", Kind::Alone),
            ("CREATE TEMP TABLE t (a)", Kind::Dirties),
            ("create temporary view t as select 1", Kind::Dirties),
            ("VACUUM", Kind::Alone),
            ("ATTACH 'x' AS y", Kind::Dirties),
            ("PRAGMA user_version", Kind::Read),
            ("PRAGMA main.user_version;", Kind::Read),
            ("PRAGMA user_version = 3", Kind::Alone),
            ("PRAGMA foreign_key_check", Kind::Read),
            ("PRAGMA table_info(t)", Kind::Read),
            ("PRAGMA foreign_keys = OFF", Kind::Dirties),
            ("PRAGMA foreign_keys", Kind::Read),
            ("PRAGMA case_sensitive_like(1)", Kind::Dirties),
            ("PRAGMA Journal_Mode = DELETE", Kind::Owned("PRAGMA journal_mode".into())),
            ("PRAGMA synchronous=OFF", Kind::Owned("PRAGMA synchronous".into())),
            ("PRAGMA wal_checkpoint(TRUNCATE)", Kind::Alone),
            ("", Kind::Read),
        ] {
            assert_eq!(classify(sql), kind, "{sql}");
        }
    }

    #[test]
    fn a_second_statement_is_noticed() {
        assert!(is_single("SELECT 1"));
        assert!(is_single("SELECT 1; \n;"));
        assert!(!is_single("SELECT 1; SELECT 2"));
        assert!(!is_single("SELECT ';' , 1"), "not wrong, only prepared without the cache");
    }
}
