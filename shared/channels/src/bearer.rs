//! The bearer token of a request, in its header or, for streams, in its query.

use crate::kit::{Refusal, Request};

/// The token in `Authorization: Bearer …`.
pub(crate) fn header<'a>(request: &Request<'a>) -> Option<&'a str> {
    let value = request.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The token in the header or else in the `access_token` parameter: a browser's EventSource cannot set headers. Use it only
/// for reading streams. Calls that change something take the header, which no link can carry.
pub(crate) fn header_or_query(request: &Request<'_>) -> Result<String, Refusal> {
    match header(request) {
        Some(token) => Ok(token.to_owned()),
        None => request.param("access_token").ok_or(Refusal::SignatureMissing),
    }
}
