//! The checks: the common behaviour of the embedded runner and Spin, and the runner's own bounds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use http::Method;
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::Probe;

/// A path and its exact answer, with status 200.
pub const EXACT: [(&str, &str, &str); 31] = [
    ("a component answers", "/probe/hello", "hello"),
    ("a wildcard route", "/probe/who", "probe"),
    ("a longer wildcard comes first", "/probe/deeper/who", "deeper"),
    ("an exact route comes first", "/probe/exact", "deeper"),
    ("variables with templates", "/probe/variables", "Hello, Lijiang!"),
    ("environment", "/probe/environment", "environment"),
    ("statics live for one request", "/probe/static", "1"),
    ("statics live for one request (again)", "/probe/static", "1"),
    ("tables are made", "/probe/sql/prepare", "prepared"),
    ("only the first statement runs", "/probe/sql/first-only", "1"),
    ("values come back as they were", "/probe/sql/values", "the same"),
    ("common table expressions read and write", "/probe/sql/with", "42"),
    ("savepoints", "/probe/sql/savepoint", "kept"),
    ("a deferred transaction can write", "/probe/sql/deferred", "0"),
    ("an open transaction is not seen elsewhere", "/probe/sql/isolated", "1000"),
    ("a dropped connection rolls back", "/probe/sql/rolled-back", "0"),
    ("user_version is kept in the file", "/probe/sql/user-version", "4711"),
    ("temporary tables work", "/probe/sql/temp", "1"),
    ("settings work", "/probe/sql/pragma-set", "0"),
    ("settings are gone with the connection", "/probe/sql/pragma-seen", "1 1"),
    ("an insert can be made harmless", "/probe/sql/insert-once?key=once", "1"),
    ("an insert can be made harmless (again)", "/probe/sql/insert-once?key=once", "0"),
    ("a store that is not granted", "/bare/kv/open", "Err(Error::AccessDenied) Err(Error::AccessDenied)"),
    ("a second store that is not granted", "/probe/kv/open", "Ok(()) Err(Error::AccessDenied)"),
    ("a database that is not granted", "/bare/sql/open", "Err(Error::AccessDenied)"),
    ("key-value operations", "/probe/kv/round", "Some(\"second\") true true false None"),
    ("the largest key-value entry that is relied on", "/probe/kv/largest", "1000000"),
    ("a chained call of a private route", "/probe/call/private", "200 private"),
    ("a chained call of a public route", "/probe/call/public", "200 bare"),
    ("a chained call with a body", "/probe/call/post", "200 4 ding"),
    ("a refused call never reached its host", "/probe/call/outside-large", "NotReached(\"host_not_granted\")"),
];

/// A path and a part of its answer, with status 200.
pub const CONTAINS: [(&str, &str, &str); 9] = [
    ("foreign keys are on", "/probe/sql/foreign-keys", "FOREIGN KEY constraint failed"),
    ("temporary tables are gone with the connection", "/probe/sql/temp-seen", "no such table"),
    ("attaching a file is denied", "/probe/sql/attach", "Err("),
    ("a broken statement is an error", "/probe/sql/syntax", "syntax error"),
    ("a host that is not granted", "/probe/call/outside", "HttpRequestDenied"),
    ("a component that is not granted", "/probe/call/ungranted", "HttpRequestDenied"),
    ("no host at all granted", "/bare/call/private", "HttpRequestDenied"),
    ("a trap in the callee is a 500", "/probe/call/trap", "500 "),
    ("a callee that never answers is a 500", "/probe/call/silent", "500"),
];

/// Checks for status 500 without any internal detail. Spin sends an empty body, the embedded runner its problem `internal`.
async fn failed(probe: &Probe, path: &str) -> Result<()> {
    let answer = probe.get(path).await?;
    let code = serde_json::from_str(&answer.body).map(|body: serde_json::Value| body["code"] == "internal");
    let silent = answer.body.is_empty() || (code.unwrap_or(false) && answer.body.len() < 200);
    ensure!(answer.status == 500 && silent, "status {} {:?}", answer.status, answer.body);
    Ok(())
}

