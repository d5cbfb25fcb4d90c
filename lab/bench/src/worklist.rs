//! Measures the worklist: 500 rows for a supervisor, out of all open conversations, and those of an agent who holds that many.

use super::Bench;
use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Instant;
use warmline_client::Api;
use warmline_fill::FillArgs;
use warmline_simulate::histogram::{Histogram, Summary};
use warmline_simulate::server::ServerOptions;

/// The answers to one reader.
#[derive(Clone, Debug, Serialize)]
pub struct Reader {
    /// Who reads.
    pub who: &'static str,
    /// Rows in the answer.
    pub rows: usize,
    /// Conversations that the view has.
    pub open: u64,
    /// The time from the request to the whole answer.
    pub latency: Summary,
    /// Bytes of the answer.
    pub bytes: usize,
    /// The same after gzip.
    pub gzip_bytes: usize,
}

/// The result at one fill level.
#[derive(Clone, Debug, Serialize)]
pub struct Worklist {
    /// Messages stored.
    pub stored: u64,
    /// The readers.
    pub readers: Vec<Reader>,
}

/// Messages in the small store.
const SMALL: u64 = 10_000;
/// Customers who wrote them; each has one open conversation.
const CUSTOMERS: u64 = 5_000;
/// Requests that do not count.
const WARM_UP: usize = 20;

/// Measures with few messages stored and with many.
pub(super) fn run(bench: &Bench<'_>) -> Result<Vec<Worklist>> {
    let many = if bench.args.quick { bench.args.messages.min(30_000) } else { bench.args.messages };
    [SMALL, many].into_iter().map(|stored| measure(bench, stored)).collect()
}

fn measure(bench: &Bench<'_>, stored: u64) -> Result<Worklist> {
    bench.say(&format!("the worklist with {stored} stored messages"));
    let directory = bench.scratch.sub(&format!("worklist-{stored}"))?;
    let options = bench.server_options(&bench.args.manifest, &directory, "normal");
    let fill = FillArgs {
        messages: stored,
        customers: CUSTOMERS,
        days: 30,
        state: options.state.clone(),
        manifest: bench.args.manifest.clone(),
        program: Some(bench.program.clone()),
    };
    warmline_fill::run(&fill)?;
    let server = bench.start(&ServerOptions { ..options })?;
    let admin = Api::new(&server.url(), &server.admin_token()?);
    let readers = bench.runtime.block_on(async {
        admin.wait_ready(std::time::Duration::from_secs(60)).await.context("not ready")?;
        let agents = admin.get("/api/agents?limit=200").await.context("agents")?;
        let full = agents["items"]
            .as_array()
            .into_iter()
            .flatten()
            .max_by_key(|agent| agent["load"].as_f64().map(|load| load as i64));
        let id = full.and_then(|agent| agent["id"].as_str()).context("no agent")?.to_owned();
        let token = admin.post(&format!("/api/agents/{id}/tokens"), &json!({})).await.context("token")?;
        let agent = admin.bearer(token["token"].as_str().context("no token")?);
        let times = if bench.args.quick { 50 } else { 300 };
        Ok::<_, anyhow::Error>(vec![
            read(&admin, "a supervisor", "all", times).await?,
            read(&agent, "an agent", "mine", times).await?,
        ])
    })?;
    for reader in &readers {
        bench.say(&format!("  {}: {} rows, {}", reader.who, reader.rows, reader.latency));
    }
    Ok(Worklist { stored, readers })
}

async fn read(api: &Api, who: &'static str, view: &str, times: usize) -> Result<Reader> {
    let path = format!("/api/worklist?view={view}&limit=500");
    let (mut histogram, mut last) = (Histogram::default(), Value::Null);
    for n in 0..WARM_UP + times {
        let begin = Instant::now();
        last = api.get(&path).await.context("the worklist")?;
        if n >= WARM_UP {
            histogram.record_time(begin.elapsed());
        }
    }
    let rows = last["items"].as_array().map_or(0, Vec::len);
    ensure!(rows > 0, "{who} has no rows");
    let body = last.to_string();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(body.as_bytes())?;
    Ok(Reader {
        who,
        rows,
        open: last["counts"][view].as_u64().unwrap_or(0),
        latency: histogram.summary(),
        bytes: body.len(),
        gzip_bytes: gzip.finish()?.len(),
    })
}
