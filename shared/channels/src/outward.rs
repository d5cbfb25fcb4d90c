//! What adapters that call an API over HTTP share: the check on an address in the settings, basic authentication, and what a
//! status alone says.

use crate::kit::{AccountError, ApiRequest, Outcome};
use crate::settings::Fields;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A setting that is a web address, without a slash at its end.
pub(crate) fn address(fields: &Fields<'_>, name: &str, default: Option<&str>) -> Result<Option<String>, AccountError> {
    let Some(text) = fields.text(name)?.or(default) else { return Ok(None) };
    let wrong = || AccountError::new(name, "must be an http or https URL without user, query or fragment");
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().is_some_and(|a| !a.as_str().contains('@') && !a.host().is_empty());
    if !http || !host || uri.query().is_some() || text.contains('#') {
        return Err(wrong());
    }
    Ok(Some(text.trim_end_matches('/').to_owned()))
}

/// The address of a platform's API: `api_base`, or its official host.
pub(crate) fn api_base(fields: &Fields<'_>, default: &str) -> Result<String, AccountError> {
    Ok(address(fields, "api_base", Some(default))?.unwrap_or_else(|| default.to_owned()))
}

/// A setting that names something at the platform: some visible ASCII characters.
pub(crate) fn name(fields: &Fields<'_>, name: &str, max: usize) -> Result<Option<String>, AccountError> {
    match fields.text(name)? {
        None => Ok(None),
        Some(text) if (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(text.to_owned()))
        }
        Some(_) => Err(AccountError::new(name, &format!("must be 1 to {max} visible ASCII characters without spaces"))),
    }
}

/// Reads a setting that must be there.
pub(crate) fn required<T>(value: Option<T>, name: &str) -> Result<T, AccountError> {
    value.ok_or_else(|| AccountError::new(name, "is required"))
}

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
    use serde_json::json;

    #[test]
    fn addresses() {
        let read = |text: &str| {
            let (settings, secrets) = (json!({ "api_base": text }), Default::default());
            let fields = Fields::new(&settings, &secrets, &["api_base"], &[]).ok().unwrap();
            api_base(&fields, "https://api.example.com").ok()
        };
        assert_eq!(read("http://127.0.0.1:9/").as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!(read("https://x/a/b/").as_deref(), Some("https://x/a/b"));
        for bad in ["ftp://x", "x", "https://u:p@x", "https://x/?a=1", "https://x/#a", "https://", "", "x y"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

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
