//! Calls from component to component. They are hints: if one is lost, the tick finds the work.
//!
//! By default they use service chaining (`http://<component>.spin.internal`), in process and unreachable from outside. On a
//! platform without it (Fermyon Cloud), the variable `internal_calls` = `public` sends them to
//! `<public_url>/internal/<component>/…` with a token derived from the master key in force. With `chain` these paths answer
//! 404. Any other value disables internal calls; the tick then reports every component as not woken.

use crate::host::{Host, all};
use crate::keyring::masters;
use crate::outgoing::{self, Answer};
use subtle::ConstantTimeEq as _;
use warmline_channels::ApiRequest;
use warmline_endpoint::{Problem, Request};
use warmline_model::Channel;

/// The longest time for a component to answer a nudge.
const DEADLINE_MS: u64 = 15_000;

fn token(host: &impl Host) -> Result<String, Problem> {
    Ok(hex::encode(masters(host)?.signing("internal")))
}

/// Calls a component; `None` if it did not answer with success.
pub async fn call(host: &impl Host, component: &str, path_and_query: &str) -> Option<Answer> {
    let request = request(host, component, path_and_query)?;
    outgoing::call_within(host, DEADLINE_MS, &request).await.ok().filter(|answer| answer.status < 300)
}

/// The request that calls a component; `None` if internal calls are disabled.
pub(crate) fn request(host: &impl Host, component: &str, path_and_query: &str) -> Option<ApiRequest> {
    let (url, headers) = match host.variable("internal_calls").as_str() {
        "chain" => (format!("http://{component}.spin.internal{path_and_query}"), Vec::new()),
        "public" => {
            let base = host.variable("public_url");
            let url = format!("{}/internal/{component}{path_and_query}", base.trim_end_matches('/'));
            (url, vec![("authorization", format!("Bearer {}", token(host).ok()?))])
        }
        _ => return None,
    };
    Some(ApiRequest { method: http::Method::POST, url, headers, body: Vec::new() })
}

/// Tells the router which shards of the inbox have rows.
pub(crate) async fn wake(host: &impl Host, shards: Vec<i64>) {
    all(shards.into_iter().map(|shard| drain(host, shard)).collect()).await;
}

/// Tells the router that a shard of the inbox has rows, and repeats the call while the router answers that there are more.
async fn drain(host: &impl Host, shard: i64) {
    for _ in 0..8 {
        match call(host, "router", &format!("/drain?shard={shard}")).await {
            Some(answer) if answer.body == b"more" => {}
            _ => return,
        }
    }
}

/// Tells a channel's adapter that the outbox has messages for it.
pub async fn deliver(host: &impl Host, channel: &Channel) {
    call(host, &format!("channel-{channel}"), "/deliver").await;
}

/// Admits a request: checks the token of a path below `/internal/<component>` and strips that prefix. Other paths pass
/// unchanged.
pub(crate) fn admit(host: &impl Host, mut request: Request) -> Result<Request, Problem> {
    let Some(rest) = request.path.strip_prefix("/internal/") else { return Ok(request) };
    if host.variable("internal_calls") != "public" {
        return Err(Problem::new(404, "not_found", "components do not call each other this way here"));
    }
    let wanted = token(host)?;
    let given = request.bearer().unwrap_or_default();
    if !bool::from(given.as_bytes().ct_eq(wanted.as_bytes())) {
        return Err(Problem::new(401, "internal_only", "this path is for Warmline's own components"));
    }
    let path = rest.split_once('/').map_or_else(|| "/".to_owned(), |(_, path)| format!("/{path}"));
    request.path = path;
    Ok(request)
}
