//! The OpenAPI description, as it is served.

use warmline_endpoint::route::{Access, Answer, Call, Route, schema};
use warmline_endpoint::{Problem, Request, Response};

/// The description as served: this crate's `openapi.json`, which a test compares with [`crate::openapi::document`].
pub(crate) const PLAIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json"));
const GZIP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));
const TAG: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.tag"));

/// `GET /api/openapi.json`
pub(crate) fn serve(call: &Call<'_>) -> Result<Response, Problem> {
    let known = call.request.header("if-none-match").is_some_and(|tags| {
        tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == TAG)
    });
    let gzip = gzip_taken(call.request);
    let body = if gzip { GZIP } else { PLAIN };
    let (status, body) = if known { (304, Vec::new()) } else { (200, body.to_vec()) };
    let response = Response { status, headers: Vec::new(), content_type: "application/json", body };
    let response = response.with("etag", TAG).with("cache-control", "no-cache").with("vary", "accept-encoding");
    Ok(if gzip && !known { response.with("content-encoding", "gzip") } else { response })
}

/// Whether the client accepts gzip: it names gzip, with a weight other than 0.
fn gzip_taken(request: &Request) -> bool {
    request.header("accept-encoding").unwrap_or_default().split(',').any(|taken| {
        let (coding, weight) = taken.split_once(';').unwrap_or((taken, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        coding.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|q| q > 0.0)
    })
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::get(
    "/api/openapi.json",
    "This description.",
    Access::Public,
    Answer::Json(schema::<serde_json::Value>),
    serve,
)];
