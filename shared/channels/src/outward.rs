//! What adapters that call an API over HTTP share: basic authentication, and what a status alone says.

use crate::kit::{ApiRequest, Outcome};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The value of an `Authorization` header (RFC 7617).
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A POST of a form.
pub(crate) fn post_form(url: String, authorization: Option<String>, body: String) -> ApiRequest {
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    headers.extend(authorization.map(|value| ("authorization", value)));
    ApiRequest { method: http::Method::POST, url, headers, body: body.into_bytes() }
}

/// What a status says where the body says nothing: none for a success.
pub(crate) fn by_status(status: u16) -> Option<Outcome> {
    match status {
        200..=299 => None,
        408 | 429 => Some(Outcome::Retry("rate_limited")),
        401 | 403 => Some(Outcome::Permanent("credentials_refused")),
        400..=499 => Some(Outcome::Permanent("http_refused")),
        _ => Some(Outcome::Retry("platform_unavailable")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        assert_eq!(by_status(204), None);
        assert_eq!(by_status(429), Some(Outcome::Retry("rate_limited")));
        assert_eq!(by_status(401), Some(Outcome::Permanent("credentials_refused")));
        assert_eq!(by_status(404), Some(Outcome::Permanent("http_refused")));
        assert_eq!(by_status(503), Some(Outcome::Retry("platform_unavailable")));
        assert_eq!(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
