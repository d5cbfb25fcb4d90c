//! The probe: each path of this component tests one behaviour of its runner.
//!
//! It runs unchanged on the embedded runner and on Spin. A path answers 200 with its observation. `cargo xtask conformance`
//! judges it, so that the same judgement holds for both.

mod calls;
mod sql;
mod stores;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::SinkExt as _;
use spin_sdk::http::{Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};
use spin_sdk::variables;

/// Statics live for one request only.
static REQUESTS: AtomicU32 = AtomicU32::new(0);

#[expect(unsafe_code, reason = "what #[http_component] generates exports the handler by an unsafe function")]
mod entry {
    use spin_sdk::http::{IncomingRequest, ResponseOutparam};

    #[spin_sdk::http_component]
    async fn handle(request: IncomingRequest, out: ResponseOutparam) {
        super::handle(request, out).await;
    }
}

async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let uri = request.path_with_query().unwrap_or_default();
    let (path, query) = uri.split_once('?').unwrap_or((uri.as_str(), ""));
    let path = path.trim_start_matches("/probe").trim_start_matches("/bare").to_owned();
    let key = parameter(query, "key");
    match path.as_str() {
        "/stream" => stream(out).await,
        "/after" => {
            answer(out, 200, "answered").await;
            pause(300);
            let _ = sql::mark(&key);
        }
        "/gone" => {
            pause(500);
            let _ = sql::mark(&key);
            answer(out, 200, "nobody is here").await;
        }
        "/silent" => {}
        _ => match reply(&path, query, request).await {
            Ok(text) => answer(out, 200, &text).await,
            Err(error) => answer(out, 599, &format!("{error:#}")).await,
        },
    }
}

async fn reply(path: &str, query: &str, request: IncomingRequest) -> anyhow::Result<String> {
    let key = parameter(query, "key");
    Ok(match path {
        "/hello" => "hello".to_owned(),
        "/who" | "/deeper/who" | "/exact" => variables::get("name")?,
        "/static" => (REQUESTS.fetch_add(1, Ordering::Relaxed) + 1).to_string(),
        "/variables" => match variables::get("nothing") {
            Err(variables::Error::Undefined(_)) => variables::get("greeting")?,
            other => anyhow::bail!("a variable that is not there: {other:?}"),
        },
        "/environment" => std::env::var("PROBE")?,
        "/request" => describe(&request),
        "/echo" => {
            let body = request.into_body().await.map_err(|error| anyhow::anyhow!("{}", error.to_debug_string()))?;
            format!("{} {}", body.len(), String::from_utf8_lossy(&body[..body.len().min(64)]))
        }
        "/sleep" => {
            pause(parameter(query, "ms").parse()?);
            "slept".to_owned()
        }
        "/trap" => {
            println!("about to trap");
            std::process::abort()
        }
        "/burn" => loop {
            std::hint::black_box(0);
        },
        "/memory" => {
            let wanted = parameter(query, "mib").parse::<usize>()? << 20;
            let filled = vec![1_u8; wanted];
            std::hint::black_box(&filled).len().to_string()
        }
        _ if path.starts_with("/sql/") => sql::reply(path.trim_start_matches("/sql/"), &key)?,
        _ if path.starts_with("/kv/") => stores::reply(path.trim_start_matches("/kv/"))?,
        _ if path.starts_with("/call/") => calls::reply(path.trim_start_matches("/call/"), query).await?,
        _ => anyhow::bail!("the probe has no path {path:?}"),
    })
}

/// The value of a query parameter, without any decoding.
fn parameter(query: &str, name: &str) -> String {
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_default().to_owned()
}

fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

fn describe(request: &IncomingRequest) -> String {
    let headers: serde_json::Map<String, serde_json::Value> = request
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned().into()))
        .collect();
    serde_json::json!({ "uri": request.uri(), "method": request.method().to_string(), "headers": headers }).to_string()
}

async fn answer(out: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    if response.set_status_code(status).is_err() {
        eprintln!("{status} is not a status");
    }
    if let Err(error) = out.set_with_body(response, text.as_bytes().to_vec()).await {
        eprintln!("the answer was not taken: {error:?}");
    }
}

/// Sends three events, with a pause between them.
async fn stream(out: ResponseOutparam) {
    let headers =
        Fields::from_list(&[("content-type".to_owned(), b"text/event-stream".to_vec())]).unwrap_or_else(|_| Fields::new());
    let response = OutgoingResponse::new(headers);
    let mut body = response.take_body();
    out.set(response);
    for number in 1..=3 {
        if body.send(format!("data: {number}\n\n").into_bytes()).await.is_err() {
            return;
        }
        pause(200);
    }
}