pub async fn trap(probe: &Probe) -> Result<()> {
    failed(probe, "/probe/trap").await?;
    probe.expect("/probe/hello", "hello").await
}

pub async fn unknown_component(probe: &Probe) -> Result<()> {
    failed(probe, "/probe/call/missing").await
}

pub async fn private_from_outside(probe: &Probe) -> Result<()> {
    for path in ["/probe-private/who", "/who", "/"] {
        let status = probe.get(path).await?.status;
        ensure!(status == 404, "{path}: status {status}");
    }
    Ok(())
}

pub async fn request_as_seen(probe: &Probe) -> Result<()> {
    let headers = [("x-mine", "yes"), ("spin-path-info", "/forged"), ("spin-full-url", "http://forged/")];
    let answer = probe.send(Method::POST, "/probe/request?a=b&c=%20d", &headers, Vec::new()).await?;
    let seen: serde_json::Value = serde_json::from_str(&answer.body).context("not JSON")?;
    let uri = format!("http://{}/probe/request?a=b&c=%20d", probe.authority());
    ensure!(seen["uri"] == uri.as_str(), "uri {}", seen["uri"]);
    ensure!(seen["method"] == "POST", "method {}", seen["method"]);
    for (name, value) in [
        ("x-mine", "yes"),
        ("spin-path-info", "/request"),
        ("spin-full-url", uri.as_str()),
        ("spin-matched-route", "/probe/..."),
    ] {
        ensure!(seen["headers"][name] == value, "{name}: {}", seen["headers"][name]);
    }
    ensure!(seen["headers"]["spin-client-addr"].is_string(), "spin-client-addr is missing");
    Ok(())
}

pub async fn body(probe: &Probe) -> Result<()> {
    let answer = probe.send(Method::POST, "/probe/echo", &[], "客服".repeat(5000).into_bytes()).await?;
    ensure!(answer.body.starts_with("30000 客服"), "{:?}", answer.body);
    Ok(())
}

