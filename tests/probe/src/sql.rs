//! SQLite as a component sees it.

use anyhow::{Context as _, Result, bail, ensure};
use spin_sdk::sqlite::{Connection, Value};

/// Tables of the probe; creating them again does nothing.
const TABLES: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS marks (key TEXT PRIMARY KEY) STRICT",
    "CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY) STRICT",
    "CREATE TABLE IF NOT EXISTS child (parent INTEGER NOT NULL REFERENCES parent (id)) STRICT",
    "CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body TEXT NOT NULL) STRICT",
];

fn run(db: &Connection, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>> {
    let result =
        db.execute(sql, parameters).map_err(|error| anyhow::anyhow!("{error:?}")).with_context(|| sql.to_owned())?;
    Ok(result.rows.into_iter().map(|row| row.values).collect())
}

fn number(db: &Connection, sql: &str, parameters: &[Value]) -> Result<i64> {
    match run(db, sql, parameters)?.first().and_then(|row| row.first()) {
        Some(Value::Integer(number)) => Ok(*number),
        other => bail!("{sql}: expected a number, found {other:?}"),
    }
}

fn open() -> Result<Connection> {
    Connection::open_default().map_err(|error| anyhow::anyhow!("{error:?}"))
}

/// Writes a row that a later request can look for.
pub fn mark(key: &str) -> Result<()> {
    run(&open()?, "INSERT INTO marks (key) VALUES (?)", &[Value::Text(key.to_owned())])?;
    Ok(())
}

pub fn reply(path: &str, key: &str) -> Result<String> {
    if path == "open" {
        return Ok(format!("{:?}", Connection::open_default().map(drop)));
    }
    let db = open()?;
    let key = Value::Text(key.to_owned());
    Ok(match path {
        "prepare" => {
            for table in TABLES {
                run(&db, table, &[])?;
            }
            run(&db, "DELETE FROM counter", &[])?;
            run(&db, "INSERT INTO counter (id, n) VALUES (1, 0)", &[])?;
            run(&db, "DELETE FROM entry WHERE key = 'once'", &[])?;
            "prepared".to_owned()
        }
        "has" => number(&db, "SELECT count(*) FROM marks WHERE key = ?", &[key])?.to_string(),
        "row" => number(&db, "SELECT n FROM counter WHERE id = 1", &[])?.to_string(),
        "insert" => {
            let sql = "INSERT INTO entry (key, body) VALUES (NULL, ?) RETURNING id";
            number(&db, sql, &[Value::Text("x".repeat(200))])?.to_string()
        }
        "insert-once" => {
            let sql = "INSERT INTO entry (key, body) VALUES (?, '') ON CONFLICT DO NOTHING RETURNING id";
            run(&db, sql, &[key])?.len().to_string()
        }
        "insert-strict" => match run(&db, "INSERT INTO entry (key, body) VALUES (?, '')", &[key]) {
            Ok(_) => "stored".to_owned(),
            Err(error) => format!("{error:#}"),
        },
        "entries" => number(&db, "SELECT count(*) FROM entry", &[])?.to_string(),
        "increment" => {
            run(&db, "BEGIN IMMEDIATE", &[])?;
            let n = number(&db, "SELECT n FROM counter WHERE id = 1", &[])?;
            run(&db, "UPDATE counter SET n = ? WHERE id = 1", &[Value::Integer(n + 1)])?;
            run(&db, "COMMIT", &[])?;
            (n + 1).to_string()
        }
        "five" => {
            run(&db, "BEGIN IMMEDIATE", &[])?;
            for _ in 0..5 {
                run(&db, "INSERT INTO entry (key, body) VALUES (NULL, ?)", &[Value::Text("x".repeat(200))])?;
            }
            run(&db, "COMMIT", &[])?;
            "five".to_owned()
        }
        "first-only" => {
            run(&db, "INSERT INTO parent (id) VALUES (NULL); DELETE FROM parent", &[])?;
            let left = number(&db, "SELECT count(*) FROM parent", &[])?;
            run(&db, "DELETE FROM parent", &[])?;
            left.to_string()
        }
        "foreign-keys" => format!("{:?}", run(&db, "INSERT INTO child (parent) VALUES (77)", &[])),
        "leave-open" => {
            run(&db, "BEGIN IMMEDIATE", &[])?;
            run(&db, "INSERT INTO marks (key) VALUES (?)", &[key])?;
            "left open".to_owned()
        }
        "rolled-back" => {
            let other = open()?;
            run(&other, "BEGIN IMMEDIATE", &[])?;
            run(&other, "INSERT INTO marks (key) VALUES ('dropped')", &[])?;
            drop(other);
            number(&db, "SELECT count(*) FROM marks WHERE key = 'dropped'", &[])?.to_string()
        }
        "isolated" => {
            let other = open()?;
            run(&other, "BEGIN IMMEDIATE", &[])?;
            run(&other, "UPDATE counter SET n = n + 1000 WHERE id = 1", &[])?;
            let seen = number(&db, "SELECT n FROM counter WHERE id = 1", &[])?;
            let inside = number(&other, "SELECT n FROM counter WHERE id = 1", &[])?;
            run(&other, "ROLLBACK", &[])?;
            (inside - seen).to_string()
        }
        "deferred" => {
            run(&db, "BEGIN", &[])?;
            let before = number(&db, "SELECT n FROM counter WHERE id = 1", &[])?;
            run(&db, "UPDATE counter SET n = n + 1 WHERE id = 1", &[])?;
            run(&db, "ROLLBACK", &[])?;
            (number(&db, "SELECT n FROM counter WHERE id = 1", &[])? - before).to_string()
        }
        "savepoint" => {
            run(&db, "BEGIN IMMEDIATE", &[])?;
            run(&db, "UPDATE counter SET n = n + 1 WHERE id = 1", &[])?;
            run(&db, "SAVEPOINT inner_one", &[])?;
            run(&db, "UPDATE counter SET n = n + 100 WHERE id = 1", &[])?;
            run(&db, "ROLLBACK TO inner_one", &[])?;
            run(&db, "UPDATE counter SET n = n - 1 WHERE id = 1", &[])?;
            run(&db, "COMMIT", &[])?;
            "kept".to_owned()
        }
        "temp" => {
            run(&db, "CREATE TEMP TABLE passing (a)", &[])?;
            run(&db, "INSERT INTO passing VALUES (1)", &[])?;
            run(&db, "INSERT INTO marks (key) VALUES ('temp') ON CONFLICT DO NOTHING", &[])?;
            number(&db, "SELECT count(*) FROM passing", &[])?.to_string()
        }
        "temp-seen" => format!("{:?}", run(&db, "SELECT * FROM passing", &[])),
        "pragma-set" => {
            run(&db, "PRAGMA foreign_keys = OFF", &[])?;
            run(&db, "PRAGMA case_sensitive_like = ON", &[])?;
            number(&db, "PRAGMA foreign_keys", &[])?.to_string()
        }
        "pragma-seen" => {
            let keys = number(&db, "PRAGMA foreign_keys", &[])?;
            let like = number(&db, "SELECT 'A' LIKE 'a'", &[])?;
            format!("{keys} {like}")
        }
        "user-version" => {
            let before = number(&db, "PRAGMA user_version", &[])?;
            run(&db, "BEGIN IMMEDIATE", &[])?;
            run(&db, "PRAGMA user_version = 4711", &[])?;
            run(&db, "COMMIT", &[])?;
            let after = number(&open()?, "PRAGMA user_version", &[])?;
            run(&db, &format!("PRAGMA user_version = {before}"), &[])?;
            after.to_string()
        }
        "attach" => format!("{:?}", run(&db, "ATTACH 'other.db' AS other", &[])),
        "functions" => format!("{:?}", run(&db, "SELECT last_insert_rowid()", &[])),
        "syntax" => format!("{:?}", run(&db, "SELEC 1", &[])),
        "not-utf8" => format!("{:?}", run(&db, "SELECT CAST(x'ff00fe' AS TEXT)", &[])),
        "with" => {
            run(&db, "WITH given (n) AS (VALUES (1)) UPDATE counter SET n = n + (SELECT n FROM given) WHERE id = 1", &[])?;
            run(&db, "WITH given (n) AS (VALUES (1)) UPDATE counter SET n = n - (SELECT n FROM given) WHERE id = 1", &[])?;
            number(&db, "WITH given (n) AS (VALUES (41)) SELECT n + 1 FROM given", &[])?.to_string()
        }
        "values" => values(&db)?,
        _ => bail!("the probe has no path sql/{path}"),
    })
}

/// Checks that every value comes out as it went in.
fn values(db: &Connection) -> Result<String> {
    let given = [
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Real(0.1),
        Value::Text("客服 👩🏽‍💼 \u{0}inside".to_owned()),
        Value::Text(String::new()),
        Value::Blob(vec![0, 255, 0x80, 0]),
        Value::Blob(Vec::new()),
        Value::Null,
    ];
    let rows = run(db, "SELECT ?, ?, ?, ?, ?, ?, ?, ? AS last", &given)?;
    let row = rows.first().context("no row")?;
    ensure!(format!("{row:?}") == format!("{given:?}"), "{row:?}");
    let result = db.execute("SELECT 1 AS one, 2 AS two", &[]).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    ensure!(result.columns == ["one", "two"], "{:?}", result.columns);
    Ok("the same".to_owned())
}
