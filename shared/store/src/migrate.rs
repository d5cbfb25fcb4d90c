//! Numbered SQL files. Each is applied once, in order, in one transaction with its number. The store's own files are the
//! *core*. Each capability has files of its own, numbered from 1, so that two capabilities never wait for each other.
//!
//! Files only add ("expand"), so that the previous release can keep working on a store that this one migrated. A file that
//! removes something ("contract") comes a release later, and raises [`NEEDS`].

use crate::db::{Db, StoreError, immediate};
use crate::dialect::{self, strict_by_key};

/// The text of a SQL file without comment lines and indentation, as a constant. Each component that migrates contains all
/// files, and their size costs each request.
#[macro_export]
macro_rules! migration {
    ($path:literal) => {{
        const TEXT: &[u8] = include_bytes!($path);
        const PLAIN: [u8; $crate::migrate::plain(TEXT, None)] = {
            let mut out = [0; $crate::migrate::plain(TEXT, None)];
            $crate::migrate::plain(TEXT, Some(&mut out));
            out
        };
        match std::str::from_utf8(&PLAIN) {
            Ok(text) => text,
            Err(_) => panic!("a migration is UTF-8"),
        }
    }};
}

/// The tables of a capability, or the core's.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The capability.
    pub of: &'static str,
    /// Its files, each made with [`migration!`](crate::migration). To add one, append it. Never change a file that has been
    /// applied anywhere.
    pub files: &'static [&'static str],
}

impl Migrations {
    /// The version when all files are applied.
    #[expect(clippy::cast_possible_wrap, reason = "there are not that many files")]
    pub const fn latest(&self) -> i64 {
        self.files.len() as i64
    }
}

/// The core's files.
pub const CORE: Migrations = Migrations {
    of: "core",
    files: &[
        migration!("../migrations/0001_foundation.sql"),
        migration!("../migrations/0002_channels.sql"),
        migration!("../migrations/0003_routing.sql"),
        migration!("../migrations/0004_staffing.sql"),
        migration!("../migrations/0005_people.sql"),
        migration!("../migrations/0006_audit.sql"),
        migration!("../migrations/0007_tokens.sql"),
        migration!("../migrations/0008_privacy.sql"),
        migration!("../migrations/0009_cases.sql"),
        migration!("../migrations/0010_duties.sql"),
        migration!("../migrations/0011_findings.sql"),
        migration!("../migrations/0012_held.sql"),
        migration!("../migrations/0013_intake.sql"),
        migration!("../migrations/0014_optout.sql"),
        migration!("../migrations/0015_delivery.sql"),
        migration!("../migrations/0016_accounts.sql"),
        migration!("../migrations/0017_people.sql"),
        migration!("../migrations/0018_rosters.sql"),
        migration!("../migrations/0019_arrivals.sql"),
        migration!("../migrations/0020_event_packs.sql"),
        migration!("../migrations/0021_inbox_seen.sql"),
        migration!("../migrations/0022_platform_tokens.sql"),
        migration!("../migrations/0023_kept_keys.sql"),
        migration!("../migrations/0024_wrap_up.sql"),
        migration!("../migrations/0025_credentials.sql"),
        migration!("../migrations/0026_watched_words.sql"),
        migration!("../migrations/0027_approaches.sql"),
    ],
};

/// The core's version when all files are applied.
pub const LATEST: i64 = CORE.latest();

/// The oldest core version that a program must know to work on this store. A file that removes something raises it.
const NEEDS: i64 = 12;

/// The last release without the table of versions knows `user_version` only, and refuses a number above 12. A store with a
/// greater need must therefore have a higher number here, too.
pub(crate) const USER_VERSION: i64 = 12;
const _: () = assert!(NEEDS <= USER_VERSION, "raise user_version together with NEEDS");

const TABLE: &str = concat!(
    "CREATE TABLE IF NOT EXISTS schema_versions (of TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL)",
    strict_by_key!()
);
const READ: &str = "SELECT of, version FROM schema_versions";
const READ_WITH: &str =
    "SELECT of, version, NULL FROM schema_versions UNION ALL SELECT name, 0, value FROM meta WHERE name = ?1";
const WRITE: &str = "INSERT INTO schema_versions (of, version) VALUES (?1, ?2) \
                     ON CONFLICT (of) DO UPDATE SET version = max(version, ?2)";
/// The row with the core version that a program must know.
const NEEDED: &str = "needs";