pub async fn streaming(probe: &Probe) -> Result<()> {
    let mut response = probe.begin(Method::GET, "/probe/stream", &[], Vec::new()).await?;
    ensure!(response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream"), "content-type");
    let mut arrivals: Vec<(Duration, String)> = Vec::new();
    let begun = Instant::now();
    while let Some(frame) = response.body_mut().frame().await {
        if let Ok(data) = frame?.into_data() {
            arrivals.push((begun.elapsed(), String::from_utf8_lossy(&data).into_owned()));
        }
    }
    let text: String = arrivals.iter().map(|(_, text)| text.as_str()).collect();
    ensure!(text == "data: 1\n\ndata: 2\n\ndata: 3\n\n", "{text:?}");
    let (first, last) = (arrivals.first().context("nothing")?.0, arrivals.last().context("nothing")?.0);
    ensure!(last - first > Duration::from_millis(250), "everything came at once: {arrivals:?}");
    Ok(())
}

/// Waits until the row exists that a guest writes in the background.
async fn marked(probe: &Probe, key: &str) -> Result<()> {
    for _ in 0..40 {
        if probe.text(&format!("/probe/sql/has?key={key}")).await? == "1" {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("the guest was cut off")
}

pub async fn after_the_answer(probe: &Probe) -> Result<()> {
    let key = unique("after");
    let begun = Instant::now();
    probe.expect(&format!("/probe/after?key={key}"), "answered").await?;
    let _ = begun;
    marked(probe, &key).await
}

/// Sends a request and goes away before the answer. Returns the key that the guest would then write.
async fn go_away(probe: &Probe, method: Method) -> Result<String> {
    let key = unique("gone");
    let request =
        format!("{method} /probe/gone?key={key} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", probe.authority());
    let mut stream = tokio::net::TcpStream::connect(probe.authority()).await?;
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await?;
    sleep(Duration::from_millis(150)).await;
    drop(stream);
    Ok(key)
}

pub async fn after_the_client(probe: &Probe) -> Result<()> {
    let key = go_away(probe, Method::POST).await?;
    marked(probe, &key).await
}

pub async fn look_up_ends(probe: &Probe) -> Result<()> {
    let key = go_away(probe, Method::GET).await?;
    ensure!(marked(probe, &key).await.is_err(), "it went on without anybody to answer");
    Ok(())
}

pub async fn left_open(probe: &Probe) -> Result<()> {
    let key = unique("open");
    probe.expect(&format!("/probe/sql/leave-open?key={key}"), "left open").await?;
    probe.expect(&format!("/probe/sql/has?key={key}"), "0").await
}

pub async fn constraint(probe: &Probe) -> Result<()> {
    let path = format!("/probe/sql/insert-strict?key={}", unique("strict"));
    probe.expect(&path, "stored").await?;
    let second = probe.text(&path).await?;
    ensure!(second.contains("UNIQUE constraint failed: entry.key"), "{second:?}");
    Ok(())
}

/// The answers to `count` requests, `width` at a time.
async fn many(probe: &Probe, path: impl Fn(usize) -> String, count: usize, width: usize) -> Result<Vec<String>> {
    let (mut tasks, mut bodies) = (JoinSet::new(), Vec::new());
    for number in 0..count {
        let (probe, path) = (probe.clone(), path(number));
        tasks.spawn(async move { probe.text(&path).await });
        if tasks.len() >= width {
            bodies.extend(tasks.join_next().await.transpose()?.transpose()?);
        }
    }
    while let Some(body) = tasks.join_next().await {
        bodies.push(body??);
    }
    Ok(bodies)
}

pub async fn no_lost_update(probe: &Probe) -> Result<()> {
    let before: usize = probe.text("/probe/sql/row").await?.parse()?;
    let values = many(probe, |_| "/probe/sql/increment".to_owned(), 200, 12).await?;
    let distinct: BTreeSet<&String> = values.iter().collect();
    ensure!(distinct.len() == 200, "{} different values of 200", distinct.len());
    probe.expect("/probe/sql/row", &(before + 200).to_string()).await
}

pub async fn shared_commits(probe: &Probe) -> Result<()> {
    let before: usize = probe.text("/probe/sql/entries").await?.parse()?;
    let ids = many(probe, |_| "/probe/sql/insert".to_owned(), 300, 12).await?;
    let distinct: BTreeSet<&String> = ids.iter().collect();
    ensure!(distinct.len() == 300, "{} different ids of 300", distinct.len());
    probe.expect("/probe/sql/entries", &(before + 300).to_string()).await
}

pub async fn shared_commits_with_errors(probe: &Probe) -> Result<()> {
    let salt = unique("batch");
    let bodies = many(probe, |n| format!("/probe/sql/insert-strict?key={salt}-{}", n / 2), 120, 12).await?;
    let stored = bodies.iter().filter(|body| *body == "stored").count();
    let refused = bodies.iter().filter(|body| body.contains("UNIQUE")).count();
    ensure!((stored, refused) == (60, 60), "stored {stored}, refused {refused} of 60 each");
    Ok(())
}

pub async fn fair_writers(probe: &Probe) -> Result<()> {
    let begun = Instant::now();
    many(probe, |_| "/probe/sql/five".to_owned(), 200, 12).await?;
    ensure!(begun.elapsed() < Duration::from_secs(20), "200 transactions took {:?}", begun.elapsed());
    Ok(())
}

pub async fn not_utf8(probe: &Probe) -> Result<()> {
    let answer = probe.get("/probe/sql/not-utf8").await?;
    ensure!(answer.status == 500 || answer.body.contains("not UTF-8"), "{answer:?}");
    probe.expect("/probe/hello", "hello").await
}

pub async fn key_value_bounds(probe: &Probe) -> Result<()> {
    probe.expect("/probe/kv/beyond", "true true").await
}

pub async fn functions_denied(probe: &Probe) -> Result<()> {
    let body = probe.text("/probe/sql/functions").await?;
    ensure!(body.contains("RETURNING"), "{body:?}");
    Ok(())
}

pub async fn large_body(probe: &Probe) -> Result<()> {
    let answer = probe.send(Method::POST, "/probe/echo", &[], vec![b'x'; 3 << 20]).await?;
    ensure!(answer.status == 413, "with Content-Length: status {}", answer.status);
    let kind = answer.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json");
    ensure!(kind, "{:?}", answer.headers);
    let mut chunked =
        format!("POST /probe/echo HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", probe.authority())
            .into_bytes();
    for _ in 0..48 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&[b'x'; 0x10000]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let answer = probe.raw(&chunked).await?;
    ensure!(answer.starts_with("HTTP/1.1 413"), "chunked: {:?}", answer.lines().next());
    Ok(())
}

pub async fn malformed(probe: &Probe) -> Result<()> {
    for (request, expected) in [
        ("NONSENSE\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        ("GET /probe/hello HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        (format!("GET /probe/hello HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(100_000)), "HTTP/1.1 431"),
        ("GET /probe/hello HTTP/1.0\r\n\r\n".to_owned(), "HTTP/1.0 200"),
    ] {
        let answer = probe.raw(request.as_bytes()).await?;
        ensure!(answer.starts_with(expected), "{:?}: {:?}", request.lines().next(), answer.lines().next());
    }
    Ok(())
}

pub async fn cpu_bound(probe: &Probe) -> Result<()> {
    let begun = Instant::now();
    failed(probe, "/probe/burn").await?;
    ensure!(begun.elapsed() < Duration::from_secs(10), "only after {:?}", begun.elapsed());
    Ok(())
}

pub async fn memory_bound(probe: &Probe) -> Result<()> {
    probe.expect("/probe/memory?mib=16", &(16 << 20).to_string()).await?;
    failed(probe, "/probe/memory?mib=200").await
}

pub async fn too_many(probe: &Probe) -> Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..24 {
        let probe = probe.clone();
        // A look-up of that length would count as a stream.
        tasks.spawn(async move { probe.send(Method::POST, "/probe/sleep?ms=3000", &[], Vec::new()).await });
    }
    let (mut served, mut refused) = (0, 0);
    while let Some(answer) = tasks.join_next().await {
        let answer = answer??;
        match answer.status {
            200 => served += 1,
            503 => {
                ensure!(answer.headers.get("retry-after").is_some_and(|after| after == "1"), "no Retry-After");
                refused += 1;
            }
            status => bail!("status {status}"),
        }
    }
    // One component gets three quarters of the 16 places, so that the others stay reachable.
    ensure!((served, refused) == (12, 12), "served {served}, refused {refused} of 12 each");
    Ok(())
}

pub async fn one_busy_component(probe: &Probe) -> Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let probe = probe.clone();
        tasks.spawn(async move { probe.send(Method::POST, "/probe/sleep?ms=2500", &[], Vec::new()).await });
    }
    sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    probe.expect("/bare/who", "bare").await?;
    ensure!(begun.elapsed() < Duration::from_millis(700), "the other component waited {:?}", begun.elapsed());
    tasks.join_all().await;
    Ok(())
}

pub async fn no_answer_in_time(probe: &Probe) -> Result<()> {
    let status = probe.get("/probe/sleep?ms=9000").await?.status;
    ensure!(status == 504, "status {status}");
    Ok(())
}

/// A key that no earlier run used.
fn unique(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{name}-{}", now.as_nanos())
}
