//! Numbered SQL files. Each is applied once, in order, in one transaction with its version number.

use crate::db::{Db, StoreError, immediate};

/// A file's text without comment lines and indentation. Each component that migrates contains all files, and their size
/// costs each request.
macro_rules! file {
    ($path:literal) => {{
        const TEXT: &[u8] = include_bytes!($path);
        const PLAIN: [u8; plain(TEXT, None)] = {
            let mut out = [0; plain(TEXT, None)];
            plain(TEXT, Some(&mut out));
            out
        };
        match std::str::from_utf8(&PLAIN) {
            Ok(text) => text,
            Err(_) => panic!("a migration is UTF-8"),
        }
    }};
}

/// The files. To add one, number it and add it here. Never change a file that has been applied anywhere.
const MIGRATIONS: [&str; 17] = [
    file!("../migrations/0001_foundation.sql"),
    file!("../migrations/0002_channels.sql"),
    file!("../migrations/0003_routing.sql"),
    file!("../migrations/0004_staffing.sql"),
    file!("../migrations/0005_people.sql"),
    file!("../migrations/0006_audit.sql"),
    file!("../migrations/0007_tokens.sql"),
    file!("../migrations/0008_privacy.sql"),
    file!("../migrations/0009_cases.sql"),
    file!("../migrations/0010_duties.sql"),
    file!("../migrations/0011_findings.sql"),
    file!("../migrations/0012_held.sql"),
    file!("../migrations/0013_intake.sql"),
    file!("../migrations/0014_optout.sql"),
    file!("../migrations/0015_delivery.sql"),
    file!("../migrations/0016_accounts.sql"),
    file!("../migrations/0017_people.sql"),
];

/// The length of a text without comment lines and without the spaces at the beginning of lines. If `out` is given, also
/// writes that text to it.
#[expect(clippy::indexing_slicing, reason = "worked out when it is compiled, where an index out of range is an error")]
const fn plain(text: &[u8], mut out: Option<&mut [u8]>) -> usize {
    let (mut from, mut to, mut begins, mut comment) = (0, 0, true, false);
    while from < text.len() {
        if begins && text[from] == b' ' {
            from += 1;
            continue;
        }
        if begins {
            comment = from + 1 < text.len() && text[from] == b'-' && text[from + 1] == b'-';
        }
        begins = text[from] == b'\n';
        if !comment {
            if let Some(out) = &mut out {
                out[to] = text[from];
            }
            to += 1;
        }
        from += 1;
    }
    to
}

/// The schema version when all files are applied.
pub const LATEST: i64 = MIGRATIONS.len() as i64;

const VERSION: &str = "PRAGMA user_version";
const VERSIONS: [&str; MIGRATIONS.len()] = [
    "PRAGMA user_version = 1",
    "PRAGMA user_version = 2",
    "PRAGMA user_version = 3",
    "PRAGMA user_version = 4",
    "PRAGMA user_version = 5",
    "PRAGMA user_version = 6",
    "PRAGMA user_version = 7",
    "PRAGMA user_version = 8",
    "PRAGMA user_version = 9",
    "PRAGMA user_version = 10",
    "PRAGMA user_version = 11",
    "PRAGMA user_version = 12",
    "PRAGMA user_version = 13",
    "PRAGMA user_version = 14",
    "PRAGMA user_version = 15",
    "PRAGMA user_version = 16",
    "PRAGMA user_version = 17",
];
const WAL: &str = "PRAGMA journal_mode = WAL";

fn version(db: &dyn Db) -> Result<i64, StoreError> {
    db.first(VERSION, &[])?.ok_or(StoreError::Missing("user_version"))?.int(0)
}

/// Whether the schema is current. For adapters, which do not contain the migrations: the ticker, which always runs, applies
/// them.
///
/// # Errors
/// The database is newer than the program, or fails.
pub fn is_current(db: &dyn Db) -> Result<bool, StoreError> {
    match version(db)? {
        found if found > LATEST => Err(StoreError::Newer { found, known: LATEST }),
        found => Ok(found == LATEST),
    }
}

/// Brings the database to the newest schema. If it is there already, this reads one pragma. It is safe if many instances
/// start at once: the first takes the write lock, and the others find the work done. True if this call did the work.
///
/// # Errors
/// The database is newer than the program, or fails.
pub fn migrate(db: &dyn Db) -> Result<bool, StoreError> {
    if is_current(db)? {
        return Ok(false);
    }
    // This setting is a hint. It lasts in the file and cannot be set in a transaction. If it is refused (another start holds
    // the lock, or the database is not a file), the default journal is slower but as safe.
    let _ = db.execute(WAL, &[]);
    immediate(db, || {
        let done = usize::try_from(version(db)?).unwrap_or(0);
        apply(db, done, MIGRATIONS.len())?;
        Ok(done < MIGRATIONS.len())
    })
}