/// The length of a text without comment lines and without the spaces at the beginning of lines. If `out` is given, also
/// writes that text to it.
#[expect(clippy::indexing_slicing, reason = "worked out when it is compiled, where an index out of range is an error")]
#[doc(hidden)]
pub const fn plain(text: &[u8], mut out: Option<&mut [u8]>) -> usize {
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

/// The applied files, as the version of each capability.
struct Applied(Vec<(String, i64)>);

impl Applied {
    /// Reads the versions. An older store has no table of them, and its core's version in `user_version`.
    ///
    /// # Errors
    /// The database needs a newer program, or fails.
    fn read(db: &dyn Db) -> Result<Self, StoreError> {
        let rows = match db.execute(READ, &[]) {
            Ok(rows) => rows,
            // The table is missing: the store is new or of an earlier release.
            Err(StoreError::Incomplete(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let versions = rows.iter().map(|r| Ok((r.text(0)?.to_owned(), r.int(1)?)));
        Self::of_rows(db, versions.collect::<Result<_, StoreError>>()?)
    }

    fn of_rows(db: &dyn Db, versions: Vec<(String, i64)>) -> Result<Self, StoreError> {
        let mut found = Self(versions);
        if found.of(CORE.of).is_none() {
            let version = db.first(dialect::USER_VERSION, &[])?.ok_or(StoreError::Missing("user_version"))?.int(0)?;
            found.0 = vec![(CORE.of.to_owned(), version), (NEEDED.to_owned(), version)];
        }
        match found.of(NEEDED) {
            Some(needs) if needs > LATEST => Err(StoreError::Newer { found: needs, known: LATEST }),
            _ => Ok(found),
        }
    }

    fn of(&self, capability: &str) -> Option<i64> {
        self.0.iter().find(|(of, _)| of == capability).map(|(_, version)| *version)
    }

    /// Whether all files of a capability are applied.
    fn has(&self, capability: &str, latest: i64) -> bool {
        latest == 0 || self.of(capability).is_some_and(|version| version >= latest)
    }
}

/// What a request must know of a store before it uses it, read by one statement.
pub struct State {
    applied: Applied,
    /// The fact that was asked for ([`crate::meta`]); `None` if there is none, or if the store is not set up.
    pub fact: Option<Vec<u8>>,
}

impl State {
    /// Reads it, with one fact.
    ///
    /// # Errors
    /// The database needs a newer program, or fails.
    pub fn read(db: &dyn Db, fact: &str) -> Result<Self, StoreError> {
        let rows = match db.execute(READ_WITH, &[fact.into()]) {
            Ok(rows) => rows,
            // A table is missing: the store is new or of an earlier release.
            Err(StoreError::Incomplete(_)) => return Ok(Self { applied: Applied::read(db)?, fact: None }),
            Err(error) => return Err(error),
        };
        let (mut versions, mut found) = (Vec::new(), None);
        for row in &rows {
            match row.opt_blob(2)? {
                Some(value) => found = Some(value.to_vec()),
                None => versions.push((row.text(0)?.to_owned(), row.int(1)?)),
            }
        }
        Ok(Self { applied: Applied::of_rows(db, versions)?, fact: found })
    }

    /// Whether the core and these capabilities are current: each by its name and latest version.
    pub fn is_current(&self, capabilities: impl IntoIterator<Item = (&'static str, i64)>) -> bool {
        self.applied.has(CORE.of, LATEST) && capabilities.into_iter().all(|(of, latest)| self.applied.has(of, latest))
    }
}

/// The capabilities that have tables in this store, including those that this program does not know.
pub fn capabilities(db: &dyn Db) -> Result<Vec<String>, StoreError> {
    let Applied(all) = Applied::read(db)?;
    let others = all.into_iter().filter(|(of, version)| ![CORE.of, NEEDED].contains(&of.as_str()) && *version > 0);
    Ok(others.map(|(of, _)| of).collect())
}

/// Brings the core to its newest schema. See [`migrate_all`].
///
/// # Errors
/// The errors of [`migrate_all`].
pub fn migrate(db: &dyn Db) -> Result<bool, StoreError> {
    migrate_all(db, &[])
}

/// Brings the core and these capabilities to their newest schema. If they are there already, this reads one small table. It
/// is safe if many instances start at once: the first takes the write lock, and the others find the work done. Returns true
/// if this call did the work.
///
/// # Errors
/// The database needs a newer program, or fails.
pub fn migrate_all(db: &dyn Db, capabilities: &[Migrations]) -> Result<bool, StoreError> {
    let all = || std::iter::once(&CORE).chain(capabilities);
    let current = |applied: &Applied| all().all(|m| applied.has(m.of, m.latest()));
    if current(&Applied::read(db)?) {
        return Ok(false);
    }
    // These settings are hints. They last in the file and cannot be set in a transaction, and the first one only before
    // anything is written. If they are refused (another start holds the lock, or the database is not a file), the file does
    // not shrink, and the default journal is slower and equally safe.
    let _ = db.execute(dialect::SHRINKS, &[]);
    let _ = db.execute(dialect::WRITE_AHEAD, &[]);
    immediate(db, || {
        let applied = Applied::read(db)?;
        if current(&applied) {
            return Ok(false);
        }
        db.execute(TABLE, &[])?;
        for migrations in all() {
            let done = applied.of(migrations.of).and_then(|version| usize::try_from(version).ok()).unwrap_or(0);
            apply(db, migrations, done)?;
        }
        db.execute(WRITE, &[NEEDED.into(), NEEDS.into()])?;
        db.execute(dialect::SET_USER_VERSION, &[])?;
        Ok(true)
    })
}

/// Applies the files after the first `done`.
fn apply(db: &dyn Db, migrations: &Migrations, done: usize) -> Result<(), StoreError> {
    for sql in migrations.files.iter().skip(done) {
        for statement in statements(sql) {
            db.execute(statement, &[])?;
        }
    }
    db.execute(WRITE, &[migrations.of.into(), migrations.latest().into()])?;
    Ok(())
}

/// The statements of a file: each ends with a semicolon at the end of a line.
fn statements(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.split(";\n").map(str::trim).filter(|s| s.lines().any(|l| !l.trim().is_empty() && !l.starts_with("--")))
}

#[cfg(all(test, feature = "native"))]
mod tests {
    fn current(db: &dyn Db, capabilities: impl IntoIterator<Item = (&'static str, i64)>) -> Result<bool, StoreError> {
        State::read(db, "root").map(|state| state.is_current(capabilities))
    }

    use super::*;
    use crate::db::Value;
    use crate::native::NativeDb;
    use warmline_model::{AgentId, CustomerId};

    /// The state that a release with this many core files left. It stored their number in `user_version`.
    fn until(db: &NativeDb, files: usize) -> Result<(), StoreError> {
        for statement in CORE.files.iter().take(files).copied().flat_map(statements) {
            db.execute(statement, &[])?;
        }
        let bump: &'static str = Box::leak(format!("PRAGMA user_version = {files}").into_boxed_str());
        db.execute(bump, &[]).map(drop)
    }

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
        assert_eq!(Applied::read(&db).unwrap().of("core"), Some(LATEST));
        assert!(db.execute("SELECT seq FROM events", &[]).unwrap().is_empty());
    }

    #[test]
    fn who_is_stored_already_is_a_person_and_keeps_tags_and_token() {
        let db = NativeDb::memory().unwrap();
        until(&db, 4).unwrap();
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
        assert_eq!(crate::customers::members(&db, customer).unwrap().len(), 1);
        assert_eq!(crate::tokens::find(&db, &[0; 32]).unwrap().map(|t| (t.agent, t.expires_at)), Some((agent, None)));
        assert_eq!(crate::tokens::of(&db, agent).unwrap().len(), 1);
    }

    #[test]
    fn a_newer_database_is_refused() {
        let db = NativeDb::memory().unwrap();
        migrate(&db).unwrap();
        db.execute("UPDATE schema_versions SET version = 99 WHERE of = 'needs'", &[]).unwrap();
        assert_eq!(migrate(&db), Err(StoreError::Newer { found: 99, known: LATEST }));
        assert_eq!(current(&db, []), Err(StoreError::Newer { found: 99, known: LATEST }));
        let other = NativeDb::memory().unwrap();
        other.execute("PRAGMA user_version = 99", &[]).unwrap();
        assert_eq!(migrate(&other), Err(StoreError::Newer { found: 99, known: LATEST }));
    }

    #[test]
    fn every_earlier_store_opens_and_the_release_before_finds_the_number_that_it_knows() {
        for done in 0..=CORE.files.len() {
            let db = NativeDb::memory().unwrap();
            until(&db, done).unwrap();
            assert_eq!(current(&db, []), Ok(done == CORE.files.len()));
            migrate(&db).unwrap();
            assert_eq!((current(&db, []), Applied::read(&db).unwrap().of("core")), (Ok(true), Some(LATEST)), "{done}");
            assert!(!migrate(&db).unwrap(), "{done}");
            if done < CORE.files.len() {
                let known = db.first(dialect::USER_VERSION, &[]).unwrap().unwrap().int(0).unwrap();
                assert_eq!(known, USER_VERSION);
            }
        }
    }

    #[test]
    fn a_capabilitys_files_are_applied_once_each_and_beside_the_cores() {
        const ONE: Migrations = Migrations { of: "tickets", files: &["CREATE TABLE t (a INTEGER) STRICT;\n"] };
        const TWO: Migrations = Migrations { of: "tickets", files: &[ONE.files[0], "ALTER TABLE t ADD COLUMN b TEXT;\n"] };
        let db = NativeDb::memory().unwrap();
        assert!(migrate_all(&db, &[ONE]).unwrap() && !migrate_all(&db, &[ONE]).unwrap());
        assert!(migrate_all(&db, &[TWO, Migrations { of: "profiles", files: &[] }]).unwrap());
        assert!(db.execute("SELECT a, b FROM t", &[]).unwrap().is_empty());
        assert_eq!(capabilities(&db).unwrap(), ["tickets"]);
        assert!(current(&db, [("tickets", 2)]).unwrap() && !current(&db, [("tickets", 3)]).unwrap());
        // The previous release continues, and does not set the newer version back.
        assert!(!migrate_all(&db, &[ONE]).unwrap() && !migrate_all(&db, &[TWO]).unwrap() && current(&db, []).unwrap());
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
