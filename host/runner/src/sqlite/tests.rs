//! The databases without Wasm: what guests may and may not notice of the sharing.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Database, Durability, Session, StatementError};
use crate::bindings::sqlite::Value;

struct Fixture {
    database: Arc<Database>,
    dir: tempfile::TempDir,
}

async fn fixture(durability: Durability) -> Fixture {
    let dir = tempfile::tempdir().expect("temp");
    let database = Database::open("test", dir.path().join("test.db"), durability, 0).expect("opens");
    let fixture = Fixture { database, dir };
    fixture.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE)").await.expect("creates");
    fixture.run("CREATE TABLE u (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)").await.expect("creates");
    fixture
}

type Rows = Result<Vec<Vec<String>>, StatementError>;

async fn run(session: &Session, sql: &str) -> Rows {
    let result = session.execute(sql.to_owned(), Vec::new()).await?;
    let text = |value: Value| match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text,
        other => format!("{other:?}"),
    };
    Ok(result.rows.into_iter().map(|row| row.values.into_iter().map(text).collect()).collect())
}

impl Fixture {
    fn session(&self) -> Session {
        Session::new(Arc::clone(&self.database))
    }

    async fn run(&self, sql: &str) -> Rows {
        run(&self.session(), sql).await
    }

    async fn number(&self, sql: &str) -> i64 {
        self.run(sql).await.expect(sql)[0][0].parse().expect("a number")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_inserts_share_commits_and_keep_their_own_results() {
    for durability in [Durability::Full, Durability::Normal] {
        let fixture = fixture(durability).await;
        let mut tasks = JoinSet::new();
        for number in 0..200 {
            let session = fixture.session();
            // Every value comes twice: one of the two fails, and only that one.
            let sql = format!("INSERT INTO t (a) VALUES ('{}') RETURNING a", number / 2);
            tasks.spawn(async move { run(&session, &sql).await.map(|rows| rows[0][0].clone()) });
        }
        let (mut stored, mut refused) = (Vec::new(), 0);
        while let Some(outcome) = tasks.join_next().await {
            match outcome.expect("no panic") {
                Ok(value) => stored.push(value),
                Err(error) if error.message.contains("UNIQUE") => refused += 1,
                Err(error) => panic!("{}", error.message),
            }
        }
        stored.sort();
        stored.dedup();
        assert_eq!((stored.len(), refused), (100, 100));
        assert_eq!(fixture.number("SELECT count(*) FROM t").await, 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_ends_the_transaction_or_the_commit_harms_no_neighbour() {
    let fixture = fixture(Durability::Full).await;
    fixture.run("INSERT INTO t (a) VALUES ('taken')").await.expect("inserts");
    let mut tasks = JoinSet::new();
    for number in 0..90 {
        let session = fixture.session();
        let sql = match number % 3 {
            0 => format!("INSERT INTO t (a) VALUES ('{number}')"),
            1 => "INSERT OR ROLLBACK INTO t (a) VALUES ('taken')".to_owned(),
            _ => "INSERT INTO u (t) VALUES (999999)".to_owned(),
        };
        tasks.spawn(async move { (number % 3, run(&session, &sql).await) });
    }
    while let Some(outcome) = tasks.join_next().await {
        let (kind, outcome) = outcome.expect("no panic");
        match kind {
            0 => drop(outcome.expect("a good insert")),
            1 => assert!(outcome.expect_err("taken").message.contains("UNIQUE")),
            _ => assert!(outcome.expect_err("no parent").message.contains("FOREIGN KEY")),
        }
    }
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 31);
    assert_eq!(fixture.number("SELECT count(*) FROM u").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_lose_no_update() {
    let fixture = fixture(Durability::Normal).await;
    fixture.run("INSERT INTO t (id, a) VALUES (1, 0)").await.expect("inserts");
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let session = fixture.session();
        tasks.spawn(async move {
            run(&session, "BEGIN IMMEDIATE").await.expect("begins");
            let rows = run(&session, "SELECT a FROM t WHERE id = 1").await.expect("reads");
            let next = rows[0][0].parse::<i64>().expect("a number") + 1;
            tokio::task::yield_now().await;
            run(&session, &format!("UPDATE t SET a = {next} WHERE id = 1")).await.expect("writes");
            run(&session, "COMMIT").await.expect("commits");
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.expect("no panic");
    }
    assert_eq!(fixture.number("SELECT a FROM t WHERE id = 1").await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_leaves_nothing_behind() {
    let fixture = fixture(Durability::Normal).await;
    {
        let session = fixture.session();
        run(&session, "PRAGMA foreign_keys = OFF").await.expect("sets");
        run(&session, "CREATE TEMP TABLE passing (a)").await.expect("creates");
        run(&session, "INSERT INTO passing VALUES (7)").await.expect("inserts");
        assert_eq!(run(&session, "SELECT a FROM passing").await.expect("reads"), [["7"]]);
        run(&session, "INSERT INTO u (t) VALUES (5)").await.expect("foreign keys are off here");
    }
    {
        let session = fixture.session();
        run(&session, "BEGIN IMMEDIATE").await.expect("begins");
        run(&session, "CREATE TEMP TABLE passing (a)").await.expect("creates");
        run(&session, "INSERT INTO t (a) VALUES ('lost')").await.expect("inserts");
        run(&session, "COMMIT").await.expect("commits");
        assert!(run(&session, "SELECT a FROM passing").await.is_ok(), "its own until it ends");
        run(&session, "BEGIN").await.expect("begins");
        run(&session, "DELETE FROM t").await.expect("deletes");
    }
    for _ in 0..3 {
        let error = fixture.run("SELECT * FROM passing").await.expect_err("gone");
        assert!(error.message.contains("no such table"), "{}", error.message);
        let error = fixture.run("INSERT INTO passing VALUES (1)").await.expect_err("gone");
        assert!(error.message.contains("no such table"), "{}", error.message);
        assert!(fixture.run("INSERT INTO u (t) VALUES (5)").await.is_err(), "foreign keys are on");
    }
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_keeps_its_settings() {
    let fixture = fixture(Durability::Full).await;
    let session = fixture.session();
    assert_eq!(run(&session, "PRAGMA journal_mode = DELETE").await.expect("tells"), [["wal"]]);
    assert_eq!(run(&session, "PRAGMA synchronous = OFF").await.expect("tells"), [["2"]]);
    assert_eq!(run(&session, "PRAGMA foreign_keys").await.expect("tells"), [["1"]]);
    let error = run(&session, "SELECT changes()").await.expect_err("denied");
    assert!(error.message.contains("RETURNING"), "{}", error.message);
    let error = run(&session, "ATTACH ':memory:' AS x").await.expect_err("denied");
    assert!(error.message.contains("attached"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_waits_too_long_is_told_that_the_database_is_locked() {
    let fixture = fixture(Durability::Normal).await;
    let holder = fixture.session();
    run(&holder, "BEGIN IMMEDIATE").await.expect("begins");
    let second = fixture.session();
    let (begin, insert) = tokio::join!(run(&second, "BEGIN IMMEDIATE"), fixture.run("INSERT INTO t (a) VALUES ('late')"),);
    assert_eq!(begin.expect_err("locked").message, "database is locked");
    assert_eq!(insert.expect_err("locked").message, "database is locked");
    run(&holder, "ROLLBACK").await.expect("ends");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 0, "what was refused is not run later");
    fixture.run("INSERT INTO t (a) VALUES ('now')").await.expect("inserts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_left_alone_is_taken_away() {
    let fixture = fixture(Durability::Normal).await;
    let holder = fixture.session();
    run(&holder, "BEGIN IMMEDIATE").await.expect("begins");
    run(&holder, "INSERT INTO t (a) VALUES ('held')").await.expect("inserts");
    tokio::time::sleep(Duration::from_millis(10_600)).await;
    fixture.run("INSERT INTO t (a) VALUES ('free')").await.expect("the lock is free again");
    let error = run(&holder, "COMMIT").await.expect_err("expired");
    assert!(error.message.contains("rolled back"), "{}", error.message);
    assert_eq!(fixture.run("SELECT a FROM t").await.expect("reads"), [["free"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_statement_runs() {
    let fixture = fixture(Durability::Normal).await;
    fixture.run("INSERT INTO t (a) VALUES ('1'); INSERT INTO t (a) VALUES ('2')").await.expect("inserts");
    assert_eq!(fixture.number("SELECT count(*) FROM t; SELECT 77").await, 1);
    assert_eq!(fixture.number("SELECT count(*) FROM t WHERE a = ';'").await, 0);
    fixture.run("").await.expect("nothing to do");
    fixture.run("-- nothing").await.expect("nothing to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_transaction_can_become_a_writing_one() {
    let fixture = fixture(Durability::Normal).await;
    let session = fixture.session();
    run(&session, "BEGIN").await.expect("begins");
    run(&session, "SELECT * FROM t").await.expect("reads");
    run(&session, "INSERT INTO t (a) VALUES ('x')").await.expect("writes");
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 0);
    run(&session, "COMMIT").await.expect("commits");
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 1);
    fixture.run("INSERT INTO t (a) VALUES ('y')").await.expect("the lock is free again");
}

const GONE: &str = "the database file was removed, replaced or cut while it was open";

impl Fixture {
    fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Checks that every way to write is refused with the reason, and that reading still works.
    async fn refuses(&self, what: &str) {
        let insert = self.run("INSERT INTO t (a) VALUES ('lost')").await.expect_err(what);
        assert_eq!(insert.message, GONE, "{what}");
        let session = self.session();
        let begin = run(&session, "BEGIN IMMEDIATE").await.expect_err(what);
        assert_eq!(begin.message, GONE, "{what}");
        let mut tasks = JoinSet::new();
        for number in 0..20 {
            let session = self.session();
            tasks.spawn(async move { run(&session, &format!("INSERT INTO t (a) VALUES ('{number}')")).await });
        }
        while let Some(outcome) = tasks.join_next().await {
            assert_eq!(outcome.expect("no panic").expect_err(what).message, GONE, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_nothing_is_acknowledged_into_a_file_that_was_removed_or_replaced() {
    for durability in [Durability::Full, Durability::Normal] {
        for name in ["test.db", "test.db-wal"] {
            let fixture = fixture(durability).await;
            fixture.run("INSERT INTO t (a) VALUES ('kept')").await.expect("inserts");
            let aside = fixture.file("aside");
            std::fs::rename(fixture.file(name), &aside).expect("moves");
            fixture.refuses(name).await;
            std::fs::write(fixture.file(name), "another").expect("writes");
            fixture.refuses(name).await;
            std::fs::rename(&aside, fixture.file(name)).expect("moves back");
            fixture.run("INSERT INTO t (a) VALUES ('back')").await.expect("the file is there again");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_a_transaction_that_was_open_when_the_file_went_is_not_acknowledged() {
    let fixture = fixture(Durability::Normal).await;
    let session = fixture.session();
    run(&session, "BEGIN IMMEDIATE").await.expect("begins");
    run(&session, "INSERT INTO t (a) VALUES ('lost')").await.expect("inserts");
    std::fs::remove_file(fixture.file("test.db")).expect("removes");
    assert_eq!(run(&session, "COMMIT").await.expect_err("gone").message, GONE);
    drop(session);
    fixture.refuses("removed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_nothing_is_acknowledged_into_a_file_that_was_cut() {
    for (name, length) in [("test.db", 0), ("test.db", 8_192), ("test.db-wal", 0), ("test.db-wal", 5_000)] {
        let fixture = fixture(Durability::Normal).await;
        fixture.run("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("writes back");
        fixture.run("INSERT INTO t (a) VALUES ('kept')").await.expect("inserts");
        fixture.run("INSERT INTO t (a) VALUES ('kept too')").await.expect("inserts");
        let file = std::fs::OpenOptions::new().write(true).open(fixture.file(name)).expect("opens");
        assert!(file.metadata().expect("is there").len() > length);
        file.set_len(length).expect("cuts");
        fixture.refuses(name).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        fixture.refuses(name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_a_log_that_was_written_back_and_a_database_that_was_made_shorter_are_no_trouble() {
    let fixture = fixture(Durability::Normal).await;
    for round in 0..50 {
        fixture.run(&format!("INSERT INTO t (a) VALUES ('{round}' || hex(zeroblob(4000)))")).await.expect("inserts");
    }
    let other = rusqlite::Connection::open(fixture.file("test.db")).expect("opens");
    let checkpoint = || other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i32>(0)).expect("runs");
    assert_eq!(checkpoint(), 0);
    fixture.run("INSERT INTO t (a) VALUES ('after another program')").await.expect("inserts");
    fixture.run("DELETE FROM t WHERE length(a) > 1000").await.expect("deletes");
    // No guest may do this: it attaches a database.
    other.execute_batch("VACUUM").expect("runs");
    fixture.run("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("runs");
    for round in 0..50 {
        fixture.run(&format!("INSERT INTO t (a) VALUES ('again {round}')")).await.expect("inserts");
    }
    assert_eq!(fixture.number("SELECT count(*) FROM t").await, 51);
}

#[tokio::test(flavor = "multi_thread")]
async fn free_pages_are_given_back_in_steps() {
    let fixture = fixture(Durability::Normal).await;
    let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) \
                INSERT INTO t (id, a) SELECT i, printf('%d %.1000c', i, 'x') FROM n";
    fixture.run(rows).await.expect("inserts");
    let full = fixture.number("PRAGMA page_count").await;
    fixture.run("DELETE FROM t WHERE id > 10").await.expect("deletes");
    assert_eq!(fixture.number("PRAGMA page_count").await, full);
    while fixture.number("PRAGMA freelist_count").await > 0 {
        let before = fixture.number("PRAGMA page_count").await;
        fixture.run("PRAGMA incremental_vacuum(100)").await.expect("gives back");
        let given = before - fixture.number("PRAGMA page_count").await;
        assert!((1..=102).contains(&given), "{given}");
        // The file may be shorter now. It was not cut.
        fixture.run("UPDATE t SET a = a || '.' WHERE id = 1").await.expect("writes");
    }
    // Ten rows of a thousand characters, each in the table and in its index, and half-empty pages between them.
    let left = fixture.number("PRAGMA page_count").await;
    assert!(left < full / 20, "{left} of {full}");
    fixture.run("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("writes back");
    fixture.run("INSERT INTO t (a) VALUES ('more')").await.expect("writes");
    let length = std::fs::metadata(fixture.file("test.db")).expect("is there").len();
    assert!(length < 4096 * full.unsigned_abs() / 20, "{length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_a_disk_with_too_little_room_takes_no_writes_until_it_has_some() {
    let fixture = fixture(Durability::Normal).await;
    fixture.database.watch.look(u64::MAX);
    let reserve = rustix::fs::statvfs(fixture.dir.path()).expect("a disk");
    // The reserve is at most a twentieth of the disk, so it can never be larger than the disk.
    if reserve.f_bavail > reserve.f_blocks / 20 {
        fixture.run("INSERT INTO t (a) VALUES ('room')").await.expect("a twentieth is free");
    }
    for sql in ["INSERT INTO t (a) VALUES ('full')", "BEGIN IMMEDIATE"] {
        // The housekeeping finds room again, once a second.
        fixture.database.watch.set_full(true);
        let error = fixture.run(sql).await.expect_err("full");
        assert_eq!(error.message, "database or disk is full");
    }
    assert!(fixture.run("SELECT count(*) FROM t").await.is_ok());
    fixture.database.watch.look(0);
    fixture.run("INSERT INTO t (a) VALUES ('room again')").await.expect("by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_a_database_that_was_emptied_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().expect("temp");
    let (path, log) = (dir.path().join("test.db"), dir.path().join("test.db-wal"));
    std::fs::write(&path, "").expect("writes");
    std::fs::write(&log, "what was committed").expect("writes");
    let refused = Database::open("test", path.clone(), Durability::Full, 0).err().expect("is refused").to_string();
    assert!(refused.contains("restore the newest back-up"), "{refused}");
    assert_eq!(std::fs::read(&log).expect("reads"), b"what was committed");
    // Without a log it is a new database, whose file was made beforehand.
    std::fs::remove_file(&log).expect("removes");
    Database::open("test", path, Durability::Full, 0).expect("opens");
}

#[tokio::test(flavor = "multi_thread")]
async fn l6_a_database_is_one_process_alone_whatever_becomes_of_other_files() {
    let fixture = fixture(Durability::Normal).await;
    let again = Database::open("test", fixture.file("test.db"), Durability::Normal, 0);
    let error = format!("{:#}", again.err().expect("refused"));
    assert!(error.contains("another process") && error.contains("--state"), "{error}");
    // Programs that only use SQLite's locks, such as a back-up, are let in.
    let other = rusqlite::Connection::open(fixture.file("test.db")).expect("opens");
    assert_eq!(other.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).expect("reads"), 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn l4_a_database_and_what_lies_beside_it_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = fixture(Durability::Normal).await;
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let mode = std::fs::metadata(fixture.file(name)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l7_damaged_pages_are_counted() {
    let fixture = fixture(Durability::Normal).await;
    for round in 0..200 {
        fixture.run(&format!("INSERT INTO t (a) VALUES ('{round}' || hex(zeroblob(1000)))")).await.expect("inserts");
    }
    fixture.run("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("runs");
    assert_eq!(fixture.database.check().expect("reads"), None);
    let file = std::fs::OpenOptions::new().write(true).open(fixture.file("test.db")).expect("opens");
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 200 * 1024], 16 * 1024).expect("garbles");
    let error = fixture.run("SELECT max(length(a)) FROM t NOT INDEXED").await.expect_err("damaged");
    assert!(error.message.contains("malformed"), "{}", error.message);
    assert!(fixture.database.watch.damaged() > 0);
    assert!(fixture.database.check().expect("reads").is_some());
}
