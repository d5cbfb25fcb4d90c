//! The runner's own error answers, as problem+json (RFC 9457). A component's errors are its own.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::WasiBody;

/// A complete body.
pub fn full(bytes: impl Into<Bytes>) -> WasiBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// The answer to an internal failure.
pub fn failed() -> Response<WasiBody> {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something failed inside; the log has the reason")
}

/// A problem of the runner, in the form that the components use: `code` is stable, `detail` is the advice.
pub fn problem(status: StatusCode, code: &str, detail: &str) -> Response<WasiBody> {
    let title = status.canonical_reason().unwrap_or("error");
    let body = serde_json::json!({
        "type": format!("urn:warmline:problem:{code}"), "title": title, "status": status.as_u16(), "code": code, "detail": detail,
    });
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