/// Applies the files after the first `done`, up to number `to`.
fn apply(db: &dyn Db, done: usize, to: usize) -> Result<(), StoreError> {
    for (sql, bump) in MIGRATIONS.iter().zip(VERSIONS).take(to).skip(done) {
        for statement in statements(sql) {
            db.execute(statement, &[])?;
        }
        db.execute(bump, &[])?;
    }
    Ok(())
}

/// The statements of a file: each ends with a semicolon at the end of a line.
fn statements(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.split(";\n").map(str::trim).filter(|s| s.lines().any(|l| !l.trim().is_empty() && !l.starts_with("--")))
}

#[cfg(all(test, feature = "native"))]
mod tests {
    use super::*;
    use crate::db::Value;
    use crate::native::NativeDb;
    use warmline_model::{AgentId, CustomerId};

    #[test]
    fn sixteen_starts_at_once_migrate_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        std::thread::scope(|s| {
            for _ in 0..16 {
                s.spawn(|| migrate(&NativeDb::open(&path).unwrap()).unwrap());
            }
        });
        let db = NativeDb::open(&path).unwrap();
        migrate(&db).unwrap();
        assert_eq!(version(&db).unwrap(), LATEST);
        assert!(db.execute("SELECT seq FROM events", &[]).unwrap().is_empty());
    }

    #[test]
    fn who_is_stored_already_is_a_person_and_keeps_tags_and_token() {
        let db = NativeDb::memory().unwrap();
        apply(&db, 0, 4).unwrap();
        let (customer, agent) = (CustomerId::from_bytes(&[1; 16]).unwrap(), AgentId::from_bytes(&[2; 16]).unwrap());
        let of = |id: &[u8; 16]| -> Value { id.into() };
        let add = "INSERT INTO customers (id, wrapped_key, tags, created_at, owner) VALUES (?1, x'00', '[\"vip\"]', 5, ?2)";
        db.execute(add, &[of(customer.as_bytes()), of(agent.as_bytes())]).unwrap();
        db.execute(
            "INSERT INTO agents (id, name, role, state, state_since, vip, capacity, created_at) \
             VALUES (?1, x'', 'agent', 'offline', 0, 0, 100, 0)",
            &[of(agent.as_bytes())],
        )
        .unwrap();
        let add = "INSERT INTO tokens (hash, agent_id, role, created_at) VALUES (zeroblob(32), ?1, 'agent', 0)";
        db.execute(add, &[of(agent.as_bytes())]).unwrap();
        assert!(migrate(&db).unwrap());
        let found = crate::customers::get(&db, customer).unwrap().unwrap();
        assert_eq!((found.person, found.owner, found.tags), (customer, Some(agent), vec!["vip".to_owned()]));
        assert_eq!(crate::people::members(&db, customer).unwrap().len(), 1);
        assert_eq!(crate::tokens::find(&db, &[0; 32]).unwrap().map(|t| (t.agent, t.expires_at)), Some((agent, None)));
        assert_eq!(crate::tokens::of(&db, agent).unwrap().len(), 1);
    }

    #[test]
    fn a_newer_database_is_refused() {
        let db = NativeDb::memory().unwrap();
        migrate(&db).unwrap();
        db.execute("PRAGMA user_version = 99", &[]).unwrap();
        assert_eq!(migrate(&db), Err(StoreError::Newer { found: 99, known: LATEST }));
    }

    #[test]
    fn a_failed_transaction_leaves_nothing() {
        let db = NativeDb::memory().unwrap();
        migrate(&db).unwrap();
        let failed: Result<(), StoreError> = immediate(&db, || {
            db.execute("INSERT INTO followers (name, seq) VALUES ('a', 1)", &[])?;
            db.execute("INSERT INTO nowhere VALUES (1)", &[])?;
            Ok(())
        });
        assert!(failed.is_err());
        assert!(db.execute("SELECT * FROM followers", &[]).unwrap().is_empty());
        immediate(&db, || db.execute("INSERT INTO followers (name, seq) VALUES ('a', 1)", &[])).unwrap();
    }
}
